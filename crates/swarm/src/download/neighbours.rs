//! Neighbours come, gain chunks, misbehave and go.

use std::time::Duration;

use protocol::{ChunkIndex, Time};

use super::Download;
use super::chunk_table::{ChunkTable, State};
use super::neighbour::Neighbour;
use crate::index_set::IndexSet;
use crate::picker::Holding;
use crate::{Action, DropReason, FetchId, Gained, PeerKey};

impl Download {
    pub(super) fn peer_found(&mut self, now: Time, peer: PeerKey) {
        if self.neighbours.len() < self.config.neighbours_most {
            let total = self.table.total();
            self.neighbours.insert_new(peer, || Neighbour::new(peer, now, total, &self.config));
        }
    }

    pub(super) fn peer_lost(&mut self, now: Time, peer: PeerKey) {
        self.remove_neighbour(now, peer);
    }

    pub(super) fn peer_gained_all(&mut self, peer: PeerKey) {
        let Some(neighbour) = self.neighbours.get_mut(peer) else { return };
        if let Holding::Some(held) = std::mem::replace(&mut neighbour.holding, Holding::All) {
            discount(&mut self.table, &held);
            self.table.availability_mut().complete_came();
        }
        neighbour.dry = false;
        self.eager.push(peer);
    }

    pub(super) fn peer_gained(&mut self, peer: PeerKey, chunks: Gained) {
        let total = self.table.total();
        match chunks {
            Gained::All => self.peer_gained_all(peer),
            Gained::Set(set) if set.len() != total => {}
            Gained::Set(set) if set.is_full() => self.peer_gained_all(peer),
            Gained::Set(set) => self.add_holdings(peer, set.iter()),
            Gained::Runs(runs) => {
                let inside = runs.into_iter().filter(|(first, _)| first.get() < total);
                let all = inside.flat_map(|(first, last)| first.get()..=last.get().min(total - 1));
                self.add_holdings(peer, all.map(ChunkIndex::new));
            }
        }
    }

    fn add_holdings(&mut self, peer: PeerKey, mut chunks: impl Iterator<Item = ChunkIndex>) {
        // Who holds what is stored here matters to nobody: half of all gains end at this line, before the neighbour is looked up.
        let Some(first) = chunks.by_ref().find(|&chunk| self.table.state(chunk) != State::Stored) else {
            return;
        };
        let Some(neighbour) = self.neighbours.get_mut(peer) else { return };
        let Holding::Some(held) = &mut neighbour.holding else { return };
        let mut news = false;
        for chunk in std::iter::once(first).chain(chunks) {
            let state = self.table.state(chunk);
            if state != State::Stored && held.insert(chunk.get()) {
                self.table.availability_mut().gained(chunk.get());
                neighbour.dry &= state != State::Missing;
                news = true;
            }
        }
        if news {
            self.eager.push(peer);
        }
    }

    /// `peer` says what only it can give.
    pub(super) fn suggested(&mut self, peer: PeerKey, chunk: ChunkIndex) {
        let is_missing = chunk.get() < self.table.total() && self.table.state(chunk) == State::Missing;
        let Some(neighbour) = self.neighbours.get_mut(peer).filter(|_| is_missing) else { return };
        if neighbour.suggested.len() >= self.config.suggestions_most {
            neighbour.suggested.pop_front();
        }
        neighbour.suggested.push_back(chunk);
        self.eager.push(peer);
    }

    /// `peer` does not hold `chunk` after all.
    pub(super) fn drop_holding(&mut self, peer: PeerKey, chunk: ChunkIndex) {
        let Some(neighbour) = self.neighbours.get_mut(peer) else { return };
        if let Holding::All = neighbour.holding {
            let held = IndexSet::full(self.table.total());
            self.table.availability_mut().complete_left();
            for chunk in (0..self.table.total()).map(ChunkIndex::new) {
                if self.table.state(chunk) != State::Stored {
                    self.table.availability_mut().gained(chunk.get());
                }
            }
            neighbour.holding = Holding::Some(held);
        }
        if let Holding::Some(held) = &mut neighbour.holding
            && held.remove(chunk.get())
            && self.table.state(chunk) != State::Stored
        {
            self.table.availability_mut().lost(chunk.get());
        }
    }

    /// A fetch that was asked of `peer` at `started` failed by its fault, or its network's.
    pub(super) fn blame(&mut self, now: Time, peer: PeerKey, started: Time, actions: &mut Vec<Action>) {
        let Some(neighbour) = self.neighbours.get_mut(peer) else { return };
        let Some(pause) = neighbour.score.failed(now, started, &self.config) else { return };
        if neighbour.score.is_failing(&self.config) && !self.is_sole_holder(peer) {
            self.drop_neighbour(now, peer, DropReason::Failing, actions);
        } else {
            self.block(now, peer, pause);
        }
    }

    /// Whether some chunk would have no holder without `peer`. Such a one is asked again for as long as it takes:
    /// a seed whose network failed for ten seconds must not be lost to the whole swarm.
    fn is_sole_holder(&self, peer: PeerKey) -> bool {
        let availability = self.table.availability();
        let Some(neighbour) = self.neighbours.get(peer) else { return false };
        let (others, bucket) = match neighbour.holding {
            Holding::All => (availability.complete() - 1, 0),
            Holding::Some(_) => (availability.complete(), 1),
        };
        let of_missing = || {
            availability
                .bucket(bucket)
                .unwrap_or_default()
                .iter()
                .any(|&chunk| neighbour.holding.holds(chunk))
        };
        let of_flying = || {
            self.fetches
                .iter_flying()
                .any(|(_, fetch)| fetch.peer == peer && availability.holders(fetch.chunk.get()) == 1)
        };
        others == 0 && (of_missing() || of_flying())
    }

    /// Leaves `peer` alone for `pause`, and up to a quarter more: those who were refused together do not come back
    /// together.
    pub(super) fn block(&mut self, now: Time, peer: PeerKey, pause: Duration) {
        let quarter = u64::try_from(pause.as_nanos() / 4).unwrap_or(u64::MAX);
        let jitter = Duration::from_nanos(self.picker.random_below(quarter));
        if let Some(neighbour) = self.neighbours.get_mut(peer) {
            let until = now + pause.saturating_add(jitter);
            if until > neighbour.score.blocked_until {
                self.blocked.remove(neighbour.score.blocked_until, peer);
                neighbour.score.blocked_until = until;
                self.blocked.insert(until, peer);
            }
        }
    }

    /// Never again in this download. The neighbour may be lost already: its address is not to come back.
    pub(super) fn drop_neighbour(
        &mut self,
        now: Time,
        peer: PeerKey,
        reason: DropReason,
        actions: &mut Vec<Action>,
    ) {
        let cancelled = self.remove_neighbour(now, peer);
        actions.extend(cancelled.into_iter().map(|fetch| Action::Cancel { fetch }));
        actions.push(Action::Drop { peer, reason });
    }

    /// Forgets a neighbour and the fetches that fly to it. What has landed is verified and stored as it is.
    fn remove_neighbour(&mut self, now: Time, peer: PeerKey) -> Vec<FetchId> {
        let Some(neighbour) = self.neighbours.remove(peer) else { return Vec::new() };
        self.blocked.remove(neighbour.score.blocked_until, peer);
        for &(_, until) in &neighbour.avoided {
            self.avoided.remove(until, peer);
        }
        match &neighbour.holding {
            Holding::All => self.table.availability_mut().complete_left(),
            Holding::Some(held) => discount(&mut self.table, held),
        }
        let flying = self.fetches.iter_flying().filter(|(_, fetch)| fetch.peer == peer);
        let flying: Vec<FetchId> = flying.map(|(id, _)| id).collect();
        for &id in &flying {
            if let Some(fetch) = self.forget(now, id) {
                self.settle(fetch.chunk);
            }
        }
        if self.neighbours.is_empty() {
            self.finder.lonely(now, &self.config);
        }
        flying
    }
}

/// Takes the chunks of a partial neighbour out of the counts.
fn discount(table: &mut ChunkTable, held: &IndexSet) {
    for chunk in held.iter() {
        if table.state(ChunkIndex::new(chunk)) != State::Stored {
            table.availability_mut().lost(chunk);
        }
    }
}
