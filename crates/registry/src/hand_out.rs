//! Which peers an announcer hears of: a random sample, so that the swarm is one random graph and no peer is asked by
//! all, with complete, incomplete and described holders all in it where there are any.

use std::sync::Arc;

use protocol::api::tracker::Have;
use protocol::{BaseUrl, ChunkSet, PeerId};
use rand::Rng;
use rand::seq::{IteratorRandom, SliceRandom, index};

use crate::swarm::{Holder, Holding};
use crate::torrents::{DescribedHolder, Entry};

/// One peer handed out. Nothing of it is copied: an announce is answered with 50 of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handed<'a> {
    /// The process; none for described clients.
    pub peer: Option<PeerId>,
    /// Where it can be reached.
    pub url: &'a BaseUrl,
    /// What it held when it last announced.
    pub held: Held<'a>,
    /// What its last announce brought as its entry in lists ([`NewAnnounce::entry`]); none for described clients, and for
    /// who calls the bitmap of all chunks what it holds.
    ///
    /// [`NewAnnounce::entry`]: crate::NewAnnounce::entry
    pub entry: Option<&'a Arc<[u8]>>,
}

/// What a peer handed out holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held<'a> {
    /// Every chunk.
    Complete,
    /// These chunks.
    Part(&'a ChunkSet),
}

impl<'a> Held<'a> {
    fn of(set: &'a ChunkSet) -> Self {
        if set.is_full() { Held::Complete } else { Held::Part(set) }
    }
}

impl From<Held<'_>> for Have {
    fn from(held: Held<'_>) -> Self {
        match held {
            Held::Complete => Have::Complete,
            Held::Part(set) => Have::of(set),
        }
    }
}

impl<'a> From<&'a Holder> for Handed<'a> {
    fn from(holder: &'a Holder) -> Self {
        let held = match &holder.holding {
            Holding::Complete => Held::Complete,
            Holding::Part(set) => Held::of(set),
        };
        Handed { peer: Some(holder.peer), url: &holder.url, held, entry: holder.entry.as_ref() }
    }
}

impl<'a> From<&'a DescribedHolder> for Handed<'a> {
    fn from(holder: &'a DescribedHolder) -> Self {
        Handed { peer: None, url: &holder.url, held: Held::of(&holder.set), entry: None }
    }
}

/// How many there are of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) seeds: usize,
    pub(crate) leechers: usize,
    pub(crate) described: usize,
}

impl Room {
    /// Deals `most` places out: everybody when all fit, otherwise equal shares, what one kind leaves going to the others.
    fn deal(self, most: usize) -> [usize; 3] {
        let there = [self.seeds, self.leechers, self.described];
        let mut given = [0; 3];
        let mut left = most;
        loop {
            let wanting = (0..3).filter(|&kind| given[kind] < there[kind]).count();
            if wanting == 0 || left == 0 {
                return given;
            }
            let equal = (left / wanting).max(1);
            for kind in 0..3 {
                let share = equal.min(there[kind] - given[kind]).min(left);
                given[kind] += share;
                left -= share;
            }
        }
    }
}

/// At most `most` holders of `entry`, in random order, `except` not among them.
pub(crate) fn sample<'a>(
    entry: &'a Entry,
    rng: &mut impl Rng,
    most: usize,
    except: Option<PeerId>,
) -> Vec<Handed<'a>> {
    let swarm = &entry.swarm;
    let place = except.and_then(|peer| swarm.place(peer));
    let skip = |complete| place.filter(|place| place.complete == complete).map(|place| place.at as usize);
    let (skipped_seed, skipped_leecher) = (skip(true), skip(false));
    let there = Room {
        seeds: swarm.seeds().len() - usize::from(skipped_seed.is_some()),
        leechers: swarm.leechers().len() - usize::from(skipped_leecher.is_some()),
        described: entry.described.len(),
    };
    let [seeds, leechers, described] = there.deal(most);
    let mut handed: Vec<Handed<'a>> = Vec::with_capacity(seeds + leechers + described);
    handed.extend(sample_natives(swarm.seeds(), rng, seeds, skipped_seed));
    handed.extend(sample_natives(swarm.leechers(), rng, leechers, skipped_leecher));
    handed.extend(entry.described.values().sample(rng, described).into_iter().map(Handed::from));
    handed.shuffle(rng);
    handed
}

/// `amount` of `table`, the one at `skip` not among them.
fn sample_natives<'a>(
    table: &'a [Holder],
    rng: &mut impl Rng,
    amount: usize,
    skip: Option<usize>,
) -> impl Iterator<Item = Handed<'a>> {
    let places = index::sample(rng, table.len() - usize::from(skip.is_some()), amount);
    let past = move |at| at + usize::from(skip.is_some_and(|skip| at >= skip));
    places.into_iter().map(move |at| Handed::from(&table[past(at)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_dealt_evenly_and_none_is_left_empty_while_somebody_waits() {
        let deal = |seeds, leechers, described| Room { seeds, leechers, described }.deal(50);
        assert_eq!(deal(1, 2, 3), [1, 2, 3]);
        assert_eq!(deal(1, 10_000, 0), [1, 49, 0]);
        assert_eq!(deal(100, 100, 0), [25, 25, 0]);
        assert_eq!(deal(100, 100, 100).iter().sum::<usize>(), 50);
        assert_eq!(deal(0, 0, 0), [0, 0, 0]);
    }
}
