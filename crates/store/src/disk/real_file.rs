//! An open file of the real disk.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::sync::{Arc, Mutex, Once, OnceLock};
use std::time::UNIX_EPOCH;

use rustix::fs::{AtFlags, FileType, OFlags, StatxFlags};
use rustix::io::Errno;

use super::{DiskFile, Identity, Kind, Metadata};
use crate::locked;

/// An open file of the real disk.
#[derive(Debug)]
pub struct RealFile {
    file: File,
    /// Held while it is written to: the system lets in one writer at a time, too, and those who wait there spin meanwhile.
    writing: Mutex<()>,
    /// Known once its file system would not tell what is in memory.
    has_no_disk: OnceLock<bool>,
    leaves_no_trace: Once,
}

impl From<File> for RealFile {
    fn from(file: File) -> Self {
        RealFile { file, writing: Mutex::new(()), has_no_disk: OnceLock::new(), leaves_no_trace: Once::new() }
    }
}

/// What the system is asked to tell.
const TOLD: StatxFlags = StatxFlags::BASIC_STATS.union(StatxFlags::BTIME);

/// What stands under `name` in an open folder, as [`RealFile::metadata`] tells it; a link is not followed. An error where the
/// system is too old to be asked like this.
pub(super) fn look_at(folder: &impl AsFd, name: &str) -> io::Result<Option<Metadata>> {
    let found = match rustix::fs::statx(folder, name, AtFlags::SYMLINK_NOFOLLOW, TOLD) {
        Ok(found) => found,
        Err(Errno::NOENT) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mode = u32::from(found.stx_mode);
    let tells_birth = found.stx_mask & StatxFlags::BTIME.bits() != 0;
    let born = nanos(found.stx_btime.tv_sec, found.stx_btime.tv_nsec.into());
    Ok(Some(Metadata {
        kind: match FileType::from_raw_mode(mode) {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Folder,
            _ => Kind::Other,
        },
        identity: Identity { inode: found.stx_ino, born: if tells_birth { born } else { 0 } },
        size: found.stx_size,
        modified: nanos(found.stx_mtime.tv_sec, found.stx_mtime.tv_nsec.into()),
        changed: nanos(found.stx_ctime.tv_sec, found.stx_ctime.tv_nsec.into()),
        executable: mode & 0o100 != 0,
        linked: found.stx_nlink > 0,
    }))
}

/// Nanoseconds since 1970.
const fn nanos(seconds: i64, rest: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}

/// One page of so many bytes is asked for where the whole is to be known: the system reads a file ahead in runs that are longer.
const LOOKED_AT_EVERY: u32 = 64 << 10;

impl RealFile {
    /// Whether these bytes can be read without waiting for the disk, as far as a look at a page here and there tells. False
    /// where the file system does not.
    pub(crate) fn is_in_memory(&self, offset: u64, length: u32) -> bool {
        let Some(last) = length.checked_sub(1) else { return true };
        if self.has_no_disk.get() == Some(&true) {
            return true;
        }
        let looks = (0..length).step_by(LOOKED_AT_EVERY as usize).chain([last]);
        for at in looks {
            match self.reads_at_once(offset + u64::from(at)) {
                Ok(true) => {}
                Err(Errno::NOTSUP) => return *self.has_no_disk.get_or_init(|| self.is_of_tmpfs()),
                Ok(false) | Err(_) => return false,
            }
        }
        true
    }

    /// From now on the file does not keep when it was read: while it is written to, or once a day, each part that the system sends of it
    /// would be noted there. Only for its owner; for others it goes on as it was.
    pub(crate) fn leave_no_trace(&self) {
        self.leaves_no_trace.call_once(|| {
            // Of the flags that can be set later, the files that are opened here have no other one.
            let _ = rustix::fs::fcntl_setfl(&self.file, OFlags::NONBLOCK | OFlags::NOATIME);
        });
    }

    fn reads_at_once(&self, offset: u64) -> Result<bool, Errno> {
        let mut byte = [0];
        let mut bytes = [io::IoSliceMut::new(&mut byte)];
        match rustix::io::preadv2(&self.file, &mut bytes, offset, rustix::io::ReadWriteFlags::NOWAIT) {
            Ok(read) => Ok(read == 1),
            Err(Errno::AGAIN | Errno::INTR) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A file of tmpfs is in memory, and tmpfs does not answer such questions.
    fn is_of_tmpfs(&self) -> bool {
        const TMPFS: u32 = 0x0102_1994;
        rustix::fs::fstatfs(&self.file).is_ok_and(|found| u32::try_from(found.f_type) == Ok(TMPFS))
    }
}

impl AsFd for RealFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl DiskFile for RealFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut read = 0;
        while read < buffer.len() {
            match self.file.read_at(&mut buffer[read..], offset + read as u64) {
                Ok(0) => break,
                Ok(more) => read += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(read)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let _one = locked(&self.writing);
        self.file.write_all_at(bytes, offset)
    }

    fn set_len(&self, size: u64) -> io::Result<()> {
        self.file.set_len(size)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    fn set_executable(&self) -> io::Result<()> {
        let mut permissions = self.file.metadata()?.permissions();
        let mode = permissions.mode();
        permissions.set_mode(mode | (mode & 0o444) >> 2);
        self.file.set_permissions(permissions)
    }

    fn metadata(&self) -> io::Result<Metadata> {
        let found = self.file.metadata()?;
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
            modified: nanos(found.mtime(), found.mtime_nsec()),
            changed: nanos(found.ctime(), found.ctime_nsec()),
            executable: found.mode() & 0o100 != 0,
            linked: found.nlink() > 0,
        })
    }

    fn try_lock(&self) -> io::Result<bool> {
        match self.file.try_lock() {
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
        let _ = rustix::fs::fadvise(&self.file, 0, None, rustix::fs::Advice::Sequential);
    }

    fn real(this: &Arc<Self>) -> Option<Arc<RealFile>> {
        Some(this.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_just_written_is_in_memory_and_what_is_past_the_end_is_not() {
        let file = RealFile::from(tempfile::tempfile().unwrap());
        file.write_at(&vec![7; 100_000], 0).unwrap();
        assert!(file.is_in_memory(0, 100_000) && file.is_in_memory(99_999, 1) && file.is_in_memory(5, 0));
        // tmpfs does not tell, and reading finds it out.
        assert!(!file.is_in_memory(99_999, 2) || file.is_of_tmpfs());
    }

    #[test]
    fn who_owns_a_file_can_read_it_without_a_trace() {
        let file = RealFile::from(tempfile::tempfile().unwrap());
        let is_noted = || !rustix::fs::fcntl_getfl(&file).unwrap().contains(OFlags::NOATIME);
        assert!(is_noted());
        file.leave_no_trace();
        assert!(!is_noted());
    }

    #[test]
    fn a_stamp_tells_that_somebody_wrote() {
        let file = RealFile::from(tempfile::tempfile().unwrap());
        file.write_at(b"as it was", 0).unwrap();
        let before = file.metadata().unwrap().stamp();
        file.write_at(b"as it is now", 0).unwrap();
        assert_ne!(file.metadata().unwrap().stamp(), before);
    }
}
