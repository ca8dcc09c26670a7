//! What the tasks round a download tell its driver.

use protocol::{BaseUrl, ChunkIndex, ChunkSet, PeerId, VerifiedChunk};
use store::StoreError;
use swarm::{Failure, FetchId, Gained, PeerKey};

/// A fact, from whichever task learned it.
pub(crate) enum Fact {
    /// A tracker or neighbour named peers.
    Sighted(Vec<Sighting>),
    /// Somebody asked here what there is, and said where it can be reached itself.
    Visited(Sighting),
    /// A neighbour says what to ask it for next.
    Suggested { peer: PeerKey, chunk: ChunkIndex },
    /// A neighbour answered.
    Met { peer: PeerKey },
    /// A neighbour holds more.
    Gained { peer: PeerKey, chunks: Gained },
    /// A neighbour does not answer any more, or talks nonsense.
    Lost { peer: PeerKey },
    /// Part of a body came.
    Bytes { fetch: FetchId, bytes: u32 },
    /// A body is whole and about to be verified.
    Arrived { fetch: FetchId },
    /// A chunk is verified, written and served from now on; `bytes` counts its twins.
    Stored { fetch: FetchId, chunk: ChunkIndex, bytes: u64, source: Source },
    /// The disk did not take a chunk.
    StoreFailed { fetch: FetchId, chunk: VerifiedChunk, source: Source, error: StoreError },
    /// A fetch came to nothing.
    Failed { fetch: FetchId, failure: Failure },
}

/// A peer that somebody named.
pub(crate) struct Sighting {
    pub(crate) url: BaseUrl,
    /// Its process, when it speaks natively.
    pub(crate) peer: Option<PeerId>,
    /// What it held, as far as the one who named it knows.
    pub(crate) held: Option<ChunkSet>,
}

/// How a peer became known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Somebody named it.
    Named,
    /// It asked here what there is.
    Came,
}

/// What kind of peer bytes came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Seed,
    Peer,
    Cache,
}
