//! `verify`: which chunks of a torrent are in a folder, finished or not. Reads only.

use std::path::Path;
use std::sync::Arc;

use protocol::{ChunkIndex, ChunkSet, Torrent};

use crate::disk::{Access, Disk, RealDisk};
use crate::error::StoreError;
use crate::hashing::{Progress, all_chunks, right_chunks};
use crate::place::Names;
use crate::tree::Tree;

/// What [`verify`] found.
#[derive(Clone, Debug)]
pub struct Verified {
    /// The right chunks.
    pub right: ChunkSet,
    /// Positions of the empty files that are missing from finished content or not empty, lowest first: no chunk tells.
    pub wrong_empty_files: Vec<usize>,
}

/// The right chunks among those of `torrent` in `dir`: of the finished content, or of the `.part` when only that is
/// there. What is missing, too short or unreadable counts as wrong; so does the last chunk of a file that goes on
/// behind its end.
pub fn verify(torrent: &Torrent, dir: &Path, progress: Progress<'_>) -> Result<Verified, StoreError> {
    let failed = |error| StoreError::of("open", dir.to_owned(), error);
    let disk = Arc::new(RealDisk::open(dir).map_err(failed)?);
    let names = Names::of(torrent);
    let finished = disk.metadata(&names.finished).map_err(failed)?.is_some();
    let base = if finished { names.finished } else { names.part };
    let tree = Tree::new(disk, Arc::new(torrent.clone()), base, Access::Read);
    let mut right = right_chunks(&tree, &all_chunks(torrent.chunk_count()), progress)?;
    let mut wrong_empty_files = Vec::new();
    if finished {
        for (file, entry) in torrent.layout().files().iter().enumerate() {
            let found = tree.metadata(file).ok().flatten();
            if entry.chunk_count > 0 && found.is_some_and(|found| found.size > entry.size) {
                right.remove(ChunkIndex::new(entry.first_chunk + entry.chunk_count - 1));
            }
            if entry.chunk_count == 0 && found.is_none_or(|found| found.size > 0) {
                wrong_empty_files.push(file);
            }
        }
    }
    Ok(Verified { right, wrong_empty_files })
}
