//! The memory of many announced peers, all listed at once.
//!
//! Leases go on meanwhile: whoever was first would be forgotten before the last is there. So after everybody has
//! announced, those announce again who would have to anyway, until nobody's lease ends soon.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{all, at_rest, within};
use crate::announcer::{Announcer, Lease, Place};
use crate::connection::Connection;
use crate::figures::{About, Clock, Counted};
use crate::{Failed, Figures, LoadedTracker};

/// Longest time until all are listed.
const LIMIT: Duration = Duration::from_secs(600);
/// Intervals that a lease lasts.
const INTERVALS_PER_LEASE: u64 = 3;
/// Nobody's lease may end within this time after the last announce: the memory is looked at meanwhile.
const SOON: Duration = Duration::from_secs(4);
/// Rounds in which leases are renewed. Each is shorter than the one before, for leases grow with the peers.
const MOST_ROUNDS: usize = 8;

/// What is tried.
#[derive(Clone, Copy, Debug)]
pub struct Announced {
    /// Peers.
    pub peers: usize,
    /// Torrents they are in.
    pub torrents: usize,
    /// Chunks of each.
    pub chunks: u32,
    /// Connections, each with one request under way.
    pub connections: usize,
}

/// Lists peers, and measures the memory.
pub async fn announced(tracker: &Arc<LoadedTracker>, plan: Announced) -> Result<Figures, Failed> {
    within(LIMIT, measure(tracker, plan)).await
}

async fn measure(tracker: &Arc<LoadedTracker>, plan: Announced) -> Result<Figures, Failed> {
    let resident_before_bytes = tracker.taken().resident_bytes;
    let connections = plan.connections.clamp(1, plan.peers.max(1));
    let announcer = Announcer::publish(tracker, plan.torrents.max(1), plan.chunks, connections).await?;
    let clock = Clock::start(tracker);
    let listing = (0..connections).map(|number| {
        let connection = Connection::new(tracker.clone(), tracker.source(number));
        let peers = announcer.share(plan.peers, number);
        Part { announcer: announcer.clone(), connection, number, leases: Vec::with_capacity(peers) }
            .list(peers)
    });
    let mut parts = all(listing).await?;
    let mut rounds = 0;
    while rounds < MOST_ROUNDS && parts.iter().any(|(part, _)| part.is_any_over(Instant::now() + SOON)) {
        rounds += 1;
        let before = Instant::now() + SOON;
        parts = all(parts.into_iter().map(|(part, counted)| part.renew(before, counted))).await?;
    }
    let now = Instant::now();
    let listed: usize = parts.iter().map(|(part, _)| part.listed(now)).sum();
    let sum: Counted = parts.into_iter().map(|(_, counted)| counted).sum();
    let listed = listed as u64;
    let about = About { case: "announced", hashes_per_request: 0, listed, resident_before_bytes };
    Ok(at_rest(tracker, clock.stop(tracker, about, sum)).await)
}

/// The peers of one connection.
struct Part {
    announcer: Arc<Announcer>,
    connection: Connection,
    number: usize,
    /// Of each, with the time at which it ends.
    leases: Vec<(Lease, Instant)>,
}

impl Part {
    async fn list(mut self, peers: usize) -> Result<(Part, Counted), Failed> {
        let mut counted = Counted::default();
        for at in 0..peers {
            let lease = self.announce(at, None, &mut counted).await?;
            self.leases.push(lease);
        }
        Ok((self, counted))
    }

    /// Announces those again whose lease ends before then. What ends while others are renewed is the next round's.
    async fn renew(mut self, before: Instant, mut counted: Counted) -> Result<(Part, Counted), Failed> {
        for at in 0..self.leases.len() {
            let (lease, ends) = self.leases[at];
            if ends < before {
                self.leases[at] = self.announce(at, Some(lease), &mut counted).await?;
            }
        }
        Ok((self, counted))
    }

    async fn announce(
        &mut self,
        at: usize,
        lease: Option<Lease>,
        counted: &mut Counted,
    ) -> Result<(Lease, Instant), Failed> {
        let (place, asked) = (Place { connection: self.number, at }, Instant::now());
        let token = lease.as_ref().map(|lease| &lease.token);
        let lease = self.announcer.lease(&mut self.connection, place, token).await?;
        counted.latencies.note(asked.elapsed());
        Ok((lease, asked + Duration::from_secs(lease.interval * INTERVALS_PER_LEASE)))
    }

    fn is_any_over(&self, then: Instant) -> bool {
        self.leases.iter().any(|(_, ends)| *ends < then)
    }

    fn listed(&self, now: Instant) -> usize {
        self.leases.iter().filter(|(_, ends)| *ends > now).count()
    }
}
