//! The two doors, and the locks between them.
//!
//! A native call takes the lock of its torrent's part and no other. A described one takes the directory's, to read in it
//! or to change it, and those of the parts that its hashes lead to. None is held while anything waits, for nothing here
//! does: to many threads a registry is what it is to one, and to one thread its locks are nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use protocol::api::tracker::{Assignment, OpaqueHash, Token};
use protocol::{BaseUrl, HostPort, PeerId, Time, Torrent, TorrentId};
use rand::Rng;

use crate::announce::{Announced, NewAnnounce, Refusal};
use crate::budget::Budget;
use crate::described::{AnnouncerId, Client, DescribedRefusal};
use crate::dht_nodes::DhtNodes;
use crate::directory::Directory;
use crate::hand_out::Handed;
use crate::pings::PingDue;
use crate::shard::Shards;
use crate::target::Target;
use crate::{Limits, assignment, torrents};

/// Who holds a torrent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Holders of every chunk.
    pub seeds: usize,
    /// All holders.
    pub peers: usize,
}

/// A native peer that says it has all of a torrent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seed {
    /// Where it is.
    pub url: BaseUrl,
    /// It is the one that published the torrent. Of another one nobody knows that what it serves is right.
    pub is_publisher: bool,
}

/// How full the tables are. Holders whose lease is over count until their torrent's part is asked for, or
/// [`Registry::expire`] is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Published torrents.
    pub torrents: usize,
    /// Bytes they take.
    pub torrent_bytes: usize,
    /// Native holders.
    pub holders: usize,
    /// Bytes of native holders' bitmaps and entries.
    pub bitmap_bytes: usize,
    /// Bytes of described holders' bitmaps.
    pub described_bitmap_bytes: usize,
    /// Described announcers.
    pub announcers: usize,
    /// Different hashes that they hold.
    pub hashes: usize,
    /// Pairs of announcer and hash.
    pub pairs: usize,
}

/// The tracker's memory, to be called by any number of threads.
#[derive(Debug, Default)]
pub struct Registry {
    pub(crate) budget: Budget,
    pub(crate) shards: Shards,
    directory: RwLock<Directory>,
    /// [`Directory::next_end`] in nanoseconds, [`NEVER`] for none: native calls look at it instead of the directory.
    next_end: AtomicU64,
    dht: Mutex<DhtNodes>,
}

/// A time that does not come.
const NEVER: u64 = u64::MAX;

impl Registry {
    /// An empty registry within these bounds.
    pub fn new(limits: Limits) -> Self {
        Registry {
            budget: Budget::new(limits),
            directory: RwLock::new(Directory::new(limits)),
            next_end: AtomicU64::new(NEVER),
            ..Registry::default()
        }
    }

    /// A published torrent.
    pub fn torrent(&self, id: TorrentId) -> Option<Arc<Torrent>> {
        self.shards.of(id).torrents.find(id).map(|entry| Arc::clone(&entry.torrent))
    }

    /// How many hold a torrent.
    pub fn counts(&self, now: Time, id: TorrentId) -> Option<Counts> {
        self.forget_described(now);
        self.shards.of(id).counts(now, id, &self.budget)
    }

    /// A native peer that has all of a torrent: the publisher's own if it is there, else a random one.
    pub fn seed(&self, now: Time, rng: &mut impl Rng, id: TorrentId) -> Option<Seed> {
        self.forget_described(now);
        self.shards.of(id).seed(now, rng, id, &self.budget)
    }

    /// A native peer announces itself. What it is answered is given to `take` and not copied: the torrent's part is locked
    /// until that returns.
    pub fn announce<T>(
        &self,
        now: Time,
        rng: &mut impl Rng,
        id: TorrentId,
        new: &NewAnnounce,
        take: impl Fn(Announced<'_>) -> T,
    ) -> Result<T, Refusal> {
        self.forget_described(now);
        let told = self.shards.of(id).announce(now, rng, id, new, &self.budget).map(&take);
        if !matches!(told, Err(Refusal::Full)) {
            return told;
        }
        // Who is gone from other parts may have places still that nobody has asked for since.
        self.expire(now);
        self.shards.of(id).announce(now, rng, id, new, &self.budget).map(take)
    }

    /// A native peer leaves.
    pub fn leave(&self, now: Time, id: TorrentId, peer: PeerId, shown: &Token) -> Result<(), Refusal> {
        self.shards.of(id).leave(now, id, peer, shown, &self.budget)
    }

    /// Some peers of a torrent, given to `take` as [`Registry::announce`] does.
    pub fn peers<T>(
        &self,
        now: Time,
        rng: &mut impl Rng,
        id: TorrentId,
        take: impl FnOnce(Vec<Handed<'_>>) -> T,
    ) -> Option<T> {
        self.forget_described(now);
        self.shards.of(id).peers(now, rng, id, &self.budget).map(take)
    }

    /// A described client announces what it holds.
    pub fn announce_chunks(
        &self,
        now: Time,
        client: &Client,
        names: &[OpaqueHash],
    ) -> Result<(), DescribedRefusal> {
        self.change(|directory, shards| {
            directory.expire(now, shards);
            directory.announce(now, client, names, shards)
        })
    }

    /// Gives each known hash to one holder, spread over the holders. One that a few of thousands have may be missed.
    pub fn assign(&self, now: Time, rng: &mut impl Rng, wanted: &[OpaqueHash]) -> Vec<Assignment> {
        self.assigned(now, rng, wanted).assignments
    }

    /// The same, with what it cost.
    pub(crate) fn assigned(
        &self,
        now: Time,
        rng: &mut impl Rng,
        wanted: &[OpaqueHash],
    ) -> assignment::Assigned {
        self.forget_described(now);
        let directory = self.directory.read().unwrap_or_else(PoisonError::into_inner);
        let sought = assignment::Sought::of(&directory, wanted);
        let mut shards = self.shards.those(|number| sought.leads_to(number));
        for shard in shards.iter_mut().flatten() {
            shard.expire(now, &self.budget);
        }
        assignment::assign(&assignment::Tables::new(&directory, &shards), rng, &sought)
    }

    /// Described announcers to ping now, at most so many; each is due again after the next interval.
    pub fn pings_due(&self, now: Time, most: usize) -> Vec<PingDue> {
        self.change(|directory, shards| {
            directory.expire(now, shards);
            directory.pings_due(now, most)
        })
    }

    /// When the next ping is due.
    pub fn next_ping(&self) -> Option<Time> {
        self.directory.read().unwrap_or_else(PoisonError::into_inner).described.pings.next()
    }

    /// A described announcer answered its ping.
    pub fn ponged(&self, now: Time, announcer: AnnouncerId) {
        self.change(|directory, shards| {
            directory.expire(now, shards);
            directory.alive(now, announcer);
        });
    }

    /// A DHT node registers. False when its target has its share already.
    pub fn register_dht_node(&self, now: Time, node: HostPort, target: Target) -> bool {
        self.dht(now).register(now, node, target, &self.budget.limits)
    }

    /// A DHT node leaves the list.
    pub fn remove_dht_node(&self, now: Time, node: &HostPort) {
        self.dht(now).remove(node);
    }

    /// Registered DHT nodes, oldest first.
    pub fn dht_nodes(&self, now: Time) -> Vec<HostPort> {
        self.dht(now).list().cloned().collect()
    }

    /// The list of DHT nodes, without those whose life is over.
    fn dht(&self, now: Time) -> MutexGuard<'_, DhtNodes> {
        let mut nodes = self.dht.lock().unwrap_or_else(PoisonError::into_inner);
        nodes.expire(now);
        nodes
    }

    /// Forgets whose lease or life is over, everywhere. Every other call does so where it looks; this is for what nobody
    /// looks at.
    pub fn expire(&self, now: Time) {
        self.change(|directory, shards| directory.expire(now, shards));
        for mut shard in self.shards.each() {
            shard.expire(now, &self.budget);
        }
        drop(self.dht(now));
    }

    /// Forgets described announcers whose life is over: they are listed among native ones.
    fn forget_described(&self, now: Time) {
        if self.next_end.load(Ordering::Acquire) <= now.nanos() {
            self.change(|directory, shards| directory.expire(now, shards));
        }
    }

    /// Changes the directory.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Directory, &Shards) -> T) -> T {
        let mut directory = self.directory.write().unwrap_or_else(PoisonError::into_inner);
        let changed = change(&mut directory, &self.shards);
        self.next_end.store(directory.next_end().map_or(NEVER, Time::nanos), Ordering::Release);
        changed
    }

    /// How full the tables are.
    pub fn sizes(&self) -> Sizes {
        let (torrents, torrent_bytes) = torrents::sum(self.shards.each().map(|shard| shard.torrents.size()));
        let directory = self.directory.read().unwrap_or_else(PoisonError::into_inner);
        let (announcers, hashes, pairs) = directory.described.size();
        Sizes {
            torrents,
            torrent_bytes,
            holders: self.budget.holders.get(),
            bitmap_bytes: self.budget.bitmap_bytes.get(),
            described_bitmap_bytes: directory.bitmaps.bytes,
            announcers,
            hashes,
            pairs,
        }
    }
}
