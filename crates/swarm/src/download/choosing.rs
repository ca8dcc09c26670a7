//! Who is asked for what, now: neighbours with room get fetches until they have none, or nothing is left to ask for.

use std::cmp::Reverse;
use std::time::Duration;

use protocol::{ChunkIndex, Time};

use super::Download;
use super::chunk_table::State;
use super::neighbour::Neighbour;
use crate::inflight::Fetch;
use crate::scoring::Share;
use crate::{Action, FetchId, PeerKey};

/// A neighbour leaves a chunk to another that was measured so many times faster.
const MUCH_FASTER: u64 = 4;
/// A second copy must be expected in this part of the time that the first still needs: it costs the swarm a chunk.
const WORTH_A_COPY: u32 = 2;
/// How long a chunk is expected to take from a neighbour that was never measured.
const UNMEASURED: Duration = Duration::from_millis(500);

impl Download {
    /// Gives fetches to the neighbours that this call made eager.
    pub(super) fn fill(&mut self, now: Time, actions: &mut Vec<Action>) {
        let mut eager = std::mem::take(&mut self.eager);
        eager.sort_unstable();
        eager.dedup();
        match eager[..] {
            _ if std::mem::take(&mut self.all_eager) => self.fill_in_turn(now, None, actions),
            [] => {}
            [peer] => while self.fetch_one(now, peer, actions) {},
            _ => self.fill_in_turn(now, Some(&eager), actions),
        }
    }

    /// A fetch each in turn, to all neighbours or to `only` these, the least loaded and then the fastest first: what is scarce goes
    /// to the well measured, and the load is spread.
    fn fill_in_turn(&mut self, now: Time, only: Option<&[PeerKey]>, actions: &mut Vec<Action>) {
        if self.is_held_up() {
            return;
        }
        let share = self.share();
        let mut order: Vec<_> = self
            .neighbours
            .iter()
            .filter(|(peer, _)| only.is_none_or(|only| only.contains(peer)))
            .filter(|(_, neighbour)| neighbour.has_room(now, share, &self.config))
            .map(|(peer, neighbour)| {
                let class = speed_class(neighbour.score.rate(), self.fastest);
                (neighbour.flying, class, self.picker.random_below(u64::MAX), peer)
            })
            .collect();
        order.sort_unstable();
        while !order.is_empty() {
            order.retain(|&(_, _, _, peer)| self.fetch_one(now, peer, actions));
        }
    }

    /// Whether no fetch may start, whoever has room: the limit of the whole download is reached, or the disk failed.
    /// Chunks being written count for the limit: a slow disk slows the network.
    pub(super) fn is_held_up(&self) -> bool {
        let busy = self.fetches.flying() + self.table.storing() as usize;
        self.disk_fails || busy >= self.config.in_flight_chunks(self.neighbours.len())
    }

    /// So much flies that more is asked only of those who are asked for nothing.
    fn is_spread(&self) -> bool {
        self.fetches.flying() + self.table.storing() as usize >= self.config.in_flight_chunks(0)
    }

    /// Starts one fetch from `peer`, if it has room and something to give.
    fn fetch_one(&mut self, now: Time, peer: PeerKey, actions: &mut Vec<Action>) -> bool {
        if self.is_held_up() {
            return false;
        }
        let share = self.share();
        let Some(neighbour) = self.neighbours.get(peer) else { return false };
        if !neighbour.has_room(now, share, &self.config) {
            return false;
        }
        let has_enough = neighbour.flying > 0 && self.is_spread();
        let chunk = self.second_copy(now, peer, neighbour);
        let chunk = if has_enough {
            chunk
        } else {
            chunk
                .or_else(|| self.suggestion(peer))
                .or_else(|| self.next_of_run(peer))
                .or_else(|| self.pick(now, peer))
        };
        if let Some(chunk) = chunk {
            self.start(now, peer, chunk, actions);
        }
        chunk.is_some()
    }

    /// Each neighbour's part of what is left, so that the first one asked does not take all of a small torrent, and of what is asked at a
    /// time.
    fn share(&self) -> Share {
        let (left, among) =
            (self.table.missing().count() as usize + self.fetches.flying(), self.neighbours.len().max(1));
        Share {
            chunks: u32::try_from(left.div_ceil(among)).unwrap_or(u32::MAX),
            bytes: (self.config.window_last / among as u64).max(self.config.window_enough),
        }
    }

    /// What `peer` suggested and is still missing. Its suggestions help the swarm; they wait while somebody here waits for something
    /// else.
    fn suggestion(&mut self, peer: PeerKey) -> Option<ChunkIndex> {
        let neighbour = self.neighbours.get_mut(peer)?;
        if neighbour.suggested.is_empty() || self.picker.is_bound(self.table.missing(), &neighbour.offer()) {
            return None;
        }
        while let Some(chunk) = neighbour.suggested.pop_front() {
            if self.table.state(chunk) == State::Missing && neighbour.offers(chunk.get()) {
                return Some(chunk);
            }
        }
        None
    }

    fn pick(&mut self, now: Time, peer: PeerKey) -> Option<ChunkIndex> {
        let neighbour = self.neighbours.get(peer).filter(|neighbour| !neighbour.dry)?;
        let slow_at = neighbour.score.rate().map(|rate| rate.saturating_mul(MUCH_FASTER).max(1));
        let others = &self.neighbours;
        let faster_has = |chunk: u32| {
            others.iter().any(|(_, other)| {
                other.score.rate() >= slow_at
                    && other.slow == 0
                    && !other.is_blocked(now)
                    && other.holding.holds(chunk)
            })
        };
        let leave =
            slow_at.is_some_and(|rate| rate <= self.fastest).then_some(&faster_has as &dyn Fn(u32) -> bool);
        let chunk =
            self.picker.pick(self.table.missing(), self.table.availability(), &neighbour.offer(), leave);
        let leaves = leave.is_some();
        let neighbour = self.neighbours.get_mut(peer)?;
        let Some(chunk) = chunk else {
            neighbour.dry = true;
            return None;
        };
        if leaves {
            // Chosen for who else holds it: its neighbours in the file may be others' to send.
            neighbour.run = None;
            return Some(chunk);
        }
        Some(self.first_of_run(peer, chunk))
    }

    /// A chunk that flies from elsewhere and is worth asking `peer` for too: because that fetch is stuck (threat A10),
    /// or because this neighbour has nothing else to do at the end and would be done much sooner.
    fn second_copy(&self, now: Time, peer: PeerKey, neighbour: &Neighbour) -> Option<ChunkIndex> {
        let may = |&(_, fetch): &(FetchId, &Fetch)| {
            fetch.peer != peer
                && neighbour.holding.holds(fetch.chunk.get())
                && self.table.state(fetch.chunk) == State::InFlight
                && !fetch.doubled
        };
        if let Some((_, stuck)) = self.fetches.iter_slow().find(may) {
            return Some(stuck.chunk);
        }
        if neighbour.flying > 0 || !self.table.missing().is_empty() {
            return None;
        }
        let mine = match neighbour.score.rate() {
            None => UNMEASURED,
            Some(rate) => time_for(self.config.chunk_bytes.into(), rate),
        };
        let left = |(id, fetch): (FetchId, &Fetch)| (self.time_left(now, fetch), Reverse(id), fetch.chunk);
        let (time, _, chunk) = self.fetches.iter_flying().filter(may).map(left).max()?;
        (time > mine.saturating_mul(WORTH_A_COPY)).then_some(chunk)
    }

    /// How long a flying fetch is expected to need still: its rest at its part of the neighbour's rate, and at least
    /// as long as it has been silent; as long as it took so far where nothing was measured.
    fn time_left(&self, now: Time, fetch: &Fetch) -> Duration {
        let silent = now.since(fetch.heard);
        let Some(neighbour) = self.neighbours.get(fetch.peer) else { return silent };
        let rest = u64::from(self.config.chunk_bytes).saturating_sub(fetch.bytes);
        match neighbour.score.rate() {
            None => now.since(fetch.started),
            Some(rate) => time_for(rest.saturating_mul(neighbour.flying.into()), rate).max(silent),
        }
    }
}

/// How many times [`MUCH_FASTER`] the fastest is than this neighbour. One that was never measured may be as fast.
fn speed_class(rate: Option<u64>, fastest: u64) -> u32 {
    let Some(rate) = rate else { return 0 };
    (fastest / rate.max(1)).checked_ilog(MUCH_FASTER).unwrap_or(0)
}

/// How long `bytes` take at `rate` bytes per second.
fn time_for(bytes: u64, rate: u64) -> Duration {
    let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(rate.max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
