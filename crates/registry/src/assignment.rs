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
use std::sync::MutexGuard;

use protocol::api::tracker::{Assignment, OpaqueHash, Port};
use protocol::{ChunkIndex, Hash, HostPort};
use rand::{Rng, RngExt};

use crate::described::{AnnouncerId, Name};
use crate::directory::Directory;
use crate::hash_index::Spot;
use crate::shard::{SHARDS, Shard};
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

/// The hashes of a request, and where they lead.
pub(crate) struct Sought<'a> {
    /// Each once.
    distinct: Vec<SoughtHash<'a>>,
    /// How many were asked for.
    wanted: usize,
    /// The parts in which torrents have some of them.
    parts: [bool; SHARDS as usize],
}

struct SoughtHash<'a> {
    text: &'a OpaqueHash,
    name: Name,
    described: &'a [AnnouncerId],
    spots: Vec<Spot>,
}

impl<'a> Sought<'a> {
    /// Looks each hash up.
    pub(crate) fn of(directory: &'a Directory, wanted: &'a [OpaqueHash]) -> Self {
        let mut seen = HashSet::with_capacity(wanted.len());
        let distinct = wanted.iter().filter(|hash| seen.insert(*hash));
        let sought = distinct.map(|text| {
            let name = Name::of(text);
            let described = directory.described.holders(&name);
            let spots = match &name {
                Name::Hash(hash) => directory.hashes.spots(hash).collect(),
                Name::Other(_) => Vec::new(),
            };
            SoughtHash { text, name, described, spots }
        });
        let distinct: Vec<SoughtHash<'a>> = sought.collect();
        let mut parts = [false; SHARDS as usize];
        for spot in distinct.iter().flat_map(|hash| &hash.spots) {
            parts[usize::from(spot.serial.shard())] = true;
        }
        Sought { distinct, wanted: wanted.len(), parts }
    }

    /// Whether a torrent of this part has one of the hashes.
    pub(crate) fn leads_to(&self, shard: u8) -> bool {
        self.parts[usize::from(shard)]
    }
}

/// What is looked into: the directory, and the parts that were locked for this request.
pub(crate) struct Tables<'a> {
    directory: &'a Directory,
    shards: &'a [Option<MutexGuard<'a, Shard>>],
}

impl<'a> Tables<'a> {
    /// `shards` has a place for each part.
    pub(crate) fn new(directory: &'a Directory, shards: &'a [Option<MutexGuard<'a, Shard>>]) -> Self {
        Tables { directory, shards }
    }

    fn entry(&self, serial: Serial) -> Option<&'a Entry> {
        let shard = self.shards.get(usize::from(serial.shard()))?.as_ref()?;
        shard.torrents.get(serial)
    }
}

/// Gives each known hash to one holder, unless it is too rare to be found. An entry has at most a quarter of the hashes
/// asked for and one; whoever gets more has several entries.
pub(crate) fn assign(tables: &Tables<'_>, rng: &mut impl Rng, sought: &Sought<'_>) -> Assigned {
    let Sought { distinct, wanted, .. } = sought;
    let mut loads = Loads::default();
    let mut rare: Vec<Rare<'_>> = Vec::new();
    for (at, hash) in distinct.iter().enumerate() {
        let candidates = Candidates::of(tables, hash);
        match candidates.draw(tables, rng, &loads) {
            Some(address) => loads.give(address, at),
            None if candidates.spots.is_empty() => {}
            None => rare.push(Rare { at, spots: candidates.spots }),
        }
    }
    let swept = sweep::find_rare(rng, rare, &mut loads, sweep::most_steps(*wanted));
    let assignments = loads.into_assignments(wanted / 4 + 1, |at| distinct[at].text.clone());
    Assigned { assignments, swept }
}

/// Who may hold one hash.
struct Candidates<'a> {
    described: &'a [AnnouncerId],
    spots: Vec<InTorrent<'a>>,
    /// Everybody to draw from: described holders, and all native holders of the torrents, who may have it or not.
    all: usize,
}

impl<'a> Candidates<'a> {
    fn of(tables: &Tables<'a>, sought: &SoughtHash<'a>) -> Self {
        let spots: Vec<InTorrent<'a>> = match &sought.name {
            Name::Hash(hash) => {
                sought.spots.iter().filter_map(|spot| InTorrent::of(tables, *spot, hash)).collect()
            }
            Name::Other(_) => Vec::new(),
        };
        let native: usize = spots.iter().map(|spot| natives(spot.entry)).sum();
        Candidates { described: sought.described, spots, all: sought.described.len() + native }
    }

    /// Of a few drawn that hold the hash, the one with the least to do.
    fn draw(&self, tables: &Tables<'a>, rng: &mut impl Rng, loads: &Loads<'a>) -> Option<&'a HostPort> {
        let mut best: Option<(usize, &HostPort)> = None;
        for draw in 0..DRAWS.min(self.all) {
            // With so few, everybody is looked at once.
            let at = if self.all <= DRAWS { draw } else { rng.random_range(0..self.all) };
            let Some(address) = self.holder(tables, at) else { continue };
            let load = loads.of(address);
            if best.as_ref().is_none_or(|(least, _)| load < *least) {
                best = Some((load, address));
            }
        }
        let somebody = || {
            let at = (!self.described.is_empty()).then(|| rng.random_range(0..self.described.len()))?;
            self.holder(tables, at)
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
    fn holder(&self, tables: &Tables<'a>, mut at: usize) -> Option<&'a HostPort> {
        if let Some(id) = self.described.get(at) {
            return tables.directory.described.get(*id).map(|announcer| &announcer.address);
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
    fn of(tables: &Tables<'a>, spot: Spot, hash: &Hash) -> Option<Self> {
        let entry = tables.entry(spot.serial)?;
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
