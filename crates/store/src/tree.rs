//! The files of a torrent at the place where they lie now: finding, opening and reading them.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::{io, thread};

use bytes::Bytes;
use protocol::torrent::{FileEntry, Shape};
use protocol::{ChunkIndex, Torrent};

use crate::cores;
use crate::disk::{Access, Disk, DiskFile, Kind, Metadata, Stamp};
use crate::error::StoreError;
use crate::open_files::OpenFiles;
use crate::place::Place;

/// Fewer files than this are not worth a thread: looking at them takes some milliseconds.
const LOOKS_OF_A_THREAD: usize = 4096;

/// A torrent's files beneath `base`: the `.part`, the finished file or folder, or the source of a new torrent.
#[derive(Debug)]
pub(crate) struct Tree<D: Disk> {
    pub(crate) disk: Arc<D>,
    pub(crate) torrent: Arc<Torrent>,
    /// Changes once, when `.part` gets its final name. Held while a file is opened, so that none is missed.
    base: RwLock<Place>,
    access: Access,
    pub(crate) handles: OpenFiles<D::File>,
}

impl<D: Disk> Tree<D> {
    pub(crate) fn new(disk: Arc<D>, torrent: Arc<Torrent>, base: Place, access: Access) -> Self {
        Tree { disk, torrent, base: RwLock::new(base), access, handles: OpenFiles::new() }
    }

    pub(crate) fn base(&self) -> Place {
        self.base.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn entry(&self, file: usize) -> &FileEntry {
        &self.torrent.layout().files()[file]
    }

    pub(crate) fn place(&self, file: usize) -> Place {
        self.place_under(&self.base(), file)
    }

    fn place_under(&self, base: &Place, file: usize) -> Place {
        match self.torrent.layout().shape() {
            Shape::File => base.clone(),
            Shape::Folder => base.join(&self.entry(file).path),
        }
    }

    /// The full path of a file, for people.
    pub(crate) fn path(&self, file: usize) -> PathBuf {
        self.disk.path(&self.place(file))
    }

    /// Makes the error for a failed operation on a file.
    pub(crate) fn failed(&self, op: &'static str, file: usize) -> impl FnOnce(io::Error) -> StoreError {
        move |error| StoreError::of(op, self.path(file), error)
    }

    pub(crate) fn metadata(&self, file: usize) -> Result<Option<Metadata>, StoreError> {
        self.disk.metadata(&self.place(file)).map_err(self.failed("look at", file))
    }

    /// All files as they are now; they must be there at their full size.
    pub(crate) fn stamps(&self) -> Result<Vec<Stamp>, StoreError> {
        self.metadata_of_all(|file, found| self.stamp_of(file, found))
    }

    /// What `with` makes of each file as it is now. Of many, on all cores: nothing else is done while a download waits for this.
    pub(crate) fn metadata_of_all<T: Send>(
        &self,
        with: impl Fn(usize, Option<Metadata>) -> Result<T, StoreError> + Sync,
    ) -> Result<Vec<T>, StoreError> {
        let files = self.torrent.layout().files().len();
        let each = files.div_ceil(cores::count()).max(LOOKS_OF_A_THREAD);
        let mut looked = Vec::with_capacity(files);
        if each >= files {
            self.look_at(0..files, &with, &mut looked)?;
            return Ok(looked);
        }
        let with = &with;
        let parts: Vec<_> = thread::scope(|scope| {
            let part = |first: usize| {
                scope.spawn(move || {
                    let mut looked = Vec::with_capacity(each);
                    self.look_at(first..files.min(first + each), with, &mut looked).map(|()| looked)
                })
            };
            let threads: Vec<_> = (0..files).step_by(each).map(part).collect();
            threads.into_iter().map(cores::joined).collect()
        });
        for part in parts {
            looked.append(&mut part?);
        }
        Ok(looked)
    }

    fn look_at<T>(
        &self,
        files: Range<usize>,
        with: &impl Fn(usize, Option<Metadata>) -> Result<T, StoreError>,
        looked: &mut Vec<T>,
    ) -> Result<(), StoreError> {
        let base = self.base();
        let mut looks = self.disk.looks();
        for file in files {
            let found = looks(&self.place_under(&base, file)).map_err(self.failed("look at", file))?;
            looked.push(with(file, found)?);
        }
        Ok(())
    }

    /// A file as it is now; it must be there at its full size.
    pub(crate) fn stamp(&self, file: usize) -> Result<Stamp, StoreError> {
        self.stamp_of(file, self.metadata(file)?)
    }

    fn stamp_of(&self, file: usize, found: Option<Metadata>) -> Result<Stamp, StoreError> {
        match found {
            Some(found) if found.kind == Kind::File && found.size == self.entry(file).size => {
                Ok(found.stamp())
            }
            Some(_) => Err(StoreError::Changed { path: self.path(file) }),
            None => Err(StoreError::Gone { path: self.path(file) }),
        }
    }

    /// The open file; it must exist.
    pub(crate) fn handle(&self, file: usize) -> Result<Arc<D::File>, StoreError> {
        self.handle_or(file, |place| self.disk.open(place, self.access))
    }

    /// The open file, opened with `open` when it is not open.
    pub(crate) fn handle_or(
        &self,
        file: usize,
        open: impl FnOnce(&Place) -> io::Result<D::File>,
    ) -> Result<Arc<D::File>, StoreError> {
        self.handles.get(file, || {
            let base = self.base.read().unwrap_or_else(PoisonError::into_inner);
            let place = self.place_under(&base, file);
            open(&place).map_err(|error| StoreError::of("open", self.disk.path(&place), error))
        })
    }

    /// Gives the base another name; nothing to do when it has it already.
    pub(crate) fn rename(&self, to: &Place) -> Result<(), StoreError> {
        let mut base = self.base.write().unwrap_or_else(PoisonError::into_inner);
        if *base != *to {
            self.disk
                .rename(&base, to)
                .map_err(|error| StoreError::of("rename to", self.disk.path(to), error))?;
            *base = to.clone();
        }
        Ok(())
    }

    /// Reads `length` bytes of a file; [`StoreError::Changed`] when it is shorter.
    pub(crate) fn read(&self, file: usize, offset: u64, length: u32) -> Result<Bytes, StoreError> {
        let handle = self.handle(file)?;
        let bytes = handle.read_new(length as usize, offset).map_err(self.failed("read", file))?;
        if bytes.len() != length as usize {
            return Err(StoreError::Changed { path: self.path(file) });
        }
        Ok(bytes.freeze())
    }

    /// Fills `buffer` with a chunk; false when its file is missing, too short, no file, or its sectors are bad: all
    /// of them mean that the chunk is not there.
    pub(crate) fn read_if_there(&self, chunk: ChunkIndex, buffer: &mut [u8]) -> Result<bool, StoreError> {
        let span = self.torrent.span(chunk);
        let read = self.handle(span.file).and_then(|handle| {
            handle.read_at(buffer, span.offset).map_err(|source| {
                tracing::warn!(file = %self.entry(span.file).path, error = %source, "unreadable");
                StoreError::Io { op: "read", path: self.path(span.file), source }
            })
        });
        match read {
            Ok(read) => Ok(read == buffer.len()),
            Err(
                StoreError::Gone { .. } | StoreError::InTheWay { .. } | StoreError::Io { op: "read", .. },
            ) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
