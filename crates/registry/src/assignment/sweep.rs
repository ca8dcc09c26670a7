//! Looks among the native holders of a torrent for those few that have a rare chunk.
//!
//! It begins at a random holder and ends after so many steps, found or not: in a swarm of thousands that nobody has a
//! chunk of, every request would walk through all of them otherwise. Whoever asks again has another chance.

use std::collections::{BTreeMap, HashMap, HashSet};

use protocol::{ChunkIndex, ChunkSet, HostPort};
use rand::{Rng, RngExt};

use super::{Loads, Rare};
use crate::swarm::{Holder, Holding};
use crate::torrents::{Entry, Serial};

/// Steps that every request may cost: a few thousand holders, asked for one chunk each.
const STEPS: usize = 8 << 10;
/// Steps for each hash of the request besides: what drawing holders for it costs, about.
const STEPS_PER_HASH: usize = 64;

/// How many steps a request for so many hashes may cost.
pub(super) const fn most_steps(wanted: usize) -> usize {
    STEPS + STEPS_PER_HASH * wanted
}

/// Sweeps the torrents of the rare hashes: first each hash's first torrent, then the next of those still not found.
/// Returns how many steps that took, `most` and a holder's at most.
pub(super) fn find_rare<'a>(
    rng: &mut impl Rng,
    mut rare: Vec<Rare<'a>>,
    loads: &mut Loads<'a>,
    most: usize,
) -> usize {
    let mut steps = 0;
    for round in 0.. {
        rare.retain(|hash| hash.spots.len() > round);
        if rare.is_empty() {
            break;
        }
        let mut sought: BTreeMap<Serial, (&Entry, HashMap<ChunkIndex, usize>)> = BTreeMap::new();
        for hash in &rare {
            let spot = &hash.spots[round];
            let (_, here) = sought.entry(spot.serial).or_insert_with(|| (spot.entry, HashMap::new()));
            here.extend(spot.chunks.iter().map(|chunk| (*chunk, hash.at)));
        }
        let mut found = HashSet::new();
        for (entry, chunks) in sought.into_values() {
            let mut sweep = Sweep::of(entry, &chunks);
            steps += sweep.run(entry, rng, most.saturating_sub(steps), |address, chunk| {
                // A twin may have found it before.
                let at = chunks[&chunk];
                if found.insert(at) {
                    loads.give(address, at);
                }
            });
        }
        rare.retain(|hash| !found.contains(&hash.at));
    }
    steps
}

/// What is still sought in one torrent.
enum Sweep {
    /// Many chunks: compared with what a holder has by whole words.
    Many(ChunkSet),
    /// Fewer chunks than words.
    Few(Vec<ChunkIndex>),
}

/// Chunks in a word of a bitmap.
const WORD: u32 = u64::BITS;

impl Sweep {
    fn of(entry: &Entry, chunks: &HashMap<ChunkIndex, usize>) -> Self {
        let mut set = ChunkSet::empty(entry.torrent.chunk_count());
        for chunk in chunks.keys() {
            set.insert(*chunk);
        }
        Sweep::Many(set).simplest()
    }

    fn simplest(self) -> Self {
        match self {
            Sweep::Many(set) if set.count() <= set.len() / WORD + 1 => Sweep::Few(set.iter().collect()),
            other => other,
        }
    }

    fn is_over(&self) -> bool {
        matches!(self, Sweep::Few(left) if left.is_empty())
    }

    /// Gives what is sought to the first who has it, from a random start. Returns the steps.
    fn run<'a>(
        &mut self,
        entry: &'a Entry,
        rng: &mut impl Rng,
        most: usize,
        mut give: impl FnMut(&'a HostPort, ChunkIndex),
    ) -> usize {
        let (seeds, leechers) = (entry.swarm.seeds(), entry.swarm.leechers());
        let all = seeds.len() + leechers.len();
        let start = if all == 0 { 0 } else { rng.random_range(0..all) };
        let mut steps = 0;
        for at in (start..all).chain(0..start) {
            if self.is_over() || steps >= most {
                break;
            }
            let holder = seeds.get(at).unwrap_or_else(|| &leechers[at - seeds.len()]);
            steps += 1;
            if let Some(address) = holder.url.as_described() {
                steps += self.take(holder, |chunk| give(address, chunk));
            }
        }
        steps
    }

    /// Takes out what this holder has. Returns the steps.
    fn take(&mut self, holder: &Holder, mut found: impl FnMut(ChunkIndex)) -> usize {
        match self {
            Sweep::Few(left) => {
                let steps = left.len();
                left.retain(|chunk| {
                    let has = holder.holding.has(*chunk);
                    if has {
                        found(*chunk);
                    }
                    !has
                });
                steps
            }
            Sweep::Many(left) => {
                let has: Vec<ChunkIndex> = match &holder.holding {
                    Holding::Complete => left.iter().collect(),
                    Holding::Part(set) => left.intersection(set).collect(),
                };
                for chunk in &has {
                    left.remove(*chunk);
                    found(*chunk);
                }
                let steps = (left.len() / WORD) as usize + has.len();
                *self = std::mem::replace(self, Sweep::Few(Vec::new())).simplest();
                steps
            }
        }
    }
}
