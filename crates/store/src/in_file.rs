//! Where a chunk lies, for whoever can send it from there: the kernel, which has it in memory.

use std::os::fd::AsFd;
use std::sync::Arc;

use crate::disk::{DiskFile, RealFile, Stamp};

/// Bytes of an open file that were in the system's memory a moment ago: to read or to send them does not wait for the disk.
#[derive(Clone, Debug)]
pub struct InFile {
    file: Arc<RealFile>,
    /// Where they begin.
    pub offset: u64,
    /// How many they are.
    pub length: u32,
    /// The file as it was; `None` where this process alone writes to it.
    stamp: Option<Stamp>,
}

impl InFile {
    /// `None` where the disk would be waited for, or nobody can tell.
    pub(crate) fn of<F: DiskFile>(
        handle: &Arc<F>,
        offset: u64,
        length: u32,
        stamp: Option<Stamp>,
    ) -> Option<Self> {
        let file = F::real(handle).filter(|file| file.is_in_memory(offset, length))?;
        Some(InFile { file, offset, length, stamp })
    }

    /// Whether nobody wrote to the file since (threat A34). One `fstat`.
    pub fn is_as_it_was(&self) -> bool {
        let is = |stamp| self.file.metadata().is_ok_and(|found| found.stamp() == stamp);
        self.stamp.is_none_or(is)
    }

    /// A part of it.
    ///
    /// # Panics
    /// When the part is not within it.
    #[must_use]
    pub fn part(&self, skip: u32, length: u32) -> Self {
        assert!(u64::from(skip) + u64::from(length) <= u64::from(self.length), "past the end");
        InFile { offset: self.offset + u64::from(skip), length, ..self.clone() }
    }

    /// The open file.
    pub fn file(&self) -> Arc<impl AsFd + Send + Sync + use<>> {
        self.file.clone()
    }
}
