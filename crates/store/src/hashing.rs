//! Hashing many chunks on all cores; torrentify, verify and opening share it.
//!
//! Threads take the next chunk from one counter, each into its own buffer that it keeps: memory is threads × chunk
//! size, never the file. Whole chunks go to one thread each, so no algorithm needs to be parallel in itself.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use protocol::torrent::Layout;
use protocol::{ChunkIndex, ChunkSet, Hash, HashAlgorithm};

use crate::cores;
use crate::disk::Disk;
use crate::error::StoreError;
use crate::locked;
use crate::tree::Tree;

/// Most threads: bounds memory at 1 GiB with the largest chunks; no disk feeds more.
const MAX_THREADS: usize = 64;

/// Told how many more bytes were gone through, from any thread.
pub type Progress<'a> = &'a (dyn Fn(u64) + Sync);

/// Fills a buffer with a chunk; false when the chunk is not there. An error ends the whole run.
pub(crate) type ReadChunk<'a, E> = &'a (dyn Fn(ChunkIndex, &mut [u8]) -> Result<bool, E> + Sync);

/// Hashes `chunks` and tells `found` of each, in no particular order; `None` where a chunk is not there.
pub(crate) fn hash_chunks<E: Send>(
    layout: &Layout,
    algorithm: HashAlgorithm,
    chunks: &[ChunkIndex],
    read: ReadChunk<'_, E>,
    progress: Progress<'_>,
    found: impl FnMut(ChunkIndex, Option<Hash>) + Send,
) -> Result<(), E> {
    let found = Mutex::new(found);
    let next = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let work = || -> Result<(), E> {
        let mut buffer = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            let Some(&chunk) = chunks.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
            let length = layout.span(chunk).length;
            // Grows to the largest chunk met and stays so.
            buffer.resize(buffer.len().max(length as usize), 0);
            let bytes = &mut buffer[..length as usize];
            let there = read(chunk, bytes).inspect_err(|_| stop.store(true, Ordering::Relaxed))?;
            let hash = there.then(|| algorithm.digest(bytes));
            locked(&found)(chunk, hash);
            progress(length.into());
        }
        Ok(())
    };
    let threads = cores::count().min(MAX_THREADS).min(chunks.len());
    if threads <= 1 {
        return work();
    }
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(cores::joined).fold(Ok(()), Result::and)
    })
}

/// Which of `chunks` lie in the tree as the torrent says.
pub(crate) fn right_chunks<D: Disk>(
    tree: &Tree<D>,
    chunks: &[ChunkIndex],
    progress: Progress<'_>,
) -> Result<ChunkSet, StoreError> {
    let torrent = &tree.torrent;
    let read = |chunk, buffer: &mut [u8]| tree.read_if_there(chunk, buffer);
    let mut right = ChunkSet::empty(torrent.chunk_count());
    hash_chunks(torrent.layout(), torrent.algorithm(), chunks, &read, progress, |chunk, hash| {
        if hash == Some(torrent.chunk_hash(chunk)) {
            right.insert(chunk);
        }
    })?;
    Ok(right)
}

/// Every chunk of a torrent, in order.
pub(crate) fn all_chunks(count: u32) -> Vec<ChunkIndex> {
    (0..count).map(ChunkIndex::new).collect()
}
