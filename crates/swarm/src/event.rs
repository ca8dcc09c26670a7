//! What the shell tells a [`Download`](crate::Download): facts about the world, never decisions.

use std::time::Duration;

use protocol::{ChunkIndex, ChunkSet};

use crate::{FetchId, PeerKey};

/// A fact about the world.
///
/// An event about a neighbour or a fetch that the brain has forgotten (dropped, cancelled, lost) changes nothing:
/// the shell need not order its reports against the brain's own decisions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A neighbour is reachable. It holds nothing until it gained something. Past
    /// [`Config::neighbours_most`](crate::Config::neighbours_most) it is not taken in.
    PeerFound {
        /// The number the shell chose for it.
        peer: PeerKey,
    },
    /// A neighbour is gone. Its fetches are forgotten and their chunks asked for elsewhere, whether or not the shell
    /// also reports each as failed.
    PeerLost {
        /// Which.
        peer: PeerKey,
    },
    /// A neighbour holds more chunks than it did.
    PeerGained {
        /// Which.
        peer: PeerKey,
        /// What it gained.
        chunks: Gained,
    },
    /// Part of a body came. Only for measuring: may be batched, or left out where bodies come in one blow.
    BytesArrived {
        /// For which fetch.
        fetch: FetchId,
        /// How many bytes since the last report.
        bytes: u32,
    },
    /// A body is whole, and about to be verified and stored: the neighbour's place is free again.
    /// [`Event::ChunkStored`], [`Event::StoreFailed`] or [`Event::FetchFailed`] follows.
    Arrived {
        /// Which.
        fetch: FetchId,
    },
    /// A chunk is verified and stored, wherever it came from (also a local copy that was never fetched).
    ChunkStored {
        /// Which.
        chunk: ChunkIndex,
        /// How many bytes: only for measuring.
        bytes: u64,
    },
    /// A chunk could not be written: it is missing again, and no neighbour is to blame.
    StoreFailed {
        /// Which.
        chunk: ChunkIndex,
    },
    /// The disk takes nothing for now: no fetch starts before [`Event::DiskWorks`]. What flies may land.
    DiskFails,
    /// The disk takes chunks again.
    DiskWorks,
    /// A fetch came to nothing.
    FetchFailed {
        /// Which.
        fetch: FetchId,
        /// Why, which decides what becomes of the neighbour.
        failure: Failure,
    },
    /// A neighbour says what to ask it for next: it has that chunk, and nobody else has.
    Suggested {
        /// Which neighbour.
        peer: PeerKey,
        /// For what.
        chunk: ChunkIndex,
    },
    /// Somebody reads the file here while it downloads: these chunks first, in order. The newest wish wins.
    RangeWanted {
        /// The first chunk of the range.
        first: ChunkIndex,
        /// Its last chunk.
        last: ChunkIndex,
    },
    /// The time of [`Download::wake_at`](crate::Download::wake_at) has come.
    Woke,
}

/// Chunks that a neighbour holds in addition to those known of it. Indexes past the torrent's end are ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gained {
    /// Every chunk of the torrent.
    All,
    /// These. A set of another torrent's length is ignored.
    Set(ChunkSet),
    /// Runs of chunks `(first, last)`, both inside, as in a `have` answer.
    Runs(Vec<(ChunkIndex, ChunkIndex)>),
}

/// Why a fetch came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The neighbour does not hold that chunk (404): it is not asked for it again unless it gains it.
    Missing,
    /// The neighbour has too much to do (429, 503).
    Busy {
        /// How long it wants to be left alone.
        retry_after: Duration,
    },
    /// The neighbour just sent that chunk to somebody else, and has new ones to send: it is left to others for a while.
    Elsewhere {
        /// When it may be asked for that chunk again.
        retry_after: Duration,
    },
    /// Connection, HTTP or time-out trouble.
    Transport,
    /// The body failed its hash.
    WrongBytes,
}
