//! One fetch: a request to one neighbour for one chunk or several, verified and stored as the bytes come in.

mod answer;
mod cutter;
mod described;
mod frames;
mod single;

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, header};
use bytes::Bytes;
use protocol::api::{HT_ELSEWHERE, HT_NEXT, HT_RETRY};
use protocol::{ChunkIndex, VerifiedChunk};
use store::StoreError;
use swarm::{Failure, FetchId, Need};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::context::Context;
use crate::fact::{Fact, Source};
use crate::holding::Holding;
use crate::http_client::HttpError;
use crate::neighbour::{Neighbour, Speaks};

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
    /// What to say of ourselves, so that who is asked knows whether it is needed.
    pub(crate) need: Need,
}

/// A request to one neighbour.
pub(crate) struct Fetcher {
    pub(crate) context: Arc<Context>,
    pub(crate) holding: Arc<Holding>,
    pub(crate) neighbour: Arc<Neighbour>,
    pub(crate) facts: mpsc::Sender<Fact>,
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

    /// What the neighbour suggests to ask for next is for the brain. A hint: better lost than waited for.
    fn note_suggestion(&self, headers: &HeaderMap) {
        let index = headers.get(HT_NEXT).and_then(|index| index.to_str().ok()?.parse().ok());
        if let Some(index) = index {
            let (peer, chunk) = (self.neighbour.key, ChunkIndex::new(index));
            let _ = self.facts.try_send(Fact::Suggested { peer, chunk });
        }
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
        let settled: Option<Vec<(Wanted, Outcome)>> = self.context.settling.blocking(work).await;
        let Some(settled) = settled else {
            // Every fetch ends with a fact, also when its thread did not.
            for wanted in asked {
                self.failed(wanted, Failure::Transport).await;
            }
            return Vec::new();
        };
        let mut wrong = Vec::new();
        for (wanted, outcome) in settled {
            let Wanted { fetch, chunk, .. } = wanted;
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
