//! What was asked for and is not settled: one entry a fetch, from `Action::Fetch` until its chunk is stored or it
//! failed.
//!
//! A fetch *flies* until its body is whole, and is then *landed* while the bytes are verified and written: it no
//! longer takes a place at its neighbour, but the neighbour is still to blame if the bytes are wrong.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use protocol::{ChunkIndex, Time};

use crate::{Config, FetchId, PeerKey};

/// A request under way.
#[derive(Clone, Debug)]
pub(crate) struct Fetch {
    pub(crate) peer: PeerKey,
    pub(crate) chunk: ChunkIndex,
    pub(crate) started: Time,
    /// Bytes that came so far.
    pub(crate) bytes: u64,
    /// When the last of them came; `started` before the first.
    pub(crate) heard: Time,
    pub(crate) landed: bool,
    /// Found to be stuck at the last look.
    pub(crate) slow: bool,
    /// Its chunk is on its way from another neighbour, too. Kept, since in the end this is asked of every fetch for every neighbour.
    pub(crate) doubled: bool,
    /// Since when its movement is judged, and how many bytes it had then.
    mark: (Time, u64),
}

/// What a look at a flying fetch found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// It moves, or may still be waiting its turn.
    Moving,
    /// It does not get the least rate: its chunk should be asked for elsewhere too.
    Slow,
    /// Nothing came for so long that it is given up.
    Stalled,
}

impl Fetch {
    /// `bytes` of its body came.
    pub(crate) fn received(&mut self, now: Time, bytes: u64) {
        if self.bytes == 0 {
            self.mark = (now, 0);
        }
        self.bytes += bytes;
        self.heard = now;
    }

    /// Judges its movement at `now`, and says when to look again. `peer_heard` is when anything last came from its
    /// neighbour: a request without an answer stands in a queue as long as others are served from there.
    pub(crate) fn look(&mut self, now: Time, peer_heard: Time, config: &Config) -> (Progress, Time) {
        if self.bytes == 0 {
            let excused = peer_heard.min(self.started + config.queue_patience).max(self.started);
            self.mark = (excused, 0);
            self.heard = excused;
        }
        let (since, had) = self.mark;
        let stretch = now.since(since);
        let silence_ends = self.heard + config.stall;
        if silence_ends <= now {
            return (Progress::Stalled, now);
        }
        if stretch < config.patience {
            let progress = if self.slow { Progress::Slow } else { Progress::Moving };
            return (progress, silence_ends.min(since + config.patience));
        }
        let progress = if self.bytes - had >= bytes_in(config.rate_least, stretch) {
            self.mark = (now, self.bytes);
            Progress::Moving
        } else {
            Progress::Slow
        };
        (progress, silence_ends.min(now + config.patience))
    }
}

/// Bytes that `rate` bytes per second give in `time`.
pub(crate) fn bytes_in(rate: u64, time: Duration) -> u64 {
    let bytes = u128::from(rate) * time.as_nanos() / 1_000_000_000;
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// The fetches under way, oldest first: some dozens of a large torrent, [`Config::in_flight_most`] of a folder of small files. In
/// queues side by side: to look through all of them costs less than a tree that is in no cache, and who leaves is mostly one of the first.
#[derive(Clone, Debug, Default)]
#[repr(C)]
pub(crate) struct Inflight {
    flying: usize,
    next: u64,
    slow: BTreeSet<FetchId>,
    ids: VecDeque<FetchId>,
    chunks: VecDeque<ChunkIndex>,
    fetches: VecDeque<Fetch>,
}

impl Inflight {
    /// Most copies of a chunk under way: a third would cost the swarm more than it saves this peer.
    pub(crate) const COPIES_MOST: usize = 2;

    /// Fetches that fly.
    pub(crate) const fn flying(&self) -> usize {
        self.flying
    }

    /// Never uses a number that `previous` used.
    pub(crate) fn count_on_from(&mut self, previous: &Inflight) {
        self.next = self.next.max(previous.next);
    }

    pub(crate) fn start(&mut self, now: Time, peer: PeerKey, chunk: ChunkIndex) -> FetchId {
        let id = FetchId::new(self.next);
        self.next += 1;
        let other = self.chunks.iter().position(|one| *one == chunk);
        if let Some(other) = other {
            self.fetches[other].doubled = true;
        }
        self.ids.push_back(id);
        self.chunks.push_back(chunk);
        self.fetches.push_back(Fetch {
            peer,
            chunk,
            started: now,
            bytes: 0,
            heard: now,
            landed: false,
            slow: false,
            doubled: other.is_some(),
            mark: (now, 0),
        });
        self.flying += 1;
        debug_assert!(
            self.of_chunk(chunk).count() <= Self::COPIES_MOST,
            "too many copies of chunk {chunk:?}"
        );
        id
    }

    fn place_of(&self, id: FetchId) -> Option<usize> {
        self.ids.binary_search(&id).ok()
    }

    pub(crate) fn get(&self, id: FetchId) -> Option<&Fetch> {
        self.fetches.get(self.place_of(id)?)
    }

    pub(crate) fn get_mut(&mut self, id: FetchId) -> Option<&mut Fetch> {
        let at = self.place_of(id)?;
        self.fetches.get_mut(at)
    }

    /// The fetches of `chunk`, flying or landed, oldest first.
    pub(crate) fn of_chunk(&self, chunk: ChunkIndex) -> impl Iterator<Item = FetchId> + '_ {
        let those = self.chunks.iter().zip(&self.ids).filter(move |&(other, _)| *other == chunk);
        those.map(|(_, id)| *id)
    }

    /// The fetches that fly, oldest first.
    pub(crate) fn iter_flying(&self) -> impl Iterator<Item = (FetchId, &Fetch)> {
        self.iter().filter(|(_, fetch)| !fetch.landed)
    }

    /// The flying fetches that are stuck.
    pub(crate) fn iter_slow(&self) -> impl Iterator<Item = (FetchId, &Fetch)> {
        self.slow.iter().filter_map(|id| Some((*id, self.get(*id)?)))
    }

    /// Marks a flying fetch as stuck or not; true when that is news.
    pub(crate) fn set_slow(&mut self, id: FetchId, slow: bool) -> bool {
        let Some(fetch) = self.get_mut(id) else { return false };
        let news = fetch.slow != slow;
        fetch.slow = slow;
        if slow {
            self.slow.insert(id);
        } else if news {
            self.slow.remove(&id);
        }
        news
    }

    /// The body of a flying fetch is whole.
    pub(crate) fn land(&mut self, id: FetchId) {
        self.set_slow(id, false);
        if let Some(fetch) = self.get_mut(id) {
            debug_assert!(!fetch.landed, "a fetch lands once");
            fetch.landed = true;
            self.flying -= 1;
        }
    }

    /// Forgets a fetch.
    pub(crate) fn remove(&mut self, id: FetchId) -> Option<Fetch> {
        let at = self.place_of(id)?;
        self.ids.remove(at);
        self.chunks.remove(at);
        let fetch = self.fetches.remove(at)?;
        if fetch.slow {
            self.slow.remove(&id);
        }
        let other = self.chunks.iter().position(|one| fetch.doubled && *one == fetch.chunk);
        if let Some(other) = other {
            self.fetches[other].doubled = false;
        }
        self.flying -= usize::from(!fetch.landed);
        Some(fetch)
    }

    /// All fetches, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (FetchId, &Fetch)> {
        self.ids.iter().copied().zip(&self.fetches)
    }

    /// Asserts that the arrays agree with one another.
    pub(crate) fn check_invariants(&self) {
        let lengths = (self.chunks.len(), self.fetches.len());
        assert_eq!(lengths, (self.ids.len(), self.ids.len()), "the arrays cover every fetch");
        assert!(self.ids.iter().is_sorted(), "the oldest first");
        assert!(self.ids.back().is_none_or(|id| id.get() < self.next), "no number is used again");
        assert_eq!(self.iter_flying().count(), self.flying, "counted as flying");
        for ((id, fetch), chunk) in self.iter().zip(&self.chunks) {
            assert_eq!(fetch.chunk, *chunk, "the chunk of fetch {id:?}");
            assert_eq!(self.slow.contains(&id), fetch.slow, "fetch {id:?} is slow");
            assert!(!(fetch.slow && fetch.landed), "fetch {id:?} landed and is slow");
            let copies = self.of_chunk(fetch.chunk).count();
            assert!(copies <= Self::COPIES_MOST, "{copies} copies of chunk {:?}", fetch.chunk);
            assert_eq!(fetch.doubled, copies > 1, "{copies} copies of the chunk of fetch {id:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Time {
        Time::from_nanos(millis * 1_000_000)
    }

    fn one_fetch() -> (Inflight, FetchId) {
        let mut table = Inflight::default();
        let id = table.start(at(0), PeerKey::new(1), ChunkIndex::new(7));
        (table, id)
    }

    #[test]
    fn a10_a_drip_is_slow_and_silence_is_a_stall() {
        let config = Config::default();
        let (mut table, id) = one_fetch();
        let fetch = table.get_mut(id).unwrap();
        assert_eq!(fetch.look(at(4999), at(0), &config), (Progress::Moving, at(5000)));
        fetch.received(at(100), 1);
        fetch.received(at(4900), 4);
        assert_eq!(fetch.look(at(5100), at(4900), &config).0, Progress::Slow);
        assert_eq!(fetch.look(at(24_899), at(24_000), &config).0, Progress::Slow);
        assert_eq!(fetch.look(at(24_900), at(24_000), &config).0, Progress::Stalled);
    }

    #[test]
    fn a_fetch_that_began_fast_and_then_drips_is_found_out() {
        let config = Config::default();
        let (mut table, id) = one_fetch();
        let fetch = table.get_mut(id).unwrap();
        fetch.received(at(0), 200_000);
        assert_eq!(fetch.look(at(5000), at(0), &config).0, Progress::Moving);
        fetch.received(at(9900), 5);
        assert_eq!(fetch.look(at(10_000), at(9900), &config).0, Progress::Slow);
        fetch.received(at(12_000), 100_000);
        assert_eq!(fetch.look(at(12_000), at(9900), &config).0, Progress::Moving, "it recovered");
    }

    #[test]
    fn the_time_before_the_first_byte_does_not_count_against_the_rate() {
        let config = Config::default();
        let (mut table, id) = one_fetch();
        let fetch = table.get_mut(id).unwrap();
        fetch.received(at(4900), 1000);
        assert_eq!(fetch.look(at(5000), at(4900), &config), (Progress::Moving, at(9900)));
    }

    #[test]
    fn a_request_in_an_uploaders_queue_is_excused_while_others_are_served_but_not_for_ever() {
        let config = Config::default();
        let (mut table, id) = one_fetch();
        let fetch = table.get_mut(id).unwrap();
        assert_eq!(fetch.look(at(12_000), at(11_000), &config).0, Progress::Moving);
        assert_eq!(fetch.look(at(30_000), at(29_900), &config).0, Progress::Slow);
        assert_eq!(fetch.look(at(40_000), at(39_900), &config).0, Progress::Stalled);
    }
}
