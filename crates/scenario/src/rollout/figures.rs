//! The figures of a simulated rollout, in the units in which people and programs read them.

use std::time::Duration;

use serde::Serialize;

use super::{Bounds, NamedRollout, Outcome, PeerOutcome, Role};

/// What came of a rollout in one row: times in seconds from when the first leecher comes, and each leecher's own
/// time where it says so. Rounded, so that they are written the same wherever they are.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// What arithmetic allows at best, for a file that can be cut as finely as one likes.
    pub bound_s: f64,
    /// The same for whole chunks.
    pub chunk_bound_s: f64,
    /// When the last leecher was complete; `None` when none was.
    pub time_s: Option<f64>,
    /// `time_s` over `bound_s`.
    pub ratio: Option<f64>,
    /// `time_s` over `chunk_bound_s`.
    pub chunk_ratio: Option<f64>,
    /// Within this time after it came, half of those that finished were complete.
    pub p50_s: Option<f64>,
    /// And 99 in a hundred.
    pub p99_s: Option<f64>,
    /// How many times the seeds sent the file.
    pub seed_copies: f64,
    /// Bytes that are not payload, as a share of the payload that was of use.
    pub control_bytes_share: f64,
    /// Payload that was of no use, as a share of all payload.
    pub wasted_share: f64,
    /// Requests that were refused (429).
    pub refused: u64,
    /// Of the file.
    pub file_bytes: u64,
    /// Of a chunk.
    pub chunk_bytes: u32,
    /// Of every random choice.
    pub seed: u64,
    /// Leechers.
    pub leechers: usize,
    /// Leechers that are complete.
    pub finished: usize,
    /// Leechers that stayed and are not complete.
    pub unfinished: usize,
    /// Leechers that were killed before they were complete.
    pub killed: usize,
    /// Payload from one site to another, where there are sites.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_between_sites: Option<u64>,
    /// Simulated events.
    pub events: u64,
    /// A hash of all of them: runs with the same one are the same run.
    pub trace: String,
    /// Group by group, in the order of the scenario.
    pub groups: Vec<GroupFigures>,
}

/// The part of one group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GroupFigures {
    /// What it is called.
    pub name: String,
    /// `"seed"` or `"leecher"`.
    pub role: &'static str,
    /// How many they are.
    pub peers: usize,
    /// How many became complete.
    pub finished: usize,
    /// How many stayed and did not.
    pub unfinished: usize,
    /// When its last was complete.
    pub time_s: Option<f64>,
    /// Of each one's own time, as for everybody.
    pub p50_s: Option<f64>,
    /// Likewise.
    pub p99_s: Option<f64>,
    /// Payload sent.
    pub sent_bytes: u64,
    /// Payload received.
    pub received_bytes: u64,
}

impl Figures {
    /// Of what was simulated and what came of it.
    pub fn of(named: &NamedRollout, outcome: &Outcome) -> Self {
        let rollout = &named.rollout;
        let Bounds { fluid, chunked } = Bounds::of(rollout);
        let last = outcome.last().map(|at| at.since(protocol::Time::ZERO));
        let over = |bound: Duration| {
            last.map(|last| rounded(last.as_secs_f64() / bound.as_secs_f64().max(1e-9), 1e4))
        };
        let sent: u64 = outcome.peers.iter().map(|peer| peer.sent).sum();
        let leechers = outcome.leechers().count();
        let finished = outcome.leechers().filter(|peer| peer.finished.is_some()).count();
        let group = |(number, name): (usize, &String)| GroupFigures::of(number, name, outcome);
        Figures {
            bound_s: seconds(fluid),
            chunk_bound_s: seconds(chunked),
            time_s: last.map(seconds),
            ratio: over(fluid),
            chunk_ratio: over(chunked),
            p50_s: outcome.percentile(50).map(seconds),
            p99_s: outcome.percentile(99).map(seconds),
            seed_copies: share(outcome.seed_copies_permille(), 1000, 1e3),
            control_bytes_share: share(outcome.control_ppm(), 1_000_000, 1e6),
            wasted_share: share(outcome.wasted, sent, 1e6),
            refused: outcome.refused,
            file_bytes: rollout.file_bytes,
            chunk_bytes: rollout.chunk_bytes,
            seed: rollout.seed,
            leechers,
            finished,
            unfinished: outcome.unfinished(),
            killed: leechers - finished - outcome.unfinished(),
            bytes_between_sites: (!rollout.sites.is_empty()).then_some(outcome.between_sites),
            events: outcome.events,
            trace: format!("{:016x}", outcome.trace),
            groups: named.names.iter().enumerate().map(group).collect(),
        }
    }
}

impl GroupFigures {
    fn of(number: usize, name: &str, outcome: &Outcome) -> Self {
        let members: Vec<&PeerOutcome> = outcome.peers.iter().filter(|peer| peer.group == number).collect();
        let is_seed = members.first().is_some_and(|peer| peer.role == Role::Seed);
        let wants = |peer: &&&PeerOutcome| peer.role == Role::Leecher;
        let mut times: Vec<Duration> = members.iter().filter(wants).filter_map(|peer| peer.took()).collect();
        times.sort_unstable();
        let last = members.iter().filter(wants).filter_map(|peer| peer.finished).max();
        let unfinished = members.iter().filter(wants).filter(|peer| !peer.gone && peer.finished.is_none());
        GroupFigures {
            name: name.to_owned(),
            role: if is_seed { "seed" } else { "leecher" },
            peers: members.len(),
            finished: times.len(),
            unfinished: unfinished.count(),
            time_s: last.map(|at| seconds(at.since(protocol::Time::ZERO))),
            p50_s: percentile(&times, 50).map(seconds),
            p99_s: percentile(&times, 99).map(seconds),
            sent_bytes: members.iter().map(|peer| peer.sent).sum(),
            received_bytes: members.iter().map(|peer| peer.received).sum(),
        }
    }
}

/// The time within which so many hundredths came to their end; `times` are sorted.
pub(super) fn percentile(times: &[Duration], hundredths: usize) -> Option<Duration> {
    let at = (times.len() * hundredths).div_ceil(100).max(1) - 1;
    times.get(at).copied()
}

/// Seconds, to the microsecond.
fn seconds(duration: Duration) -> f64 {
    rounded(duration.as_secs_f64(), 1e6)
}

#[expect(clippy::cast_precision_loss, reason = "a share of some digits")]
fn share(part: u64, whole: u64, digits: f64) -> f64 {
    rounded(part as f64 / whole.max(1) as f64, digits)
}

fn rounded(value: f64, digits: f64) -> f64 {
    (value * digits).round() / digits
}
