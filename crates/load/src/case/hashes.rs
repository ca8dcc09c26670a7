//! The memory of described clients: each announces every hash of one file.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{all, at_rest, within};
use crate::connection::Connection;
use crate::figures::{About, Clock, Counted};
use crate::{Failed, Figures, LoadedTracker, described};

/// Longest time in which all must be listed; those who were first are given up by the tracker soon after.
const LIMIT: Duration = Duration::from_secs(60);

/// What is tried.
#[derive(Clone, Copy, Debug)]
pub struct DescribedHashes {
    /// Clients.
    pub clients: usize,
    /// Hashes of each, the same for all.
    pub hashes: u32,
    /// Connections, each with one request under way.
    pub connections: usize,
}

/// Lists described clients, and measures the memory.
pub async fn described_hashes(
    tracker: &Arc<LoadedTracker>,
    plan: DescribedHashes,
) -> Result<Figures, Failed> {
    within(LIMIT, measure(tracker, plan)).await
}

async fn measure(tracker: &Arc<LoadedTracker>, plan: DescribedHashes) -> Result<Figures, Failed> {
    let resident_before_bytes = tracker.taken().resident_bytes;
    let hashes = described::hashes(plan.hashes)?;
    let clock = Clock::start(tracker);
    let connections = plan.connections.max(1);
    let announcing = (0..connections).map(|number| {
        let connection = Connection::new(tracker.clone(), tracker.source(number));
        let clients = (number..plan.clients).step_by(connections);
        let hashes = hashes.clone();
        async move {
            let (mut connection, mut counted) = (connection, Counted::default());
            for client in clients {
                let asked = Instant::now();
                described::announce(&mut connection, client, hashes.to_vec()).await?;
                counted.latencies.note(asked.elapsed());
            }
            Ok(counted)
        }
    });
    let sum: Counted = all(announcing).await?.into_iter().sum();
    let about = About {
        case: "described-hashes",
        hashes_per_request: plan.hashes.into(),
        listed: plan.clients as u64,
        resident_before_bytes,
    };
    Ok(at_rest(tracker, clock.stop(tracker, about, sum)).await)
}
