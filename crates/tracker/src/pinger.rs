//! Asks described announcers whether they still live.
//!
//! They are asked at the address their host has now, if whoever announced it may still announce that; who cannot be
//! asked dies like who does not answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use protocol::api::peer::{PING, PONG};
use registry::PingDue;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{Tracker, dial};

/// Pings under way at once. Each takes two seconds at most, so that 512 a second are the least that is done: hosts that
/// swallow pings do not keep those of the living waiting.
const MAX_UNDER_WAY: usize = 1024;
/// Longest pong read: the word, and whatever a client's server puts round it.
const MAX_PONG: usize = 64;
/// Shortest pause between two looks at the list: due pings are taken together.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);

/// Pings until `stop`.
pub(crate) async fn run(tracker: Tracker, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(MAX_UNDER_WAY));
    let mut under_way = JoinSet::new();
    loop {
        tokio::select! {
            // Dropping the set ends what is under way.
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause(&tracker)) => {}
        }
        while under_way.try_join_next().is_some() {}
        let due = tracker.with(|registry, _, now| registry.pings_due(now, places.available_permits()));
        for ping in due {
            let Ok(place) = places.clone().try_acquire_owned() else { break };
            let tracker = tracker.clone();
            under_way.spawn(async move {
                if is_alive(&tracker, &ping).await {
                    tracker.with(|registry, _, now| registry.ponged(now, ping.announcer));
                }
                drop(place);
            });
        }
    }
}

/// Until the next ping is due. Whoever announces meanwhile is not due before a whole interval from then.
fn pause(tracker: &Tracker) -> Duration {
    let every = tracker.ping_every();
    let next = tracker.with(|registry, _, now| registry.next_ping().map(|next| next.since(now)));
    next.map_or(every, |next| next.clamp(SHORTEST_PAUSE, every.max(SHORTEST_PAUSE)))
}

async fn is_alive(tracker: &Tracker, ping: &PingDue) -> bool {
    let Ok(addresses) = tracker.filter().addresses(ping.source, ping.address.host()).await else {
        return false;
    };
    let address = SocketAddr::new(addresses[0], ping.address.port());
    let answer = dial::get(address, tracker.source(), &ping.address, PING, MAX_PONG).await;
    answer.is_some_and(|bytes| bytes.windows(PONG.len()).any(|word| word == PONG.as_bytes()))
}
