//! A set of chunks of one torrent: a bitmap that knows how many it holds.

use super::ChunkIndex;

/// A set of chunks of a torrent of [`ChunkSet::len`] chunks.
///
/// Chunk 0 is the most significant bit of the first word, as on the wire, so that the two forms differ only in
/// padding. Bits past the end are always 0; counting is free.
#[derive(Clone, PartialEq, Eq)]
pub struct ChunkSet {
    words: Vec<u64>,
    len: u32,
    count: u32,
}

/// A byte string that is not the bitmap of a torrent of so many chunks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadBitmap {
    /// The number of bytes does not fit the number of chunks.
    #[error("a bitmap of {chunks} chunks has {expected} bytes, not {got}")]
    Length {
        /// Chunks in the torrent.
        chunks: u32,
        /// Bytes its bitmap has.
        expected: usize,
        /// Bytes that came.
        got: usize,
    },
    /// A bit past the last chunk is set.
    #[error("a bitmap of {chunks} chunks has a padding bit set")]
    Padding {
        /// Chunks in the torrent.
        chunks: u32,
    },
}

impl ChunkSet {
    /// No chunk of `len`.
    pub fn empty(len: u32) -> Self {
        ChunkSet { words: vec![0; (len as usize).div_ceil(64)], len, count: 0 }
    }

    /// Every chunk of `len`.
    pub fn full(len: u32) -> Self {
        let mut words = vec![u64::MAX; (len as usize).div_ceil(64)];
        if let (Some(last), rest @ 1..) = (words.last_mut(), len % 64) {
            *last = u64::MAX << (64 - rest);
        }
        ChunkSet { words, len, count: len }
    }

    /// How many chunks the torrent has.
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// How many chunks are in the set.
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// No chunk is in the set.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Every chunk is in the set.
    pub const fn is_full(&self) -> bool {
        self.count == self.len
    }

    /// Whether `chunk` is in the set; an index past the end is not.
    pub fn contains(&self, chunk: ChunkIndex) -> bool {
        self.words.get(chunk.slot() / 64).is_some_and(|word| word & Self::bit(chunk) != 0)
    }

    /// Adds `chunk`; true when it was not there.
    ///
    /// # Panics
    /// When `chunk` is not one of the torrent's: indexes from outside are checked where they come in.
    pub fn insert(&mut self, chunk: ChunkIndex) -> bool {
        assert!(chunk.get() < self.len, "chunk {} of {}", chunk.get(), self.len);
        let word = &mut self.words[chunk.slot() / 64];
        let new = *word & Self::bit(chunk) == 0;
        *word |= Self::bit(chunk);
        self.count += u32::from(new);
        new
    }

    /// Adds every chunk of `other` (of the same torrent): one step a word.
    ///
    /// # Panics
    /// When the sets are of torrents with different numbers of chunks.
    pub fn insert_all(&mut self, other: &ChunkSet) {
        assert_eq!(self.len, other.len, "sets of different torrents");
        for (mine, theirs) in self.words.iter_mut().zip(&other.words) {
            self.count += (theirs & !*mine).count_ones();
            *mine |= theirs;
        }
    }

    /// Takes `chunk` out; true when it was there.
    pub fn remove(&mut self, chunk: ChunkIndex) -> bool {
        let there = self.contains(chunk);
        if there {
            self.words[chunk.slot() / 64] &= !Self::bit(chunk);
            self.count -= 1;
        }
        there
    }

    /// The chunks in the set, lowest first.
    pub fn iter(&self) -> impl Iterator<Item = ChunkIndex> + '_ {
        self.words.iter().enumerate().flat_map(|(at, &word)| Bits { word, base: at * 64 })
    }

    /// The chunks in this set and not in `other` (of the same torrent), lowest first.
    ///
    /// # Panics
    /// When the sets are of torrents with different numbers of chunks.
    pub fn difference<'a>(&'a self, other: &'a ChunkSet) -> impl Iterator<Item = ChunkIndex> + 'a {
        assert_eq!(self.len, other.len, "sets of different torrents");
        let words = self.words.iter().zip(&other.words).map(|(mine, theirs)| mine & !theirs);
        words.enumerate().flat_map(|(at, word)| Bits { word, base: at * 64 })
    }

    /// The chunks in both sets (of the same torrent), lowest first. One step a word: cheap where they share little.
    ///
    /// # Panics
    /// When the sets are of torrents with different numbers of chunks.
    pub fn intersection<'a>(&'a self, other: &'a ChunkSet) -> impl Iterator<Item = ChunkIndex> + 'a {
        assert_eq!(self.len, other.len, "sets of different torrents");
        let words = self.words.iter().zip(&other.words).map(|(mine, theirs)| mine & theirs);
        words.enumerate().flat_map(|(at, word)| Bits { word, base: at * 64 })
    }

    /// The complement: every chunk that is not in the set.
    #[must_use]
    pub fn inverted(&self) -> ChunkSet {
        let mut set = ChunkSet::full(self.len);
        for (mine, theirs) in set.words.iter_mut().zip(&self.words) {
            *mine &= !theirs;
        }
        set.count = self.len - self.count;
        set
    }

    /// The set as runs of consecutive chunks `(first, last)`, both inside, lowest first.
    pub fn runs(&self) -> Vec<(ChunkIndex, ChunkIndex)> {
        let mut runs: Vec<(ChunkIndex, ChunkIndex)> = Vec::new();
        for chunk in self.iter() {
            match runs.last_mut() {
                Some((_, last)) if last.get() + 1 == chunk.get() => *last = chunk,
                _ => runs.push((chunk, chunk)),
            }
        }
        runs
    }

    /// Bytes of the wire form of a set of `len` chunks.
    pub const fn wire_length(len: u32) -> usize {
        (len as usize).div_ceil(8)
    }

    /// The wire form: chunk 0 is the most significant bit of byte 0, padding 0.
    pub fn to_wire(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.words.len() * size_of::<u64>());
        self.write_wire(&mut bytes);
        bytes
    }

    /// The same, for whoever has a buffer already: it holds nothing else afterwards.
    pub fn write_wire(&self, into: &mut Vec<u8>) {
        into.clear();
        for word in &self.words {
            into.extend_from_slice(&word.to_be_bytes());
        }
        into.truncate(Self::wire_length(self.len));
    }

    /// Reads the wire form of a set of `len` chunks.
    pub fn from_wire(len: u32, bytes: &[u8]) -> Result<Self, BadBitmap> {
        let expected = Self::wire_length(len);
        if bytes.len() != expected {
            return Err(BadBitmap::Length { chunks: len, expected, got: bytes.len() });
        }
        let words: Vec<u64> = bytes
            .chunks(8)
            .map(|eight| {
                let mut word = [0; 8];
                word[..eight.len()].copy_from_slice(eight);
                u64::from_be_bytes(word)
            })
            .collect();
        if let (Some(last), rest @ 1..) = (words.last(), len % 64)
            && last & (u64::MAX >> rest) != 0
        {
            return Err(BadBitmap::Padding { chunks: len });
        }
        let count = words.iter().map(|word| word.count_ones()).sum();
        Ok(ChunkSet { words, len, count })
    }

    const fn bit(chunk: ChunkIndex) -> u64 {
        1 << (63 - chunk.get() % 64)
    }
}

impl std::fmt::Debug for ChunkSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let runs = self.runs();
        write!(
            f,
            "{}/{} {:?}",
            self.count,
            self.len,
            runs.iter().map(|(a, b)| (a.get(), b.get())).collect::<Vec<_>>()
        )
    }
}

/// The set bits of one word, most significant first.
struct Bits {
    word: u64,
    base: usize,
}

impl Iterator for Bits {
    type Item = ChunkIndex;

    fn next(&mut self) -> Option<ChunkIndex> {
        if self.word == 0 {
            return None;
        }
        let zeros = self.word.leading_zeros();
        self.word &= !(1 << (63 - zeros));
        // `base` is below 2^32 because the set's length is a u32.
        #[expect(clippy::cast_possible_truncation, reason = "below 2^32: the set's length is a u32")]
        Some(ChunkIndex::new(self.base as u32 + zeros))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn chunk_0_is_the_most_significant_bit_of_byte_0() {
        let mut set = ChunkSet::empty(10);
        set.insert(ChunkIndex::new(0));
        set.insert(ChunkIndex::new(9));
        assert_eq!(set.to_wire(), [0b1000_0000, 0b0100_0000]);
        assert_eq!(ChunkSet::full(10).to_wire(), [0xff, 0b1100_0000]);
    }

    #[test]
    fn a_bitmap_of_the_wrong_length_or_with_padding_is_refused() {
        assert!(matches!(
            ChunkSet::from_wire(10, &[0xff]),
            Err(BadBitmap::Length { expected: 2, got: 1, .. })
        ));
        assert_eq!(ChunkSet::from_wire(10, &[0, 0b0010_0000]), Err(BadBitmap::Padding { chunks: 10 }));
        assert_eq!(ChunkSet::from_wire(0, &[]), Ok(ChunkSet::empty(0)));
    }

    proptest! {
        #[test]
        fn a_set_behaves_as_a_set_and_survives_the_wire(
            len in 1u32..300,
            steps in proptest::collection::vec((0u32..300, any::<bool>()), 0..200),
        ) {
            let (mut set, mut model) = (ChunkSet::empty(len), BTreeSet::new());
            for (at, add) in steps.into_iter().filter(|(at, _)| *at < len) {
                let chunk = ChunkIndex::new(at);
                if add {
                    prop_assert_eq!(set.insert(chunk), model.insert(chunk));
                } else {
                    prop_assert_eq!(set.remove(chunk), model.remove(&chunk));
                }
            }
            prop_assert_eq!(set.count() as usize, model.len());
            prop_assert_eq!(set.iter().collect::<BTreeSet<_>>(), model.clone());
            prop_assert_eq!(&ChunkSet::from_wire(len, &set.to_wire()).unwrap(), &set);
            let missing = set.inverted();
            prop_assert_eq!(missing.count() + set.count(), len);
            prop_assert_eq!(missing.difference(&set).count(), missing.count() as usize);
            prop_assert_eq!(missing.intersection(&set).count(), 0);
            prop_assert_eq!(set.intersection(&ChunkSet::full(len)).count(), set.count() as usize);
            let mut both = set.clone();
            both.insert_all(&missing);
            both.insert_all(&set);
            prop_assert_eq!(both, ChunkSet::full(len));
            let from_runs: u32 = set.runs().iter().map(|(first, last)| last.get() - first.get() + 1).sum();
            prop_assert_eq!(from_runs, set.count());
        }
    }
}
