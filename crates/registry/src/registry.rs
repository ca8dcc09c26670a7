//! The two doors, and what lies between them.

use std::collections::btree_map::Entry;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use protocol::api::tracker::{Assignment, MAX_PEERS, OpaqueHash, Token};
use protocol::{BaseUrl, ChunkIndex, ChunkSet, Hash, HostPort, PeerId, Time, Torrent, TorrentId};
use rand::{Rng, RngExt};

use crate::announce::{Announced, NewAnnounce, Refusal, is_right};
use crate::deadlines::Deadlines;
use crate::described::{AnnouncerId, Described, DescribedRefusal, Name};
use crate::dht_nodes::DhtNodes;
use crate::hand_out::{self, Handed};
use crate::pings::{self, PingDue};
use crate::swarm::{Holder, Holding, Traffic, bitmap_bytes};
use crate::torrents::{DescribedHolder, Serial, Spot, Torrents};
use crate::{Limits, assignment, lease};

/// Why a torrent is not published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishRefusal {
    /// No room, and every torrent that is there has peers.
    #[error("the tracker is full of torrents that are in use; try again later")]
    Full,
}

/// Who holds a torrent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Holders of every chunk.
    pub seeds: usize,
    /// All holders.
    pub peers: usize,
    /// What the native ones say they moved, added up.
    pub traffic: Traffic,
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
    /// Bytes of bitmaps.
    pub bitmap_bytes: usize,
    /// Described announcers.
    pub announcers: usize,
    /// Different hashes that they hold.
    pub hashes: usize,
    /// Pairs of announcer and hash.
    pub pairs: usize,
}

/// The tracker's memory.
#[derive(Debug, Default)]
pub struct Registry {
    limits: Limits,
    pub(crate) torrents: Torrents,
    leases: Deadlines<(Serial, PeerId)>,
    pub(crate) described: Described,
    dht: DhtNodes,
    bitmap_bytes: usize,
}

impl Registry {
    /// An empty registry within these bounds.
    pub fn new(limits: Limits) -> Self {
        Registry { limits, ..Registry::default() }
    }

    /// Publishes a torrent, or says that it still matters. `json` is what readers get. Torrents that nobody holds a
    /// lease on make room.
    pub fn publish(&mut self, now: Time, torrent: &Arc<Torrent>, json: Bytes) -> Result<(), PublishRefusal> {
        self.expire(now);
        if let Some(serial) = self.torrents.serial(torrent.id()) {
            self.torrents.touch(serial, now);
            return Ok(());
        }
        if json.len() > self.limits.torrent_bytes {
            return Err(PublishRefusal::Full);
        }
        while !self.torrents.fits(torrent, &json, self.limits.torrents, self.limits.torrent_bytes) {
            let idlest = self.torrents.idlest().ok_or(PublishRefusal::Full)?;
            self.unpublish(idlest);
        }
        let serial = self.torrents.insert(now, torrent.clone(), json);
        if self.described.size().0 > 0 {
            self.list_described_holders(serial, torrent);
        }
        Ok(())
    }

    fn unpublish(&mut self, serial: Serial) {
        let Some(entry) = self.torrents.remove(serial) else { return };
        self.bitmap_bytes -= entry.described.len() * bitmap_bytes(entry.torrent.chunk_count());
        for id in entry.described.keys() {
            if let Some(announcer) = self.described.get_mut(*id) {
                announcer.listed_in.remove(&serial);
            }
        }
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
        let mut counts = Counts {
            seeds: seeds.len() + described_seeds,
            peers: seeds.len() + leechers.len() + entry.described.len(),
            traffic: Traffic::default(),
        };
        for holder in seeds.iter().chain(leechers) {
            let (sum, one) = (&mut counts.traffic, holder.traffic);
            sum.downloaded = sum.downloaded.saturating_add(one.downloaded);
            sum.uploaded = sum.uploaded.saturating_add(one.uploaded);
            sum.left = sum.left.saturating_add(one.left);
        }
        Some(counts)
    }

    /// A random native peer that has all of a torrent.
    pub fn seed(&mut self, now: Time, rng: &mut impl Rng, id: TorrentId) -> Option<BaseUrl> {
        self.expire(now);
        let seeds = self.torrents.find(id)?.swarm.seeds();
        (!seeds.is_empty()).then(|| seeds[rng.random_range(0..seeds.len())].url.clone())
    }

    /// A native peer announces itself.
    pub fn announce(
        &mut self,
        now: Time,
        rng: &mut impl Rng,
        id: TorrentId,
        new: NewAnnounce,
    ) -> Result<Announced, Refusal> {
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
        let host = new.url.address().host();
        let same_host = before.is_some_and(|holder| holder.url.address().host() == host);
        if !same_host && entry.swarm.on_host(host) >= self.limits.holders_per_host {
            return Err(Refusal::HostFull(self.limits.holders_per_host));
        }
        let bitmaps = self.bitmap_bytes + holding.bitmap_bytes()
            - before.map_or(0, |holder| holder.holding.bitmap_bytes());
        if (before.is_none() && self.leases.len() >= self.limits.holders)
            || bitmaps > self.limits.bitmap_bytes
        {
            return Err(Refusal::Full);
        }
        let token = entry.swarm.remove(new.peer).map_or(new.fresh, |holder| holder.token);
        self.bitmap_bytes = bitmaps;
        let (peer, traffic) = (new.peer, new.traffic);
        entry.swarm.insert(Holder { peer, url: new.url, holding, token: token.clone(), traffic });
        let peers = hand_out::sample(entry, rng, MAX_PEERS, Some(peer));
        self.torrents.touch(serial, now);
        let holders = self.leases.len() + 1;
        let interval = lease::interval(holders);
        self.leases.set((serial, peer), now + lease::lease(interval));
        Ok(Announced { interval, token, peers })
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
        self.leases.remove((serial, peer));
        if let Some(holder) = self.torrents.get_mut(serial).and_then(|entry| entry.swarm.remove(peer)) {
            self.bitmap_bytes -= holder.holding.bitmap_bytes();
        }
    }

    /// Some peers of a torrent.
    pub fn peers(&mut self, now: Time, rng: &mut impl Rng, id: TorrentId) -> Option<Vec<Handed>> {
        self.expire(now);
        Some(hand_out::sample(self.torrents.find(id)?, rng, MAX_PEERS, None))
    }

    /// A described client announces what it holds. The shell has checked that one who comes from `source` may say
    /// that it is at `address`.
    pub fn announce_chunks(
        &mut self,
        now: Time,
        address: &HostPort,
        source: IpAddr,
        names: &[OpaqueHash],
    ) -> Result<(), DescribedRefusal> {
        self.expire(now);
        let news = self.described.announce(&self.limits, address, source, names)?;
        let id = news.announcer;
        self.described.alive(now, &self.limits, id);
        if !self.described.pings.contains(id) {
            self.described.pings.set(id, now + self.limits.ping_every);
        }
        for name in news.names {
            if let Name::Hash(hash) = *name {
                self.list_in_torrents(id, &hash);
            }
        }
        Ok(())
    }

    /// Lists an announcer that has this hash in every torrent that has it.
    fn list_in_torrents(&mut self, id: AnnouncerId, hash: &Hash) {
        let spots: Vec<Spot> = self.torrents.spots(hash).collect();
        for spot in spots {
            self.list_at(spot, id, hash);
        }
    }

    /// Adds the chunks with this hash to what a torrent knows of an announcer. Beyond the bound on bitmaps it is not
    /// listed there; assignments know it all the same.
    fn list_at(&mut self, spot: Spot, id: AnnouncerId, hash: &Hash) {
        let (Some(entry), Some(announcer)) = (self.torrents.get_mut(spot.serial), self.described.get_mut(id))
        else {
            return;
        };
        let chunks: Vec<ChunkIndex> = entry.chunks_at(spot, hash).collect();
        let count = entry.torrent.chunk_count();
        let holder = match entry.described.entry(id) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(_) if self.bitmap_bytes + bitmap_bytes(count) > self.limits.bitmap_bytes => return,
            Entry::Vacant(free) => {
                self.bitmap_bytes += bitmap_bytes(count);
                announcer.listed_in.insert(spot.serial);
                let set = Arc::new(ChunkSet::empty(count));
                free.insert(DescribedHolder { address: announcer.address.clone(), set })
            }
        };
        let set = Arc::make_mut(&mut holder.set);
        for chunk in chunks {
            set.insert(chunk);
        }
    }

    /// Finds the described holders of a torrent that was published after they announced.
    fn list_described_holders(&mut self, serial: Serial, torrent: &Torrent) {
        for chunk in (0..torrent.chunk_count()).map(ChunkIndex::new) {
            let hash = torrent.chunk_hash(chunk);
            let first_here = self.torrents.spots(&hash).find(|spot| spot.serial == serial);
            let Some(spot) = first_here.filter(|spot| spot.chunk == chunk) else { continue };
            let holders = self.described.holders(&Name::Hash(hash)).to_vec();
            for id in holders {
                self.list_at(spot, id, &hash);
            }
        }
    }

    /// Gives each known hash to one holder, spread over the holders.
    pub fn assign(&mut self, now: Time, rng: &mut impl Rng, wanted: &[OpaqueHash]) -> Vec<Assignment> {
        self.expire(now);
        assignment::assign(self, rng, wanted)
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

    /// A DHT node registers. False when its host has its share already.
    pub fn register_dht_node(&mut self, now: Time, node: HostPort) -> bool {
        self.expire(now);
        self.dht.register(now, node, self.limits.dht_nodes, self.limits.dht_nodes_per_host)
    }

    /// Registered DHT nodes, oldest first.
    pub fn dht_nodes(&mut self, now: Time) -> Vec<HostPort> {
        self.expire(now);
        self.dht.list().cloned().collect()
    }

    /// Forgets whose lease or life is over. Every other call does so itself; this is for a tracker nobody calls.
    pub fn expire(&mut self, now: Time) {
        while let Some((serial, peer)) = self.leases.pop_due(now) {
            self.remove_holder(serial, peer);
        }
        while let Some(id) = self.described.lives.pop_due(now) {
            self.remove_announcer(id);
        }
        self.dht.expire(now);
    }

    fn remove_announcer(&mut self, id: AnnouncerId) {
        let Some(announcer) = self.described.remove(id) else { return };
        for serial in announcer.listed_in {
            let Some(entry) = self.torrents.get_mut(serial) else { continue };
            if entry.described.remove(&id).is_some() {
                self.bitmap_bytes -= bitmap_bytes(entry.torrent.chunk_count());
            }
        }
    }

    /// How full the tables are.
    pub fn sizes(&self) -> Sizes {
        let (torrents, torrent_bytes) = self.torrents.size();
        let (announcers, hashes, pairs) = self.described.size();
        let (holders, bitmap_bytes) = (self.leases.len(), self.bitmap_bytes);
        Sizes { torrents, torrent_bytes, holders, bitmap_bytes, announcers, hashes, pairs }
    }
}
