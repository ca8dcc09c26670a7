//! The disk itself, beneath one output folder, following no link (threat A1, CVE-2023-43619).
//!
//! Every component is opened by itself, `O_NOFOLLOW`, relative to the one before. `openat2` could do it in one call,
//! but seccomp profiles of common containers forbid that, and names are opened too seldom for the difference to show.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::{Access, Disk, DiskFile, Identity, Kind, Metadata};
use crate::place::Place;

/// On every open: close at exec, never a controlling terminal, and no waiting for the other end of a pipe.
const ALWAYS: OFlags = OFlags::CLOEXEC.union(OFlags::NOFOLLOW).union(OFlags::NOCTTY).union(OFlags::NONBLOCK);

/// One folder of the real disk and everything beneath it.
#[derive(Debug)]
pub struct RealDisk {
    folder: File,
    path: PathBuf,
}

impl RealDisk {
    /// The folder at `path`, which the user chose: links in `path` itself are followed.
    pub fn open(path: &Path) -> io::Result<Self> {
        let path_or_here = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let folder = File::open(path_or_here)?;
        if !folder.metadata()?.is_dir() {
            return Err(Errno::NOTDIR.into());
        }
        Ok(RealDisk { folder, path: path.to_owned() })
    }

    /// The same; made with all its parents when it is not there.
    pub fn open_or_create(path: &Path) -> io::Result<Self> {
        if !path.as_os_str().is_empty() {
            fs::create_dir_all(path)?;
        }
        Self::open(path)
    }

    /// The names in a folder, sorted by their bytes, as the system has them.
    pub(crate) fn list(&self, place: &Place) -> io::Result<Vec<Vec<u8>>> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.folder_at(place)?)? {
            let entry = entry?;
            if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
                names.push(entry.file_name().to_bytes().to_owned());
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Walks to a folder, one component at a time.
    fn folder_at(&self, place: &Place) -> io::Result<OwnedFd> {
        let mut at: Option<OwnedFd> = None;
        for name in place.components() {
            let from = at.as_ref().map_or(self.folder.as_fd(), AsFd::as_fd);
            at = Some(rustix::fs::openat(
                from,
                name,
                ALWAYS | OFlags::DIRECTORY | OFlags::RDONLY,
                Mode::empty(),
            )?);
        }
        match at {
            Some(folder) => Ok(folder),
            None => Ok(self.folder.try_clone()?.into()),
        }
    }

    /// Does `what` with the folder that `place` lies in and its name there.
    fn in_parent<T>(
        &self,
        place: &Place,
        what: impl FnOnce(BorrowedFd<'_>, &str) -> Result<T, Errno>,
    ) -> io::Result<T> {
        let (parent, name) = place.split().ok_or(Errno::ISDIR)?;
        Ok(what(self.folder_at(&parent)?.as_fd(), name)?)
    }

    fn open_with(&self, place: &Place, flags: OFlags) -> io::Result<RealFile> {
        let mode = Mode::from_raw_mode(0o666);
        let file =
            self.in_parent(place, |folder, name| rustix::fs::openat(folder, name, ALWAYS | flags, mode))?;
        let file = RealFile(File::from(file));
        match file.metadata()?.kind {
            Kind::File => Ok(file),
            Kind::Folder => Err(Errno::ISDIR.into()),
            Kind::Other => Err(Errno::LOOP.into()),
        }
    }
}

impl Disk for RealDisk {
    type File = RealFile;

    fn metadata(&self, place: &Place) -> io::Result<Option<Metadata>> {
        // `O_PATH` opens nothing, so a link or a pipe can be looked at, too.
        let looked = self.in_parent(place, |folder, name| {
            rustix::fs::openat(folder, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
        });
        match looked {
            Ok(file) => RealFile(File::from(file)).metadata().map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn open(&self, place: &Place, access: Access) -> io::Result<RealFile> {
        let flags = match access {
            Access::Read => OFlags::RDONLY,
            Access::Write => OFlags::RDWR,
        };
        self.open_with(place, flags)
    }

    fn create(&self, place: &Place) -> io::Result<RealFile> {
        self.open_with(place, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL)
    }

    fn create_folder(&self, place: &Place) -> io::Result<()> {
        self.in_parent(place, |folder, name| rustix::fs::mkdirat(folder, name, Mode::from_raw_mode(0o777)))
    }

    fn is_empty_folder(&self, place: &Place) -> io::Result<bool> {
        for entry in rustix::fs::Dir::read_from(&self.folder_at(place)?)? {
            if !matches!(entry?.file_name().to_bytes(), b"." | b"..") {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn rename(&self, from: &Place, to: &Place) -> io::Result<()> {
        let (_, new_name) = to.split().ok_or(Errno::ISDIR)?;
        self.in_parent(from, |folder, name| {
            match rustix::fs::renameat_with(folder, name, folder, new_name, RenameFlags::NOREPLACE) {
                // NFS, some FUSE file systems and old kernels.
                Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => rename_by_link(folder, name, new_name),
                result => result,
            }
        })
    }

    fn remove(&self, place: &Place) -> io::Result<()> {
        self.in_parent(place, |folder, name| rustix::fs::unlinkat(folder, name, AtFlags::empty()))
    }

    fn sync_folder(&self, place: &Place) -> io::Result<()> {
        match rustix::fs::fsync(&self.folder_at(place)?) {
            // File systems that have nothing to sync in a folder say so like this.
            Ok(()) | Err(Errno::INVAL) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn sync_everything(&self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(&self.folder)?)
    }

    fn path(&self, place: &Place) -> PathBuf {
        self.path.join(place.as_str())
    }
}

/// Renames without replacing where the system cannot do it in one call. A file gets its second name first, which
/// fails when the name is taken; a folder cannot replace anything but an empty folder anyway.
fn rename_by_link(folder: BorrowedFd<'_>, from: &str, to: &str) -> Result<(), Errno> {
    match rustix::fs::linkat(folder, from, folder, to, AtFlags::empty()) {
        Ok(()) => {}
        // A folder cannot be linked.
        Err(Errno::PERM | Errno::ISDIR) => return rustix::fs::renameat(folder, from, folder, to),
        // Perhaps our own link, from an attempt that got no further.
        Err(Errno::EXIST) => {
            let old = rustix::fs::statat(folder, from, AtFlags::SYMLINK_NOFOLLOW)?;
            let new = rustix::fs::statat(folder, to, AtFlags::SYMLINK_NOFOLLOW)?;
            if (old.st_dev, old.st_ino) != (new.st_dev, new.st_ino) {
                return Err(Errno::EXIST);
            }
        }
        Err(error) => return Err(error),
    }
    rustix::fs::unlinkat(folder, from, AtFlags::empty())
}

/// An open file of the real disk.
#[derive(Debug)]
pub struct RealFile(File);

impl DiskFile for RealFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut read = 0;
        while read < buffer.len() {
            match self.0.read_at(&mut buffer[read..], offset + read as u64) {
                Ok(0) => break,
                Ok(more) => read += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(read)
    }

    fn read_new(&self, length: usize, offset: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(length);
        while bytes.len() < length {
            let at = offset + bytes.len() as u64;
            match rustix::io::pread(&self.0, rustix::buffer::spare_capacity(&mut bytes), at) {
                Ok(0) => break,
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        bytes.truncate(length);
        Ok(bytes)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn set_len(&self, size: u64) -> io::Result<()> {
        self.0.set_len(size)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.0.sync_all()
    }

    fn set_executable(&self) -> io::Result<()> {
        let mut permissions = self.0.metadata()?.permissions();
        let mode = permissions.mode();
        permissions.set_mode(mode | (mode & 0o444) >> 2);
        self.0.set_permissions(permissions)
    }

    fn metadata(&self) -> io::Result<Metadata> {
        let found = self.0.metadata()?;
        let kind = match found.file_type() {
            kind if kind.is_file() => Kind::File,
            kind if kind.is_dir() => Kind::Folder,
            _ => Kind::Other,
        };
        let born = found.created().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        Ok(Metadata {
            kind,
            identity: Identity {
                inode: found.ino(),
                born: born.and_then(|since| i64::try_from(since.as_nanos()).ok()).unwrap_or(0),
            },
            size: found.len(),
            modified: found.mtime().saturating_mul(1_000_000_000).saturating_add(found.mtime_nsec()),
            executable: found.mode() & 0o100 != 0,
            linked: found.nlink() > 0,
        })
    }

    fn try_lock(&self) -> io::Result<bool> {
        match self.0.try_lock() {
            Ok(()) => Ok(true),
            Err(fs::TryLockError::WouldBlock) => Ok(false),
            // A file system without locks (some NFS): better without than not at all.
            Err(fs::TryLockError::Error(error)) => match Errno::from_io_error(&error) {
                Some(Errno::NOTSUP | Errno::NOSYS | Errno::NOLCK) => {
                    tracing::warn!(%error, "no locks here: two processes on one download would not notice");
                    Ok(true)
                }
                _ => Err(error),
            },
        }
    }

    fn advise_sequential(&self) {
        // Advice only: what it answers changes nothing.
        let _ = rustix::fs::fadvise(&self.0, 0, None, rustix::fs::Advice::Sequential);
    }
}
