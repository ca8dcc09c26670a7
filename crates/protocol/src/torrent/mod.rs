//! The torrent: what a file or folder is made of, and the proof of each part.
//!
//! [`layout`] says where chunks lie, [`hashes`] what they must hash to, [`chunk_size`] how large they are,
//! `by_hash` which chunks have a hash, [`id`] what the whole is called, `json` and `text` how torrent.json is read and
//! written.

mod by_hash;
pub mod chunk_size;
pub mod hashes;
pub mod id;
mod json;
pub mod layout;
mod text;

use std::sync::OnceLock;

pub use chunk_size::ChunkSize;
pub use hashes::ChunkHashes;
pub use json::{MAX_TORRENT_JSON, ParseError};
pub use layout::{FileEntry, Layout, LayoutError, NewFile, Shape, Span};
pub use text::JsonParts;

use self::by_hash::ByHash;
use crate::{BaseUrl, ChunkIndex, ChunkSet, Hash, HashAlgorithm, TorrentId};

/// Most chunks of a torrent: a bitmap of 128 KiB and a torrent.json that a browser still opens.
pub const MAX_CHUNKS: u32 = 1 << 20;

/// The description of a file or folder, consistent by construction.
///
/// Clone is for tests and tools; processes share one behind an `Arc`.
#[derive(Clone, Debug)]
pub struct Torrent {
    layout: Layout,
    hashes: ChunkHashes,
    file_hash: Hash,
    tracker: Option<BaseUrl>,
    id: TorrentId,
    /// Made when it is first asked for.
    by_hash: OnceLock<ByHash>,
    /// Bytes of the lists in its torrent.json, counted when they are first asked for.
    lists_length: OnceLock<usize>,
}

/// Parts that do not belong together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TorrentError {
    /// Another number of hashes than of chunks.
    #[error("chunks: {expected} expected from the sizes, {got} given")]
    ChunkCount {
        /// Chunks that the sizes ask for.
        expected: u32,
        /// Hashes given.
        got: u32,
    },
    /// fileHash is not what the chunk hashes give, or has another algorithm's length.
    #[error("fileHash does not belong to these chunks")]
    FileHash,
}

impl Torrent {
    /// Puts a torrent together. `file_hash`: of the whole content for sha1 (as the described programs), otherwise
    /// [`ChunkHashes::combined`].
    pub fn new(
        layout: Layout,
        hashes: ChunkHashes,
        file_hash: Hash,
        tracker: Option<BaseUrl>,
    ) -> Result<Self, TorrentError> {
        if hashes.len() != layout.chunk_count() {
            return Err(TorrentError::ChunkCount { expected: layout.chunk_count(), got: hashes.len() });
        }
        let algorithm = hashes.algorithm();
        let right = match algorithm {
            HashAlgorithm::Sha1 => file_hash.as_bytes().len() == algorithm.length(),
            HashAlgorithm::Blake3 | HashAlgorithm::Sha256 => file_hash == hashes.combined(),
        };
        if !right {
            return Err(TorrentError::FileHash);
        }
        let id = id::of(&layout, &hashes);
        Ok(Torrent {
            layout,
            hashes,
            file_hash,
            tracker,
            id,
            by_hash: OnceLock::new(),
            lists_length: OnceLock::new(),
        })
    }

    /// The file's or folder's name.
    pub fn name(&self) -> &crate::FilePath {
        self.layout.name()
    }

    /// Where its chunks lie.
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Bytes of all files.
    pub const fn size(&self) -> u64 {
        self.layout.size()
    }

    /// How its chunks are hashed.
    pub const fn algorithm(&self) -> HashAlgorithm {
        self.hashes.algorithm()
    }

    /// Number of chunks.
    pub const fn chunk_count(&self) -> u32 {
        self.layout.chunk_count()
    }

    /// All chunk hashes in order.
    pub const fn hashes(&self) -> &ChunkHashes {
        &self.hashes
    }

    /// The hash of one chunk.
    ///
    /// # Panics
    /// When `chunk` is not one of this torrent's.
    pub fn chunk_hash(&self, chunk: ChunkIndex) -> Hash {
        self.hashes.get(chunk)
    }

    /// Where one chunk lies and how long it is.
    ///
    /// # Panics
    /// When `chunk` is not one of this torrent's.
    pub fn span(&self, chunk: ChunkIndex) -> Span {
        self.layout.span(chunk)
    }

    /// The hash in `fileHash`.
    pub const fn file_hash(&self) -> Hash {
        self.file_hash
    }

    /// The tracker named in it.
    pub const fn tracker(&self) -> Option<&BaseUrl> {
        self.tracker.as_ref()
    }

    /// The same torrent naming another tracker; its id stays.
    #[must_use]
    pub fn with_tracker(mut self, tracker: Option<BaseUrl>) -> Self {
        self.tracker = tracker;
        self
    }

    /// Its id: the same for the same content, name and chunk size, whatever the tracker.
    pub const fn id(&self) -> TorrentId {
        self.id
    }

    /// The chunks that have this hash, in file order: usually one, several where content repeats (twins).
    /// The table behind it is made at the first call.
    pub fn chunks_with(&self, hash: &Hash) -> &[ChunkIndex] {
        self.by_hash().chunks(&self.hashes, hash.as_bytes())
    }

    fn by_hash(&self) -> &ByHash {
        self.by_hash.get_or_init(|| ByHash::new(&self.hashes))
    }

    /// Every chunk with the same hash and length as `chunk`, itself included, in file order.
    ///
    /// # Panics
    /// When `chunk` is not one of this torrent's.
    pub fn twins(&self, chunk: ChunkIndex) -> impl Iterator<Item = ChunkIndex> + '_ {
        let length = self.span(chunk).length;
        let is_alone = !self.by_hash().is_repeated(chunk);
        let same = if is_alone { &[] } else { self.chunks_with(&self.chunk_hash(chunk)) };
        let same = same.iter().copied().filter(move |twin| self.span(*twin).length == length);
        is_alone.then_some(chunk).into_iter().chain(same)
    }

    /// Bytes of the chunks in `set`.
    pub fn bytes_in(&self, set: &ChunkSet) -> u64 {
        if set.is_full() {
            return self.size();
        }
        set.iter().map(|chunk| u64::from(self.span(chunk).length)).sum()
    }
}

impl PartialEq for Torrent {
    /// Equal in everything torrent.json says.
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && self.file_hash == other.file_hash && self.tracker == other.tracker
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FilePath;

    /// A file of zeros, as a disk image begins: every chunk is equal to every other.
    #[test]
    fn a_hundred_thousand_equal_chunks_are_found_as_fast_as_one() {
        const COUNT: u32 = 100_000;
        let mut hashes = ChunkHashes::new(HashAlgorithm::Blake3);
        let (zeros, last) = (HashAlgorithm::Blake3.digest(&[0]), HashAlgorithm::Blake3.digest(&[1]));
        for chunk in 0..COUNT {
            hashes.push(if chunk + 1 < COUNT { &zeros } else { &last }).unwrap();
        }
        let size = ChunkSize::new(1).unwrap();
        let layout = Layout::file(FilePath::name("image").unwrap(), COUNT.into(), false, size).unwrap();
        let whole = hashes.combined();
        let torrent = Torrent::new(layout, hashes, whole, None).unwrap();
        // Were they counted each time, this would be ten thousand million steps.
        for chunk in (0..COUNT - 1).map(ChunkIndex::new) {
            assert_eq!(torrent.twins(chunk).next(), Some(ChunkIndex::new(0)));
        }
        assert_eq!(torrent.chunks_with(&zeros).len(), COUNT as usize - 1);
        assert_eq!(torrent.chunks_with(&last), [ChunkIndex::new(COUNT - 1)]);
        assert!(torrent.chunks_with(&HashAlgorithm::Blake3.digest(&[2])).is_empty());
    }
}
