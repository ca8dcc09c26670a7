//! Paths and bodies, used by servers and clients alike, so that the two cannot drift.
//!
//! `docs/protocol.md` is the same in prose.

pub mod metrics;
pub mod peer;
pub mod problem;
pub mod tracker;
pub mod well_known;

/// Request header between peers: who asks (a [`crate::PeerId`]).
pub const HT_PEER: &str = "ht-peer";
/// Response header: how many requests wait at the uploader.
pub const HT_QUEUE: &str = "ht-queue";
/// Response header of a 429: in so many milliseconds there may be room again. `Retry-After` knows whole seconds only, in which a
/// fast peer could have had a hundred chunks.
pub const HT_RETRY: &str = "ht-retry";
/// Response header of a 429: only this chunk is refused, because it was just sent to somebody else; in so many
/// milliseconds it may be asked for here again.
pub const HT_ELSEWHERE: &str = "ht-elsewhere";
/// Response header of a seed's answer to a request for a chunk, also of a 429: the index of a chunk of the same torrent that
/// it never sent to anybody, and suggests to ask for next.
pub const HT_NEXT: &str = "ht-next";
/// Response header of a bitmap: the sequence number of its last gain.
pub const HT_HAVE_SEQ: &str = "ht-have-seq";
/// Request header for a chunk, to a peer that holds everything: how many other neighbours of the asker hold the chunk.
pub const HT_OTHERS: &str = "ht-others";
/// Request header beside [`HT_OTHERS`]: bytes per second that the asker gains now, from all its neighbours together. Absent before it was
/// measured.
pub const HT_RATE: &str = "ht-rate";
/// Request header between peers: the asker's own base URL, so that it can be told to others.
pub const HT_URL: &str = "ht-url";
