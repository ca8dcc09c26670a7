//! The table of chunk hashes: raw and flat, because a torrent may have a million of them.

use crate::{ChunkIndex, Hash, HashAlgorithm};

/// Chunk hashes in order, 20 or 32 bytes each and nothing more.
#[derive(Clone, PartialEq, Eq)]
pub struct ChunkHashes {
    algorithm: HashAlgorithm,
    bytes: Vec<u8>,
}

/// A hash of another length than the algorithm's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a {algorithm} hash has {} bytes", algorithm.length())]
pub struct WrongLength {
    /// The table's algorithm.
    pub algorithm: HashAlgorithm,
}

impl ChunkHashes {
    /// An empty table.
    pub const fn new(algorithm: HashAlgorithm) -> Self {
        ChunkHashes { algorithm, bytes: Vec::new() }
    }

    /// A table of these hashes, raw and one behind the other.
    pub fn from_raw(algorithm: HashAlgorithm, bytes: Vec<u8>) -> Result<Self, WrongLength> {
        let whole = bytes.len().is_multiple_of(algorithm.length());
        if whole && u32::try_from(bytes.len() / algorithm.length()).is_ok() {
            Ok(ChunkHashes { algorithm, bytes })
        } else {
            Err(WrongLength { algorithm })
        }
    }

    /// Adds the next chunk's hash.
    pub fn push(&mut self, hash: &Hash) -> Result<(), WrongLength> {
        if hash.as_bytes().len() != self.algorithm.length() {
            return Err(WrongLength { algorithm: self.algorithm });
        }
        self.bytes.extend_from_slice(hash.as_bytes());
        Ok(())
    }

    /// The algorithm.
    pub const fn algorithm(&self) -> HashAlgorithm {
        self.algorithm
    }

    /// How many there are.
    pub const fn len(&self) -> u32 {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "from_raw checked; push is bounded by MAX_CHUNKS"
        )]
        let count = (self.bytes.len() / self.algorithm.length()) as u32;
        count
    }

    /// There are none.
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// One of them.
    ///
    /// # Panics
    /// When `chunk` is not in the table.
    pub fn get(&self, chunk: ChunkIndex) -> Hash {
        Hash::from_bytes(self.raw(chunk)).unwrap_or_else(|_| unreachable!("a table of whole hashes"))
    }

    /// The bytes of all of them, one behind the other.
    pub fn as_raw(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes of one of them.
    pub(super) fn raw(&self, chunk: ChunkIndex) -> &[u8] {
        let length = self.algorithm.length();
        &self.bytes[chunk.slot() * length..][..length]
    }

    /// All of them in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Hash> + '_ {
        (0..self.len()).map(|chunk| self.get(ChunkIndex::new(chunk)))
    }

    /// `fileHash` of a blake3 or sha256 torrent: the same algorithm over the raw hashes in order.
    pub fn combined(&self) -> Hash {
        self.algorithm.digest(&self.bytes)
    }
}

impl std::fmt::Debug for ChunkHashes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} × {}", self.len(), self.algorithm)
    }
}
