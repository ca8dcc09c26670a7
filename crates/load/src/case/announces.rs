//! Peers that are listed announce again, as often as the connections can.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{all, within};
use crate::announcer::{Announcer, Place, Token};
use crate::connection::Connection;
use crate::figures::{About, Clock, Counted};
use crate::{Failed, Figures, LoadedTracker};

/// Longest time in which all must be listed.
const LISTING: Duration = Duration::from_secs(60);

/// What is tried.
#[derive(Clone, Copy, Debug)]
pub struct Announces {
    /// Peers, listed before the clock runs.
    pub peers: usize,
    /// Torrents they are in.
    pub torrents: usize,
    /// Chunks of each.
    pub chunks: u32,
    /// Connections, each with one request under way.
    pub connections: usize,
    /// How long the clock runs.
    pub time: Duration,
}

/// Measures native announces.
pub async fn announces(tracker: &Arc<LoadedTracker>, plan: Announces) -> Result<Figures, Failed> {
    within(LISTING + plan.time, measure(tracker, plan)).await
}

async fn measure(tracker: &Arc<LoadedTracker>, plan: Announces) -> Result<Figures, Failed> {
    let resident_before_bytes = tracker.taken().resident_bytes;
    let connections = plan.connections.clamp(1, plan.peers.max(1));
    let announcer = Announcer::publish(tracker, plan.torrents.max(1), plan.chunks, connections).await?;
    let listing = (0..connections).map(|number| {
        let connection = Connection::new(tracker.clone(), tracker.source(number));
        list(announcer.clone(), connection, number, plan.peers)
    });
    let listed = all(listing).await?;
    let clock = Clock::start(tracker);
    let end = Instant::now() + plan.time;
    let sum: Counted = all(listed.into_iter().map(|listed| announce_until(end, announcer.clone(), listed)))
        .await?
        .into_iter()
        .sum();
    let listed = plan.peers as u64;
    let about = About { case: "announces", hashes_per_request: 0, listed, resident_before_bytes };
    Ok(clock.stop(tracker, about, sum))
}

/// A connection whose peers are listed.
struct Listed {
    connection: Connection,
    number: usize,
    tokens: Vec<Token>,
}

async fn list(
    announcer: Arc<Announcer>,
    mut connection: Connection,
    number: usize,
    peers: usize,
) -> Result<Listed, Failed> {
    let mut tokens = Vec::new();
    for at in 0..announcer.share(peers, number) {
        tokens.push(announcer.lease(&mut connection, Place { connection: number, at }, None).await?.token);
    }
    Ok(Listed { connection, number, tokens })
}

async fn announce_until(end: Instant, announcer: Arc<Announcer>, listed: Listed) -> Result<Counted, Failed> {
    let Listed { mut connection, number, tokens } = listed;
    let mut counted = Counted::default();
    for (round, (at, token)) in tokens.iter().enumerate().cycle().enumerate() {
        let place = Place { connection: number, at };
        // Counting takes a while: one answer of each connection speaks for the others.
        announcer.again(&mut connection, place, token, &mut counted, round == 0).await?;
        // Asked after it, so that each connection has answered once, however slow the machine: no figure is of nothing.
        if Instant::now() >= end {
            break;
        }
    }
    Ok(counted)
}
