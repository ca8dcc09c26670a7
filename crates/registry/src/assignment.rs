//! `POST /chunk`: each known hash given to one holder, spread over the holders.
//!
//! The described protocol asks for this and not for lists of holders, so the tracker balances the load. For each hash
//! a few holders are drawn and the one with the least to do takes it ("the power of two choices"). What no draw found a
//! holder of goes to a random seed, if one can be named; what is left is rare, and `sweep` looks for it.
//!
//! The cost is linear in the size of the request (threat A15): so many draws for each hash, and so many steps of
//! sweeping.

mod sweep;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use protocol::api::tracker::{Assignment, OpaqueHash, Port};
use protocol::{ChunkIndex, Hash, HostPort};
use rand::{Rng, RngExt};

use crate::Registry;
use crate::described::{AnnouncerId, Name};
use crate::hash_index::Spot;
use crate::torrents::{Entry, Serial};

/// Holders drawn for each hash.
const DRAWS: usize = 4;

/// Who gets what, and what it cost to find out.
pub(crate) struct Assigned {
    pub(crate) assignments: Vec<Assignment>,
    /// Steps of sweeping.
    #[cfg_attr(not(test), expect(dead_code, reason = "tests hold the bound by it"))]
    pub(crate) swept: usize,
}

/// Gives each known hash to one holder, unless it is too rare to be found. An entry has at most `wanted.len() / 4 + 1`
/// hashes; whoever gets more has several entries.
pub(crate) fn assign(registry: &Registry, rng: &mut impl Rng, wanted: &[OpaqueHash]) -> Assigned {
    let mut seen = HashSet::with_capacity(wanted.len());
    let distinct: Vec<&OpaqueHash> = wanted.iter().filter(|hash| seen.insert(*hash)).collect();
    let mut loads = Loads::default();
    let mut rare: Vec<Rare<'_>> = Vec::new();
    for (at, hash) in distinct.iter().enumerate() {
        let candidates = Candidates::of(registry, hash);
        match candidates.draw(registry, rng, &loads) {
            Some(address) => loads.give(address, at),
            None if candidates.spots.is_empty() => {}
            None => rare.push(Rare { at, spots: candidates.spots }),
        }
    }
    let swept = sweep::find_rare(rng, rare, &mut loads, sweep::most_steps(wanted.len()));
    let most = wanted.len() / 4 + 1;
    Assigned { assignments: loads.into_assignments(most, |at| distinct[at].clone()), swept }
}

/// Who may hold one hash.
struct Candidates<'a> {
    described: &'a [AnnouncerId],
    spots: Vec<InTorrent<'a>>,
    /// Everybody to draw from: described holders, and all native holders of the torrents, who may have it or not.
    all: usize,
}

impl<'a> Candidates<'a> {
    fn of(registry: &'a Registry, hash: &OpaqueHash) -> Self {
        let name = Name::of(hash);
        let described = registry.described.holders(&name);
        let spots: Vec<InTorrent<'a>> = match &name {
            Name::Hash(hash) => {
                registry.hashes.spots(hash).filter_map(|spot| InTorrent::of(registry, spot, hash)).collect()
            }
            Name::Other(_) => Vec::new(),
        };
        let native: usize = spots.iter().map(|spot| natives(spot.entry)).sum();
        Candidates { described, spots, all: described.len() + native }
    }

    /// Of a few drawn that hold the hash, the one with the least to do.
    fn draw(&self, registry: &'a Registry, rng: &mut impl Rng, loads: &Loads<'a>) -> Option<&'a HostPort> {
        let mut best: Option<(usize, &HostPort)> = None;
        for draw in 0..DRAWS.min(self.all) {
            // With so few, everybody is looked at once.
            let at = if self.all <= DRAWS { draw } else { rng.random_range(0..self.all) };
            let Some(address) = self.holder(registry, at) else { continue };
            let load = loads.of(address);
            if best.as_ref().is_none_or(|(least, _)| load < *least) {
                best = Some((load, address));
            }
        }
        let somebody = || {
            let at = (!self.described.is_empty()).then(|| rng.random_range(0..self.described.len()))?;
            self.holder(registry, at)
        };
        best.map(|(_, address)| address).or_else(somebody).or_else(|| self.seed(rng))
    }

    /// A random seed that the described protocol can name. Where there are seeds, most can be.
    fn seed(&self, rng: &mut impl Rng) -> Option<&'a HostPort> {
        self.spots.iter().find_map(|spot| {
            let seeds = spot.entry.swarm.seeds();
            let draws = if seeds.is_empty() { 0 } else { DRAWS };
            (0..draws).find_map(|_| seeds[rng.random_range(0..seeds.len())].url.as_described())
        })
    }

    /// The address of candidate number `at`, if it holds the hash.
    fn holder(&self, registry: &'a Registry, mut at: usize) -> Option<&'a HostPort> {
        if let Some(id) = self.described.get(at) {
            return registry.described.get(*id).map(|announcer| &announcer.address);
        }
        at -= self.described.len();
        for spot in &self.spots {
            let swarm = &spot.entry.swarm;
            if let Some(holder) = swarm.seeds().iter().chain(swarm.leechers()).nth(at) {
                let has = spot.chunks.iter().any(|chunk| holder.holding.has(*chunk));
                return has.then(|| holder.url.as_described()).flatten();
            }
            at -= natives(spot.entry);
        }
        None
    }
}

fn natives(entry: &Entry) -> usize {
    entry.swarm.seeds().len() + entry.swarm.leechers().len()
}

/// Where a hash stands in one torrent.
struct InTorrent<'a> {
    serial: Serial,
    entry: &'a Entry,
    chunks: Vec<ChunkIndex>,
}

impl<'a> InTorrent<'a> {
    fn of(registry: &'a Registry, spot: Spot, hash: &Hash) -> Option<Self> {
        let entry = registry.torrents.get(spot.serial)?;
        let chunks = entry.chunks_at(spot, hash).collect();
        Some(InTorrent { serial: spot.serial, entry, chunks })
    }
}

/// A hash that no draw found a holder of.
struct Rare<'a> {
    at: usize,
    spots: Vec<InTorrent<'a>>,
}

/// What each holder was given: positions in the request.
#[derive(Default)]
struct Loads<'a> {
    given: Vec<(&'a HostPort, Vec<usize>)>,
    places: HashMap<&'a HostPort, usize>,
}

impl<'a> Loads<'a> {
    fn of(&self, address: &HostPort) -> usize {
        self.places.get(address).map_or(0, |place| self.given[*place].1.len())
    }

    fn give(&mut self, address: &'a HostPort, at: usize) {
        let place = *self.places.entry(address).or_insert_with(|| {
            self.given.push((address, Vec::new()));
            self.given.len() - 1
        });
        self.given[place].1.push(at);
    }

    fn into_assignments(self, most: usize, hash: impl Fn(usize) -> OpaqueHash) -> Vec<Assignment> {
        let mut assignments = Vec::new();
        for (address, given) in self.given {
            for part in given.chunks(most) {
                assignments.push(Assignment {
                    client_host: address.host().clone(),
                    client_port: Port::from(address),
                    hash_list: part.iter().map(|at| hash(*at)).collect(),
                });
            }
        }
        assignments
    }
}
