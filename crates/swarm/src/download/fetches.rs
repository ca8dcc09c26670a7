//! Fetches start, land, fail; chunks are stored.

use std::time::Duration;

use protocol::{ChunkIndex, Time};

use super::Download;
use super::chunk_table::State;
use crate::inflight::Fetch;
use crate::{Action, DropReason, Failure, FetchId, PeerKey};

impl Download {
    pub(super) fn start(&mut self, now: Time, peer: PeerKey, chunk: ChunkIndex, actions: &mut Vec<Action>) {
        let fetch = self.fetches.start(now, peer, chunk);
        self.flow.asked(now);
        if let Some(neighbour) = self.neighbours.get_mut(peer) {
            if neighbour.flying == 0 {
                neighbour.score.busy_from(now);
            }
            neighbour.flying += 1;
        }
        self.table.turn(chunk, State::InFlight);
        self.look_by(now + self.config.patience);
        actions.push(Action::Fetch { fetch, peer, chunk });
    }

    pub(super) fn bytes_arrived(&mut self, now: Time, id: FetchId, bytes: u32) {
        let Some(fetch) = self.fetches.get_mut(id).filter(|fetch| !fetch.landed) else { return };
        let first = (fetch.bytes == 0).then(|| now.since(fetch.started));
        fetch.received(now, bytes.into());
        self.flow.gained(now, bytes.into());
        if let Some(neighbour) = self.neighbours.get_mut(fetch.peer) {
            let was_new = neighbour.score.is_new(&self.config);
            neighbour.score.received(now, bytes.into());
            if let Some(delay) = first {
                neighbour.score.answered_after(delay);
            }
            if was_new && !neighbour.score.is_new(&self.config) {
                self.eager.push(fetch.peer);
            }
        }
    }

    pub(super) fn arrived(&mut self, now: Time, id: FetchId) {
        let Some(fetch) = self.fetches.get(id).filter(|fetch| !fetch.landed) else { return };
        let (peer, chunk, slow) = (fetch.peer, fetch.chunk, fetch.slow);
        let unreported = (fetch.bytes == 0).then(|| now.since(fetch.started));
        if let Some(neighbour) = self.neighbours.get_mut(peer) {
            if let Some(delay) = unreported {
                neighbour.score.received(now, self.config.chunk_bytes.into());
                neighbour.score.answered_after(delay);
            }
            neighbour.score.body_whole(now);
            self.fastest = self.fastest.max(neighbour.score.rate().unwrap_or(0));
        }
        self.fetches.land(id);
        self.free_place(now, peer, slow);
        self.table.turn(chunk, State::Storing);
    }

    pub(super) fn fetch_failed(
        &mut self,
        now: Time,
        id: FetchId,
        failure: Failure,
        actions: &mut Vec<Action>,
    ) {
        let Some(fetch) = self.forget(now, id) else { return };
        self.settle(fetch.chunk);
        match failure {
            Failure::Missing => {
                self.drop_holding(fetch.peer, fetch.chunk);
                let neighbour = self.neighbours.get_mut(fetch.peer);
                if neighbour.is_some_and(|neighbour| neighbour.score.missed(&self.config)) {
                    self.blame(now, fetch.peer, fetch.started, actions);
                }
            }
            Failure::Busy { retry_after } => {
                let Some(neighbour) = self.neighbours.get_mut(fetch.peer) else { return };
                let asked = (fetch.started, neighbour.flying);
                let (pause, failure) = neighbour.score.busy(now, retry_after, asked, &self.config);
                if failure {
                    self.blame(now, fetch.peer, fetch.started, actions);
                }
                self.block(now, fetch.peer, pause);
            }
            Failure::Elsewhere { retry_after } => self.avoid(now, fetch.peer, fetch.chunk, retry_after),
            Failure::Transport => self.blame(now, fetch.peer, fetch.started, actions),
            Failure::WrongBytes => self.drop_neighbour(now, fetch.peer, DropReason::WrongBytes, actions),
        }
    }

    /// Leaves `chunk` to others for a while: `peer` turned us away.
    fn avoid(&mut self, now: Time, peer: PeerKey, chunk: ChunkIndex, retry_after: Duration) {
        let pause = retry_after.clamp(self.config.elsewhere_least, self.config.busy_most);
        let Some(neighbour) = self.neighbours.get_mut(peer) else { return };
        neighbour.avoided.push((chunk.get(), now + pause));
        self.avoided.insert(now + pause, peer);
        if neighbour.avoided.len() >= self.config.avoided_most {
            self.block(now, peer, pause);
        }
    }

    pub(super) fn chunk_stored(
        &mut self,
        now: Time,
        chunk: ChunkIndex,
        bytes: u64,
        actions: &mut Vec<Action>,
    ) {
        if chunk.get() >= self.table.total() || self.table.state(chunk) == State::Stored {
            return;
        }
        let mut beaten = Vec::new();
        for id in self.fetches.of_chunk(chunk).collect::<Vec<_>>() {
            let Some(fetch) = self.forget(now, id) else { continue };
            if fetch.landed {
                self.flow.gained(now, bytes.saturating_sub(fetch.bytes));
                if let Some(neighbour) = self.neighbours.get_mut(fetch.peer) {
                    neighbour.score.succeeded(&self.config);
                    self.eager.push(fetch.peer);
                }
            } else {
                actions.push(Action::Cancel { fetch: id });
                beaten.push(fetch);
            }
        }
        self.table.turn(chunk, State::Stored);
        self.picker.fulfil(|chunk| self.table.state(ChunkIndex::new(chunk)) == State::Stored);
        if !self.stored_any && self.table.unstored() > 0 {
            actions.push(Action::Announce);
        }
        self.stored_any = true;
        if self.is_rare(chunk) {
            actions.push(Action::Tell);
        }
        // To lose a race is no fault; to be stuck while others could deliver is.
        for fetch in beaten.iter().filter(|fetch| fetch.slow) {
            self.blame(now, fetch.peer, fetch.started, actions);
        }
    }

    /// Whether hardly any of many neighbours holds `chunk`, as far as is known here. Complete ones are not counted: what only a seed holds
    /// is the rarest of all.
    fn is_rare(&self, chunk: ChunkIndex) -> bool {
        self.is_among_many() && self.table.availability().partial(chunk.get()) <= self.config.rare_most
    }

    pub(super) fn store_failed(&mut self, chunk: ChunkIndex) {
        if chunk.get() >= self.table.total() || self.table.state(chunk) == State::Stored {
            return;
        }
        for id in self.fetches.of_chunk(chunk).collect::<Vec<_>>() {
            if self.fetches.get(id).is_some_and(|fetch| fetch.landed) {
                self.fetches.remove(id);
            }
        }
        self.settle(chunk);
    }

    /// Forgets a fetch; the caller settles its chunk.
    pub(super) fn forget(&mut self, now: Time, id: FetchId) -> Option<Fetch> {
        let fetch = self.fetches.remove(id)?;
        if !fetch.landed {
            self.free_place(now, fetch.peer, fetch.slow);
        }
        Some(fetch)
    }

    fn free_place(&mut self, now: Time, peer: PeerKey, was_slow: bool) {
        let Some(neighbour) = self.neighbours.get_mut(peer) else { return };
        neighbour.flying -= 1;
        neighbour.slow -= u32::from(was_slow);
        if neighbour.flying == 0 {
            neighbour.score.idle_from(now);
        }
        self.eager.push(peer);
    }

    /// Gives a chunk that is not stored the state that its remaining fetches say.
    pub(super) fn settle(&mut self, chunk: ChunkIndex) {
        if self.table.state(chunk) == State::Stored {
            return;
        }
        let left = self.fetches.of_chunk(chunk).filter_map(|id| self.fetches.get(id));
        let state = left.fold(State::Missing, |state, fetch| match (state, fetch.landed) {
            (_, true) | (State::Storing, _) => State::Storing,
            _ => State::InFlight,
        });
        // The only copy left is stuck: whoever holds it, too, may be asked for a second one (threat A10).
        self.all_eager |= state == State::InFlight
            && self.fetches.of_chunk(chunk).any(|id| self.fetches.get(id).is_some_and(|fetch| fetch.slow));
        self.table.turn(chunk, state);
        if state == State::Missing {
            // Who is not dry and has room is asked with its own next event: it flies already, and so much flies that more is only
            // asked of those who do not.
            for (peer, neighbour) in self.neighbours.iter_mut().filter(|(_, one)| one.dry) {
                if neighbour.holding.holds(chunk.get()) {
                    neighbour.dry = false;
                    self.eager.push(peer);
                }
            }
        }
    }
}
