//! Which peers an announcer hears of: a random sample, so that the swarm is one random graph and no peer is asked by
//! all, with complete, incomplete and described holders all in it where there are any.

use protocol::{BaseUrl, PeerId};
use rand::Rng;
use rand::seq::{IteratorRandom, SliceRandom, index};

use crate::swarm::{Holder, Holding};
use crate::torrents::Entry;

/// One peer handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handed {
    /// The process; none for described clients.
    pub peer: Option<PeerId>,
    /// Where it can be reached.
    pub url: BaseUrl,
    /// What it held when it last announced.
    pub holding: Holding,
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
pub(crate) fn sample(entry: &Entry, rng: &mut impl Rng, most: usize, except: Option<PeerId>) -> Vec<Handed> {
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
    let mut handed: Vec<Handed> = Vec::with_capacity(seeds + leechers + described);
    handed.extend(sample_natives(swarm.seeds(), rng, seeds, skipped_seed));
    handed.extend(sample_natives(swarm.leechers(), rng, leechers, skipped_leecher));
    let of_described = entry.described.values().sample(rng, described);
    handed.extend(of_described.into_iter().map(|holder| Handed {
        peer: None,
        url: BaseUrl::http(holder.address.clone()),
        holding: if holder.set.is_full() { Holding::Complete } else { Holding::Part(holder.set.clone()) },
    }));
    handed.shuffle(rng);
    handed
}

/// `amount` of `table`, the one at `skip` not among them.
fn sample_natives(
    table: &[Holder],
    rng: &mut impl Rng,
    amount: usize,
    skip: Option<usize>,
) -> impl Iterator<Item = Handed> {
    let places = index::sample(rng, table.len() - usize::from(skip.is_some()), amount);
    places.into_iter().map(move |at| native(&table[at + usize::from(skip.is_some_and(|skip| at >= skip))]))
}

fn native(holder: &Holder) -> Handed {
    Handed { peer: Some(holder.peer), url: holder.url.clone(), holding: holder.holding.clone() }
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
