//! Every chunk's state, and the only place that changes one: what is derived from the states cannot go stale.

use protocol::{ChunkIndex, ChunkSet};

use super::states::States;
use crate::availability::Availability;
use crate::index_set::IndexSet;

pub(crate) use super::states::State;

/// The states, and what the picker needs to know of them.
#[derive(Clone, Debug)]
#[repr(C)]
pub(crate) struct ChunkTable {
    states: States,
    storing: u32,
    unstored: u32,
    missing: IndexSet,
    availability: Availability,
}

impl ChunkTable {
    /// Chunks of a torrent of `total`, of which `wanted` are missing.
    pub(crate) fn new(total: u32, wanted: &ChunkSet) -> Self {
        let mut table = ChunkTable {
            states: States::stored(total),
            missing: IndexSet::empty(total),
            availability: Availability::new(total),
            storing: 0,
            unstored: wanted.count(),
        };
        for chunk in wanted.iter() {
            table.states.set(chunk, State::Missing);
            table.missing.insert(chunk.get());
            table.availability.enter(chunk.get());
        }
        table
    }

    pub(crate) const fn total(&self) -> u32 {
        self.states.len()
    }

    pub(crate) fn state(&self, chunk: ChunkIndex) -> State {
        self.states.get(chunk)
    }

    pub(crate) const fn missing(&self) -> &IndexSet {
        &self.missing
    }

    pub(crate) const fn availability(&self) -> &Availability {
        &self.availability
    }

    pub(crate) const fn availability_mut(&mut self) -> &mut Availability {
        &mut self.availability
    }

    /// Chunks being verified and written.
    pub(crate) const fn storing(&self) -> u32 {
        self.storing
    }

    /// Wanted chunks that are not stored.
    pub(crate) const fn unstored(&self) -> u32 {
        self.unstored
    }

    /// Moves `chunk` to another state.
    pub(crate) fn turn(&mut self, chunk: ChunkIndex, to: State) {
        let from = self.states.get(chunk);
        if from == to {
            return;
        }
        assert_ne!(from, State::Stored, "chunk {} is stored, which is final", chunk.get());
        match from {
            State::Missing => {
                self.missing.remove(chunk.get());
                self.availability.leave(chunk.get());
            }
            State::Storing => self.storing -= 1,
            State::InFlight | State::Stored => {}
        }
        match to {
            State::Missing => {
                self.missing.insert(chunk.get());
                self.availability.enter(chunk.get());
            }
            State::Storing => self.storing += 1,
            State::Stored => self.unstored -= 1,
            State::InFlight => {}
        }
        self.states.set(chunk, to);
    }

    /// Asserts that what is derived agrees with the states.
    pub(crate) fn check_invariants(&self) {
        let count = |state| self.states.iter().filter(|&one| one == state).count();
        assert_eq!(count(State::Missing), self.missing.count() as usize, "missing chunks");
        assert_eq!(count(State::Storing), self.storing as usize, "chunks being stored");
        assert_eq!(self.total() as usize - count(State::Stored), self.unstored as usize, "chunks not stored");
        for chunk in self.missing.iter() {
            assert_eq!(self.state(ChunkIndex::new(chunk)), State::Missing, "state of chunk {chunk}");
        }
        self.availability.check_invariants(&self.missing);
    }
}
