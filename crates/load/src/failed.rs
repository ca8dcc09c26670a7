//! Why a measurement came to nothing.

use std::io;
use std::time::Duration;

/// A measurement that was given up.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// The connection broke, or was never there.
    #[error("{what}: {error}")]
    Connection {
        /// What was done.
        what: &'static str,
        /// What the system said.
        error: io::Error,
    },
    /// The answer is not one that this code reads.
    #[error("the tracker's answer is no HTTP/1.x answer with a length or an end")]
    NotHttp,
    /// What has to be there before the clock runs was refused.
    #[error("the tracker refused {what} with status {status}: {said}")]
    Refused {
        /// What was asked.
        what: &'static str,
        /// The answer's status.
        status: u16,
        /// The answer's first bytes.
        said: String,
    },
    /// An answer without what the next request needs.
    #[error("the answer to an announce has no token of 32 characters and no interval")]
    NoToken,
    /// A plan that makes no torrent.
    #[error("{0}")]
    Plan(String),
    /// It took longer than any right tracker needs.
    #[error("not done within {0:?}")]
    TooSlow(Duration),
    /// A connection's task ended without its result.
    #[error("a connection's task was ended early")]
    Task,
}
