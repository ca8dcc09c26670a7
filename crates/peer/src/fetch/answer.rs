//! A request for chunks, and its answer: straight from the socket where nothing speaks against it, through hyper otherwise.

use axum::http::{HeaderMap, Method, Request, StatusCode};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use protocol::base_url::Scheme;
use swarm::Failure;

use super::{ANSWER, Fetcher, transport};
use crate::http_client::{HttpError, next_frame};
use crate::straight;

/// An answer, its body unread.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Body,
}

/// What comes behind the head.
pub(super) enum Body {
    Straight(straight::Body),
    Hyper(Incoming),
}

impl Fetcher {
    /// Sends a request to the neighbour; returns when the head of its answer is there, whatever that says.
    pub(super) async fn ask(&self, request: Request<Bytes>) -> Result<Answer, Failure> {
        let (url, several) = (&self.neighbour.url, request.method() == Method::POST);
        if url.scheme() == Scheme::Http && !self.neighbour.is_unframed(several) {
            match self.context.straight.send(url, &request, ANSWER).await {
                Ok(straight::Answer { status, headers, body }) => {
                    return Ok(Answer { status, headers, body: Body::Straight(body) });
                }
                // From now on, and now: asked once more, which takes a place in the queue there twice.
                Err(HttpError::Unframed) => self.neighbour.answers_unframed(several),
                Err(error) => return Err(transport(&error)),
            }
        }
        let sent = self.context.http.send(url, request.map(Full::new), ANSWER).await;
        let (head, body) = sent.map_err(|error| transport(&error))?.into_parts();
        Ok(Answer { status: head.status, headers: head.headers, body: Body::Hyper(body) })
    }
}

impl Body {
    /// What of it has come since; waits for some of it. `None` at its end.
    pub(super) async fn next_part(&mut self) -> Result<Option<Bytes>, HttpError> {
        match self {
            Body::Straight(body) => body.next_part().await,
            Body::Hyper(body) => next_frame(body).await,
        }
    }

    /// It is at its end: its connection is free for the next request. hyper's is by itself.
    pub(super) fn finish(self) {
        if let Body::Straight(body) = self {
            body.finish();
        }
    }

    /// Reads past what is of no interest, if it is little and comes soon.
    pub(super) async fn skip(self) {
        if let Body::Straight(body) = self {
            body.skip().await;
        }
    }
}
