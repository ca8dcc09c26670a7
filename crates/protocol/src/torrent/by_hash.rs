//! From a hash to its chunks.
//!
//! Hashes are uniform, so their first bits say where among all of them one stands: a look is one step into a table and a few comparisons.
//! A binary search through fifty thousand hashes, each in a cache line of its own, took a tenth of what a download of as many small files costs.

use super::ChunkHashes;
use crate::{ChunkIndex, ChunkSet};

/// Chunks to a bucket, as far as a power of two allows: a byte a chunk, and few comparisons.
const BUCKET: u32 = 4;

/// The chunks of a torrent in the order of their hashes, equals in file order: about five bytes a chunk.
#[derive(Clone, Debug)]
pub(super) struct ByHash {
    order: Vec<ChunkIndex>,
    /// Where in `order` each bucket begins, and at the end where the last one ends.
    starts: Vec<u32>,
    /// A bucket has the hashes that begin with the same so many bits.
    bits: u32,
    /// Chunks whose hash another has, too.
    repeated: ChunkSet,
}

impl ByHash {
    pub(super) fn new(hashes: &ChunkHashes) -> Self {
        let bits = (hashes.len() / BUCKET).checked_ilog2().unwrap_or(0);
        let chunks = || (0..hashes.len()).map(ChunkIndex::new);
        let bucket = |chunk| bucket_of(hashes.raw(chunk), bits);
        let mut starts = vec![0; (1 << bits) + 1];
        for chunk in chunks() {
            starts[bucket(chunk) + 1] += 1;
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let mut order = vec![ChunkIndex::new(0); hashes.len() as usize];
        let mut next = starts.clone();
        for chunk in chunks() {
            let place = &mut next[bucket(chunk)];
            order[*place as usize] = chunk;
            *place += 1;
        }
        for ends in starts.windows(2) {
            // Stable: a bucket is in file order by now.
            order[ends[0] as usize..ends[1] as usize].sort_by_key(|chunk| hashes.raw(*chunk));
        }
        let mut repeated = ChunkSet::empty(hashes.len());
        for pair in order.windows(2).filter(|pair| hashes.raw(pair[0]) == hashes.raw(pair[1])) {
            repeated.insert(pair[0]);
            repeated.insert(pair[1]);
        }
        ByHash { order, starts, bits, repeated }
    }

    /// Whether another chunk has the hash of `chunk`: seen without looking for it, as is asked of every chunk that comes.
    pub(super) fn is_repeated(&self, chunk: ChunkIndex) -> bool {
        self.repeated.contains(chunk)
    }

    /// The chunks with this hash, of the algorithm of the table it was made of.
    pub(super) fn chunks(&self, hashes: &ChunkHashes, hash: &[u8]) -> &[ChunkIndex] {
        let bucket = bucket_of(hash, self.bits);
        let bucket = &self.order[self.starts[bucket] as usize..self.starts[bucket + 1] as usize];
        let first = bucket.partition_point(|chunk| hashes.raw(*chunk) < hash);
        // A file of zeros has a million equal chunks, and each is looked up: they are not to be counted one by one.
        let found = &bucket[first..];
        &found[..found.partition_point(|chunk| hashes.raw(*chunk) == hash)]
    }
}

/// The first `bits` bits, at most 32, as a number.
fn bucket_of(hash: &[u8], bits: u32) -> usize {
    let first = hash.first_chunk().map_or(0, |first| u32::from_be_bytes(*first));
    first.checked_shr(u32::BITS - bits).unwrap_or(0) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::HashAlgorithm;

    proptest! {
        #[test]
        fn what_is_found_is_what_a_search_through_all_finds(
            contents in prop::collection::vec(0_u8..40, 0..200),
            sha1: bool,
        ) {
            let algorithm = if sha1 { HashAlgorithm::Sha1 } else { HashAlgorithm::Blake3 };
            let mut hashes = ChunkHashes::new(algorithm);
            for content in &contents {
                hashes.push(&algorithm.digest(&[*content])).unwrap();
            }
            let by_hash = ByHash::new(&hashes);
            for wanted in 0..40 {
                let hash = algorithm.digest(&[wanted]);
                let all = (0..).zip(&contents).filter(|(_, content)| **content == wanted);
                let expected: Vec<_> = all.map(|(at, _)| ChunkIndex::new(at)).collect();
                prop_assert_eq!(by_hash.chunks(&hashes, hash.as_bytes()), &expected[..]);
                prop_assert!(expected.iter().all(|chunk| by_hash.is_repeated(*chunk) == (expected.len() > 1)));
            }
        }
    }

    #[test]
    fn buckets_are_small_and_one_hash_has_one() {
        let mut hashes = ChunkHashes::new(HashAlgorithm::Blake3);
        for at in 0_u32..10_000 {
            hashes.push(&HashAlgorithm::Blake3.digest(&at.to_le_bytes())).unwrap();
        }
        let by_hash = ByHash::new(&hashes);
        let largest = by_hash.starts.windows(2).map(|ends| ends[1] - ends[0]).max().unwrap();
        assert!(largest <= 5 * BUCKET, "{largest} in one");
        let mut one = ChunkHashes::new(HashAlgorithm::Blake3);
        one.push(&hashes.get(ChunkIndex::new(7))).unwrap();
        assert_eq!(ByHash::new(&one).starts, [0, 1]);
    }
}
