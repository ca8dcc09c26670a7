//! Described look-ups: who has these hashes?

use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::api::tracker::{Assignment, CHUNK, OpaqueHash};

use super::{all, within};
use crate::connection::Connection;
use crate::content::mixed;
use crate::figures::{About, Clock, Counted};
use crate::{Failed, Figures, LoadedTracker, described, request};

/// Longest time in which all must be listed.
const LISTING: Duration = Duration::from_secs(60);

/// What is tried. The clock runs for less than a described client lives without a pong: nobody answers pings here.
#[derive(Clone, Copy, Debug)]
pub struct LookUps {
    /// Described clients that hold every hash.
    pub clients: usize,
    /// Hashes.
    pub hashes: u32,
    /// Of them, in each request.
    pub per_request: u32,
    /// Connections, each with one request under way.
    pub connections: usize,
    /// How long the clock runs.
    pub time: Duration,
}

/// Measures `POST /chunk`.
pub async fn look_ups(tracker: &Arc<LoadedTracker>, plan: LookUps) -> Result<Figures, Failed> {
    within(LISTING + plan.time, measure(tracker, plan)).await
}

async fn measure(tracker: &Arc<LoadedTracker>, plan: LookUps) -> Result<Figures, Failed> {
    let resident_before_bytes = tracker.taken().resident_bytes;
    let hashes = described::hashes(plan.hashes.max(1))?;
    let mut connection = Connection::new(tracker.clone(), tracker.source(0));
    for client in 0..plan.clients {
        described::announce(&mut connection, client, hashes.to_vec()).await?;
    }
    // A sign of life of each, as short as possible: the first may have waited for the last.
    for client in 0..plan.clients {
        described::announce(&mut connection, client, hashes[..1].to_vec()).await?;
    }
    let clock = Clock::start(tracker);
    let end = Instant::now() + plan.time;
    let asking = (0..plan.connections.max(1)).map(|number| {
        let connection = Connection::new(tracker.clone(), tracker.source(number));
        ask_until(end, connection, number as u64, hashes.clone(), plan.per_request)
    });
    let sum: Counted = all(asking).await?.into_iter().sum();
    let about = About {
        case: "look-ups",
        hashes_per_request: plan.per_request.into(),
        listed: plan.clients as u64,
        resident_before_bytes,
    };
    Ok(clock.stop(tracker, about, sum))
}

async fn ask_until(
    end: Instant,
    mut connection: Connection,
    number: u64,
    hashes: Arc<Vec<OpaqueHash>>,
    per_request: u32,
) -> Result<Counted, Failed> {
    let host = connection.tracker().host.clone();
    let mut counted = Counted::default();
    for round in 0.. {
        let first = mixed((number << 40) + round);
        request::write(&mut connection.request, "POST", CHUNK, &host, None, |body| {
            write_wanted(body, &hashes, first, per_request);
        });
        let asked = Instant::now();
        let answer = connection.exchange().await?;
        counted.latencies.note(asked.elapsed());
        counted.refused += u64::from(answer.status != 200);
        if round == 0 {
            check(answer.accepted("a look-up")?.body, per_request)?;
        }
        // Asked after it, so that each connection has answered once, however slow the machine: no figure is of nothing.
        if Instant::now() >= end {
            break;
        }
    }
    Ok(counted)
}

/// Different hashes from anywhere in the list, the same ones seldom together.
fn write_wanted(body: &mut Vec<u8>, hashes: &[OpaqueHash], first: u64, per_request: u32) {
    let all = hashes.len() as u64;
    // Steps that have no divisor in common with the number of hashes meet no hash twice; without one, neighbours.
    let step = ((first >> 32) % all) | 1;
    let step = if is_coprime(step, all) { step } else { 1 };
    body.push(b'[');
    for place in 0..u64::from(per_request) {
        let at = (first % all + place * step) % all;
        body.extend_from_slice(if place == 0 { b"\"" } else { b",\"" });
        let hash = usize::try_from(at).ok().and_then(|at| hashes.get(at));
        body.extend_from_slice(hash.map_or("", OpaqueHash::as_str).as_bytes());
        body.push(b'"');
    }
    body.push(b']');
}

fn is_coprime(one: u64, other: u64) -> bool {
    let (mut one, mut other) = (one, other);
    while other > 0 {
        (one, other) = (other, one % other);
    }
    one == 1
}

/// An answer gives every hash to somebody, or the figures are of something else.
fn check(body: &[u8], per_request: u32) -> Result<(), Failed> {
    let assignments: Vec<Assignment> = serde_json::from_slice(body)
        .map_err(|error| Failed::Plan(format!("the answer to a look-up is no list: {error}")))?;
    let given: usize = assignments.iter().map(|assignment| assignment.hash_list.len()).sum();
    if given == per_request as usize {
        return Ok(());
    }
    Err(Failed::Plan(format!("a look-up of {per_request} hashes was answered with {given}")))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_request_asks_for_so_many_different_hashes() {
        let hashes = described::hashes(1000).unwrap();
        for first in (0..200).map(mixed) {
            let mut body = Vec::new();
            write_wanted(&mut body, &hashes, first, 100);
            let wanted: Vec<OpaqueHash> = serde_json::from_slice(&body).unwrap();
            assert_eq!(wanted.iter().collect::<BTreeSet<_>>().len(), 100, "{first}");
        }
    }

    #[test]
    fn an_answer_without_all_hashes_is_no_measurement() {
        let body = br#"[{"client_host":"127.0.0.1","client_port":1,"hash_list":["a","b"]}]"#;
        assert!(check(body, 2).is_ok() && check(body, 3).is_err() && check(b"{}", 0).is_err());
    }
}
