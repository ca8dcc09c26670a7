//! Some files of a folder, finished without the others (`get --files`).
//!
//! The folder gets its final name with only the finished files in it, and the journal says that it is a selection. A
//! later start that wants more gives it the name of a `.part` again and goes on: the journal's claims stay true,
//! because renaming a folder changes nothing in it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use protocol::{ChunkIndex, Torrent};

use super::{DATA_THEN_JOURNAL, Partial};
use crate::disk::{Disk, Kind, Metadata};
use crate::error::StoreError;
use crate::journal::{self, Journal, Record};
use crate::locked;
use crate::place::{Names, Place};

impl<D: Disk> Partial<D> {
    /// Moves the folder with these files (by number) to its final name, durably, once all their chunks are in
    /// [`Partial::have`]. What has come of other files is removed: nothing unfinished reaches the final name. After
    /// an error it can be called again; after success this can still be read from.
    pub fn finish_selection(&self, files: &BTreeSet<usize>) -> Result<PathBuf, StoreError> {
        let mut journal = locked(&self.journal);
        let have = self.have();
        let wanted = files.iter().flat_map(|file| self.chunks_of(*file));
        let missing = wanted.filter(|chunk| !have.contains(*chunk)).count();
        if missing > 0 {
            return Err(StoreError::Incomplete { missing: u32::try_from(missing).unwrap_or(u32::MAX) });
        }
        let disk = &self.tree.disk;
        // Otherwise an earlier call got as far as the rename.
        if self.tree.base() != self.names.finished {
            self.commit(&mut journal, DATA_THEN_JOURNAL)?;
            self.round_off(|file| files.contains(&file))?;
            self.remove_others(files)?;
            self.commit(&mut journal, DATA_THEN_JOURNAL)?;
            self.append(&mut journal, &Record::Selection)?;
            self.tree.rename(&self.names.finished)?;
        }
        let top = Place::top();
        disk.sync_folder(&top).map_err(|error| StoreError::of("sync", disk.path(&top), error))?;
        Ok(disk.path(&self.names.finished))
    }

    fn chunks_of(&self, file: usize) -> impl Iterator<Item = ChunkIndex> + use<D> {
        let entry = self.tree.entry(file);
        (entry.first_chunk..entry.first_chunk + entry.chunk_count).map(ChunkIndex::new)
    }

    fn remove_others(&self, files: &BTreeSet<usize>) -> Result<(), StoreError> {
        let others = (0..self.torrent.layout().files().len()).filter(|file| !files.contains(file));
        for file in others {
            if self.tree.metadata(file)?.is_some() {
                for chunk in self.chunks_of(file) {
                    locked(&self.state).lost(chunk, self.torrent.span(chunk).length);
                }
                self.tree.disk.remove(&self.tree.place(file)).map_err(self.tree.failed("remove", file))?;
            }
        }
        Ok(())
    }
}

/// Whether what has the final name (`found`) is a selection of ours; then it is an unfinished download again.
pub(crate) fn taken_up_again<D: Disk>(
    disk: &Arc<D>,
    torrent: &Torrent,
    names: &Names,
    found: &Metadata,
) -> Result<bool, StoreError> {
    let is_ours = |claims: &journal::Claims| claims.selection && claims.root == Some(found.identity);
    if found.kind != Kind::Folder
        || !journal::claims(&**disk, &names.journal, torrent).is_some_and(|c| is_ours(&c))
    {
        return Ok(false);
    }
    // Nobody else may be at work on it while its name changes.
    let (_locked, claims) = Journal::open(&**disk, &names.journal, torrent)?;
    if !is_ours(&claims) {
        return Ok(false);
    }
    let failed = |error| StoreError::of("rename to", disk.path(&names.part), error);
    disk.rename(&names.finished, &names.part).map_err(failed)?;
    Ok(true)
}
