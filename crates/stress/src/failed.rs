//! Why a scenario could not be set up.

use std::io;

/// Why a scenario could not be set up or looked at.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// The disk, or the system would not start a process.
    #[error("cannot {what}: {source}")]
    System {
        /// Do what.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
    /// A process that everything depends on is not there.
    #[error("{name} did not start: {why}; its log is {log}")]
    NotUp {
        /// Which.
        name: String,
        /// How that showed.
        why: String,
        /// Where its log is.
        log: String,
    },
    /// The torrent.json that was made cannot be read.
    #[error("the torrent.json that torrentify wrote cannot be read: {0}")]
    Description(#[from] protocol::torrent::ParseError),
}

/// For `map_err`.
pub(crate) fn cannot(what: &'static str) -> impl FnOnce(io::Error) -> Failed {
    move |source| Failed::System { what, source }
}
