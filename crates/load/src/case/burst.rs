//! A crowd: many peers that nobody knows announce within a second, each over a connection of its own.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::{all, within};
use crate::announcer::{Announcer, Place};
use crate::connection::Connection;
use crate::figures::{About, Clock, Counted};
use crate::{Failed, Figures, LoadedTracker};

/// Longest time until the last is answered.
const LIMIT: Duration = Duration::from_secs(30);

/// What is tried.
#[derive(Clone, Copy, Debug)]
pub struct Burst {
    /// Peers.
    pub peers: usize,
    /// Torrents they are in.
    pub torrents: usize,
    /// Chunks of each.
    pub chunks: u32,
    /// They come evenly within this time.
    pub within: Duration,
}

/// Measures how long each waits, from the moment at which it wanted to connect to the last byte of its answer.
pub async fn burst(tracker: &Arc<LoadedTracker>, plan: Burst) -> Result<Figures, Failed> {
    within(plan.within + LIMIT, measure(tracker, plan)).await
}

async fn measure(tracker: &Arc<LoadedTracker>, plan: Burst) -> Result<Figures, Failed> {
    let resident_before_bytes = tracker.taken().resident_bytes;
    let peers = plan.peers.max(1);
    let announcer = Announcer::publish(tracker, plan.torrents.max(1), plan.chunks, 1).await?;
    let clock = Clock::start(tracker);
    let begin = Instant::now();
    let each = plan.within / u32::try_from(peers).unwrap_or(u32::MAX);
    let coming = (0..peers).map(|at| {
        let connection = Connection::new(tracker.clone(), tracker.source(at));
        let due = begin + each * u32::try_from(at).unwrap_or(u32::MAX);
        come(announcer.clone(), connection, at, due)
    });
    // Everybody keeps the connection until all are answered, as who means to announce again does.
    let (_open, counted): (Vec<_>, Vec<_>) = all(coming).await?.into_iter().unzip();
    let sum: Counted = counted.into_iter().sum();
    let listed = peers as u64;
    let about = About { case: "burst", hashes_per_request: 0, listed, resident_before_bytes };
    Ok(clock.stop(tracker, about, sum))
}

async fn come(
    announcer: Arc<Announcer>,
    mut connection: Connection,
    at: usize,
    due: Instant,
) -> Result<(Connection, Counted), Failed> {
    sleep_until(due).await;
    let mut counted = Counted::default();
    let answer = announcer.announce(&mut connection, Place { connection: 0, at }, None).await?;
    counted.latencies.note(due.elapsed());
    counted.refused += u64::from(answer.status != 200);
    Ok((connection, counted))
}
