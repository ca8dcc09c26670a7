//! What next: the chunk to ask a given neighbour for.
//!
//! First what a reader waits for, then the rarest (or the first, in sequential order). The work of one choice is
//! bounded: some chunks of the rarity order are looked at, and where the neighbour holds none of them, a sample of
//! what it does hold, found by intersecting two bitmaps.

use std::collections::VecDeque;

use protocol::{ChunkIndex, Time};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::availability::Availability;
use crate::config::Order;
use crate::index_set::IndexSet;

/// What a neighbour holds.
#[derive(Clone, Debug)]
pub(crate) enum Holding {
    /// Every chunk.
    All,
    /// These, as far as they were not stored here when it gained them.
    Some(IndexSet),
}

impl Holding {
    pub(crate) fn holds(&self, chunk: u32) -> bool {
        match self {
            Holding::All => true,
            Holding::Some(set) => set.contains(chunk),
        }
    }
}

/// What a neighbour may be asked for: what it holds, and is not to be left to others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offer<'a> {
    pub(crate) holding: &'a Holding,
    pub(crate) avoided: &'a [(u32, Time)],
}

impl Offer<'_> {
    pub(crate) fn holds(&self, chunk: u32) -> bool {
        self.holding.holds(chunk) && !self.avoids(chunk)
    }

    fn avoids(&self, chunk: u32) -> bool {
        self.avoided.iter().any(|&(other, _)| other == chunk)
    }

    /// The lowest chunk of `set` from `from` on that it offers.
    fn next_in(&self, set: &IndexSet, from: u32) -> Option<u32> {
        let next = |from| match self.holding {
            Holding::All => set.next(from),
            Holding::Some(held) => held.next_common(set, from),
        };
        std::iter::successors(next(from), |&chunk| next(chunk + 1)).find(|&chunk| !self.avoids(chunk))
    }
}

/// Chooses chunks.
#[derive(Clone, Debug)]
pub(crate) struct Picker {
    order: Order,
    /// Ranges that readers wait for, the newest first.
    wishes: VecDeque<(u32, u32)>,
    wishes_most: usize,
    rng: SmallRng,
}

impl Picker {
    /// How far the rarity order is walked for a chunk that the neighbour holds.
    const WALK: usize = 32;
    /// How many of its chunks are compared otherwise.
    const SAMPLE: usize = 64;
    /// How many choices are weighed for a neighbour that should leave some to faster ones.
    const CHOICES: usize = 4;

    pub(crate) fn new(order: Order, wishes_most: usize, seed: u64) -> Self {
        Picker { order, wishes: VecDeque::new(), wishes_most, rng: SmallRng::seed_from_u64(seed) }
    }

    /// Somebody waits for the chunks `first..=last`.
    pub(crate) fn wish(&mut self, first: ChunkIndex, last: ChunkIndex) {
        let wish = (first.get(), last.get());
        self.wishes.retain(|&other| other != wish);
        self.wishes.push_front(wish);
        self.wishes.truncate(self.wishes_most);
    }

    /// Forgets the part of the wishes that is fulfilled, as far as it lies at their beginnings.
    pub(crate) fn fulfil(&mut self, is_stored: impl Fn(u32) -> bool) {
        for (first, last) in &mut self.wishes {
            while *first <= *last && is_stored(*first) {
                *first += 1;
            }
        }
        self.wishes.retain(|(first, last)| first <= last);
    }

    /// Whether the order of what is offered matters to somebody here, and not the swarm alone: a reader waits for some of it, or all
    /// is to come from the first to the last.
    pub(crate) fn is_bound(&self, missing: &IndexSet, offer: &Offer<'_>) -> bool {
        self.order == Order::Sequential || !self.wished(missing, offer, 1).is_empty()
    }

    /// A number below `bound` (0 when that is 0).
    pub(crate) fn random_below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.rng.random_range(0..bound) }
    }

    /// The chunk of `missing` to ask a neighbour for that offers `offer`. It should leave a chunk to others when
    /// `leave` says so, but takes one of those rather than none.
    pub(crate) fn pick(
        &mut self,
        missing: &IndexSet,
        availability: &Availability,
        offer: &Offer<'_>,
        leave: Option<&dyn Fn(u32) -> bool>,
    ) -> Option<ChunkIndex> {
        let most = if leave.is_some() { Self::CHOICES } else { 1 };
        let may = |chunk: &u32| !leave.is_some_and(|leave| leave(*chunk));
        let wished = self.wished(missing, offer, most).into_iter().find(&may);
        let choice = wished.or_else(|| {
            let choices = match self.order {
                Order::RarestFirst => self.rarest(missing, availability, offer, most),
                Order::Sequential => in_order(missing, offer, 0, u32::MAX, most),
            };
            let left_in_vain = || match self.order {
                Order::RarestFirst => self.commonest(availability, offer),
                Order::Sequential => None,
            };
            choices.iter().copied().find(&may).or_else(left_in_vain).or_else(|| choices.last().copied())
        });
        choice.map(ChunkIndex::new)
    }

    fn wished(&self, missing: &IndexSet, offer: &Offer<'_>, most: usize) -> Vec<u32> {
        let mut choices = Vec::new();
        for &(first, last) in &self.wishes {
            choices.append(&mut in_order(missing, offer, first, last, most));
            if choices.len() >= most {
                break;
            }
        }
        choices
    }

    /// Up to `most` chunks, rarest first.
    fn rarest(
        &mut self,
        missing: &IndexSet,
        availability: &Availability,
        offer: &Offer<'_>,
        most: usize,
    ) -> Vec<u32> {
        let walked = self.walk(availability, offer, most);
        if walked.is_empty() { self.sample(missing, offer, availability, most) } else { walked }
    }

    /// The first chunks in the order of rarity that are held; equals are taken from a random place on.
    fn walk(&mut self, availability: &Availability, offer: &Offer<'_>, most: usize) -> Vec<u32> {
        let mut found = Vec::new();
        let mut steps = 0;
        // What a partial neighbour holds is held by at least one.
        let first = usize::from(matches!(offer.holding, Holding::Some(_)));
        for bucket in
            (first..).map_while(|count| availability.bucket(count)).filter(|bucket| !bucket.is_empty())
        {
            let (before, after) = bucket.split_at(self.rng.random_range(0..bucket.len()));
            for &chunk in after.iter().chain(before) {
                if offer.holds(chunk) {
                    found.push(chunk);
                }
                steps += 1;
                if found.len() == most || steps == Self::WALK {
                    return found;
                }
            }
        }
        found
    }

    /// One of the commonest missing chunks that is held: of what faster ones hold too, the least loss.
    fn commonest(&mut self, availability: &Availability, offer: &Offer<'_>) -> Option<u32> {
        let common = availability.commonest(Self::WALK);
        let (before, after) = common.split_at(self.rng.random_range(0..=common.len()));
        after.iter().chain(before).copied().find(|&chunk| offer.holds(chunk))
    }

    /// The rarest of some missing chunks that are held, from a random place on.
    fn sample(
        &mut self,
        missing: &IndexSet,
        offer: &Offer<'_>,
        availability: &Availability,
        most: usize,
    ) -> Vec<u32> {
        let Some(start) = missing.next(self.random_start(missing)).or_else(|| missing.next(0)) else {
            return Vec::new();
        };
        let mut seen = Vec::with_capacity(Self::SAMPLE);
        let mut from = start;
        while seen.len() < Self::SAMPLE
            && let Some(chunk) = offer.next_in(missing, from)
        {
            seen.push(chunk);
            from = chunk + 1;
        }
        from = 0;
        while seen.len() < Self::SAMPLE
            && let Some(chunk) = offer.next_in(missing, from).filter(|&chunk| chunk < start)
        {
            seen.push(chunk);
            from = chunk + 1;
        }
        // A stable sort: equals stay in the order of the random start.
        seen.sort_by_key(|&chunk| availability.partial(chunk));
        seen.truncate(most);
        seen
    }

    fn random_start(&mut self, missing: &IndexSet) -> u32 {
        self.rng.random_range(0..missing.len().max(1))
    }
}

/// Up to `most` missing chunks of `first..=last` that are held, lowest first.
fn in_order(missing: &IndexSet, offer: &Offer<'_>, first: u32, last: u32, most: usize) -> Vec<u32> {
    let next = |from| offer.next_in(missing, from).filter(|&chunk| chunk <= last);
    std::iter::successors(next(first), |&chunk| next(chunk + 1)).take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten missing chunks; chunk n is held by n partial neighbours.
    fn ten() -> (IndexSet, Availability) {
        let mut availability = Availability::new(10);
        for chunk in 0..10 {
            availability.enter(chunk);
            (0..chunk).for_each(|_| availability.gained(chunk));
        }
        (IndexSet::full(10), availability)
    }

    fn held(chunks: &[u32]) -> Holding {
        let mut set = IndexSet::empty(10);
        for &chunk in chunks {
            set.insert(chunk);
        }
        Holding::Some(set)
    }

    fn all_of(holding: &Holding) -> Offer<'_> {
        Offer { holding, avoided: &[] }
    }

    #[test]
    fn the_rarest_chunk_that_the_neighbour_holds_comes_first() {
        let (missing, availability) = ten();
        let mut picker = Picker::new(Order::RarestFirst, 8, 1);
        let mut pick = |holding: &Holding| picker.pick(&missing, &availability, &all_of(holding), None);
        assert_eq!(pick(&Holding::All), Some(ChunkIndex::new(0)));
        assert_eq!(pick(&held(&[7, 3, 9])), Some(ChunkIndex::new(3)));
        assert_eq!(pick(&held(&[])), None);
    }

    #[test]
    fn a_neighbour_that_holds_only_common_chunks_of_many_gives_the_rarest_of_a_sample() {
        let total = 5000;
        for (common, rarest) in [(vec![3, 4, 5], 4), (vec![4900, 20, 2500], 20)] {
            let mut availability = Availability::new(total);
            let mut set = IndexSet::empty(total);
            for chunk in 0..total {
                availability.enter(chunk);
                availability.gained(chunk);
            }
            for chunk in common {
                set.insert(chunk);
                availability.gained(chunk);
                if chunk != rarest {
                    availability.gained(chunk);
                }
            }
            let missing = IndexSet::full(total);
            // Many seeds: the sample begins anywhere, before and after what is held.
            for seed in 0..50 {
                let mut picker = Picker::new(Order::RarestFirst, 8, seed);
                let chosen = picker.pick(&missing, &availability, &all_of(&Holding::Some(set.clone())), None);
                assert_eq!(chosen, Some(ChunkIndex::new(rarest)));
            }
        }
    }

    #[test]
    fn equally_rare_chunks_are_picked_at_random_by_different_peers() {
        let mut availability = Availability::new(100);
        (0..100).for_each(|chunk| availability.enter(chunk));
        let missing = IndexSet::full(100);
        let first_choice = |seed| {
            Picker::new(Order::RarestFirst, 8, seed)
                .pick(&missing, &availability, &all_of(&Holding::All), None)
                .unwrap()
        };
        let choices: std::collections::BTreeSet<_> = (0..100).map(first_choice).collect();
        assert!(choices.len() > 50, "a hundred peers made {} different choices", choices.len());
        assert_eq!(first_choice(7), first_choice(7), "the same seed chooses the same");
    }

    #[test]
    fn what_a_reader_waits_for_comes_first_in_order_and_the_newest_wish_wins() {
        let (mut missing, availability) = ten();
        let mut picker = Picker::new(Order::RarestFirst, 2, 1);
        for (first, last) in [(1, 1), (4, 5), (8, 9), (8, 9)] {
            picker.wish(ChunkIndex::new(first), ChunkIndex::new(last));
        }
        let mut order = Vec::new();
        while let Some(chunk) = picker.pick(&missing, &availability, &all_of(&held(&[1, 4, 5, 8, 9])), None) {
            missing.remove(chunk.get());
            order.push(chunk.get());
            if order.len() == 4 {
                break;
            }
        }
        assert_eq!(
            order,
            [8, 9, 4, 5],
            "the wish for chunk 1 was the oldest of three, and two are remembered"
        );
        picker.fulfil(|chunk| chunk >= 5);
        assert_eq!(picker.wishes, [(4, 5)]);
    }

    #[test]
    fn a_slow_neighbour_leaves_chunks_to_faster_ones_but_is_never_idle() {
        let (missing, availability) = ten();
        let mut picker = Picker::new(Order::RarestFirst, 8, 1);
        let leave_low = |chunk: u32| chunk < 4;
        let chosen = picker.pick(&missing, &availability, &all_of(&held(&[2, 3, 6])), Some(&leave_low));
        assert_eq!(chosen, Some(ChunkIndex::new(6)));
        let chosen = picker.pick(&missing, &availability, &all_of(&held(&[2, 3])), Some(&leave_low));
        assert_eq!(chosen, Some(ChunkIndex::new(3)), "the commoner of the two");
    }
}
