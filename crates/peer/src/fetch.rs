//! One fetch: a request to one neighbour for one chunk or several, verified and stored as the bytes come in.

mod described;
mod frames;

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use protocol::api::peer::chunk_path;
use protocol::api::{HT_ELSEWHERE, HT_NEXT, HT_RETRY};
use protocol::{ChunkIndex, VerifiedChunk};
use store::{Buffer, StoreError};
use swarm::{Failure, FetchId};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::context::Context;
use crate::fact::{Fact, Source};
use crate::holding::Holding;
use crate::http_client::{HttpError, next_frame};
use crate::neighbour::{Neighbour, Speaks, native_request};

/// Longest wait for the head of an answer: it may stand in the uploader's queue. Longer than the brain's patience with
/// a queue and a stall together, so that the decision is the brain's.
const ANSWER: Duration = Duration::from_secs(45);
/// Bytes between two reports to the brain: enough to measure by, few enough not to be work …
const REPORT: u32 = 128 << 10;
/// … but a body that trickles is reported this often, or the brain would take it for stuck.
const REPORT_EVERY: Duration = Duration::from_secs(1);
/// A busy neighbour that does not say for how long.
const BUSY: Duration = Duration::from_secs(1);

/// One chunk to be brought, under the brain's number for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) fetch: FetchId,
    pub(crate) chunk: ChunkIndex,
}

/// A request to one neighbour.
pub(crate) struct Fetcher {
    pub(crate) context: Arc<Context>,
    pub(crate) holding: Arc<Holding>,
    pub(crate) neighbour: Arc<Neighbour>,
    pub(crate) facts: mpsc::Sender<Fact>,
}

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

/// What came of a body since the brain was last told.
struct Report {
    bytes: u32,
    last: Instant,
}

impl Default for Report {
    fn default() -> Self {
        Report { bytes: 0, last: Instant::now() }
    }
}

/// A chunk's bytes as they came.
struct Body {
    bytes: Bytes,
    passed_a_cache: bool,
    was_cached: bool,
}

/// What became of bytes that came.
enum Outcome {
    Stored { bytes: u64 },
    Wrong,
    Disk(VerifiedChunk, StoreError),
}

impl Fetcher {
    /// Brings all of `wanted`, telling the brain how each ended.
    pub(crate) async fn run(self, wanted: Vec<Wanted>) {
        match (self.neighbour.speaks(), wanted.as_slice()) {
            (Speaks::Native, [one]) => self.single(*one).await,
            (Speaks::Native, several) => self.frames(several).await,
            (Speaks::Described, several) => self.described(several).await,
        }
    }

    /// `GET /chunk/{hash}`.
    async fn single(&self, wanted: Wanted) {
        // Asked before the answer comes: another fetch may find the cache out meanwhile.
        let fresh = self.neighbour.is_asked_past_caches();
        match self.get_chunk(wanted, fresh).await {
            Err(NotGot { failure: Failure::WrongBytes, passed_a_cache }) => {
                self.wrong(wanted, passed_a_cache && !fresh).await;
            }
            Err(NotGot { failure, .. }) => self.failed(wanted, failure).await,
            Ok(Body { bytes, passed_a_cache, was_cached }) => {
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

    async fn get_chunk(&self, wanted: Wanted, fresh: bool) -> Result<Body, NotGot> {
        let torrent = self.holding.torrent();
        let length = torrent.span(wanted.chunk).length;
        let path = chunk_path(&torrent.chunk_hash(wanted.chunk));
        let mut request = native_request(&self.context, &self.neighbour.url, &path);
        if fresh {
            request = request.header(header::CACHE_CONTROL, "no-cache");
        }
        let request = request.body(Full::default()).map_err(|error| transport(&error.into()))?;
        let response = self.send(request).await?;
        let (passed_a_cache, was_cached) =
            (passed_a_cache(response.headers()), was_cached(response.headers()));
        let read = self.read_chunk(response.into_body(), wanted.fetch, length).await;
        let bytes = read.map_err(|failure| NotGot { failure, passed_a_cache })?;
        Ok(Body { bytes, passed_a_cache, was_cached })
    }

    /// The head of a good answer; any other is a failure.
    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Failure> {
        let sent = self.context.http.send(&self.neighbour.url, request, ANSWER).await;
        let response = sent.map_err(|error| transport(&error))?;
        self.note_suggestion(response.headers());
        match response.status() {
            StatusCode::OK => Ok(response),
            StatusCode::NOT_FOUND | StatusCode::GONE => Err(Failure::Missing),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                Err(turned_away(response.headers()))
            }
            // Redirects, too, are not followed (threat A7).
            _ => Err(Failure::Transport),
        }
    }

    /// What the neighbour suggests to ask for next is for the brain. A hint: better lost than waited for.
    fn note_suggestion(&self, headers: &HeaderMap) {
        let index = headers.get(HT_NEXT).and_then(|index| index.to_str().ok()?.parse().ok());
        if let Some(index) = index {
            let (peer, chunk) = (self.neighbour.key, ChunkIndex::new(index));
            let _ = self.facts.try_send(Fact::Suggested { peer, chunk });
        }
    }

    /// Reads exactly `length` bytes; one more and the body is cut (threat A9).
    async fn read_chunk(&self, mut body: Incoming, fetch: FetchId, length: u32) -> Result<Bytes, Failure> {
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

    /// Counts bytes that came, holds them to the limit, and reports now and then. Under a limit a part at a time, so
    /// that our own waiting is not taken for the neighbour's silence.
    async fn came(&self, fetch: FetchId, bytes: usize, report: &mut Report) {
        let mut left = bytes;
        while left > 0 {
            let part = if self.context.down.is_off() { left } else { self.context.down.slice(left) };
            if !self.context.down.is_off() {
                self.context.down.pass(part as u64).await;
            }
            left -= part;
            report.bytes += u32::try_from(part).unwrap_or(u32::MAX);
            if report.bytes >= REPORT || report.last.elapsed() >= REPORT_EVERY {
                // Only a measurement: better lost than waited for.
                let _ = self.facts.try_send(Fact::Bytes { fetch, bytes: report.bytes });
                *report = Report::default();
            }
        }
    }

    fn hashes(&self, wanted: &[Wanted]) -> Vec<String> {
        wanted.iter().map(|wanted| self.holding.torrent().chunk_hash(wanted.chunk).to_string()).collect()
    }

    /// Verifies and stores chunks on a blocking thread and reports those that are settled. Those with wrong bytes
    /// are returned: the caller knows whether they deserve another try.
    async fn take(&self, chunks: Vec<(Wanted, Bytes)>, source: Source) -> Vec<Wanted> {
        for (wanted, _) in &chunks {
            let _ = self.facts.send(Fact::Arrived { fetch: wanted.fetch }).await;
        }
        let asked: Vec<Wanted> = chunks.iter().map(|(wanted, _)| *wanted).collect();
        let holding = self.holding.clone();
        let work = move || {
            chunks
                .into_iter()
                .map(|(wanted, bytes)| (wanted, settle(&holding, wanted.chunk, bytes)))
                .collect()
        };
        let settled: Option<Vec<(Wanted, Outcome)>> = self.context.net.blocking(work).await;
        let Some(settled) = settled else {
            // Every fetch ends with a fact, also when its thread did not.
            for wanted in asked {
                self.failed(wanted, Failure::Transport).await;
            }
            return Vec::new();
        };
        let mut wrong = Vec::new();
        for (wanted, outcome) in settled {
            let Wanted { fetch, chunk } = wanted;
            let fact = match outcome {
                Outcome::Stored { bytes } => Fact::Stored { fetch, chunk, bytes, source },
                Outcome::Disk(chunk, error) => Fact::StoreFailed { fetch, chunk, source, error },
                Outcome::Wrong => {
                    wrong.push(wanted);
                    continue;
                }
            };
            let _ = self.facts.send(fact).await;
        }
        wrong
    }

    async fn failed(&self, wanted: Wanted, failure: Failure) {
        let _ = self.facts.send(Fact::Failed { fetch: wanted.fetch, failure }).await;
    }

    fn source(&self) -> Source {
        if self.neighbour.is_complete() { Source::Seed } else { Source::Peer }
    }
}

/// Hashes once, writes once. Blocks.
fn settle(holding: &Holding, chunk: ChunkIndex, bytes: Bytes) -> Outcome {
    match VerifiedChunk::check(holding.torrent(), chunk, bytes) {
        Err(_) => Outcome::Wrong,
        Ok(verified) => match holding.store(&verified) {
            Ok(bytes) => Outcome::Stored { bytes },
            Err(error) => Outcome::Disk(verified, error),
        },
    }
}

fn transport(error: &HttpError) -> Failure {
    tracing::debug!(%error, "fetch failed");
    Failure::Transport
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

/// Refused altogether, or for this chunk only.
fn turned_away(headers: &HeaderMap) -> Failure {
    match number(headers, HT_ELSEWHERE) {
        Some(millis) => Failure::Elsewhere { retry_after: Duration::from_millis(millis) },
        None => Failure::Busy { retry_after: retry_after(headers) },
    }
}

/// `HT-Retry` in milliseconds, otherwise `Retry-After` in seconds.
fn retry_after(headers: &HeaderMap) -> Duration {
    let millis = number(headers, HT_RETRY).map(Duration::from_millis);
    let seconds = || number(headers, header::RETRY_AFTER.as_str()).map(Duration::from_secs);
    millis.or_else(seconds).unwrap_or(BUSY)
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused_with(heads: &[(&'static str, &'static str)]) -> Failure {
        turned_away(
            &heads.iter().map(|&(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect(),
        )
    }

    #[test]
    fn a_refusals_milliseconds_count_before_its_seconds_and_nonsense_is_as_if_it_were_not_there() {
        let busy = |millis| Failure::Busy { retry_after: Duration::from_millis(millis) };
        assert_eq!(refused_with(&[(HT_RETRY, "260"), ("retry-after", "1")]), busy(260));
        assert_eq!(refused_with(&[("retry-after", "2")]), busy(2000));
        assert_eq!(refused_with(&[(HT_RETRY, "soon"), ("retry-after", "3")]), busy(3000));
        assert_eq!(
            refused_with(&[("retry-after", "Thu, 26 Nov 2026 17:00:00 GMT")]),
            Failure::Busy { retry_after: BUSY }
        );
        let elsewhere = Failure::Elsewhere { retry_after: Duration::from_secs(1) };
        assert_eq!(refused_with(&[(HT_ELSEWHERE, "1000"), (HT_RETRY, "260")]), elsewhere);
    }
}
