//! The number of a chunk in its torrent.

use serde::{Deserialize, Serialize};

/// The number of a chunk in its torrent, from 0, in file order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChunkIndex(u32);

impl ChunkIndex {
    /// Chunk number `index`.
    pub const fn new(index: u32) -> Self {
        ChunkIndex(index)
    }

    /// The number as it stands on the wire.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The number as a position in a table of chunks.
    pub const fn slot(self) -> usize {
        self.0 as usize
    }
}
