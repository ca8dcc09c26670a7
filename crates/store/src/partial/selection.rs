//! Some files of a folder, finished without the others (`get --files`).
//!
//! The folder gets its final name with only finished files in it, and the journal says which. A later start gives it
//! the name of a `.part` again and goes on: the journal's claims stay true, because renaming a folder changes nothing
//! in it. But while it has the final name it is the user's, too: what was put there or changed meanwhile is found
//! before anything is renamed, and is in the way.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use protocol::{ChunkIndex, ChunkSet, Torrent};

use super::opening::sync_top;
use super::{DATA_THEN_JOURNAL, Partial};
use crate::disk::{Access, Disk, Kind, Metadata, Stamp};
use crate::error::{Obstacle, StoreError};
use crate::hashing::{Progress, right_chunks};
use crate::journal::{self, Claims, Journal, Record};
use crate::locked;
use crate::place::Names;
use crate::tree::Tree;

impl<D: Disk> Partial<D> {
    /// Moves the folder with these files (by number), and those finished like this before, to its final name,
    /// durably, once all their chunks are in [`Partial::have`]. What has come of other files is removed: nothing
    /// unfinished reaches the final name. After an error it can be called again; after success this can still be
    /// read from. All files are [`Partial::finish`].
    ///
    /// # Panics
    /// When `files` is empty, or has a number that the torrent has not.
    pub fn finish_selection(&self, files: &BTreeSet<usize>) -> Result<PathBuf, StoreError> {
        let count = self.torrent.layout().files().len();
        assert!(files.last().is_some_and(|last| *last < count), "files of this torrent: {files:?}");
        if files.len() == count {
            return self.finish().map(|complete| complete.path().to_owned());
        }
        let mut journal = locked(&self.journal);
        let mut left = self.left.write().unwrap_or_else(PoisonError::into_inner);
        let have = self.have();
        let wanted = files.iter().flat_map(|file| chunks_of(&self.torrent, *file));
        let missing = wanted.filter(|chunk| !have.contains(*chunk)).count();
        if missing > 0 {
            return Err(StoreError::Incomplete { missing: u32::try_from(missing).unwrap_or(u32::MAX) });
        }
        let disk = &self.tree.disk;
        // Otherwise an earlier call got as far as the rename.
        if self.tree.base() != self.names.finished {
            self.expect_free()?;
            self.commit(&mut journal, DATA_THEN_JOURNAL)?;
            let chosen = self.with_those_before(files, &have)?;
            self.round_off(|file| chosen.contains(&file))?;
            self.commit(&mut journal, DATA_THEN_JOURNAL)?;
            // Before anything is removed: the journal must not name what is gone.
            self.append(&mut journal, &Record::Selection(self.stamps_of(&chosen)?))?;
            self.remove_others(&chosen)?;
            self.tree.rename(&self.names.finished)?;
        }
        *left = true;
        sync_top(&**disk)?;
        Ok(disk.path(&self.names.finished))
    }

    /// Before other files are removed for a rename that cannot be.
    fn expect_free(&self) -> Result<(), StoreError> {
        let (disk, place) = (&self.tree.disk, &self.names.finished);
        match disk.metadata(place).map_err(|error| StoreError::of("look at", disk.path(place), error))? {
            Some(_) => Err(StoreError::InTheWay { path: disk.path(place), why: Obstacle::Taken }),
            None => Ok(()),
        }
    }

    /// `files`, and those of earlier selections unless they were deleted.
    fn with_those_before(
        &self,
        files: &BTreeSet<usize>,
        have: &ChunkSet,
    ) -> Result<BTreeSet<usize>, StoreError> {
        let mut chosen = files.clone();
        for file in &self.finished_before {
            let whole = chunks_of(&self.torrent, *file).all(|chunk| have.contains(chunk));
            if whole && self.tree.metadata(*file)?.is_some() {
                chosen.insert(*file);
            }
        }
        Ok(chosen)
    }

    fn stamps_of(&self, chosen: &BTreeSet<usize>) -> Result<BTreeMap<usize, Stamp>, StoreError> {
        let stamps = chosen.iter().map(|file| Ok((*file, self.tree.stamp(*file)?)));
        stamps.collect()
    }

    fn remove_others(&self, chosen: &BTreeSet<usize>) -> Result<(), StoreError> {
        let others = (0..self.torrent.layout().files().len()).filter(|file| !chosen.contains(file));
        for file in others {
            let Some(found) = self.tree.metadata(file)? else { continue };
            if found.kind != Kind::File {
                return Err(StoreError::InTheWay { path: self.tree.path(file), why: Obstacle::Kind });
            }
            {
                let mut state = locked(&self.state);
                for chunk in chunks_of(&self.torrent, file) {
                    state.lost(chunk, self.torrent.span(chunk).length);
                }
                state.forgotten(file);
            }
            self.tree.handles.forget(file);
            self.tree.disk.remove(&self.tree.place(file)).map_err(self.tree.failed("remove", file))?;
        }
        // Also when there was nothing to remove: a process that was killed may have done it. Else a crash could
        // bring them back under the final name.
        let failed = |error| StoreError::of("sync", self.tree.disk.path(&self.tree.base()), error);
        self.tree.disk.sync_everything().map_err(failed)
    }
}

fn chunks_of(torrent: &Torrent, file: usize) -> impl Iterator<Item = ChunkIndex> + use<> {
    let entry = &torrent.layout().files()[file];
    (entry.first_chunk..entry.first_chunk + entry.chunk_count).map(ChunkIndex::new)
}

/// Whether what has the final name (`found`) is a selection of ours; then it is an unfinished download again.
/// [`StoreError::InTheWay`] when somebody else's files are among them.
pub(crate) fn taken_up_again<D: Disk>(
    disk: &Arc<D>,
    torrent: &Arc<Torrent>,
    names: &Names,
    found: &Metadata,
    progress: Progress<'_>,
) -> Result<bool, StoreError> {
    let is_ours = |claims: &Claims| claims.selection.is_some() && claims.root == Some(found.identity);
    if found.kind != Kind::Folder || !journal_of(&**disk, names, torrent)?.is_some_and(|c| is_ours(&c)) {
        return Ok(false);
    }
    // Nobody else may be at work on it while its name changes.
    let (_locked, claims) = Journal::open(&**disk, &names.journal, torrent)?;
    let Some(selection) = claims.selection.as_ref().filter(|_| is_ours(&claims)) else { return Ok(false) };
    let tree = Tree::new(Arc::clone(disk), Arc::clone(torrent), names.finished.clone(), Access::Read);
    expect_only(selection, &tree, progress)?;
    let failed = |error| StoreError::of("rename to", disk.path(&names.part), error);
    disk.rename(&names.finished, &names.part).map_err(failed)?;
    Ok(true)
}

/// The journal's claims, if they can be known.
fn journal_of<D: Disk>(disk: &D, names: &Names, torrent: &Torrent) -> Result<Option<Claims>, StoreError> {
    let failed = |error| StoreError::of("read", disk.path(&names.journal), error);
    match journal::claims(disk, &names.journal, torrent) {
        // Another user's: whole content is still found to be whole.
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Ok(None),
        Err(error) => match failed(error) {
            // No file of ours.
            StoreError::InTheWay { .. } => Ok(None),
            // Perhaps only for now; without the journal a selection would be taken for somebody else's.
            error => Err(error),
        },
        Ok(claims) => Ok(claims),
    }
}

/// Of the torrent's files only those of the selection may be there, as they were; one that was touched is hashed.
fn expect_only<D: Disk>(
    selection: &BTreeMap<usize, Stamp>,
    tree: &Tree<D>,
    progress: Progress<'_>,
) -> Result<(), StoreError> {
    let mut doubtful = Vec::new();
    for (file, entry) in tree.torrent.layout().files().iter().enumerate() {
        let in_the_way = |why| Err(StoreError::InTheWay { path: tree.path(file), why });
        match (tree.metadata(file)?, selection.get(&file)) {
            (Some(_), None) => return in_the_way(Obstacle::Taken),
            (Some(found), Some(_)) if found.kind != Kind::File => return in_the_way(Obstacle::Kind),
            (Some(found), Some(_)) if found.size != entry.size => {
                return in_the_way(Obstacle::Size { expected: entry.size, got: found.size });
            }
            (Some(found), Some(stamp)) if found.stamp() != *stamp => {
                doubtful.extend(chunks_of(&tree.torrent, file));
            }
            (None, _) | (Some(_), Some(_)) => {}
        }
    }
    if doubtful.is_empty() {
        return Ok(());
    }
    let right = right_chunks(tree, &doubtful, progress)?;
    if let Some(wrong) = doubtful.into_iter().find(|chunk| !right.contains(*chunk)) {
        let path = tree.path(tree.torrent.span(wrong).file);
        return Err(StoreError::InTheWay { path, why: Obstacle::Content(wrong) });
    }
    // What other hands wrote may not be durable yet, and the journal claims that it is.
    let failed = |error| StoreError::of("sync", tree.path(0), error);
    tree.disk.sync_everything().map_err(failed)
}
