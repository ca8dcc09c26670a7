//! What came of a rollout.

use std::time::Duration;

use protocol::Time;

use super::Role;

/// What came of a rollout. Times count from when the first leecher comes.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Every peer, in the order of the groups.
    pub peers: Vec<PeerOutcome>,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// How it went on, a sample every [`super::Rollout::sample`].
    pub samples: Vec<Sample>,
    /// Payload bytes that were sent to somebody who had no use for them any more, or who did not believe them.
    pub wasted: u64,
    /// Payload bytes that went from one site to another.
    pub between_sites: u64,
    /// Requests that were refused (429).
    pub refused: u64,
    /// Bytes that are not payload.
    pub control: Control,
    /// How many events there were.
    pub events: u64,
    /// A hash of all events in order.
    pub trace: u64,
}

/// The state of the swarm at one time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// When.
    pub at: Time,
    /// Leechers that are complete.
    pub complete: u32,
    /// Payload bytes sent so far, the seeds' included.
    pub sent: u64,
    /// Payload bytes the seeds sent so far.
    pub seeds_sent: u64,
    /// Uplinks of leechers that send.
    pub sending: u32,
    /// Bodies on their way, requests that wait for a slot.
    pub bodies: u32,
    /// Requests that wait for a slot.
    pub waiting: u32,
}

/// One peer's part.
#[derive(Clone, Copy, Debug)]
pub struct PeerOutcome {
    /// Which of the rollout's groups it is of.
    pub group: usize,
    /// What it began with.
    pub role: Role,
    /// When it came.
    pub arrived: Time,
    /// When it was complete; `None` for one that was killed before, or did not finish within the limit.
    pub finished: Option<Time>,
    /// It was killed or left.
    pub gone: bool,
    /// Payload bytes it sent.
    pub sent: u64,
    /// Payload bytes that were sent to it.
    pub received: u64,
}

impl PeerOutcome {
    /// How long its download took.
    pub fn took(&self) -> Option<Duration> {
        self.finished.map(|finished| finished.since(self.arrived))
    }
}

/// Bytes of control traffic, by what they were for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Control {
    /// Heads of requests for chunks, and of their answers.
    pub requests: u64,
    /// Bitmaps and long polls.
    pub gains: u64,
    /// Announces and their answers, and what neighbours tell of others.
    pub peers: u64,
    /// torrent.json.
    pub torrent: u64,
}

impl Control {
    /// All of it.
    pub const fn total(&self) -> u64 {
        self.requests + self.gains + self.peers + self.torrent
    }
}

impl Outcome {
    /// Leechers that stayed and are not complete.
    pub fn unfinished(&self) -> usize {
        self.leechers().filter(|peer| !peer.gone && peer.finished.is_none()).count()
    }

    /// The leechers.
    pub fn leechers(&self) -> impl Iterator<Item = &PeerOutcome> {
        self.peers.iter().filter(|peer| peer.role == Role::Leecher)
    }

    /// How long the downloads took that came to their end, the quickest first.
    pub fn times(&self) -> Vec<Duration> {
        let mut times: Vec<Duration> = self.leechers().filter_map(PeerOutcome::took).collect();
        times.sort_unstable();
        times
    }

    /// The time within which so many hundredths of those that came to their end did.
    pub fn percentile(&self, hundredths: usize) -> Option<Duration> {
        super::figures::percentile(&self.times(), hundredths)
    }

    /// When the last was complete.
    pub fn last(&self) -> Option<Time> {
        self.leechers().filter_map(|peer| peer.finished).max()
    }

    /// What the seeds sent, in thousandths of the file.
    pub fn seed_copies_permille(&self) -> u64 {
        let sent: u64 = self.peers.iter().filter(|peer| peer.role == Role::Seed).map(|peer| peer.sent).sum();
        sent.saturating_mul(1000) / self.file_bytes.max(1)
    }

    /// Control bytes in millionths of the payload that was of use.
    pub fn control_ppm(&self) -> u64 {
        let payload: u64 = self.peers.iter().map(|peer| peer.received).sum::<u64>() - self.wasted;
        let ppm = u128::from(self.control.total()) * 1_000_000 / u128::from(payload.max(1));
        u64::try_from(ppm).unwrap_or(u64::MAX)
    }
}
