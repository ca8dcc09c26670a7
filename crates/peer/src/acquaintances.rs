//! The peers of one torrent that this process knows, told to whoever asks: a swarm without tracker still grows.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use protocol::api::tracker::MAX_PEERS;
use protocol::{BaseUrl, PeerId, Time};

/// Most peers remembered for a torrent; past it the one seen longest ago is forgotten.
const MOST: usize = 256;
/// A peer not seen for this long is no longer told to others: two long polls and some grace.
const LIFE: Duration = Duration::from_secs(90);

/// Peers by base URL, each with when it was last seen alive.
#[derive(Default)]
pub(crate) struct Acquaintances(Mutex<BTreeMap<BaseUrl, Seen>>);

struct Seen {
    peer: Option<PeerId>,
    at: Time,
}

impl Acquaintances {
    /// `url` was alive at `now`; true when that is news.
    pub(crate) fn saw(&self, url: BaseUrl, peer: Option<PeerId>, now: Time) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= MOST && !seen.contains_key(&url) {
            let oldest = seen.iter().min_by_key(|(_, seen)| seen.at).map(|(url, _)| url.clone());
            if let Some(oldest) = oldest {
                seen.remove(&oldest);
            }
        }
        seen.insert(url, Seen { peer, at: now }).is_none()
    }

    /// `url` does not answer.
    pub(crate) fn lost(&self, url: &BaseUrl) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(url);
    }

    /// At most [`MAX_PEERS`] of those alive, the latest seen first.
    pub(crate) fn alive(&self, now: Time) -> Vec<(BaseUrl, Option<PeerId>)> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut alive: Vec<_> = seen.iter().filter(|(_, seen)| now.since(seen.at) <= LIFE).collect();
        alive.sort_by_key(|(_, seen)| std::cmp::Reverse(seen.at));
        alive.into_iter().take(MAX_PEERS).map(|(url, seen)| (url.clone(), seen.peer)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(port: u16) -> BaseUrl {
        format!("http://127.0.0.1:{port}").parse().unwrap()
    }

    #[test]
    fn the_oldest_is_forgotten_and_the_silent_are_not_told() {
        let acquaintances = Acquaintances::default();
        for port in 1..=300 {
            acquaintances.saw(url(port), None, Time::from(Duration::from_secs(u64::from(port))));
        }
        let now = Time::from(Duration::from_secs(330));
        let alive = acquaintances.alive(now);
        assert_eq!((alive.len(), &alive[0].0), (MAX_PEERS, &url(300)));
        acquaintances.lost(&url(300));
        assert_eq!(acquaintances.alive(now)[0].0, url(299));
        assert!(acquaintances.alive(Time::from(Duration::from_secs(1000))).is_empty());
    }
}
