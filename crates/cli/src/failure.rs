//! Why a command does not go on: the cause, what to do next, and the exit code that stands for it.

use std::fmt::Display;

use peer::{AddError, DownloadError};
use protocol::torrent::ParseError;
use store::{StoreError, TorrentifyError};

use crate::exit_code::ExitCode;

/// A failed command, or one failed torrent of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) exit: ExitCode,
    /// One word for programs: the `kind` of an `error` event.
    pub(crate) kind: &'static str,
    /// What went wrong.
    pub(crate) cause: String,
    /// Further lines of the cause. Never split from a text that a stranger wrote: a name may hold a newline.
    pub(crate) details: Vec<String>,
    /// What to do about it.
    pub(crate) next: String,
}

impl Failure {
    /// A failure of this kind.
    pub(crate) fn new(exit: ExitCode, kind: &'static str, cause: impl Display, next: &str) -> Self {
        Failure { exit, kind, cause: cause.to_string(), details: Vec::new(), next: next.to_owned() }
    }

    /// The run failed for a reason of the machine's own.
    pub(crate) fn failed(cause: impl Display) -> Self {
        Failure::new(ExitCode::Failed, "failed", cause, "see the log (-v) and try again")
    }

    /// The command line or the configuration is wrong.
    pub(crate) fn usage(cause: impl Display, next: &str) -> Self {
        Failure::new(ExitCode::Usage, "usage", cause, next)
    }

    /// Wrong usage that takes several lines to explain; empty ones are left out.
    pub(crate) fn usage_in_lines(cause: &str, next: &str) -> Self {
        let mut lines = cause.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned);
        let first = lines.next().unwrap_or_default();
        Failure { details: lines.collect(), ..Failure::usage(first, next) }
    }

    /// The cause on one line.
    pub(crate) fn whole_cause(&self) -> String {
        let details = self.details.iter().map(|line| line.trim());
        std::iter::once(self.cause.as_str()).chain(details).collect::<Vec<_>>().join(" ")
    }

    /// Nobody who could help can be reached.
    pub(crate) fn no_source(cause: impl Display, next: &str) -> Self {
        Failure::new(ExitCode::NoSource, "no_source", cause, next)
    }

    /// Something is not what its hash says.
    pub(crate) fn integrity(cause: impl Display, next: &str) -> Self {
        Failure::new(ExitCode::Integrity, "integrity", cause, next)
    }

    /// The disk said no.
    pub(crate) fn disk(cause: impl Display, next: &str) -> Self {
        Failure::new(ExitCode::Disk, "disk", cause, next)
    }

    /// A file of somebody's stands where ours would be.
    pub(crate) fn in_the_way(cause: impl Display, next: &str) -> Self {
        Failure::new(ExitCode::Disk, "in_the_way", cause, next)
    }

    /// A signal came before the end.
    pub(crate) fn interrupted() -> Self {
        Failure::new(
            ExitCode::Failed,
            "interrupted",
            "interrupted before it was done",
            "run the same command again; what was downloaded is kept, and it goes on from there",
        )
    }

    /// An address that cannot be listened on.
    pub(crate) fn cannot_listen(what: &str, address: std::net::SocketAddr, error: &std::io::Error) -> Self {
        let next = match error.kind() {
            std::io::ErrorKind::AddrInUse => "give another port, or 0 for any that is free",
            std::io::ErrorKind::AddrNotAvailable => "give an address of this machine with --bind",
            std::io::ErrorKind::PermissionDenied => "give a port from 1024 up",
            _ => "give another address with --bind, or another port",
        };
        Failure::new(
            ExitCode::Failed,
            "listen",
            format!("the {what} cannot listen on {address}: {error}"),
            next,
        )
    }
}

impl From<ParseError> for Failure {
    fn from(error: ParseError) -> Self {
        Failure::integrity(error, "get the torrent.json again from where it was made")
    }
}

impl From<&StoreError> for Failure {
    fn from(error: &StoreError) -> Self {
        let next = match error {
            // In our own words: the error's advise the same as the next step.
            StoreError::InTheWay { path, why } => {
                return Failure::in_the_way(
                    format!("'{}' is in the way: {why}", path.display()),
                    "move it away, or choose another folder; it was not touched",
                );
            }
            StoreError::NoSpace { .. } => "make room and run the same command again: what arrived is kept",
            StoreError::Busy { .. } => "end the other process, or choose another folder",
            StoreError::Gone { .. } => {
                "check the path; if it was moved, put it back or start the download again"
            }
            _ => "check the disk and the folder's permissions, then run the same command again",
        };
        Failure::disk(error, next)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Failure::from(&error)
    }
}

impl From<TorrentifyError> for Failure {
    fn from(error: TorrentifyError) -> Self {
        match &error {
            TorrentifyError::Store(error) => error.into(),
            TorrentifyError::Layout(_) => {
                Failure::usage(error, "choose another --chunk-size, or share less at once")
            }
            _ => Failure::new(
                ExitCode::Failed,
                "content",
                error,
                "correct what the line above names and run it again",
            ),
        }
    }
}

impl From<AddError> for Failure {
    fn from(error: AddError) -> Self {
        match &error {
            AddError::Store(error) => error.into(),
            AddError::Stopping => Failure::interrupted(),
            AddError::Catalog => Failure::usage(error, "name each torrent once"),
        }
    }
}

impl From<DownloadError> for Failure {
    fn from(error: DownloadError) -> Self {
        match error {
            DownloadError::Store(error) => Failure::from(&*error),
            DownloadError::Stopped => Failure::interrupted(),
        }
    }
}
