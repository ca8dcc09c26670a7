//! The disk itself, beneath one output folder, following no link (threat A1, CVE-2023-43619).
//!
//! `openat2` walks to a place in one call. Seccomp profiles of some containers and old kernels forbid it; there each
//! component is opened by itself, `O_NOFOLLOW`, relative to the one before, which comes to the same.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags, ResolveFlags};
use rustix::io::Errno;

use super::{Access, Disk, DiskFile, Kind, Looks, Metadata, RealFile, real_file};
use crate::place::Place;

/// On every open: close at exec, never a controlling terminal, and no waiting for the other end of a pipe.
const ALWAYS: OFlags = OFlags::CLOEXEC.union(OFlags::NOFOLLOW).union(OFlags::NOCTTY).union(OFlags::NONBLOCK);
/// To look at something, or to be walked from, without opening it.
const LOOK: OFlags = OFlags::CLOEXEC.union(OFlags::NOFOLLOW).union(OFlags::PATH);

/// One folder of the real disk and everything beneath it.
#[derive(Debug)]
pub struct RealDisk {
    folder: File,
    path: PathBuf,
    /// The system does not let us walk in one call.
    step_by_step: AtomicBool,
}

impl RealDisk {
    /// The folder at `path`, which the user chose: links in `path` itself are followed.
    pub fn open(path: &Path) -> io::Result<Self> {
        let path_or_here = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let folder = File::open(path_or_here)?;
        if !folder.metadata()?.is_dir() {
            return Err(Errno::NOTDIR.into());
        }
        Ok(RealDisk { folder, path: path.to_owned(), step_by_step: AtomicBool::new(false) })
    }

    /// The same; made with all its parents when it is not there.
    pub fn open_or_create(path: &Path) -> io::Result<Self> {
        if !path.as_os_str().is_empty() {
            fs::create_dir_all(path)?;
        }
        Self::open(path)
    }

    /// The same, where only the user may look: what is made is so from its first moment.
    pub(crate) fn open_or_create_private(path: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
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

    /// Opens what is at `place`, and follows no link on the way.
    fn open_at(&self, place: &Place, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
        if place.as_str().is_empty() {
            return Ok(rustix::fs::openat(&self.folder, ".", flags, mode)?);
        }
        if !self.step_by_step.load(Ordering::Relaxed) {
            let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
            match rustix::fs::openat2(&self.folder, place.as_str(), flags, mode, resolve) {
                Err(Errno::NOSYS | Errno::PERM) => self.step_by_step.store(true, Ordering::Relaxed),
                result => return Ok(result?),
            }
        }
        self.walk_to(place, flags, mode)
    }

    fn walk_to(&self, place: &Place, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
        let (parent, name) = place.split().ok_or(Errno::ISDIR)?;
        let mut at: Option<OwnedFd> = None;
        for name in parent.components() {
            let from = at.as_ref().map_or(self.folder.as_fd(), AsFd::as_fd);
            at = Some(rustix::fs::openat(from, name, LOOK | OFlags::DIRECTORY, Mode::empty())?);
        }
        let from = at.as_ref().map_or(self.folder.as_fd(), AsFd::as_fd);
        Ok(rustix::fs::openat(from, name, flags, mode)?)
    }

    /// A folder that can be read and synced.
    fn folder_at(&self, place: &Place) -> io::Result<OwnedFd> {
        self.open_at(place, ALWAYS | OFlags::DIRECTORY | OFlags::RDONLY, Mode::empty())
    }

    /// Does `what` with the folder that `place` lies in and its name there.
    fn in_parent<T>(
        &self,
        place: &Place,
        what: impl FnOnce(BorrowedFd<'_>, &str) -> Result<T, Errno>,
    ) -> io::Result<T> {
        let (_, name) = place.split().ok_or(Errno::ISDIR)?;
        Ok(what(self.parent_of(place)?.as_fd(), name)?)
    }

    /// The folder that `place` lies in.
    fn parent_of(&self, place: &Place) -> io::Result<OwnedFd> {
        let (parent, _) = place.split().ok_or(Errno::ISDIR)?;
        self.open_at(&parent, LOOK | OFlags::DIRECTORY, Mode::empty())
    }
}

impl Disk for RealDisk {
    type File = RealFile;

    fn metadata(&self, place: &Place) -> io::Result<Option<Metadata>> {
        match self.open_at(place, LOOK, Mode::empty()) {
            Ok(file) => RealFile::from(File::from(file)).metadata().map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn looks(&self) -> Box<Looks<'_>> {
        let mut folder: Option<(String, OwnedFd)> = None;
        Box::new(move |place| {
            let Some((parent, name)) = place.as_str().rsplit_once('/') else { return self.metadata(place) };
            let at = match folder.take().filter(|(path, _)| path == parent) {
                Some(at) => at,
                None => match self.parent_of(place) {
                    Ok(open) => (parent.to_owned(), open),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                    Err(error) => return Err(error),
                },
            };
            let found = real_file::look_at(&at.1, name).or_else(|_| self.metadata(place));
            folder = Some(at);
            found
        })
    }

    fn open(&self, place: &Place, access: Access) -> io::Result<RealFile> {
        self.open_and_look(place, access).map(|(file, _)| file)
    }

    fn open_and_look(&self, place: &Place, access: Access) -> io::Result<(RealFile, Metadata)> {
        let flags = match access {
            Access::Read => OFlags::RDONLY,
            Access::Write => OFlags::RDWR,
        };
        let file = RealFile::from(File::from(self.open_at(place, ALWAYS | flags, Mode::empty())?));
        let found = file.metadata()?;
        match found.kind {
            Kind::File => Ok((file, found)),
            Kind::Folder => Err(Errno::ISDIR.into()),
            Kind::Other => Err(Errno::LOOP.into()),
        }
    }

    fn create(&self, place: &Place) -> io::Result<RealFile> {
        // What is made by this is a file: nobody needs to look.
        let flags = ALWAYS | OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
        Ok(RealFile::from(File::from(self.open_at(place, flags, Mode::from_raw_mode(0o666))?)))
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn at(path: &str) -> Place {
        path.split('/').fold(Place::top(), |place, name| place.child(name))
    }

    /// A disk that walks in one call, and one that walks step by step.
    fn both_ways(path: &Path) -> [RealDisk; 2] {
        let disks = [RealDisk::open(path).unwrap(), RealDisk::open(path).unwrap()];
        disks[1].step_by_step.store(true, Ordering::Relaxed);
        disks
    }

    #[test]
    fn a01_no_link_is_followed_either_way() {
        let elsewhere = tempfile::tempdir().unwrap();
        fs::write(elsewhere.path().join("victim"), b"precious").unwrap();
        let here = tempfile::tempdir().unwrap();
        fs::create_dir_all(here.path().join("real/inner")).unwrap();
        symlink(elsewhere.path(), here.path().join("link")).unwrap();
        symlink("real", here.path().join("beside")).unwrap();
        symlink(elsewhere.path().join("victim"), here.path().join("real/file")).unwrap();
        for disk in both_ways(here.path()) {
            for place in ["link/victim", "beside/inner", "real/file", "link/new", "link/new/deep"].map(at) {
                let refused = [
                    disk.open(&place, Access::Read).map(drop),
                    disk.open(&place, Access::Write).map(drop),
                    disk.create(&place).map(drop),
                    disk.create_folder(&place),
                    disk.rename(&place, &at("real/other")),
                    disk.is_empty_folder(&place).map(drop),
                    disk.sync_folder(&place),
                ];
                // A link may be given another name, but where it leads nothing happens.
                let renamed = place == at("real/file");
                for (which, result) in refused.into_iter().enumerate() {
                    assert!(result.is_err() || renamed && which == 4, "{which} {place:?}");
                }
                if renamed {
                    disk.rename(&at("real/other"), &place).unwrap();
                }
            }
            assert!(matches!(disk.metadata(&at("real/file")), Ok(Some(found)) if found.kind == Kind::Other));
            assert_eq!(disk.metadata(&at("real/inner")).unwrap().map(|found| found.kind), Some(Kind::Folder));
            assert!(disk.metadata(&at("link/victim")).is_err());
            assert_eq!(disk.metadata(&at("nothing/here")).unwrap(), None);
            let mut looks = disk.looks();
            for place in ["real/file", "real/inner", "real/nothing", "nothing/here", "real"].map(at) {
                assert_eq!(looks(&place).unwrap(), disk.metadata(&place).unwrap(), "{place:?}");
            }
            assert!(looks(&at("link/victim")).is_err());
        }
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 1);
        assert_eq!(fs::read(elsewhere.path().join("victim")).unwrap(), b"precious");
    }

    #[test]
    fn a_pipe_is_refused_and_nobody_waits_for_its_other_end() {
        let here = tempfile::tempdir().unwrap();
        let disk = RealDisk::open(here.path()).unwrap();
        let mode = Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(&disk.folder, "pipe", rustix::fs::FileType::Fifo, mode, 0).unwrap();
        assert!(disk.open(&at("pipe"), Access::Read).is_err());
        assert!(disk.open(&at("pipe"), Access::Write).is_err());
    }

    #[test]
    fn a_rename_replaces_nothing_also_where_it_takes_a_link() {
        let here = tempfile::tempdir().unwrap();
        let folder = File::open(here.path()).unwrap();
        let path = |name| here.path().join(name);
        for name in ["old", "taken"] {
            fs::write(path(name), name).unwrap();
        }
        assert_eq!(rename_by_link(folder.as_fd(), "old", "taken"), Err(Errno::EXIST));
        assert_eq!(fs::read(path("taken")).unwrap(), b"taken");
        rename_by_link(folder.as_fd(), "old", "new").unwrap();
        assert!(!path("old").exists() && path("new").exists());
        // Cut short behind the link, and called again.
        fs::hard_link(path("new"), path("newer")).unwrap();
        rename_by_link(folder.as_fd(), "new", "newer").unwrap();
        assert!(!path("new").exists() && path("newer").exists());
        fs::create_dir(path("folder")).unwrap();
        rename_by_link(folder.as_fd(), "folder", "moved").unwrap();
        assert!(path("moved").is_dir());
        assert!(rename_by_link(folder.as_fd(), "moved", "taken").is_err());
        assert_eq!(fs::read(path("taken")).unwrap(), b"taken");
    }

    #[test]
    fn a_whole_file_is_read_into_new_memory_and_no_more() {
        let here = tempfile::tempdir().unwrap();
        let disk = RealDisk::open(here.path()).unwrap();
        let file = disk.create(&at("x")).unwrap();
        file.write_at(b"0123456789", 0).unwrap();
        assert_eq!(file.read_new(4, 3).unwrap().as_slice(), b"3456");
        assert_eq!(file.read_new(9, 8).unwrap().as_slice(), b"89");
        assert_eq!(file.read_new(0, 0).unwrap().as_slice(), b"");
    }
}
