//! How many neighbours hold each chunk, kept so that a gain costs O(1) and the rarest missing chunk is at hand.
//!
//! Missing chunks lie in one array, commonest first and rarest last, cut into a bucket a count. A gain moves a chunk
//! over one boundary with one swap; taking a chunk out shifts one chunk of each *rarer* bucket, and what is taken out
//! is mostly of the rarest (the idea is libtorrent's `piece_picker`). A neighbour that holds everything is one
//! counter, not an increment a chunk.

/// Counts of holders, and the missing chunks in order of rarity.
#[derive(Clone, Debug)]
pub(crate) struct Availability {
    /// Neighbours that hold everything.
    complete: u32,
    /// Missing chunks that no other neighbour holds: `ends` says it too, but is elsewhere in memory, and every event asks for it.
    rarest: u32,
    chunks: Vec<Standing>,
    /// The missing chunks, commonest first.
    order: Vec<u32>,
    /// `order[ends[n + 1]..ends[n]]` are the missing chunks that `n` partial neighbours hold; the last entry is 0.
    ends: Vec<u32>,
}

/// What is known of one chunk, side by side: each gain asks for both.
#[derive(Clone, Copy, Debug)]
struct Standing {
    /// Where it lies in `order`; [`NOWHERE`] unless it is missing.
    position: u32,
    /// Neighbours that hold it and not everything. No meaning once the chunk is stored.
    partial: u16,
}

const NOWHERE: u32 = u32::MAX;

impl Availability {
    /// No chunk of `total` is missing, nobody holds anything.
    pub(crate) fn new(total: u32) -> Self {
        let len = total as usize;
        Availability {
            complete: 0,
            rarest: 0,
            chunks: vec![Standing { position: NOWHERE, partial: 0 }; len],
            order: Vec::new(),
            ends: vec![0, 0],
        }
    }

    pub(crate) const fn complete(&self) -> u32 {
        self.complete
    }

    /// A neighbour that holds everything came.
    pub(crate) fn complete_came(&mut self) {
        self.complete += 1;
    }

    /// A neighbour that held everything is gone.
    pub(crate) fn complete_left(&mut self) {
        self.complete -= 1;
    }

    /// How many neighbours that do not hold everything hold `chunk`.
    pub(crate) fn partial(&self, chunk: u32) -> u16 {
        self.chunks[chunk as usize].partial
    }

    /// How many neighbours hold `chunk`.
    pub(crate) fn holders(&self, chunk: u32) -> u32 {
        self.complete + u32::from(self.partial(chunk))
    }

    /// Missing chunks that no neighbour holds.
    pub(crate) fn held_by_nobody(&self) -> u32 {
        if self.complete == 0 { self.rarest } else { 0 }
    }

    /// The missing chunks that exactly `count` partial neighbours hold; `None` past the last bucket.
    pub(crate) fn bucket(&self, count: usize) -> Option<&[u32]> {
        let (end, start) = (*self.ends.get(count)?, *self.ends.get(count + 1)?);
        Some(&self.order[start as usize..end as usize])
    }

    /// Up to `most` of the commonest missing chunks.
    pub(crate) fn commonest(&self, most: usize) -> &[u32] {
        &self.order[..most.min(self.order.len())]
    }

    /// `chunk` became missing.
    pub(crate) fn enter(&mut self, chunk: u32) {
        debug_assert_eq!(self.chunks[chunk as usize].position, NOWHERE, "chunk {chunk} is missing already");
        let count = self.chunks[chunk as usize].partial as usize;
        self.reach(count);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "at most as many as the torrent has chunks, a u32"
        )]
        let mut hole = self.order.len() as u32;
        self.order.push(chunk);
        for bucket in 0..=count {
            self.ends[bucket] += 1;
            if bucket < count {
                hole = self.shift(self.ends[bucket + 1], hole);
            }
        }
        self.place(chunk, hole);
        self.rarest += u32::from(count == 0);
    }

    /// `chunk` is missing no more.
    pub(crate) fn leave(&mut self, chunk: u32) {
        let mut hole = self.chunks[chunk as usize].position;
        debug_assert_ne!(hole, NOWHERE, "chunk {chunk} is not missing");
        let count = self.chunks[chunk as usize].partial as usize;
        for bucket in (0..=count).rev() {
            self.ends[bucket] -= 1;
            hole = self.shift(self.ends[bucket], hole);
        }
        self.order.pop();
        self.chunks[chunk as usize].position = NOWHERE;
        self.rarest -= u32::from(count == 0);
    }

    /// One more partial neighbour holds `chunk`.
    pub(crate) fn gained(&mut self, chunk: u32) {
        let standing = &mut self.chunks[chunk as usize];
        let count = standing.partial as usize;
        standing.partial += 1;
        if standing.position != NOWHERE {
            self.reach(count + 1);
            self.swap(chunk, self.ends[count + 1]);
            self.ends[count + 1] += 1;
            self.rarest -= u32::from(count == 0);
        }
    }

    /// One partial neighbour less holds `chunk`.
    pub(crate) fn lost(&mut self, chunk: u32) {
        let standing = &mut self.chunks[chunk as usize];
        let count = standing.partial as usize;
        standing.partial -= 1;
        if standing.position != NOWHERE {
            self.ends[count] -= 1;
            self.swap(chunk, self.ends[count]);
            self.rarest += u32::from(count == 1);
        }
    }

    /// Makes sure that bucket `count` exists.
    fn reach(&mut self, count: usize) {
        if self.ends.len() < count + 2 {
            self.ends.resize(count + 2, 0);
        }
    }

    /// Moves what lies at `from` into the hole; `from` is the hole now. Where a bucket is empty, it was already.
    fn shift(&mut self, from: u32, hole: u32) -> u32 {
        if from != hole {
            self.place(self.order[from as usize], hole);
        }
        from
    }

    fn place(&mut self, chunk: u32, at: u32) {
        self.order[at as usize] = chunk;
        self.chunks[chunk as usize].position = at;
    }

    fn swap(&mut self, chunk: u32, with: u32) {
        let (from, other) = (self.chunks[chunk as usize].position, self.order[with as usize]);
        self.place(other, from);
        self.place(chunk, with);
    }

    /// Asserts that the order is what the counts say; looks at everything, for tests and simulations.
    pub(crate) fn check_invariants(&self, missing: &crate::index_set::IndexSet) {
        assert_eq!(self.order.len(), missing.count() as usize, "ordered chunks against missing ones");
        assert_eq!(self.ends[0] as usize, self.order.len(), "the rarest bucket ends the order");
        assert_eq!(self.rarest, self.ends[0] - self.ends[1], "the rarest, counted");
        assert_eq!(self.ends.last(), Some(&0), "the commonest bucket begins the order");
        for count in 0..self.ends.len() - 1 {
            for &chunk in self.bucket(count).unwrap_or_default() {
                assert_eq!(usize::from(self.partial(chunk)), count, "bucket of chunk {chunk}");
                assert_eq!(
                    self.order[self.chunks[chunk as usize].position as usize], chunk,
                    "position of chunk {chunk}"
                );
                assert!(missing.contains(chunk), "chunk {chunk} is ordered but not missing");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::index_set::IndexSet;

    #[test]
    fn the_rarest_missing_chunk_is_in_the_first_bucket_that_is_not_empty() {
        let mut held = Availability::new(3);
        (0..3).for_each(|chunk| held.enter(chunk));
        assert_eq!(held.held_by_nobody(), 3);
        for chunk in [0, 0, 1, 2, 2] {
            held.gained(chunk);
        }
        assert_eq!((held.bucket(0), held.bucket(1)), (Some(&[][..]), Some(&[1][..])));
        held.leave(1);
        held.lost(0);
        assert_eq!((held.bucket(1), held.bucket(2), held.bucket(3)), (Some(&[0][..]), Some(&[2][..]), None));
        held.complete_came();
        assert_eq!((held.holders(0), held.held_by_nobody()), (2, 0));
    }

    proptest! {
        #[test]
        fn the_order_follows_the_counts_whatever_happens(
            steps in proptest::collection::vec((0u32..12, 0u8..4), 0..300),
        ) {
            let (mut held, mut missing) = (Availability::new(12), IndexSet::empty(12));
            let mut counts = [0u16; 12];
            for (chunk, step) in steps {
                match step {
                    0 if missing.insert(chunk) => held.enter(chunk),
                    1 if missing.remove(chunk) => held.leave(chunk),
                    2 => { held.gained(chunk); counts[chunk as usize] += 1; }
                    3 if counts[chunk as usize] > 0 => { held.lost(chunk); counts[chunk as usize] -= 1; }
                    _ => {}
                }
                held.check_invariants(&missing);
                prop_assert_eq!(held.partial(chunk), counts[chunk as usize]);
            }
            let nobody = missing.iter().filter(|&chunk| counts[chunk as usize] == 0).count();
            prop_assert_eq!(held.held_by_nobody() as usize, nobody);
        }
    }
}
