//! Chunks by number: one index, and sets of them.

mod index;
mod set;

pub use index::ChunkIndex;
pub use set::{BadBitmap, ChunkSet};
