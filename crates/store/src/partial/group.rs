//! What an unfinished download holds, and what of it is not durable yet.

use std::collections::BTreeSet;
use std::sync::Arc;

use protocol::torrent::{Layout, Span};
use protocol::{ChunkIndex, ChunkSet};

use super::dirty::Dirty;
use super::notes::Notes;
use crate::disk::Identity;
use crate::journal::Group;
use crate::place::Place;

/// Most files and folders that are synced one by one; more are synced in one call for the whole file system, which
/// also waits for other programs' writes but not ten thousand times. As many handles are kept open until then.
pub(super) const MAX_SINGLE_SYNCS: usize = 64;

/// Behind the [`super::Partial`]'s lock; never held while the disk works.
pub(super) struct State<F> {
    /// Verified and readable.
    pub(super) have: ChunkSet,
    /// Of these, the ones that the journal does not name.
    pub(super) unsynced: ChunkSet,
    pub(super) unsynced_bytes: u64,
    /// Written when a sync failed: the disk may have forgotten them, so they are written again before the next.
    pub(super) suspect: ChunkSet,
    /// Files written to since they were last synced.
    dirty: Dirty<F>,
    /// Folders with names in them that may not be durable.
    folders: BTreeSet<Place>,
    /// The file that the journal means when it names chunks of file number …, and those that it does not know yet.
    notes: Notes,
    /// Counts failed syncs, so that a write that was under way during one is noticed.
    pub(super) failures: u64,
}

/// What one sync makes durable.
pub(super) struct Snapshot<F> {
    pub(super) chunks: ChunkSet,
    pub(super) files: Dirty<F>,
    pub(super) folders: BTreeSet<Place>,
    /// Its entry in the journal.
    pub(super) group: Group,
}

impl<F> State<F> {
    pub(super) fn new(have: ChunkSet, notes: Notes) -> Self {
        let none = ChunkSet::empty(have.len());
        State {
            have,
            unsynced: none.clone(),
            unsynced_bytes: 0,
            suspect: none,
            dirty: Dirty::none_of(notes.files()),
            folders: BTreeSet::new(),
            notes,
            failures: 0,
        }
    }

    /// Whether the file was there when it was used last, by this process or by the one that wrote the journal.
    pub(super) fn knows(&self, file: usize) -> bool {
        self.notes.knows(file)
    }

    /// The file at `place` beneath `base` is in use and may be new: until the journal knows it, the names that lead to it may be lost.
    pub(super) fn met(&mut self, file: usize, identity: Identity, place: &Place, base: &Place) {
        // A folder is noted with all that it lies in, so that of its many files one makes the list.
        if self.notes.met(file, identity)
            && !place.folder().is_some_and(|folder| self.folders.contains(folder))
        {
            self.folders.extend(place.folders_from(base));
        }
    }

    /// A chunk was written whole. `failures` is [`State::failures`] from before the write: a sync that failed since
    /// may have taken the chunk's pages with it.
    pub(super) fn written(&mut self, chunk: ChunkIndex, span: &Span, handle: Arc<F>, failures: u64) {
        self.touched(span.file, handle);
        self.have.insert(chunk);
        if self.unsynced.insert(chunk) {
            self.unsynced_bytes += u64::from(span.length);
        }
        if failures != self.failures {
            self.suspect.insert(chunk);
        }
    }

    /// A file has content that is not synced.
    pub(super) fn touched(&mut self, file: usize, handle: Arc<F>) {
        self.dirty.insert(file, handle);
    }

    /// The chunk turned out to be gone.
    pub(super) fn lost(&mut self, chunk: ChunkIndex, length: u32) {
        self.have.remove(chunk);
        if self.unsynced.remove(chunk) {
            self.unsynced_bytes -= u64::from(length);
        }
    }

    /// A file is removed.
    pub(super) fn forgotten(&mut self, file: usize) {
        self.notes.forget(file);
        self.dirty.remove(file);
    }

    /// Takes out what the next sync has to do; `None` when there is nothing.
    pub(super) fn snapshot(&mut self) -> Option<Snapshot<F>> {
        if self.unsynced.is_empty() && self.dirty.is_empty() && self.folders.is_empty() {
            return None;
        }
        let files = self.dirty.take();
        let mut group = Group::default();
        // Without chunks there will be no record, so nothing is noted either.
        if !self.unsynced.is_empty() {
            group.runs = self.unsynced.runs();
            let written = || self.notes.unnoted().filter(|(file, _)| files.contains(*file));
            group.files = Vec::with_capacity(written().count());
            group.files.extend(written());
        }
        let folders = std::mem::take(&mut self.folders);
        Some(Snapshot { chunks: self.unsynced.clone(), files, folders, group })
    }

    /// The journal names the snapshot now.
    pub(super) fn settled(&mut self, snapshot: &Snapshot<F>, layout: &Layout) {
        for chunk in snapshot.chunks.iter() {
            if self.unsynced.remove(chunk) {
                self.unsynced_bytes -= u64::from(layout.span(chunk).length);
            }
        }
        for (file, identity) in &snapshot.group.files {
            self.notes.named(*file, *identity);
        }
    }

    /// The snapshot could not be made durable: all of it is still to be done. When its data could not, whatever is
    /// unsynced by now may be lost, also what was written while the sync ran.
    pub(super) fn failed(&mut self, snapshot: Snapshot<F>, data_doubtful: bool) {
        self.dirty.put_back(snapshot.files);
        self.folders.extend(snapshot.folders);
        if data_doubtful {
            self.suspect = self.unsynced.clone();
            self.failures += 1;
        }
    }
}

impl<F> Snapshot<F> {
    /// Whether one call for the whole file system is cheaper.
    pub(super) fn is_many(&self) -> bool {
        self.files.len() + self.folders.len() > MAX_SINGLE_SYNCS
    }
}
