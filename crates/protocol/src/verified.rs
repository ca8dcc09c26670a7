//! Bytes that are what the torrent says they are.

use bytes::Bytes;

use crate::{ChunkIndex, Torrent};

/// The bytes of a chunk, checked against its hash. Only [`VerifiedChunk::check`] makes one, and only these are ever
/// written or served from memory.
#[derive(Clone, Debug)]
pub struct VerifiedChunk {
    index: ChunkIndex,
    bytes: Bytes,
}

/// Bytes that are not the chunk they were sent as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WrongBytes {
    /// Another length than the chunk's.
    #[error("the chunk has {expected} bytes, {got} came")]
    Length {
        /// The chunk's length.
        expected: u32,
        /// Bytes that came.
        got: usize,
    },
    /// Another hash.
    #[error("the bytes do not have the chunk's hash")]
    Hash,
}

impl VerifiedChunk {
    /// Hashes `bytes` and compares. Costs one pass over them: call it off the reactor.
    pub fn check(torrent: &Torrent, index: ChunkIndex, bytes: Bytes) -> Result<Self, WrongBytes> {
        let expected = torrent.span(index).length;
        if bytes.len() != expected as usize {
            return Err(WrongBytes::Length { expected, got: bytes.len() });
        }
        if torrent.algorithm().digest(&bytes) != torrent.chunk_hash(index) {
            return Err(WrongBytes::Hash);
        }
        Ok(VerifiedChunk { index, bytes })
    }

    /// Which chunk of the torrent this is.
    pub const fn index(&self) -> ChunkIndex {
        self.index
    }

    /// Its bytes.
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The same bytes as another chunk of the same torrent; `None` unless hash and length are the same (a hostile
    /// torrent may list one hash for chunks of two lengths).
    #[must_use]
    pub fn as_twin(&self, torrent: &Torrent, twin: ChunkIndex) -> Option<Self> {
        let same = torrent.chunk_hash(self.index) == torrent.chunk_hash(twin)
            && torrent.span(self.index).length == torrent.span(twin).length;
        same.then(|| VerifiedChunk { index: twin, bytes: self.bytes.clone() })
    }
}
