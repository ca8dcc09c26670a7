//! Requests for chunks over plain HTTP/1.1, their answers read from the socket straight into buffers for chunks.
//!
//! hyper hands out a body in pieces of its own buffers: every byte is copied once more, which cost a leecher a seventh of its user
//! time (decision 13), and every connection keeps a buffer of 128 KiB. So the requests that bring nearly all bytes go
//! this way; every other one, every https one, and every neighbour whose answers have no `Content-Length`, goes through
//! [`HttpClient`](crate::HttpClient).
//!
//! * [`head`] reads the head of an answer, pure.
//! * [`connection`] is one kept-alive connection with one request on it at a time.
//! * [`Straight`] keeps idle ones, and asks again on a new one when an idle one turns out to be closed.

mod connection;
mod head;
mod idle;

use std::sync::Arc;
use std::time::Duration;

use axum::http::Request;
use bytes::Bytes;
use net::{Connector, Stream};
use protocol::BaseUrl;
use tower::ServiceExt;

pub(crate) use self::connection::{Answer, Body};
use self::connection::{Broken, Connection};
use self::idle::Idle;
use crate::http_client::HttpError;

/// Asks for chunks.
pub(crate) struct Straight {
    connector: Connector,
    idle: Arc<Idle>,
}

impl Straight {
    /// A client whose connections `connector` makes.
    pub(crate) fn new(connector: Connector) -> Self {
        Straight { connector, idle: Arc::default() }
    }

    /// Sends a request; returns when the head of the answer is there. An answer whose body has no declared length is
    /// [`HttpError::Unframed`]: ask for it through the other client. May be sent twice.
    pub(crate) async fn send(
        &self,
        base: &BaseUrl,
        request: &Request<Bytes>,
        limit: Duration,
    ) -> Result<Answer, HttpError> {
        tokio::time::timeout(limit, self.ask(base, request)).await.map_err(|_| HttpError::Timeout(limit))?
    }

    async fn ask(&self, base: &BaseUrl, request: &Request<Bytes>) -> Result<Answer, HttpError> {
        // Each idle connection may have been closed meanwhile, which shows before the first byte of an answer.
        while let Some(connection) = self.idle.take(base) {
            match connection.ask(request).await {
                Err(Broken::Unanswered(_)) => {}
                other => return other.map_err(Broken::into),
            }
        }
        let connecting = self.connector.clone().oneshot(request.uri().clone());
        let stream: Stream =
            connecting.await.map_err(|error| HttpError::Connection(error.to_string()))?.into_inner();
        let connection = Connection::new(stream, base.clone(), Arc::downgrade(&self.idle));
        connection.ask(request).await.map_err(Broken::into)
    }
}

#[cfg(test)]
mod tests;
