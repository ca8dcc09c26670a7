//! Whose place a newcomer takes when all are taken.
//!
//! A full set of neighbours that are all of some use would stay what it happened to be at the start: whoever comes later is
//! never asked for anything, however fast it is. So now and then the one that brought least since the last time gives
//! way (what the optimistic unchoke of Cohen, 2003, is to uploads). Seldom, since a newcomer costs a connection
//! and a bitmap; never one that is being fetched from or that holds what hardly anybody else does, and nobody before it
//! had time to show what it is worth.

use protocol::{ChunkIndex, Time};

use super::Download;
use super::chunk_table::State;
use crate::PeerKey;
use crate::picker::Holding;

/// What so few neighbours hold, or fewer, is not let go: one of them may be lost at any time.
const RARE: u32 = 2;

impl Download {
    /// Somebody comes, and there is no room: the neighbour whose place it may take, if any. The shell then says
    /// [`Event::PeerLost`](crate::Event::PeerLost) of it. Paced by the brain.
    pub fn gives_way(&mut self, now: Time) -> Option<PeerKey> {
        let every = self.config.renew_every;
        if self.finished || self.renewed_at.is_some_and(|at| now.since(at) < every) {
            return None;
        }
        let mut idle: Vec<_> = self
            .neighbours
            .iter()
            .filter(|(_, neighbour)| neighbour.flying == 0 && now.since(neighbour.since) >= every)
            .map(|(peer, neighbour)| (neighbour.score.brought(), neighbour.score.heard, peer))
            .collect();
        if idle.is_empty() {
            return None;
        }
        // Also when none of them will: to look through what they hold takes a while.
        self.renewed_at = Some(now);
        idle.sort_unstable();
        let (_, _, least) = idle.into_iter().find(|&(_, _, peer)| !self.holds_rare(peer))?;
        for (_, neighbour) in self.neighbours.iter_mut() {
            neighbour.score.count_anew();
        }
        Some(least)
    }

    /// Whether `peer` is one of the few that hold something that is not stored here.
    fn holds_rare(&self, peer: PeerKey) -> bool {
        let availability = self.table.availability();
        let Some(neighbour) = self.neighbours.get(peer) else { return false };
        let is_rare = |chunk: u32| {
            self.table.state(ChunkIndex::new(chunk)) != State::Stored && availability.holders(chunk) <= RARE
        };
        match &neighbour.holding {
            Holding::All => availability.complete() <= RARE && (0..self.table.total()).any(is_rare),
            Holding::Some(held) => availability.complete() < RARE && held.iter().any(is_rare),
        }
    }
}
