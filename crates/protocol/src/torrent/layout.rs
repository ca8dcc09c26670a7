//! Where a torrent's chunks lie in its files.
//!
//! Chunks are numbered through all files in the order of their paths; none spans two files, so that one file of a
//! folder can be fetched, verified and served alone. An empty file has no chunk.

use super::{ChunkSize, MAX_CHUNKS};
use crate::{ChunkIndex, FilePath};

/// Most bytes of a torrent: what fits [`MAX_CHUNKS`] chunks of the largest size (16 TiB).
pub const MAX_SIZE: u64 = MAX_CHUNKS as u64 * ChunkSize::MAX as u64;
/// Most files of a folder. (With a chunk each they reach [`MAX_CHUNKS`]; empty ones are not free either.)
pub const MAX_FILES: usize = MAX_CHUNKS as usize;

/// One file or a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One file with the torrent's name.
    File,
    /// A folder with the torrent's name and files in it.
    Folder,
}

/// A file as it is described before chunks are counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFile {
    /// Where it lies in the folder (for a single file: its name).
    pub path: FilePath,
    /// Bytes.
    pub size: u64,
    /// Whether its owner may execute it.
    pub executable: bool,
}

/// A file and its chunks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// Where it lies in the folder (for a single file: its name).
    pub path: FilePath,
    /// Bytes.
    pub size: u64,
    /// Whether its owner may execute it.
    pub executable: bool,
    /// Number of its first chunk, or of the next file's when it is empty.
    pub first_chunk: u32,
    /// Number of its chunks.
    pub chunk_count: u32,
}

/// Where one chunk lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Position of its file in [`Layout::files`].
    pub file: usize,
    /// Offset in that file.
    pub offset: u64,
    /// Its length: the chunk size, less at the end of a file; never 0.
    pub length: u32,
}

/// Names and sizes of a torrent, and the chunks that follow from them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    name: FilePath,
    shape: Shape,
    chunk_size: ChunkSize,
    files: Vec<FileEntry>,
    size: u64,
    chunk_count: u32,
}

/// Why names and sizes make no layout.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// Over [`MAX_CHUNKS`].
    #[error("more than {MAX_CHUNKS} chunks: choose a larger chunk size (16M at most)")]
    TooManyChunks,
    /// Over [`MAX_FILES`].
    #[error("more than {MAX_FILES} files")]
    TooManyFiles,
    /// Two files of one path, or one path both a file and a folder, or out of order.
    #[error("files: '{0}' is listed twice, out of order, or is both a file and a folder")]
    Paths(FilePath),
}

impl Layout {
    /// A single file.
    pub fn file(
        name: FilePath,
        size: u64,
        executable: bool,
        chunk_size: ChunkSize,
    ) -> Result<Self, LayoutError> {
        let files = vec![NewFile { path: name.clone(), size, executable }];
        Self::build(name, Shape::File, files, chunk_size)
    }

    /// A folder; `files` sorted by the bytes of their paths.
    pub fn folder(name: FilePath, files: Vec<NewFile>, chunk_size: ChunkSize) -> Result<Self, LayoutError> {
        check_paths(&files)?;
        Self::build(name, Shape::Folder, files, chunk_size)
    }

    fn build(
        name: FilePath,
        shape: Shape,
        files: Vec<NewFile>,
        chunk_size: ChunkSize,
    ) -> Result<Self, LayoutError> {
        if files.len() > MAX_FILES {
            return Err(LayoutError::TooManyFiles);
        }
        let (mut next_chunk, mut total) = (0u32, 0u64);
        let mut entries = Vec::with_capacity(files.len());
        for NewFile { path, size, executable } in files {
            let chunk_count = u32::try_from(size.div_ceil(chunk_size.get().into()))
                .ok()
                .filter(|count| *count <= MAX_CHUNKS - next_chunk)
                .ok_or(LayoutError::TooManyChunks)?;
            entries.push(FileEntry { path, size, executable, first_chunk: next_chunk, chunk_count });
            next_chunk += chunk_count;
            total += size;
        }
        Ok(Layout { name, shape, chunk_size, files: entries, size: total, chunk_count: next_chunk })
    }

    /// The torrent's name: of the file, or of the folder.
    pub const fn name(&self) -> &FilePath {
        &self.name
    }

    /// File or folder.
    pub const fn shape(&self) -> Shape {
        self.shape
    }

    /// Bytes of a whole chunk.
    pub const fn chunk_size(&self) -> ChunkSize {
        self.chunk_size
    }

    /// The files, sorted by path; one for a single file.
    pub fn files(&self) -> &[FileEntry] {
        &self.files
    }

    /// Bytes of all files.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Chunks of all files.
    pub const fn chunk_count(&self) -> u32 {
        self.chunk_count
    }

    /// The position in [`Layout::files`] of the file with this path.
    pub fn find(&self, path: &str) -> Option<usize> {
        self.files.binary_search_by(|entry| entry.path.as_str().cmp(path)).ok()
    }

    /// Where `chunk` lies.
    ///
    /// # Panics
    /// When there is no such chunk: indexes from outside are checked where they come in.
    pub fn span(&self, chunk: ChunkIndex) -> Span {
        assert!(chunk.get() < self.chunk_count, "chunk {} of {}", chunk.get(), self.chunk_count);
        let file = self.file_of(chunk.get());
        let entry = &self.files[file];
        let whole = u64::from(self.chunk_size.get());
        let offset = u64::from(chunk.get() - entry.first_chunk) * whole;
        #[expect(clippy::cast_possible_truncation, reason = "at most the chunk size, a u32")]
        let length = (entry.size - offset).min(whole) as u32;
        Span { file, offset, length }
    }

    /// The last file that starts at or before the chunk; empty files share their successor's start and sort before it, so this
    /// one has the chunk. Of many files that are a chunk each, chunk and file have the same number: seen at one glance, where
    /// the search through fifty thousand took a twelfth of a download's time.
    fn file_of(&self, chunk: u32) -> usize {
        let starts_by = |file: usize| self.files.get(file).is_some_and(|entry| entry.first_chunk <= chunk);
        let same = chunk as usize;
        if starts_by(same) && !starts_by(same + 1) {
            return same;
        }
        self.files.partition_point(|entry| entry.first_chunk <= chunk) - 1
    }

    /// The chunk of file number `file` that has the byte at `offset`; `None` past its end.
    pub fn chunk_at(&self, file: usize, offset: u64) -> Option<ChunkIndex> {
        let entry = self.files.get(file).filter(|entry| offset < entry.size)?;
        let within = u32::try_from(offset / u64::from(self.chunk_size.get())).ok()?;
        Some(ChunkIndex::new(entry.first_chunk + within))
    }
}

/// Sorted, no path twice, none both a file and a folder.
fn check_paths(files: &[NewFile]) -> Result<(), LayoutError> {
    for pair in files.windows(2) {
        if pair[0].path >= pair[1].path {
            return Err(LayoutError::Paths(pair[1].path.clone()));
        }
    }
    // `a` and `a/b` need not be neighbours (`a`, `a-b`, `a/b`), so every parent is looked up, but for those of the file before, which
    // are the same where a folder has many files.
    let mut looked_up = "";
    for file in files {
        let text = file.path.as_str();
        let known = |parent: &str| looked_up.strip_prefix(parent).is_some_and(|rest| rest.starts_with('/'));
        let parents = text.match_indices('/').map(|(at, _)| &text[..at]);
        let mut new = parents.filter(|parent| !known(parent));
        if new.any(|parent| files.binary_search_by(|other| other.path.as_str().cmp(parent)).is_ok()) {
            return Err(LayoutError::Paths(file.path.clone()));
        }
        looked_up = text;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new_file(path: &str, size: u64) -> NewFile {
        NewFile { path: FilePath::new(path).unwrap(), size, executable: false }
    }

    fn folder(files: &[(&str, u64)]) -> Result<Layout, LayoutError> {
        let files = files.iter().map(|(path, size)| new_file(path, *size)).collect();
        Layout::folder(FilePath::name("top").unwrap(), files, ChunkSize::new(10).unwrap())
    }

    #[test]
    fn chunks_never_span_files_and_empty_files_have_none() {
        let layout = folder(&[("a", 25), ("b", 0), ("c/d", 10), ("e", 0)]).unwrap();
        assert_eq!((layout.size(), layout.chunk_count()), (35, 4));
        let spans: Vec<_> = (0..4).map(|chunk| layout.span(ChunkIndex::new(chunk))).collect();
        let span = |file, offset, length| Span { file, offset, length };
        assert_eq!(spans, [span(0, 0, 10), span(0, 10, 10), span(0, 20, 5), span(2, 0, 10)]);
        assert_eq!(layout.chunk_at(0, 24), Some(ChunkIndex::new(2)));
        assert_eq!((layout.chunk_at(0, 25), layout.chunk_at(1, 0)), (None, None));
        assert_eq!((layout.find("c/d"), layout.find("c")), (Some(2), None));
    }

    #[test]
    fn a_single_file_of_every_awkward_size() {
        for (size, chunks, last) in [(0, 0, 0), (1, 1, 1), (10, 1, 10), (11, 2, 1), (30, 3, 10)] {
            let layout =
                Layout::file(FilePath::name("f").unwrap(), size, false, ChunkSize::new(10).unwrap()).unwrap();
            assert_eq!(layout.chunk_count(), chunks);
            if chunks > 0 {
                assert_eq!(layout.span(ChunkIndex::new(chunks - 1)).length, last);
            }
        }
    }

    #[test]
    fn a01_paths_that_collide_are_refused() {
        for files in [&[("a", 1), ("a", 1)][..], &[("b", 1), ("a", 1)], &[("a", 1), ("a-b", 1), ("a/b", 1)]] {
            assert!(matches!(folder(files), Err(LayoutError::Paths(_))), "{files:?}");
        }
    }

    #[test]
    fn a03_too_many_chunks_are_refused_without_overflow() {
        assert_eq!(folder(&[("a", u64::MAX), ("b", u64::MAX)]), Err(LayoutError::TooManyChunks));
        assert_eq!(folder(&[("a", 10 * u64::from(MAX_CHUNKS)), ("b", 1)]), Err(LayoutError::TooManyChunks));
    }
}
