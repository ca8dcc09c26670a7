//! What a [`Download`](crate::Download) tells its shell to do. The shell obeys and decides nothing.

use protocol::ChunkIndex;

use crate::{FetchId, PeerKey};

/// A decision of the brain, to be carried out in the order given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Look for more neighbours (tracker, DHT, the neighbours themselves). Paced by the brain.
    FindPeers,
    /// Ask `peer` for `chunk`.
    Fetch {
        /// The number under which events speak of this request.
        fetch: FetchId,
        /// Whom to ask.
        peer: PeerKey,
        /// For what.
        chunk: ChunkIndex,
    },
    /// Give up a fetch: the brain has forgotten it, and nothing need be reported about it.
    Cancel {
        /// Which.
        fetch: FetchId,
    },
    /// Tell the tracker what is held: it matters now (the first chunk, or the last).
    Announce,
    /// Tell neighbours at once what was gained, instead of gathering more first: hardly any of them holds it.
    Tell,
    /// Have nothing more to do with `peer` in this download; its fetches have been cancelled. It may already be lost:
    /// the decision is about the address behind the key.
    Drop {
        /// Whom.
        peer: PeerKey,
        /// Why.
        reason: DropReason,
    },
    /// Every wanted chunk is stored. Said once; no action follows it.
    Finish,
}

/// Why a neighbour is dropped for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// It sent bytes that failed their hash.
    WrongBytes,
    /// Its fetches failed too often in a row without one success.
    Failing,
}
