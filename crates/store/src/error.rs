//! What can go wrong on the disk, sorted by what the caller can do about it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use protocol::{ChunkIndex, Printable, TorrentId};
use rustix::io::Errno;

/// Why the store could not do as it was told. Nothing that was durable before is lost by any of these.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Something that is not ours stands where the torrent's content belongs. It was not touched. Exit code 6.
    #[error("'{}' is in the way: {why}; move it or choose another folder", Shown(path))]
    InTheWay {
        /// What stands there.
        path: PathBuf,
        /// Why it cannot be used.
        why: Obstacle,
    },
    /// Another process downloads the same torrent into the same folder.
    #[error("'{}' is in use by another process: end it or choose another folder", Shown(path))]
    Busy {
        /// The locked journal.
        path: PathBuf,
    },
    /// The disk, or the user's quota, is full. The call can be repeated once there is room.
    #[error("no space left to {op} '{}': make room, what is stored stays", Shown(path))]
    NoSpace {
        /// What was being done, as a verb.
        op: &'static str,
        /// To which file.
        path: PathBuf,
    },
    /// The system refused. The call can be repeated.
    #[error("could not {op} '{}': {source}", Shown(path))]
    Io {
        /// What was being done, as a verb.
        op: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not what it was when its chunks were verified (threat A34): see [`crate::Complete::recheck`].
    #[error("'{}' changed since it was verified: chunks of it are checked again before use", Shown(path))]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// A file of the torrent is no longer there.
    #[error("'{}' is gone: put it back or start the download again", Shown(path))]
    Gone {
        /// The file.
        path: PathBuf,
    },
    /// A read of something that is not stored.
    #[error("these bytes are not stored yet")]
    NotHere,
    /// A chunk of a file that was left out when the others were given their final name.
    #[error("this download ended without the file of this chunk: start again to fetch it")]
    LeftOut,
    /// [`crate::Partial::finish`] before the end.
    #[error("{missing} chunks are still missing")]
    Incomplete {
        /// How many.
        missing: u32,
    },
    /// Written and not yet durable, and then the disk failed and forgot them: they are no longer in
    /// [`crate::Partial::have`] and must be fetched again.
    #[error("the disk lost {} chunks it had taken: they are fetched again", chunks.len())]
    Lost {
        /// Which, lowest first.
        chunks: Vec<ChunkIndex>,
    },
}

/// Why something in the way cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// Something has the final name.
    #[error("the name is taken")]
    Taken,
    /// A link, a device, a file where a folder is needed, or the reverse.
    #[error("it is a link or not of the kind needed here (links are not followed)")]
    Kind,
    /// Another size than the torrent's.
    #[error("it has {got} bytes where the torrent has {expected}")]
    Size {
        /// Bytes in the torrent.
        expected: u64,
        /// Bytes there.
        got: u64,
    },
    /// Content that is not the torrent's.
    #[error("chunk {} has other content", .0.get())]
    Content(ChunkIndex),
    /// A folder without one of the torrent's files; the path names that file.
    #[error("this file is missing from a folder that exists")]
    Missing,
    /// A `.part` that we did not make.
    #[error("it is no unfinished download of this torrent")]
    NotOurs,
    /// A journal of another torrent with the same name.
    #[error("it belongs to torrent {0}, which has the same name")]
    OtherTorrent(TorrentId),
    /// A file in the journal's place that is none, or is a newer version's.
    #[error("it is no journal that this version knows")]
    UnknownJournal,
}

impl StoreError {
    /// The disk is full: the same call works once there is room.
    pub fn is_no_space(&self) -> bool {
        matches!(self, StoreError::NoSpace { .. })
    }

    /// Something that is not ours stands in the way and was not touched.
    pub fn is_in_the_way(&self) -> bool {
        matches!(self, StoreError::InTheWay { .. })
    }

    /// The error for a failed operation; `op` completes "could not … 'path'".
    pub(crate) fn of(op: &'static str, path: PathBuf, source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::NotFound {
            return StoreError::Gone { path };
        }
        match Errno::from_io_error(&source) {
            Some(Errno::NOSPC | Errno::DQUOT) => StoreError::NoSpace { op, path },
            Some(Errno::LOOP | Errno::NOTDIR | Errno::ISDIR) => {
                StoreError::InTheWay { path, why: Obstacle::Kind }
            }
            Some(Errno::EXIST | Errno::NOTEMPTY) => StoreError::InTheWay { path, why: Obstacle::Taken },
            _ => StoreError::Io { op, path, source },
        }
    }
}

/// A path made harmless for a terminal (threat A2: names in it come from strangers).
pub(crate) struct Shown<'a>(pub(crate) &'a Path);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Printable(&self.0.to_string_lossy()).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(errno: Errno) -> StoreError {
        StoreError::of("write", PathBuf::from("a\u{1b}b"), errno.into())
    }

    #[test]
    fn errors_are_sorted_by_what_can_be_done() {
        assert!(of(Errno::NOSPC).is_no_space() && of(Errno::DQUOT).is_no_space());
        assert!(of(Errno::LOOP).is_in_the_way() && of(Errno::EXIST).is_in_the_way());
        assert!(matches!(of(Errno::NOENT), StoreError::Gone { .. }));
        assert!(matches!(of(Errno::IO), StoreError::Io { .. }));
    }

    #[test]
    fn a02_paths_in_errors_are_harmless() {
        assert!(of(Errno::IO).to_string().contains("'a\\u{1b}b'"), "{}", of(Errno::IO));
    }
}
