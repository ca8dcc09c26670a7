//! The seam to the disk: the few file operations that the store is made of.
//!
//! [`RealDisk`] does them beneath one output folder and follows no link. In tests an in-memory twin stops at any
//! one of them, loses or tears what was not synced, or fails with ENOSPC or EIO; that is why the store calls
//! nothing of `std::fs` elsewhere.

#[cfg(test)]
pub(crate) mod memory;
mod real;
mod real_file;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

pub use real::RealDisk;
pub use real_file::RealFile;

use crate::buffers::Buffer;
use crate::place::Place;

/// What stands at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An ordinary file.
    File,
    /// A folder.
    Folder,
    /// A link, device, pipe or socket: never ours.
    Other,
}

/// Which file it is, as long as it lives: by this a journal knows that a file is still the one it wrote about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its inode's number. Numbers are used again once a file is deleted, therefore also:
    pub inode: u64,
    /// When it was made, in nanoseconds since 1970; 0 where the file system does not tell.
    pub born: i64,
}

/// Which file it is and in what state: changes whenever somebody writes to it (threat A34).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Its inode's number.
    pub inode: u64,
    /// Its bytes.
    pub size: u64,
    /// When it was last written to, in nanoseconds since 1970.
    pub modified: i64,
}

/// What the system tells about a file or folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// File, folder or neither.
    pub kind: Kind,
    /// Which one.
    pub identity: Identity,
    /// Its bytes.
    pub size: u64,
    /// When it was last written to, in nanoseconds since 1970.
    pub modified: i64,
    /// When anything about it last changed, in nanoseconds since 1970: nobody can set that back.
    pub changed: i64,
    /// Whether its owner may execute it.
    pub executable: bool,
    /// Whether it still has a name; an open file may have lost it.
    pub linked: bool,
}

impl Metadata {
    /// The part that changes when somebody writes.
    pub const fn stamp(&self) -> Stamp {
        Stamp { inode: self.identity.inode, size: self.size, modified: self.modified }
    }
}

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading only.
    Read,
    /// Reading and writing.
    Write,
}

/// Looks at one place after the other.
pub type Looks<'a> = dyn FnMut(&Place) -> io::Result<Option<Metadata>> + 'a;

/// File operations beneath one output folder. No component of a place is followed when it is a link.
pub trait Disk: Send + Sync {
    /// An open file.
    type File: DiskFile;

    /// What stands at `place`; `None` when nothing does, or its folder is not there.
    fn metadata(&self, place: &Place) -> io::Result<Option<Metadata>>;
    /// As [`Disk::metadata`], for many places one after the other: cheaper where they lie in the same folder. While it is in use
    /// nobody may rename the folders.
    fn looks(&self) -> Box<Looks<'_>> {
        Box::new(|place| self.metadata(place))
    }
    /// Opens an ordinary file that exists.
    fn open(&self, place: &Place, access: Access) -> io::Result<Self::File>;
    /// The same, and what the file is as it is opened.
    fn open_and_look(&self, place: &Place, access: Access) -> io::Result<(Self::File, Metadata)> {
        let file = self.open(place, access)?;
        let found = file.metadata()?;
        Ok((file, found))
    }
    /// Makes a new file and opens it for writing; fails when anything stands there.
    fn create(&self, place: &Place) -> io::Result<Self::File>;
    /// Makes a new folder; fails when anything stands there.
    fn create_folder(&self, place: &Place) -> io::Result<()>;
    /// Whether the folder at `place` has nothing in it.
    fn is_empty_folder(&self, place: &Place) -> io::Result<bool>;
    /// Renames within one folder, atomically, and never over anything.
    fn rename(&self, from: &Place, to: &Place) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, place: &Place) -> io::Result<()>;
    /// Makes the names in a folder durable.
    fn sync_folder(&self, place: &Place) -> io::Result<()>;
    /// Makes every file and name durable that was written so far, in one call: for thousands of small files.
    fn sync_everything(&self) -> io::Result<()>;
    /// The full path, for people.
    fn path(&self, place: &Place) -> PathBuf;
}

/// An open file. Positions are arguments, so one handle serves many threads.
pub trait DiskFile: Send + Sync {
    /// Fills `buffer` from `offset`; fewer bytes only at the file's end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// As [`DiskFile::read_at`], `length` bytes into a buffer of their own that was not cleared for them.
    fn read_new(&self, length: usize, offset: u64) -> io::Result<Buffer> {
        Buffer::fill(length, |room| self.read_at(room, offset))
    }
    /// Writes all of `bytes` at `offset`. After an error any part of them may be there.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Cuts the file, or extends it with a hole that takes no space.
    fn set_len(&self, size: u64) -> io::Result<()>;
    /// Makes the content and size durable. After an error, what was written since the last success may be gone
    /// although reading still shows it, and repeating the call proves nothing (see `docs/storage.md`).
    fn sync_data(&self) -> io::Result<()>;
    /// As [`DiskFile::sync_data`], and the permissions and times, too.
    fn sync_all(&self) -> io::Result<()>;
    /// Lets everybody execute it who may read it.
    fn set_executable(&self) -> io::Result<()>;
    /// What the system tells about it.
    fn metadata(&self) -> io::Result<Metadata>;
    /// Takes the exclusive lock that lasts as long as the handle; false when another handle has it.
    fn try_lock(&self) -> io::Result<bool>;
    /// It will be read from front to back.
    fn advise_sequential(&self) {}
    /// The file as the system knows it, where it is one of the system's.
    fn real(_this: &Arc<Self>) -> Option<Arc<RealFile>> {
        None
    }
}
