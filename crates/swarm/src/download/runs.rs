//! Small chunks are asked for in runs, as they lie in the files.
//!
//! Fifty thousand small files asked for in a random order are opened, and made, in a random order: each in another folder
//! than the one before, and on a real disk at another place of it. What rarest-first wants is that peers get
//! different things, and a run of chunks that are equally rare is as good for that as a chunk of its size. So a run ends
//! where the rarity does, and at every multiple of [`Config::run_bytes`]: two peers' runs are the same or have nothing
//! in common. Large chunks are runs of one (decision 19 has what it brings).

use protocol::ChunkIndex;

use super::Download;
use super::chunk_table::State;
use super::neighbour::Neighbour;
use crate::{Config, PeerKey};

/// What a neighbour was asked for last, and how many others held that then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    last: u32,
    held_by: u16,
}

impl Config {
    /// Chunks of a run.
    fn run_chunks(&self) -> u32 {
        (self.run_bytes / self.chunk_bytes.max(1)).max(1)
    }
}

impl Download {
    /// What lies behind the chunk that `peer` was asked for last, if the run goes on there.
    pub(super) fn next_of_run(&mut self, peer: PeerKey) -> Option<ChunkIndex> {
        let neighbour = self.neighbours.get(peer)?;
        let Run { last, held_by } = neighbour.run?;
        let next = last + 1;
        let is_next =
            !next.is_multiple_of(self.config.run_chunks()) && self.is_as_rare(neighbour, next, held_by);
        if !is_next || self.picker.is_bound(self.table.missing(), &neighbour.offer()) {
            return None;
        }
        self.note_run(peer, next);
        Some(ChunkIndex::new(next))
    }

    /// The first chunk of the run that `chosen` is in, which is asked for instead.
    pub(super) fn first_of_run(&mut self, peer: PeerKey, chosen: ChunkIndex) -> ChunkIndex {
        let chunks = self.config.run_chunks();
        let Some(neighbour) = self.neighbours.get(peer).filter(|_| chunks > 1) else { return chosen };
        if self.picker.is_bound(self.table.missing(), &neighbour.offer()) {
            return chosen;
        }
        let held_by = self.table.availability().partial(chosen.get());
        let mut first = chosen.get();
        while !first.is_multiple_of(chunks) && self.is_as_rare(neighbour, first - 1, held_by) {
            first -= 1;
        }
        self.note_run(peer, first);
        ChunkIndex::new(first)
    }

    fn note_run(&mut self, peer: PeerKey, last: u32) {
        let held_by = self.table.availability().partial(last);
        if let Some(neighbour) = self.neighbours.get_mut(peer) {
            neighbour.run = Some(Run { last, held_by });
        }
    }

    /// Whether a chunk is missing, offered, and held by no more others than so many.
    fn is_as_rare(&self, neighbour: &Neighbour, chunk: u32, held_by: u16) -> bool {
        chunk < self.table.total()
            && self.table.state(ChunkIndex::new(chunk)) == State::Missing
            && self.table.availability().partial(chunk) <= held_by
            && neighbour.offers(chunk)
    }
}
