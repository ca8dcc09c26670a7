//! From `.part` to the final name, in an order that a crash may cut anywhere.
//!
//! The journal says "complete" before the rename, with what the files are then; the rename changes none of that. So
//! after a crash either name can stand there and the same record vouches for it, and nothing is read again.

use std::sync::Arc;

use super::opening::sync_top;
use super::{DATA_THEN_JOURNAL, Partial};
use crate::complete::Complete;
use crate::disk::{Access, Disk, DiskFile};
use crate::error::StoreError;
use crate::locked;
use crate::tree::Tree;

impl<D: Disk> Partial<D> {
    /// Moves the content to its final name, durably, once every chunk is in [`Partial::have`]. Nothing is read
    /// again. What took the final name meanwhile stays: [`StoreError::InTheWay`]. After an error it can be called
    /// again; after success this can still be read from.
    pub fn finish(&self) -> Result<Complete<D>, StoreError> {
        let mut journal = locked(&self.journal);
        let have = self.have();
        if !have.is_full() {
            return Err(StoreError::Incomplete { missing: have.len() - have.count() });
        }
        let disk = &self.tree.disk;
        // An earlier call may have got as far as the rename.
        if self.tree.base() != self.names.finished {
            self.commit(&mut journal, DATA_THEN_JOURNAL)?;
            self.round_off(|_| true)?;
            self.commit(&mut journal, DATA_THEN_JOURNAL)?;
            let stamps = self.tree.stamps()?;
            journal.append_complete(&stamps).map_err(self.journal_failed())?;
            self.tree.rename(&self.names.finished)?;
            let _ = self.finished.set(stamps);
        }
        sync_top(&**disk)?;
        let tree =
            Tree::new(Arc::clone(disk), Arc::clone(&self.torrent), self.names.finished.clone(), Access::Read);
        // Not those of now: what was written to since is not what was verified.
        let stamps = self.finished.get().cloned().map_or_else(|| self.tree.stamps(), Ok)?;
        Ok(Complete::new(tree, stamps))
    }

    /// What no chunk brings to the files chosen: empty ones, and who may execute what.
    pub(super) fn round_off(&self, chosen: impl Fn(usize) -> bool) -> Result<(), StoreError> {
        let files = self.torrent.layout().files().iter().enumerate();
        for (file, entry) in files.filter(|(file, _)| chosen(*file)) {
            if entry.size == 0 {
                let handle = self.writable(file)?;
                locked(&self.state).touched(file, handle);
            }
            if entry.executable {
                let handle = self.writable(file)?;
                // Also when it is executable already: an earlier call's sync may have failed to keep it.
                handle.set_executable().map_err(self.tree.failed("make executable", file))?;
                handle.sync_all().map_err(self.tree.failed("sync", file))?;
            }
        }
        Ok(())
    }
}
