//! What is announced: torrents, peers and bitmaps, each a function of its number.

use protocol::torrent::{ChunkHashes, ChunkSize, Layout};
use protocol::{ChunkIndex, ChunkSet, FilePath, Hash, HashAlgorithm, PeerId, Torrent};

use crate::Failed;

/// Of the torrents' chunks. Nobody ever moves one.
const CHUNK_BYTES: u64 = 1 << 20;
/// One peer in so many has everything: a swarm in the midst of a rollout.
const ONE_SEED_IN: u64 = 20;

/// A number that looks like chance, from a number (`SplitMix64`).
pub(crate) const fn mixed(number: u64) -> u64 {
    let z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The torrent with this number, of so many chunks.
pub(crate) fn torrent(number: u64, chunks: u32) -> Result<Torrent, Failed> {
    let wrong = |error: &dyn std::fmt::Display| Failed::Plan(error.to_string());
    let mut hashes = ChunkHashes::new(HashAlgorithm::Blake3);
    for chunk in 0..chunks {
        hashes.push(&hash(number, chunk)).map_err(|error| wrong(&error))?;
    }
    let name = FilePath::name(&format!("load-{number}")).map_err(|error| wrong(&error))?;
    let size = ChunkSize::new(CHUNK_BYTES).map_err(|error| wrong(&error))?;
    let layout = Layout::file(name, u64::from(chunks) * CHUNK_BYTES, false, size);
    let combined = hashes.combined();
    Torrent::new(layout.map_err(|error| wrong(&error))?, hashes, combined, None)
        .map_err(|error| wrong(&error))
}

/// The hash of a chunk of the torrent with this number.
pub(crate) fn hash(torrent: u64, chunk: u32) -> Hash {
    HashAlgorithm::Blake3.digest(format!("torrent {torrent}, chunk {chunk}").as_bytes())
}

/// The peer with this number.
pub(crate) fn peer(number: u64) -> PeerId {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&mixed(number).to_be_bytes());
    bytes[8..].copy_from_slice(&mixed(!number).to_be_bytes());
    PeerId::from_bytes(bytes)
}

/// What that peer has: everything, or a part of no order, as large as you like.
pub(crate) fn holding(number: u64, chunks: u32) -> ChunkSet {
    let chance = mixed(number ^ 0x6861_7665);
    if chance.is_multiple_of(ONE_SEED_IN) {
        return ChunkSet::full(chunks);
    }
    let (mut set, part) = (ChunkSet::empty(chunks), chance % 256);
    for chunk in (0..chunks).filter(|chunk| mixed(number ^ (u64::from(*chunk) << 40)) % 256 < part) {
        set.insert(ChunkIndex::new(chunk));
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_a_function_of_its_number() {
        assert_eq!(torrent(1, 256).unwrap().id(), torrent(1, 256).unwrap().id());
        assert_ne!(torrent(1, 256).unwrap().id(), torrent(2, 256).unwrap().id());
        assert_ne!(peer(1), peer(2));
        assert_eq!(holding(7, 256), holding(7, 256));
        let seeds = (0..10_000).filter(|number| holding(*number, 256).is_full()).count();
        assert!((400..600).contains(&seeds), "about one in twenty: {seeds}");
    }
}
