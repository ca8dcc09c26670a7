//! A content, the torrent made of it, and an empty folder to download it into.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use protocol::torrent::ChunkSize;
use protocol::{ChunkIndex, HashAlgorithm, Torrent, VerifiedChunk};
use store::{Complete, Opened, Partial, StoreError, TorrentifyOptions, torrentify};
use tempfile::TempDir;

/// Smallest chunk that torrentify offers.
pub(crate) const CHUNK: usize = 16 << 10;
pub(crate) const CHUNK32: u32 = 16 << 10;

/// A source, described, and an output folder.
pub(crate) struct Swap {
    pub(crate) source: TempDir,
    pub(crate) out: TempDir,
    pub(crate) name: String,
    pub(crate) torrent: Arc<Torrent>,
}

/// Bytes without a pattern that chunks could share.
pub(crate) fn content(size: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(next).take(size).collect()
}

pub(crate) fn options() -> TorrentifyOptions {
    TorrentifyOptions { chunk_size: ChunkSize::chosen(CHUNK as u64).ok(), ..TorrentifyOptions::default() }
}

pub(crate) fn write_file(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

impl Swap {
    pub(crate) fn file(name: &str, bytes: &[u8]) -> Self {
        let source = tempfile::tempdir().unwrap();
        write_file(&source.path().join(name), bytes);
        Swap::of(source, name)
    }

    pub(crate) fn folder(name: &str, files: &[(&str, usize)]) -> Self {
        let source = tempfile::tempdir().unwrap();
        fs::create_dir(source.path().join(name)).unwrap();
        for (seed, (path, size)) in files.iter().enumerate() {
            write_file(&source.path().join(name).join(path), &content(*size, seed as u64));
        }
        Swap::of(source, name)
    }

    fn of(source: TempDir, name: &str) -> Self {
        let torrent = torrentify(&source.path().join(name), options(), &|_| {}).unwrap();
        let out = tempfile::tempdir().unwrap();
        Swap { source, out, name: name.to_owned(), torrent: Arc::new(torrent) }
    }

    /// A path in the output folder.
    pub(crate) fn out(&self, name: &str) -> PathBuf {
        self.out.path().join(name)
    }

    pub(crate) fn open(&self) -> Result<Opened, StoreError> {
        store::open(Arc::clone(&self.torrent), self.out.path(), &|_| {})
    }

    /// Opens it, and says how many bytes had to be hashed.
    pub(crate) fn open_counting(&self) -> (Result<Opened, StoreError>, u64) {
        let hashed = AtomicU64::new(0);
        let count = |bytes| {
            hashed.fetch_add(bytes, Ordering::Relaxed);
        };
        let opened = store::open(Arc::clone(&self.torrent), self.out.path(), &count);
        (opened, hashed.into_inner())
    }

    pub(crate) fn partial(&self) -> Partial {
        match self.open().unwrap() {
            Opened::Partial(partial) => partial,
            Opened::Complete(complete) => panic!("{complete:?}"),
        }
    }

    pub(crate) fn complete(&self) -> Complete {
        match self.open().unwrap() {
            Opened::Complete(complete) => complete,
            Opened::Partial(partial) => panic!("{partial:?}"),
        }
    }

    pub(crate) fn chunks(&self) -> impl Iterator<Item = ChunkIndex> + use<> {
        (0..self.torrent.chunk_count()).map(ChunkIndex::new)
    }

    /// A chunk, as it comes from a peer that has the source.
    pub(crate) fn chunk(&self, chunk: ChunkIndex) -> VerifiedChunk {
        let span = self.torrent.span(chunk);
        let entry = &self.torrent.layout().files()[span.file];
        let base = self.source.path().join(&self.name);
        let path = if base.is_dir() { base.join(entry.path.as_str()) } else { base };
        let offset = usize::try_from(span.offset).unwrap();
        let bytes = fs::read(path).unwrap()[offset..][..span.length as usize].to_vec();
        VerifiedChunk::check(&self.torrent, chunk, Bytes::from(bytes)).unwrap()
    }

    /// Writes all that is missing and finishes.
    pub(crate) fn download(&self) -> Complete {
        let partial = match self.open().unwrap() {
            Opened::Complete(complete) => return complete,
            Opened::Partial(partial) => partial,
        };
        for chunk in self.chunks() {
            partial.write(&self.chunk(chunk)).unwrap();
        }
        partial.finish().unwrap()
    }

    /// The finished content is the source, byte for byte and file for file.
    pub(crate) fn assert_finished(&self) {
        assert_eq!(tree(&self.out(&self.name)), tree(&self.source.path().join(&self.name)));
        assert!(!self.out(&format!("{}.part", self.name)).exists());
    }
}

/// Every file beneath a path with its bytes, sorted.
pub(crate) fn tree(path: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    if !path.is_dir() {
        return vec![(PathBuf::new(), fs::read(path).unwrap())];
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).unwrap() {
        let entry = entry.unwrap();
        let below = tree(&entry.path()).into_iter();
        files.extend(below.map(|(rest, bytes)| (Path::new(&entry.file_name()).join(rest), bytes)));
    }
    files.sort();
    files
}

/// All algorithms.
pub(crate) const ALGORITHMS: [HashAlgorithm; 3] =
    [HashAlgorithm::Blake3, HashAlgorithm::Sha256, HashAlgorithm::Sha1];
