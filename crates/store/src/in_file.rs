//! Where a chunk lies, for whoever can send it from there: the kernel, which has it in memory.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use bytes::Bytes;

use crate::disk::{DiskFile, RealFile, Stamp};

/// Bytes of an open file that were in the system's memory a moment ago: to read or to send them does not wait for the disk.
#[derive(Clone, Debug)]
pub struct InFile {
    file: Arc<RealFile>,
    offset: u64,
    length: u32,
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
        file.leave_no_trace();
        Some(InFile { file, offset, length, stamp })
    }

    /// Where they begin.
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// How many they are.
    pub const fn length(&self) -> u32 {
        self.length
    }

    /// Whether they are in memory still.
    pub fn is_in_memory(&self) -> bool {
        self.file.is_in_memory(self.offset, self.length)
    }

    /// The bytes; `None` when they cannot be read, or somebody wrote to the file since. Blocks on the disk.
    pub fn read(&self) -> Option<Bytes> {
        let bytes = self.file.read_new(self.length as usize, self.offset).ok()?;
        (bytes.len() == self.length as usize && self.is_as_it_was()).then(|| bytes.freeze())
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
}

impl AsFd for InFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}
