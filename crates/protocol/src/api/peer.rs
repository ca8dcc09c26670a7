//! A peer's routes: chunks one by one or several in frames, what it has, whom it knows, files, and the described
//! `POST /chunk` and `GET /ping`.

use serde::{Deserialize, Serialize};

use crate::{ChunkIndex, ChunkSet, Hash, TorrentId};

/// Described: `POST` a list of hashes, get their contents in base64. Native, by `Accept`: get frames.
pub const CHUNK: &str = "/chunk";
/// Described: health check.
pub const PING: &str = "/ping";
/// Its answer.
pub const PONG: &str = "pong";
/// The media type of several chunks in one answer; see [`FrameHeader`].
pub const CHUNKS_MEDIA_TYPE: &str = "application/vnd.http-torrent.chunks";
/// Most chunks asked for in one request.
pub const MAX_CHUNKS_PER_REQUEST: usize = 1024;
/// Largest body of a request for chunks: the longest hashes allowed, quoted, with room for white space.
pub const MAX_CHUNK_REQUEST: usize = 256 << 10;
/// Longest wait that a long poll may ask for, in seconds.
pub const MAX_WAIT_S: u64 = 30;
/// Most runs in one answer of a long poll; past it the answer is 410, and the bitmap says it better.
pub const MAX_RUNS: usize = 16_384;

/// `/chunk/{hash}`: the bytes of one chunk.
pub fn chunk_path(hash: &Hash) -> String {
    format!("/chunk/{hash}")
}

/// `/torrent/{id}/have`: the bitmap, or with `?since=n&wait=s` what came since.
pub fn have_path(id: TorrentId) -> String {
    format!("/torrent/{id}/have")
}

/// The same for what came since: `id` is a [`TorrentId`], or the [`crate::ShortId`] of one.
pub fn news_path(id: impl std::fmt::Display, since: u64, wait_s: u64) -> String {
    format!("/torrent/{id}/have?since={since}&wait={wait_s}")
}

/// `/file/{id}`: the file itself, or a folder's list.
pub fn file_path(id: TorrentId) -> String {
    format!("/file/{id}")
}

/// One element of the described answer to `POST /chunk`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkContent {
    /// As it was asked for.
    pub hash: String,
    /// The bytes in base64 (RFC 4648 §4).
    pub content: String,
}

/// The query of `have`: without `since` the bitmap is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HaveQuery {
    /// The sequence number up to which the asker knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// Seconds to wait for news; capped at [`MAX_WAIT_S`].
    #[serde(default)]
    pub wait: u64,
}

/// What a peer gained since a sequence number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gains {
    /// Sequence number up to which this tells; ask from here next.
    pub seq: u64,
    /// Runs of chunks, first and last, both inside.
    pub gained: Vec<(u32, u32)>,
}

impl Gains {
    /// The runs as chunk indexes of a torrent of `chunks`; `None` when they are more than [`MAX_RUNS`], or one is upside
    /// down, past the end, or not past the one before: no chunk is gone through twice (threat A9).
    pub fn checked_runs(&self, chunks: u32) -> Option<Vec<(ChunkIndex, ChunkIndex)>> {
        let mut next = 0;
        let run = |&(first, last): &(u32, u32)| {
            let right = next <= first && first <= last && last < chunks;
            next = last.saturating_add(1);
            right.then(|| (ChunkIndex::new(first), ChunkIndex::new(last)))
        };
        if self.gained.len() > MAX_RUNS { None } else { self.gained.iter().map(run).collect() }
    }

    /// The gains in `set`, as runs; `None` when there are more than [`MAX_RUNS`].
    pub fn of(seq: u64, set: &ChunkSet) -> Option<Self> {
        let runs = set.runs();
        let gained = runs.iter().map(|(first, last)| (first.get(), last.get()));
        (runs.len() <= MAX_RUNS).then(|| Gains { seq, gained: gained.collect() })
    }
}

/// What stands before each chunk in an answer of type [`CHUNKS_MEDIA_TYPE`]: two big-endian u32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Which hash of the request this is, from 0.
    pub position: u32,
    /// Bytes that follow.
    pub length: u32,
}

impl FrameHeader {
    /// Bytes of the header itself.
    pub const LENGTH: usize = 8;

    /// The wire form.
    pub fn to_bytes(self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        bytes[..4].copy_from_slice(&self.position.to_be_bytes());
        bytes[4..].copy_from_slice(&self.length.to_be_bytes());
        bytes
    }

    /// Reads the wire form.
    pub const fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        let [p0, p1, p2, p3, l0, l1, l2, l3] = bytes;
        FrameHeader {
            position: u32::from_be_bytes([p0, p1, p2, p3]),
            length: u32::from_be_bytes([l0, l1, l2, l3]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_header_is_two_big_endian_numbers() {
        let header = FrameHeader { position: 1, length: 0x0102_0304 };
        assert_eq!(header.to_bytes(), [0, 0, 0, 1, 1, 2, 3, 4]);
        assert_eq!(FrameHeader::from_bytes(header.to_bytes()), header);
    }

    #[test]
    fn a09_gains_that_name_a_chunk_twice_or_too_many_runs_are_refused() {
        let runs = |gained: Vec<(u32, u32)>| Gains { seq: 1, gained }.checked_runs(1 << 20);
        assert!(runs(vec![(0, 4), (5, 5), (9, 20)]).is_some());
        assert!(runs(vec![(0, 4), (4, 5)]).is_none() && runs(vec![(5, 6), (0, 4)]).is_none());
        let apart = |count: usize| (0..).step_by(2).map(|chunk| (chunk, chunk)).take(count).collect();
        assert!(runs(apart(MAX_RUNS)).is_some() && runs(apart(MAX_RUNS + 1)).is_none());
    }

    #[test]
    fn gains_past_the_end_or_upside_down_are_refused() {
        let gains = |first, last| Gains { seq: 1, gained: vec![(first, last)] };
        assert!(gains(0, 9).checked_runs(10).is_some());
        assert!(gains(0, 10).checked_runs(10).is_none() && gains(5, 4).checked_runs(10).is_none());
    }
}
