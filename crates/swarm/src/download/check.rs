//! What must always hold, asserted. Looks at everything, so it is for tests and simulations, not for the shell.

use protocol::ChunkIndex;

use super::Download;
use super::chunk_table::State;
use crate::picker::Holding;

impl Download {
    /// Asserts that the tables agree with one another, that the limits hold, and that nobody is idle without reason.
    ///
    /// # Panics
    /// When they do not: that is a defect of this crate.
    #[doc(hidden)]
    pub fn check_invariants(&self) {
        self.table.check_invariants();
        self.fetches.check_invariants();
        self.neighbours.check_invariants();
        self.check_chunks();
        self.check_counts();
        self.check_limits();
        self.check_nobody_idle();
        self.blocked.check_invariants();
        self.avoided.check_invariants();
        assert!(self.eager.is_empty() && !self.all_eager, "work was left undone");
        assert!(self.look_at.is_none() || self.fetches.flying() > 0, "nothing flies that could be looked at");
        assert!(!(self.finished && self.wake.is_some()), "a finished download has nothing to wake for");
    }

    fn check_chunks(&self) {
        for chunk in (0..self.table.total()).map(ChunkIndex::new) {
            let fetches: Vec<_> =
                self.fetches.of_chunk(chunk).filter_map(|id| self.fetches.get(id)).collect();
            let landed = fetches.iter().any(|fetch| fetch.landed);
            let expected = match self.table.state(chunk) {
                State::Missing | State::Stored => fetches.is_empty(),
                State::InFlight => !fetches.is_empty() && !landed,
                State::Storing => landed,
            };
            assert!(expected, "chunk {} is {:?} with {fetches:?}", chunk.get(), self.table.state(chunk));
        }
    }

    fn check_counts(&self) {
        let availability = self.table.availability();
        let complete = self.neighbours.iter().filter(|(_, one)| matches!(one.holding, Holding::All)).count();
        assert_eq!(complete, availability.complete() as usize, "complete neighbours");
        for chunk in (0..self.table.total()).map(ChunkIndex::new) {
            if self.table.state(chunk) != State::Stored {
                let holders =
                    self.neighbours.iter().filter(|(_, one)| one.holding.holds(chunk.get())).count();
                assert_eq!(
                    holders,
                    availability.holders(chunk.get()) as usize,
                    "holders of chunk {}",
                    chunk.get()
                );
            }
        }
    }

    fn check_limits(&self) {
        assert!(self.neighbours.len() <= self.config.neighbours_most, "too many neighbours");
        assert!(self.blocked.len() <= self.neighbours.len(), "more pauses than neighbours");
        let avoided = self.neighbours.iter().map(|(_, one)| one.avoided.len()).sum::<usize>();
        assert!(self.avoided.len() <= avoided, "times of chunks that nobody avoids");
        assert!(self.fetches.flying() <= self.config.in_flight_chunks_most(), "too many fetches in flight");
        for (peer, neighbour) in self.neighbours.iter() {
            let flying: Vec<_> = self.fetches.iter_flying().filter(|(_, fetch)| fetch.peer == peer).collect();
            let slow = flying.iter().filter(|(_, fetch)| fetch.slow).count();
            assert_eq!(flying.len(), neighbour.flying as usize, "fetches that fly to {peer:?}");
            assert_eq!(slow, neighbour.slow as usize, "stuck fetches of {peer:?}");
            assert!(neighbour.flying <= self.config.depth_most, "too many fetches fly to {peer:?}");
        }
        for (_, fetch) in self.fetches.iter_flying() {
            assert!(self.neighbours.get(fetch.peer).is_some(), "a fetch flies to nobody");
        }
    }

    /// An idle neighbour that is not paused and holds a missing chunk is a wake-up that was lost.
    fn check_nobody_idle(&self) {
        if self.finished || self.is_held_up() {
            return;
        }
        for (peer, neighbour) in self.neighbours.iter() {
            let paused = self.blocked.contains(neighbour.score.blocked_until, peer);
            let useful = self.table.missing().iter().any(|chunk| neighbour.offers(chunk));
            assert!(!(neighbour.dry && useful), "{peer:?} holds what is missing and is called dry");
            assert!(neighbour.flying > 0 || paused || !useful, "{peer:?} is idle and holds what is missing");
        }
    }
}
