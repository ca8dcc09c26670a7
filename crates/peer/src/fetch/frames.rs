//! Several small chunks in one request, answered in frames: one round trip, one verification trip to a blocking thread.

use axum::http::{Method, StatusCode, header};
use bytes::Bytes;
use protocol::api::peer::{CHUNK, CHUNKS_MEDIA_TYPE};
use swarm::Failure;

use super::answer::{Answer, Body};
use super::cutter::Cutter;
use super::{Fetcher, Wanted, retry_after, transport};
use crate::neighbour::native_request;

/// What a neighbour makes of a request for several chunks.
enum Asked {
    Frames(Body),
    /// It does not know such requests.
    OneByOne,
}

impl Fetcher {
    /// `POST /chunk` for several small chunks, answered in frames.
    pub(super) async fn frames(&self, wanted: &[Wanted]) {
        let mut open: Vec<Option<Wanted>> = wanted.iter().copied().map(Some).collect();
        let failure = match self.ask_for_frames(wanted).await {
            Ok(Asked::Frames(body)) => self.read_frames(body, &mut open).await.err(),
            Ok(Asked::OneByOne) => {
                self.neighbour.takes_one_by_one();
                for one in wanted {
                    self.single(*one).await;
                }
                return;
            }
            Err(failure) => Some(failure),
        };
        // What a whole answer left out is not there.
        let failure = failure.unwrap_or(Failure::Missing);
        for wanted in open.into_iter().flatten() {
            self.failed(wanted, failure).await;
        }
    }

    async fn ask_for_frames(&self, wanted: &[Wanted]) -> Result<Asked, Failure> {
        let hashes = self.hashes(wanted);
        let body = serde_json::to_vec(&hashes).map_err(|_| Failure::Transport)?;
        let request = native_request(&self.context, &self.neighbour.url, CHUNK)
            .method(Method::POST)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, CHUNKS_MEDIA_TYPE)
            .body(Bytes::from(body))
            .map_err(|error| transport(&error.into()))?;
        let Answer { status, headers, body } = self.ask(request).await?;
        if status == StatusCode::OK {
            return Ok(Asked::Frames(body));
        }
        body.skip().await;
        match status {
            StatusCode::BAD_REQUEST => Err(Failure::Missing),
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {
                Ok(Asked::OneByOne)
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                Err(Failure::Busy { retry_after: retry_after(&headers) })
            }
            _ => Err(Failure::Transport),
        }
    }

    /// Takes frames as they become whole; those taken leave `open`.
    async fn read_frames(&self, mut body: Body, open: &mut [Option<Wanted>]) -> Result<(), Failure> {
        let mut cutter = Cutter::default();
        while let Some(mut bytes) = body.next_part().await.map_err(|error| transport(&error))? {
            if !self.context.down.is_off() {
                self.context.down.pass(bytes.len() as u64).await;
            }
            let mut whole = Vec::new();
            let next = loop {
                match cutter.next(&mut bytes, |at| self.expected(open, at)) {
                    Ok(Some((at, chunk))) => whole.extend(open[at].take().map(|wanted| (wanted, chunk))),
                    other => break other,
                }
            };
            for wrong in self.take(whole, self.source()).await {
                self.failed(wrong, Failure::WrongBytes).await;
            }
            // What was good before a lie is taken all the same.
            next?;
        }
        body.finish();
        if cutter.is_between_frames() { Ok(()) } else { Err(Failure::Transport) }
    }

    /// How long the chunk is that was asked for at this position and has not come.
    fn expected(&self, open: &[Option<Wanted>], at: usize) -> Option<u32> {
        let wanted = open.get(at).copied().flatten()?;
        Some(self.holding.torrent().span(wanted.chunk).length)
    }
}
