//! Chunks on disk: torrentify, the partial file with its journal, the complete file.
//!
//! For a torrent called `name`, three names in the output folder are ours and no others:
//!
//! | on the disk | state | opened as |
//! | --- | --- | --- |
//! | nothing, or `.name.http-torrent` alone | not begun | an empty [`Partial`] |
//! | `name.part` and `.name.http-torrent` | under way, or finished but for the rename | [`Partial`], or [`Complete`] |
//! | `name`, perhaps with `.name.http-torrent` | finished | [`Complete`], hashed first unless the journal vouches |
//! | `name`, a folder whose journal says that it is a selection | some files finished | a [`Partial`] again, renamed; [`StoreError::InTheWay`] when the user changed or added one |
//! | `name` with other content, or `name.part` alone | not ours | [`StoreError::InTheWay`], untouched |
//!
//! Promises, each kept by a test: no byte reaches the final name unverified; the process may be killed, and the
//! power may fail, at any instant, and at most the group that was not synced is lost; nothing that is not ours is
//! written to, renamed or removed; no link is followed out of the output folder.
//!
//! Everything blocks (no async runtime here): callers run it on threads that may. `docs/storage.md` has the bytes
//! and the order of operations.

mod buffers;
mod complete;
mod cores;
pub mod disk;
mod error;
mod finished;
mod hashing;
mod in_file;
mod journal;
mod open_files;
mod partial;
mod place;
mod torrentify;
mod tree;
mod verify;

#[cfg(test)]
mod crash_tests;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::Torrent;

pub use buffers::Buffer;
pub use complete::Complete;
use disk::{Disk, RealDisk};
pub use error::{Obstacle, StoreError};
pub use hashing::Progress;
pub use in_file::InFile;
pub use partial::Partial;
pub use place::{Names, Place};
pub use torrentify::{Memory, Source, TorrentifyError, TorrentifyOptions, torrentify, torrentify_source};
pub use verify::{Verified, verify};

/// What stands in the output folder for a torrent.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one a torrent, taken apart at once")]
pub enum Opened<D: Disk = RealDisk> {
    /// All of it, verified, under its final name.
    Complete(Complete<D>),
    /// Some of it or nothing: the rest is to be fetched.
    Partial(Partial<D>),
}

/// Opens what `dir` has of `torrent`, whatever it is; `dir` is made when it is not there. A download that a crash cut
/// short of its last step is finished here, so a [`Partial`] always lacks a chunk. `progress` is told of bytes that
/// must be hashed, which is rare: content that came by other hands, or files that were replaced.
#[expect(clippy::needless_pass_by_value, reason = "what is opened keeps the torrent")]
pub fn open(torrent: Arc<Torrent>, dir: &Path, progress: Progress<'_>) -> Result<Opened, StoreError> {
    let failed = |error| StoreError::of("open", dir.to_owned(), error);
    let disk = RealDisk::open_or_create(dir).map_err(failed)?;
    open_on(&Arc::new(disk), &torrent, progress)
}

fn open_on<D: Disk>(
    disk: &Arc<D>,
    torrent: &Arc<Torrent>,
    progress: Progress<'_>,
) -> Result<Opened<D>, StoreError> {
    let names = Names::of(torrent);
    let failed = |error| StoreError::of("look at", disk.path(&names.finished), error);
    if let Some(found) = disk.metadata(&names.finished).map_err(failed)?
        && !partial::taken_up_again(disk, torrent, &names, &found, progress)?
    {
        return finished::open(disk, torrent, &names, &found, progress).map(Opened::Complete);
    }
    let partial = partial::open(disk, torrent, &names, progress)?;
    if partial.have().is_full() {
        return partial.finish().map(Opened::Complete);
    }
    Ok(Opened::Partial(partial))
}

/// Locks, also after another thread panicked: every change under our locks is whole at each step.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
