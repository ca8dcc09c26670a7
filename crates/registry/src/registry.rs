//! The two doors, and what lies between them.

use std::sync::Arc;

use bytes::Bytes;
use protocol::api::tracker::{Assignment, Have, MAX_PEERS, OpaqueHash, Token};
use protocol::{BaseUrl, HostPort, PeerId, Time, Torrent, TorrentId};
use rand::{Rng, RngExt};

use crate::announce::{Announced, NewAnnounce, Refusal, is_right};
use crate::described::{AnnouncerId, Client, Described, DescribedRefusal};
use crate::dht_nodes::DhtNodes;
use crate::hand_out::{self, Handed};
use crate::hash_index::HashIndex;
use crate::lease::Leases;
use crate::listing::DescribedBitmaps;
use crate::pings::{self, PingDue};
use crate::publishing::Indexing;
use crate::swarm::{Holder, Holding};
use crate::target::Target;
use crate::torrents::{Serial, Torrents};
use crate::{Limits, assignment, lease};

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

/// How full the tables are.
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

/// Names of announcers that are gone which one call forgets besides what it is for: about a millisecond's.
/// [`Registry::settle`] does the rest.
const FORGET_STEPS: usize = 2048;

/// The tracker's memory.
#[derive(Debug, Default)]
pub struct Registry {
    pub(crate) limits: Limits,
    pub(crate) torrents: Torrents,
    pub(crate) hashes: HashIndex,
    pub(crate) indexing: Indexing,
    leases: Leases,
    pub(crate) described: Described,
    dht: DhtNodes,
    bitmap_bytes: usize,
    pub(crate) described_bitmaps: DescribedBitmaps,
}

impl Registry {
    /// An empty registry within these bounds.
    pub fn new(limits: Limits) -> Self {
        Registry { limits, ..Registry::default() }
    }

    /// A published torrent and its torrent.json.
    pub fn torrent(&self, id: TorrentId) -> Option<(Arc<Torrent>, Bytes)> {
        self.torrents.find(id).map(|entry| (entry.torrent.clone(), entry.json.clone()))
    }

    /// How many hold a torrent.
    pub fn counts(&mut self, now: Time, id: TorrentId) -> Option<Counts> {
        self.expire(now);
        let entry = self.torrents.find(id)?;
        let (seeds, leechers) = (entry.swarm.seeds(), entry.swarm.leechers());
        let described_seeds = entry.described.values().filter(|holder| holder.set.is_full()).count();
        Some(Counts {
            seeds: seeds.len() + described_seeds,
            peers: seeds.len() + leechers.len() + entry.described.len(),
        })
    }

    /// A native peer that has all of a torrent: the publisher's own if it is there, else a random one.
    pub fn seed(&mut self, now: Time, rng: &mut impl Rng, id: TorrentId) -> Option<Seed> {
        self.expire(now);
        let entry = self.torrents.find(id)?;
        let origin = entry.origin.and_then(|peer| entry.swarm.get(peer));
        if let Some(holder) = origin.filter(|holder| holder.holding.is_complete()) {
            return Some(Seed { url: holder.url.clone(), is_publisher: true });
        }
        let seeds = entry.swarm.seeds();
        let url = (!seeds.is_empty()).then(|| seeds[rng.random_range(0..seeds.len())].url.clone())?;
        Some(Seed { url, is_publisher: false })
    }

    /// A native peer announces itself.
    pub fn announce(
        &mut self,
        now: Time,
        rng: &mut impl Rng,
        id: TorrentId,
        new: &NewAnnounce,
    ) -> Result<Announced<'_>, Refusal> {
        self.expire(now);
        let serial = self.torrents.serial(id).ok_or(Refusal::UnknownTorrent)?;
        let entry = self.torrents.get_mut(serial).ok_or(Refusal::UnknownTorrent)?;
        let holding = Holding::read(&new.have, entry.torrent.chunk_count())?;
        let before = entry.swarm.get(new.peer);
        if before.is_some_and(|holder| !is_right(&holder.token, new.shown.as_ref())) {
            return Err(Refusal::NotYours);
        }
        if let Some(by) = entry.swarm.at_url(&new.url).filter(|by| *by != new.peer) {
            return Err(Refusal::UrlTaken { by });
        }
        let was_counted = before.is_some_and(|holder| holder.target == new.target);
        if !was_counted && entry.swarm.of_target(new.target) >= self.limits.holders_per_target {
            return Err(Refusal::TargetFull(self.limits.holders_per_target));
        }
        // The shortest form of all chunks is a word, whatever the announce made of it.
        let is_word = new.have == Have::Complete || !holding.is_complete();
        let listed = new.entry.as_ref().filter(|_| is_word).cloned();
        let bytes = holding.bitmap_bytes() + listed.as_ref().map_or(0, |entry| entry.len());
        let bitmaps = self.bitmap_bytes + bytes - before.map_or(0, Holder::bytes);
        // Bitmaps crowd no seed out: its entry is short, and there are no more of them than holders. Nor do seeds crowd out
        // who is listed and takes no more than before.
        let is_over = !holding.is_complete() && bitmaps > self.limits.bitmap_bytes.max(self.bitmap_bytes);
        if (before.is_none() && self.leases.len() >= self.limits.holders) || is_over {
            return Err(Refusal::Full);
        }
        let is_same = before.is_some_and(|holder| holder.target == new.target && holder.url == new.url);
        self.bitmap_bytes = bitmaps;
        let interval = lease::interval(self.leases.len() + 1);
        let until = now + lease::length(interval);
        let NewAnnounce { peer, target, .. } = *new;
        if entry.publisher.as_ref().is_some_and(|publisher| publisher.is(&new.url, target)) {
            entry.origin = Some(peer);
        }
        let stays = if is_same { entry.swarm.renew(peer, holding.is_complete()) } else { None };
        let token = if let Some(holder) = stays {
            self.leases.renew(serial, peer, &mut holder.lease, until);
            holder.holding = holding;
            holder.entry = listed;
            holder.token.clone()
        } else {
            let old = entry.swarm.remove(peer);
            if let Some(old) = &old {
                self.leases.end(serial, peer, old.lease);
            }
            let token = old.map_or_else(|| new.fresh.clone(), |holder| holder.token);
            let lease = self.leases.begin(serial, peer, until);
            let (url, given) = (new.url.clone(), token.clone());
            entry.swarm.insert(Holder { peer, url, holding, entry: listed, token: given, target, lease });
            token
        };
        entry.touch(now);
        Ok(Announced { interval, token, peers: hand_out::sample(entry, rng, MAX_PEERS, Some(peer)) })
    }

    /// A native peer leaves.
    pub fn leave(&mut self, now: Time, id: TorrentId, peer: PeerId, shown: &Token) -> Result<(), Refusal> {
        self.expire(now);
        let serial = self.torrents.serial(id).ok_or(Refusal::UnknownTorrent)?;
        let entry = self.torrents.get(serial).ok_or(Refusal::UnknownTorrent)?;
        let holder = entry.swarm.get(peer).ok_or(Refusal::UnknownPeer)?;
        if !is_right(&holder.token, Some(shown)) {
            return Err(Refusal::NotYours);
        }
        self.remove_holder(serial, peer);
        Ok(())
    }

    /// Forgets `old`, found dead, so that another process can announce the same `url`.
    pub fn replace(&mut self, id: TorrentId, url: &BaseUrl, old: PeerId) {
        let Some(serial) = self.torrents.serial(id) else { return };
        let still_there = self.torrents.get(serial).is_some_and(|entry| entry.swarm.at_url(url) == Some(old));
        if still_there {
            self.remove_holder(serial, old);
        }
    }

    fn remove_holder(&mut self, serial: Serial, peer: PeerId) {
        if let Some(holder) = self.torrents.get_mut(serial).and_then(|entry| entry.swarm.remove(peer)) {
            self.leases.end(serial, peer, holder.lease);
            self.bitmap_bytes -= holder.bytes();
        }
    }

    /// Some peers of a torrent.
    pub fn peers(&mut self, now: Time, rng: &mut impl Rng, id: TorrentId) -> Option<Vec<Handed<'_>>> {
        self.expire(now);
        Some(hand_out::sample(self.torrents.find(id)?, rng, MAX_PEERS, None))
    }

    /// A described client announces what it holds.
    pub fn announce_chunks(
        &mut self,
        now: Time,
        client: &Client,
        names: &[OpaqueHash],
    ) -> Result<(), DescribedRefusal> {
        self.expire(now);
        let news = self.described.announce(&self.limits, client, names)?;
        let id = news.announcer;
        self.described.alive(now, &self.limits, id);
        if !self.described.pings.contains(id) {
            self.described.pings.set(id, now + self.limits.ping_every);
        }
        self.list_in_torrents(id, &news.names);
        Ok(())
    }

    /// Gives each known hash to one holder, spread over the holders. One that a few of thousands have may be missed.
    pub fn assign(&mut self, now: Time, rng: &mut impl Rng, wanted: &[OpaqueHash]) -> Vec<Assignment> {
        self.expire(now);
        assignment::assign(self, rng, wanted).assignments
    }

    /// Described announcers to ping now, at most so many; each is due again after the next interval.
    pub fn pings_due(&mut self, now: Time, most: usize) -> Vec<PingDue> {
        self.expire(now);
        pings::take_due(&mut self.described, now, self.limits.ping_every, most)
    }

    /// When the next ping is due.
    pub fn next_ping(&self) -> Option<Time> {
        self.described.pings.next()
    }

    /// A described announcer answered its ping.
    pub fn ponged(&mut self, now: Time, announcer: AnnouncerId) {
        self.expire(now);
        self.described.alive(now, &self.limits, announcer);
    }

    /// A DHT node registers. False when its target has its share already.
    pub fn register_dht_node(&mut self, now: Time, node: HostPort, target: Target) -> bool {
        self.expire(now);
        self.dht.register(now, node, target, &self.limits)
    }

    /// A DHT node leaves the list.
    pub fn remove_dht_node(&mut self, now: Time, node: &HostPort) {
        self.expire(now);
        self.dht.remove(node);
    }

    /// Registered DHT nodes, oldest first.
    pub fn dht_nodes(&mut self, now: Time) -> Vec<HostPort> {
        self.expire(now);
        self.dht.list().cloned().collect()
    }

    /// Forgets whose lease or life is over. Every other call does so itself; this is for a tracker nobody calls.
    pub fn expire(&mut self, now: Time) {
        while let Some((serial, peer)) = self.leases.pop_due(now) {
            let holder = self.torrents.get_mut(serial).and_then(|entry| entry.swarm.get_mut(peer));
            let goes_on =
                holder.is_some_and(|holder| self.leases.put_back(now, serial, peer, &mut holder.lease));
            if !goes_on {
                self.remove_holder(serial, peer);
            }
        }
        while let Some(id) = self.described.lives.pop_due(now) {
            self.remove_announcer(id);
        }
        self.described.forget_names(FORGET_STEPS);
        self.dht.expire(now);
    }

    /// How full the tables are.
    pub fn sizes(&self) -> Sizes {
        let (torrents, torrent_bytes) = self.torrents.size();
        let (announcers, hashes, pairs) = self.described.size();
        let (holders, bitmap_bytes) = (self.leases.len(), self.bitmap_bytes);
        let described_bitmap_bytes = self.described_bitmaps.bytes;
        Sizes {
            torrents,
            torrent_bytes,
            holders,
            bitmap_bytes,
            described_bitmap_bytes,
            announcers,
            hashes,
            pairs,
        }
    }
}
