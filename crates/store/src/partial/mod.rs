//! An unfinished download: chunks go into a sparse `.part` as they come, and are durable group by group.
//!
//! A chunk is readable, and may be served, from the moment it is written. [`Partial::sync`] makes a group durable
//! in this order and no other: the data, the names that lead to it, then the journal's record of it. A crash loses
//! the group that was not synced and nothing else.

mod dirty;
mod finishing;
mod group;
mod notes;
mod opening;
mod selection;

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use bytes::Bytes;
use protocol::{ChunkIndex, ChunkSet, Torrent, VerifiedChunk};

use crate::disk::{Access, Disk, DiskFile, RealDisk, Stamp};
use crate::error::StoreError;
use crate::in_file::InFile;
use crate::journal::{Journal, Record};
use crate::locked;
use crate::place::{Names, Place};
use crate::tree::Tree;
use group::{Snapshot, State};

pub(crate) use opening::open;
pub(crate) use selection::taken_up_again;

/// An unfinished download, locked against other processes until it is dropped. Shared between threads; every call
/// may block on the disk.
pub struct Partial<D: Disk = RealDisk> {
    torrent: Arc<Torrent>,
    names: Names,
    tree: Tree<D>,
    /// Held for a whole sync or finish: one at a time. Taken before `state`, never after.
    journal: Mutex<Journal<D::File>>,
    state: Mutex<State<D::File>>,
    /// Files that were finished by themselves earlier, and stay.
    finished_before: BTreeSet<usize>,
    /// Whether a selection has its final name. Held during each write, so that none is under way while it gets it:
    /// nothing unfinished appears there. Taken after `journal`, before `state`.
    left: RwLock<bool>,
    /// What the files were when the journal was told that all is there.
    finished: OnceLock<Vec<Stamp>>,
}

/// The two halves of a sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Data, sizes and names.
    Data,
    /// The record that names them.
    Journal,
}

/// The only right order: the journal must never name what a crash can still take away.
const DATA_THEN_JOURNAL: [Step; 2] = [Step::Data, Step::Journal];

impl<D: Disk> Partial<D> {
    /// The chunks that are verified and readable, durable or not.
    pub fn have(&self) -> ChunkSet {
        locked(&self.state).have.clone()
    }

    /// Bytes written and not yet durable: [`Partial::sync`] is due after a second or 64 MiB of them.
    pub fn unsynced_bytes(&self) -> u64 {
        locked(&self.state).unsynced_bytes
    }

    /// Writes a chunk in one `pwrite`; readable at once, durable after the next [`Partial::sync`]. A chunk that is
    /// there already costs nothing. [`StoreError::LeftOut`] after [`Partial::finish_selection`].
    ///
    /// # Panics
    /// When the chunk was verified for a torrent of another layout.
    pub fn write(&self, chunk: &VerifiedChunk) -> Result<(), StoreError> {
        let index = chunk.index();
        let left = self.left.read().unwrap_or_else(PoisonError::into_inner);
        let failures = {
            let state = locked(&self.state);
            if state.have.contains(index) {
                return Ok(());
            }
            state.failures
        };
        if *left {
            return Err(StoreError::LeftOut);
        }
        let span = self.torrent.span(index);
        assert_eq!(chunk.bytes().len(), span.length as usize, "a chunk of another torrent");
        let handle = self.writable(span.file)?;
        handle.write_at(chunk.bytes(), span.offset).map_err(self.tree.failed("write to", span.file))?;
        locked(&self.state).written(index, &span, handle, failures);
        Ok(())
    }

    /// The bytes of a chunk in [`Partial::have`], as they were written; they are not hashed again.
    pub fn read(&self, chunk: ChunkIndex) -> Result<Bytes, StoreError> {
        if !locked(&self.state).have.contains(chunk) {
            return Err(StoreError::NotHere);
        }
        let span = self.torrent.span(chunk);
        self.tree.read(span.file, span.offset, span.length)
    }

    /// Where a chunk in [`Partial::have`] lies, to be sent from there; `None` where [`Partial::read`] is to be asked.
    pub fn in_file(&self, chunk: ChunkIndex) -> Option<InFile> {
        self.in_handle(chunk, |file| self.tree.handle(file).ok())
    }

    /// The same without waiting for the disk: `None` also when its file is not open.
    pub fn in_open_file(&self, chunk: ChunkIndex) -> Option<InFile> {
        self.in_handle(chunk, |file| self.tree.handles.get_open(file))
    }

    fn in_handle(
        &self,
        chunk: ChunkIndex,
        handle: impl FnOnce(usize) -> Option<Arc<D::File>>,
    ) -> Option<InFile> {
        if !locked(&self.state).have.contains(chunk) {
            return None;
        }
        let span = self.torrent.span(chunk);
        let handle = handle(span.file)?;
        // Shorter, when somebody cut it: reading finds that out.
        let whole = handle.metadata().is_ok_and(|found| found.size == self.tree.entry(span.file).size);
        if whole { InFile::of(&handle, span.offset, span.length, None) } else { None }
    }

    /// Bytes of file number `file`, all of them within chunks in [`Partial::have`].
    pub fn read_range(&self, file: usize, offset: u64, length: u32) -> Result<Bytes, StoreError> {
        let chunks = chunks_of_range(&self.torrent, file, offset, length).ok_or(StoreError::NotHere)?;
        let state = locked(&self.state);
        if !chunks.clone().all(|chunk| state.have.contains(ChunkIndex::new(chunk))) {
            return Err(StoreError::NotHere);
        }
        drop(state);
        if length == 0 {
            return Ok(Bytes::new());
        }
        self.tree.read(file, offset, length)
    }

    /// Makes everything written so far durable. After an error nothing that was durable is lost, and it can be
    /// called again: what the disk took and then failed to keep is written again first, or reported as
    /// [`StoreError::Lost`].
    pub fn sync(&self) -> Result<(), StoreError> {
        let mut journal = locked(&self.journal);
        self.commit(&mut journal, DATA_THEN_JOURNAL)
    }

    pub(crate) fn commit(&self, journal: &mut Journal<D::File>, order: [Step; 2]) -> Result<(), StoreError> {
        self.write_suspects_again()?;
        let Some(snapshot) = locked(&self.state).snapshot() else { return Ok(()) };
        for step in order {
            let done = match step {
                Step::Data => self.make_durable(&snapshot),
                Step::Journal if snapshot.chunks.is_empty() => Ok(()),
                Step::Journal => journal.append_durable(&snapshot.group).map_err(self.journal_failed()),
            };
            if let Err(error) = done {
                locked(&self.state).failed(snapshot, step == Step::Data);
                return Err(error);
            }
        }
        locked(&self.state).settled(&snapshot, self.torrent.layout());
        Ok(())
    }

    #[cfg(test)]
    pub(crate) fn journal(&self) -> &Mutex<Journal<D::File>> {
        &self.journal
    }

    fn append(&self, journal: &mut Journal<D::File>, record: &Record) -> Result<(), StoreError> {
        journal.append(record).map_err(self.journal_failed())
    }

    fn journal_failed(&self) -> impl FnOnce(io::Error) -> StoreError {
        |error| StoreError::of("write to", self.tree.disk.path(&self.names.journal), error)
    }

    /// Data, then the names that lead to it.
    fn make_durable(&self, snapshot: &Snapshot<D::File>) -> Result<(), StoreError> {
        let disk = &self.tree.disk;
        if snapshot.is_many() {
            let failed = |error| StoreError::of("sync", disk.path(&self.tree.base()), error);
            return disk.sync_everything().map_err(failed);
        }
        for (file, handle) in snapshot.files.iter() {
            let handle = match handle {
                Some(handle) => Arc::clone(handle),
                None => self.writable(file)?,
            };
            handle.sync_data().map_err(self.tree.failed("sync", file))?;
        }
        for folder in &snapshot.folders {
            disk.sync_folder(folder).map_err(|error| StoreError::of("sync", disk.path(folder), error))?;
        }
        Ok(())
    }

    /// After a failed sync the system may hold pages for clean that never reached the disk, and the next sync would
    /// succeed without writing them. So every chunk of that group is read back, verified and written again.
    fn write_suspects_again(&self) -> Result<(), StoreError> {
        let suspects: Vec<ChunkIndex> = locked(&self.state).suspect.iter().collect();
        let mut lost = Vec::new();
        let result = suspects.into_iter().try_for_each(|chunk| {
            if !self.write_again(chunk)? {
                lost.push(chunk);
            }
            locked(&self.state).suspect.remove(chunk);
            Ok(())
        });
        // A loss is told first: another error comes again with the next call, the loss does not.
        if lost.is_empty() { result } else { Err(StoreError::Lost { chunks: lost }) }
    }

    /// False when the chunk cannot be read back; then it is no longer in `have`.
    fn write_again(&self, chunk: ChunkIndex) -> Result<bool, StoreError> {
        let span = self.torrent.span(chunk);
        let mut bytes = vec![0; span.length as usize];
        let there = self.tree.read_if_there(chunk, &mut bytes)?;
        if !there || self.torrent.algorithm().digest(&bytes) != self.torrent.chunk_hash(chunk) {
            locked(&self.state).lost(chunk, span.length);
            return Ok(false);
        }
        let handle = self.writable(span.file)?;
        handle.write_at(&bytes, span.offset).map_err(self.tree.failed("write to", span.file))?;
        locked(&self.state).touched(span.file, handle);
        Ok(true)
    }

    /// The open file, made with its folders at its full size when it is not there. The size is a hole: no space is
    /// taken for what has not come (threat A3).
    fn writable(&self, file: usize) -> Result<Arc<D::File>, StoreError> {
        self.tree.handle_or(file, |place| {
            let known = locked(&self.state).knows(file);
            let handle = if known { self.open_or_make(place)? } else { self.make_or_open(place)? };
            let found = handle.metadata()?;
            let size = self.tree.entry(file).size;
            // A file of one chunk gets its size with that: of many small ones, each costs a call less.
            if found.size != size && (found.size > size || self.tree.entry(file).chunk_count > 1) {
                handle.set_len(size)?;
            }
            locked(&self.state).met(file, found.identity, place, &self.names.part);
            Ok(handle)
        })
    }

    /// For a file that should be there.
    fn open_or_make(&self, place: &Place) -> io::Result<D::File> {
        match self.tree.disk.open(place, Access::Write) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.make(place),
            result => result,
        }
    }

    /// For a file that should not: of many small ones, each is made with one call instead of three.
    fn make_or_open(&self, place: &Place) -> io::Result<D::File> {
        match self.make(place) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.tree.disk.open(place, Access::Write)
            }
            result => result,
        }
    }

    /// Makes a file, and its folders where they are missing.
    fn make(&self, place: &Place) -> io::Result<D::File> {
        match self.tree.disk.create(place) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.make_folders(place)?;
                self.tree.disk.create(place)
            }
            result => result,
        }
    }

    fn make_folders(&self, place: &Place) -> io::Result<()> {
        // The first is the `.part` itself.
        for folder in place.folders_from(&self.names.part).iter().skip(1) {
            match self.tree.disk.create_folder(folder) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                result => result?,
            }
        }
        Ok(())
    }
}

impl<D: Disk> std::fmt::Debug for Partial<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let have = locked(&self.state).have.count();
        write!(f, "Partial({}: {have} of {} chunks)", self.torrent.name(), self.torrent.chunk_count())
    }
}

/// The chunks that have these bytes of a file; `None` when some are past its end.
pub(crate) fn chunks_of_range(
    torrent: &Torrent,
    file: usize,
    offset: u64,
    length: u32,
) -> Option<std::ops::Range<u32>> {
    let layout = torrent.layout();
    let end = offset.checked_add(length.into())?;
    if end > layout.files().get(file)?.size {
        return None;
    }
    if length == 0 {
        return Some(0..0);
    }
    Some(layout.chunk_at(file, offset)?.get()..layout.chunk_at(file, end - 1)?.get() + 1)
}
