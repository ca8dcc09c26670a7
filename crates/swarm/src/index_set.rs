//! A set of chunks that finds its next member, or the next one shared with another set, without visiting the rest.
//!
//! [`protocol::ChunkSet`] is what two machines exchange; this one is what the picker searches, several times a
//! fetch: a word of summary covers 64 words, so that a gap of 4,096 chunks costs one step.

/// A set of indexes below a fixed length.
#[derive(Clone, Debug)]
pub(crate) struct IndexSet {
    /// The words of the set, and behind them their summary: bit `n` of that says that word `n` is not 0. In one piece of memory,
    /// since each gain of each neighbour changes both.
    words: Vec<u64>,
    len: u32,
    count: u32,
}

impl IndexSet {
    /// No index below `len`.
    pub(crate) fn empty(len: u32) -> Self {
        let words = words_of(len);
        IndexSet { words: vec![0; words + words.div_ceil(64)], len, count: 0 }
    }

    /// Every index below `len`.
    pub(crate) fn full(len: u32) -> Self {
        let mut set = Self::empty(len);
        for index in 0..len {
            set.insert(index);
        }
        set
    }

    /// The length: every member is below it.
    pub(crate) const fn len(&self) -> u32 {
        self.len
    }

    pub(crate) const fn count(&self) -> u32 {
        self.count
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(crate) fn contains(&self, index: u32) -> bool {
        index < self.len && self.words[index as usize / 64] >> (index % 64) & 1 == 1
    }

    /// Adds `index`, which is below the length; true when it was not there.
    pub(crate) fn insert(&mut self, index: u32) -> bool {
        assert!(index < self.len, "index {index} of a set below {}", self.len);
        let at = index as usize / 64;
        let new = !self.contains(index);
        self.words[at] |= 1 << (index % 64);
        *self.summary_of(at) |= 1 << (at % 64);
        self.count += u32::from(new);
        new
    }

    /// Takes `index` out; true when it was there.
    pub(crate) fn remove(&mut self, index: u32) -> bool {
        let there = self.contains(index);
        if there {
            let at = index as usize / 64;
            self.words[at] &= !(1 << (index % 64));
            if self.words[at] == 0 {
                *self.summary_of(at) &= !(1 << (at % 64));
            }
            self.count -= 1;
        }
        there
    }

    /// The lowest member that is `from` or more.
    pub(crate) fn next(&self, from: u32) -> Option<u32> {
        let (words, summary) = self.parts();
        search(from, words.len(), |at| words[at], |at| summary[at])
    }

    /// The lowest index that is `from` or more and in both sets (of the same length).
    pub(crate) fn next_common(&self, other: &IndexSet, from: u32) -> Option<u32> {
        debug_assert_eq!(self.len, other.len, "sets of different torrents");
        let ((words, summary), (others, other_summary)) = (self.parts(), other.parts());
        search(from, words.len(), |at| words[at] & others[at], |at| summary[at] & other_summary[at])
    }

    /// The words, and their summary.
    fn parts(&self) -> (&[u64], &[u64]) {
        self.words.split_at(words_of(self.len))
    }

    /// The word of the summary that speaks of word `at`.
    fn summary_of(&mut self, at: usize) -> &mut u64 {
        &mut self.words[words_of(self.len) + at / 64]
    }

    /// The members, lowest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        std::iter::successors(self.next(0), |&index| self.next(index + 1))
    }
}

/// Words of a set of this length.
const fn words_of(len: u32) -> usize {
    (len as usize).div_ceil(64)
}

/// The lowest bit at `from` or after in the words given by `word`; a bit of `summary` may be set in vain, never
/// missing.
fn search(
    from: u32,
    words: usize,
    word: impl Fn(usize) -> u64,
    summary: impl Fn(usize) -> u64,
) -> Option<u32> {
    let mut at = from as usize / 64;
    if at >= words {
        return None;
    }
    let mut bits = word(at) & (u64::MAX << (from % 64));
    while bits == 0 {
        at = next_word(at + 1, words, &summary)?;
        bits = word(at);
    }
    #[expect(clippy::cast_possible_truncation, reason = "below 2^32: the set's length is a u32")]
    Some(at as u32 * 64 + bits.trailing_zeros())
}

/// The first word at `from` or after that its summary calls not empty.
fn next_word(from: usize, words: usize, summary: &impl Fn(usize) -> u64) -> Option<usize> {
    if from >= words {
        return None;
    }
    let mut group = from / 64;
    let mut bits = summary(group) & (u64::MAX << (from % 64));
    while bits == 0 {
        group += 1;
        if group * 64 >= words {
            return None;
        }
        bits = summary(group);
    }
    Some(group * 64 + bits.trailing_zeros() as usize)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const LEN: u32 = 20_000;

    fn set_of(members: &BTreeSet<u32>) -> IndexSet {
        let mut set = IndexSet::empty(LEN);
        for &index in members {
            assert!(set.insert(index));
            assert!(!set.insert(index));
        }
        set
    }

    #[test]
    fn a_full_set_ends_where_its_length_says() {
        let set = IndexSet::full(130);
        assert_eq!((set.count(), set.next(129), set.next(130), set.next(5000)), (130, Some(129), None, None));
        assert_eq!(IndexSet::full(0).next(0), None);
    }

    proptest! {
        #[test]
        fn it_finds_what_a_sorted_set_finds(
            ours in proptest::collection::btree_set(0..LEN, 0..60),
            theirs in proptest::collection::btree_set(0..LEN, 0..60),
            shared in proptest::collection::btree_set(0..LEN, 0..8),
            removed in proptest::collection::btree_set(0..LEN, 0..8),
            from in 0..LEN,
        ) {
            let mut ours: BTreeSet<u32> = ours.union(&shared).copied().collect();
            let theirs: BTreeSet<u32> = theirs.union(&shared).copied().collect();
            let (mut a, b) = (set_of(&ours), set_of(&theirs));
            for index in removed.iter().chain(shared.iter().take(1)) {
                prop_assert_eq!(a.remove(*index), ours.remove(index));
            }
            prop_assert_eq!(a.count() as usize, ours.len());
            prop_assert_eq!(a.iter().collect::<BTreeSet<_>>(), ours.clone());
            prop_assert_eq!(a.next(from), ours.range(from..).next().copied());
            prop_assert_eq!(a.next_common(&b, from), ours.intersection(&theirs).find(|&&i| i >= from).copied());
            prop_assert_eq!(b.next_common(&a, 0), ours.intersection(&theirs).next().copied());
        }
    }
}
