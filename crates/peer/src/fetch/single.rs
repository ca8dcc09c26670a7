//! One chunk in one request.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use bytes::Bytes;
use hyper::body::Incoming;
use protocol::api::peer::chunk_path;
use protocol::api::{HT_OTHERS, HT_RATE};
use store::Buffer;
use swarm::{Failure, FetchId};

use super::answer::{Answer, Body};
use super::{Fetcher, Report, Wanted, transport, turned_away};
use crate::fact::Source;
use crate::http_client::next_frame;
use crate::neighbour::native_request;
use crate::straight;

/// A chunk that did not come.
struct NotGot {
    failure: Failure,
    passed_a_cache: bool,
}

impl From<Failure> for NotGot {
    fn from(failure: Failure) -> Self {
        NotGot { failure, passed_a_cache: false }
    }
}

/// A chunk's bytes as they came.
struct Got {
    bytes: Bytes,
    passed_a_cache: bool,
    was_cached: bool,
}

impl Fetcher {
    /// `GET /chunk/{hash}`.
    pub(super) async fn single(&self, wanted: Wanted) {
        // Asked before the answer comes: another fetch may find the cache out meanwhile.
        let fresh = self.neighbour.is_asked_past_caches();
        match self.get_chunk(wanted, fresh).await {
            Err(NotGot { failure: Failure::WrongBytes, passed_a_cache }) => {
                self.wrong(wanted, passed_a_cache && !fresh).await;
            }
            Err(NotGot { failure, .. }) => self.failed(wanted, failure).await,
            Ok(Got { bytes, passed_a_cache, was_cached }) => {
                let source = if was_cached { Source::Cache } else { self.source() };
                for wrong in self.take(vec![(wanted, bytes)], source).await {
                    self.wrong(wrong, passed_a_cache && !fresh).await;
                }
            }
        }
    }

    /// Bytes failed their hash. A cache in between may have gone bad while the peer behind it is honest: it has one
    /// more chance, past every cache from now on (threat A8).
    async fn wrong(&self, wanted: Wanted, perhaps_the_cache: bool) {
        if perhaps_the_cache {
            self.neighbour.ask_past_caches();
            self.failed(wanted, Failure::Transport).await;
        } else {
            self.failed(wanted, Failure::WrongBytes).await;
        }
    }

    async fn get_chunk(&self, wanted: Wanted, fresh: bool) -> Result<Got, NotGot> {
        let torrent = self.holding.torrent();
        let length = torrent.span(wanted.chunk).length;
        let path = chunk_path(&torrent.chunk_hash(wanted.chunk));
        let mut request = native_request(&self.context, &self.neighbour.url, &path);
        if fresh {
            request = request.header(header::CACHE_CONTROL, "no-cache");
        }
        if self.neighbour.is_complete() {
            // Who has not got everything is no seed, and sends what it is asked for.
            request = request.header(HT_OTHERS, wanted.need.others);
            if let Some(rate) = wanted.need.rate {
                request = request.header(HT_RATE, rate);
            }
        }
        let request = request.body(Bytes::new()).map_err(|error| transport(&error.into()))?;
        let Answer { status, headers, body } = self.ask(request).await?;
        self.note_suggestion(&headers);
        if let Err(failure) = good(status, &headers) {
            body.skip().await;
            return Err(failure.into());
        }
        let (passed_a_cache, was_cached) = (passed_a_cache(&headers), was_cached(&headers));
        let read = match body {
            Body::Straight(body) => self.read_straight(body, wanted.fetch, length).await,
            Body::Hyper(body) => self.read_frames_of_hyper(body, wanted.fetch, length).await,
        };
        let bytes = read.map_err(|failure| NotGot { failure, passed_a_cache })?;
        Ok(Got { bytes, passed_a_cache, was_cached })
    }

    /// Reads exactly `length` bytes; of more, not one (threat A9).
    async fn read_straight(
        &self,
        mut body: straight::Body,
        fetch: FetchId,
        length: u32,
    ) -> Result<Bytes, Failure> {
        match body.left() {
            left if left > length.into() => return Err(Failure::WrongBytes),
            left if left < length.into() => return Err(Failure::Transport),
            _ => {}
        }
        let mut bytes = Buffer::with_capacity(length as usize);
        let mut report = Report::default();
        loop {
            match body.read_into(&mut bytes).await.map_err(|error| transport(&error))? {
                0 => break,
                came => self.came(fetch, came, &mut report).await,
            }
        }
        body.finish();
        Ok(bytes.freeze())
    }

    /// Reads exactly `length` bytes; one more and the body is cut (threat A9).
    async fn read_frames_of_hyper(
        &self,
        mut body: Incoming,
        fetch: FetchId,
        length: u32,
    ) -> Result<Bytes, Failure> {
        let mut bytes = Buffer::with_capacity(length as usize);
        let mut report = Report::default();
        while let Some(frame) = next_frame(&mut body).await.map_err(|error| transport(&error))? {
            if bytes.len() + frame.len() > length as usize {
                return Err(Failure::WrongBytes);
            }
            bytes.extend_from_slice(&frame);
            self.came(fetch, frame.len(), &mut report).await;
        }
        if bytes.len() < length as usize {
            return Err(Failure::Transport);
        }
        Ok(bytes.freeze())
    }
}

/// What an answer without a chunk means.
fn good(status: StatusCode, headers: &HeaderMap) -> Result<(), Failure> {
    match status {
        StatusCode::OK => Ok(()),
        StatusCode::NOT_FOUND | StatusCode::GONE => Err(Failure::Missing),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Err(turned_away(headers)),
        // Redirects, too, are not followed (threat A7).
        _ => Err(Failure::Transport),
    }
}

/// Something that caches may stand between: proxies must add `Via` (RFC 9110 §7.6.3), caches `Age` (RFC 9111 §5.1), and
/// many add an `X-Cache`.
fn passed_a_cache(headers: &HeaderMap) -> bool {
    ["age", "via", "x-cache", "x-cache-status"].iter().any(|name| headers.contains_key(*name))
}

/// The bytes were in the cache: nobody's uplink sent them.
fn was_cached(headers: &HeaderMap) -> bool {
    let says_hit = |name| {
        let value = headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        value.is_some_and(|value| value.to_ascii_lowercase().contains("hit"))
    };
    headers.contains_key("age") || says_hit("x-cache") || says_hit("x-cache-status")
}
