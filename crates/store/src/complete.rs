//! Finished content, watched: what changed since it was verified is not served before it is verified again
//! (threat A34).
//!
//! Size, modification time and inode are compared before and after every read. What remains: a write within the
//! same tick of the file system's clock (4 ms on older kernels) that leaves the size alone. The receiver's own
//! check finds that one.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use protocol::{ChunkIndex, ChunkSet, Torrent};

use crate::disk::{Access, Disk, DiskFile, Metadata, RealDisk, Stamp};
use crate::error::StoreError;
use crate::in_file::InFile;
use crate::locked;
use crate::partial::chunks_of_range;
use crate::torrentify::Source;
use crate::tree::Tree;

/// Content that is all there and was verified. Shared between threads; every call may block on the disk.
pub struct Complete<D: Disk = RealDisk> {
    tree: Tree<D>,
    path: PathBuf,
    watch: Mutex<Watch>,
}

struct Watch {
    /// The files as they were when their chunks were verified, or when their change was noticed.
    stamps: Vec<Stamp>,
    /// Chunks of changed files that were not found right again since.
    suspect: ChunkSet,
}

impl Complete {
    /// The content that `torrent` was made of, at a path whose name may be another than the torrent's. Only sizes
    /// are compared here: [`Complete::of_torrentified`] also knows what the files were when they were hashed.
    pub fn of_source(torrent: Arc<Torrent>, path: &Path) -> Result<Self, StoreError> {
        let (disk, base) = crate::torrentify::locate(path)?;
        let tree = Tree::new(Arc::new(disk), torrent, base, Access::Read);
        let stamps = tree.stamps()?;
        Ok(Self::new(tree, stamps))
    }

    /// The content just hashed by [`crate::torrentify_source`], as it was then: a change since is noticed.
    pub fn of_torrentified(torrent: Arc<Torrent>, source: Source) -> Self {
        let Source { disk, base, stamps } = source;
        Self::new(Tree::new(disk, torrent, base, Access::Read), stamps)
    }
}

impl<D: Disk> Complete<D> {
    pub(crate) fn new(tree: Tree<D>, stamps: Vec<Stamp>) -> Self {
        let suspect = ChunkSet::empty(tree.torrent.chunk_count());
        let path = tree.disk.path(&tree.base());
        Complete { tree, path, watch: Mutex::new(Watch { stamps, suspect }) }
    }

    /// The finished file or folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The bytes of a chunk, in one `pread`. [`StoreError::Changed`] when its file was touched since the chunk was
    /// verified: then [`Complete::recheck`] decides.
    ///
    /// # Panics
    /// When `chunk` is not one of the torrent's.
    pub fn read(&self, chunk: ChunkIndex) -> Result<Bytes, StoreError> {
        let span = self.tree.torrent.span(chunk);
        self.read_watched(span.file, span.offset, span.length, chunk.get()..chunk.get() + 1)
    }

    /// Where a chunk lies, to be sent from there; `None` where [`Complete::read`] is to be asked, which also says why.
    ///
    /// # Panics
    /// When `chunk` is not one of the torrent's.
    pub fn in_file(&self, chunk: ChunkIndex) -> Option<InFile> {
        let (handle, found) = self.opened(self.tree.torrent.span(chunk).file).ok()?;
        self.in_handle(chunk, &handle, found)
    }

    /// The same without waiting for the disk: `None` also when its file is not open, or is no longer the one of that name.
    ///
    /// # Panics
    /// When `chunk` is not one of the torrent's.
    pub fn in_open_file(&self, chunk: ChunkIndex) -> Option<InFile> {
        let handle = self.tree.handles.get_open(self.tree.torrent.span(chunk).file)?;
        let found = handle.metadata().ok().filter(|found| found.linked)?;
        self.in_handle(chunk, &handle, Some(found.stamp()))
    }

    /// In its open file, which was `found` like this just now.
    fn in_handle(&self, chunk: ChunkIndex, handle: &Arc<D::File>, found: Option<Stamp>) -> Option<InFile> {
        let span = self.tree.torrent.span(chunk);
        self.notice(span.file, found);
        let stamp = {
            let watch = locked(&self.watch);
            (!watch.suspect.contains(chunk)).then_some(watch.stamps[span.file])?
        };
        InFile::of(handle, span.offset, span.length, Some(stamp))
    }

    /// Bytes of file number `file`; [`StoreError::NotHere`] past its end.
    pub fn read_range(&self, file: usize, offset: u64, length: u32) -> Result<Bytes, StoreError> {
        let chunks = chunks_of_range(&self.tree.torrent, file, offset, length).ok_or(StoreError::NotHere)?;
        if length == 0 {
            return Ok(Bytes::new());
        }
        self.read_watched(file, offset, length, chunks)
    }

    /// Reads and hashes a chunk; true when it is what the torrent says, and then it can be read again.
    ///
    /// # Panics
    /// When `chunk` is not one of the torrent's.
    pub fn recheck(&self, chunk: ChunkIndex) -> bool {
        let span = self.tree.torrent.span(chunk);
        // Notices a change, so that a stamp is never newer than the check that made its chunks good.
        let Ok((handle, found)) = self.opened(span.file) else { return false };
        self.notice(span.file, found);
        let right = self.tree.read(span.file, span.offset, span.length).is_ok_and(|bytes| {
            self.tree.torrent.algorithm().digest(&bytes) == self.tree.torrent.chunk_hash(chunk)
        });
        if self.noticed(span.file, &*handle) {
            return false;
        }
        let mut watch = locked(&self.watch);
        if right {
            watch.suspect.remove(chunk);
        } else {
            watch.suspect.insert(chunk);
        }
        right
    }

    fn read_watched(
        &self,
        file: usize,
        offset: u64,
        length: u32,
        chunks: std::ops::Range<u32>,
    ) -> Result<Bytes, StoreError> {
        let changed = || StoreError::Changed { path: self.tree.path(file) };
        let (handle, found) = self.opened(file)?;
        self.notice(file, found);
        if chunks.map(ChunkIndex::new).any(|chunk| locked(&self.watch).suspect.contains(chunk)) {
            return Err(changed());
        }
        let bytes = handle.read_new(length as usize, offset).map_err(self.tree.failed("read", file))?;
        if self.noticed(file, &*handle) || bytes.len() != length as usize {
            return Err(changed());
        }
        Ok(bytes.freeze())
    }

    /// The open file and what it is now; opened anew when it lost its name to another.
    fn opened(&self, file: usize) -> Result<(Arc<D::File>, Option<Stamp>), StoreError> {
        let (handle, found) = self.looked_at(file)?;
        if let Some(found) = found.filter(|found| found.linked) {
            return Ok((handle, Some(found.stamp())));
        }
        self.tree.handles.forget(file);
        let (handle, found) = self.looked_at(file)?;
        Ok((handle, found.map(|found| found.stamp())))
    }

    /// The open file and what it is; of many small ones, each is opened and looked at once for this.
    fn looked_at(&self, file: usize) -> Result<(Arc<D::File>, Option<Metadata>), StoreError> {
        let mut found = None;
        let handle = self.tree.handle_or(file, |place| {
            let (handle, now) = self.tree.disk.open_and_look(place, Access::Read)?;
            found = Some(now);
            Ok(handle)
        })?;
        let found = found.or_else(|| handle.metadata().ok());
        Ok((handle, found))
    }

    /// True when the file is not what it was; from now on all its chunks are suspect.
    fn noticed(&self, file: usize, handle: &D::File) -> bool {
        self.notice(file, handle.metadata().map(|found| found.stamp()).ok())
    }

    /// Likewise, where it is known what the file is now.
    fn notice(&self, file: usize, now: Option<Stamp>) -> bool {
        let mut watch = locked(&self.watch);
        if now == Some(watch.stamps[file]) {
            return false;
        }
        if let Some(now) = now {
            watch.stamps[file] = now;
        }
        let entry = self.tree.entry(file);
        for chunk in entry.first_chunk..entry.first_chunk + entry.chunk_count {
            watch.suspect.insert(ChunkIndex::new(chunk));
        }
        tracing::warn!(file = %entry.path, "changed while it is shared: its chunks are checked again");
        true
    }
}

impl<D: Disk> std::fmt::Debug for Complete<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Complete({})", self.tree.torrent.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crash_tests::job::Job;
    use crate::disk::memory::MemoryDisk;
    use crate::place::Names;
    use crate::{Opened, open_on};

    const FIRST: ChunkIndex = ChunkIndex::new(0);

    /// Finished content, and a way to write a byte into it that nobody expects.
    fn watched() -> (MemoryDisk, Complete<MemoryDisk>, impl FnOnce() + Send + 'static) {
        let job = Job::file("watched", 40);
        let disk = job.brought_disk();
        let opened = open_on(&Arc::new(disk.clone()), &job.torrent, &|_| {}).unwrap();
        let Opened::Complete(complete) = opened else { panic!("not complete") };
        let (disk_there, place) = (disk.clone(), Names::of(&job.torrent).finished);
        let overwrite = move || disk_there.open(&place, Access::Write).unwrap().write_at(b"!", 3).unwrap();
        (disk, complete, overwrite)
    }

    #[test]
    fn a34_a_change_in_the_middle_of_a_read_is_noticed() {
        let (disk, complete, overwrite) = watched();
        assert!(complete.read(FIRST).is_ok());
        disk.after_next_read(overwrite);
        assert!(matches!(complete.read(FIRST), Err(StoreError::Changed { .. })));
    }

    #[test]
    fn a34_a_change_in_the_middle_of_a_recheck_is_noticed() {
        let (disk, complete, overwrite) = watched();
        disk.after_next_read(overwrite);
        assert!(!complete.recheck(FIRST), "what it read was right and is no longer there");
        assert!(matches!(complete.read(FIRST), Err(StoreError::Changed { .. })));
    }
}
