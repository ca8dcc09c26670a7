//! A part of the published torrents with those who hold them: what one lock guards.
//!
//! Which part a torrent is in follows from its id. Nothing here knows of another part, nor of the directory, so that
//! whoever has the lock of a part waits for no other.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::api::tracker::{Have, MAX_PEERS, Token};
use protocol::{BaseUrl, PeerId, Time, TorrentId};
use rand::{Rng, RngExt};

use crate::announce::{Announced, NewAnnounce, Refusal, is_right};
use crate::budget::Budget;
use crate::hand_out::{self, Handed};
use crate::lease::{self, Leases};
use crate::registry::{Counts, Seed};
use crate::swarm::{Holder, Holding};
use crate::torrents::{Serial, Torrents};

/// Parts: far more than a machine has cores that answer announces, so that two seldom want the same.
pub(crate) const SHARDS: u8 = 16;

/// Some torrents, their holders and these holders' leases.
#[derive(Debug)]
pub(crate) struct Shard {
    pub(crate) torrents: Torrents,
    leases: Leases,
}

impl Shard {
    fn new(number: u8) -> Self {
        Shard { torrents: Torrents::new(number), leases: Leases::default() }
    }

    /// A native peer announces itself.
    pub(crate) fn announce(
        &mut self,
        now: Time,
        rng: &mut impl Rng,
        id: TorrentId,
        new: &NewAnnounce,
        budget: &Budget,
    ) -> Result<Announced<'_>, Refusal> {
        self.expire(now, budget);
        let serial = self.torrents.serial(id).ok_or(Refusal::UnknownTorrent)?;
        if let Some(dead) = new.instead_of {
            self.replace(serial, &new.url, dead, budget);
        }
        let (token, interval) = self.admit(now, serial, new, budget)?;
        let entry = self.torrents.get(serial).ok_or(Refusal::UnknownTorrent)?;
        Ok(Announced { interval, token, peers: hand_out::sample(entry, rng, MAX_PEERS, Some(new.peer)) })
    }

    /// Lists who announces, or refuses it and leaves everything as it is.
    fn admit(
        &mut self,
        now: Time,
        serial: Serial,
        new: &NewAnnounce,
        budget: &Budget,
    ) -> Result<(Token, Duration), Refusal> {
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
        let per_target = budget.limits.holders_per_target;
        if !was_counted && entry.swarm.of_target(new.target) >= per_target {
            return Err(Refusal::TargetFull(per_target));
        }
        // The shortest form of all chunks is a word, whatever the announce made of it.
        let is_word = new.have == Have::Complete || !holding.is_complete();
        let listed = new.entry.as_ref().filter(|_| is_word).cloned();
        let bytes = holding.bitmap_bytes() + listed.as_ref().map_or(0, |entry| entry.len());
        let is_new = before.is_none();
        if is_new && !budget.holders.take(1, budget.limits.holders) {
            return Err(Refusal::Full);
        }
        if !budget.exchange(before.map_or(0, Holder::bytes), bytes, holding.is_complete()) {
            budget.holders.sub(usize::from(is_new));
            return Err(Refusal::Full);
        }
        let is_same = before.is_some_and(|holder| holder.target == new.target && holder.url == new.url);
        let interval = lease::interval(budget.holders.get() + usize::from(!is_new));
        let until = now + lease::length(interval);
        let NewAnnounce { peer, target, .. } = *new;
        if entry.publisher.as_ref().is_some_and(|publisher| publisher.is(&new.url, target)) {
            entry.origin = Some(peer);
        }
        entry.touch(now);
        let stays = if is_same { entry.swarm.renew(peer, holding.is_complete()) } else { None };
        if let Some(holder) = stays {
            self.leases.renew(serial, peer, &mut holder.lease, until);
            holder.holding = holding;
            holder.entry = listed;
            return Ok((holder.token.clone(), interval));
        }
        let old = entry.swarm.remove(peer);
        if let Some(old) = &old {
            self.leases.end(serial, peer, old.lease);
        }
        let token = old.map_or_else(|| new.fresh.clone(), |holder| holder.token);
        let lease = self.leases.begin(serial, peer, until);
        let (url, given) = (new.url.clone(), token.clone());
        entry.swarm.insert(Holder { peer, url, holding, entry: listed, token: given, target, lease });
        Ok((token, interval))
    }

    /// A native peer leaves.
    pub(crate) fn leave(
        &mut self,
        now: Time,
        id: TorrentId,
        peer: PeerId,
        shown: &Token,
        budget: &Budget,
    ) -> Result<(), Refusal> {
        self.expire(now, budget);
        let serial = self.torrents.serial(id).ok_or(Refusal::UnknownTorrent)?;
        let entry = self.torrents.get(serial).ok_or(Refusal::UnknownTorrent)?;
        let holder = entry.swarm.get(peer).ok_or(Refusal::UnknownPeer)?;
        if !is_right(&holder.token, Some(shown)) {
            return Err(Refusal::NotYours);
        }
        self.remove_holder(serial, peer, budget);
        Ok(())
    }

    /// Forgets `old`, found dead, so that another process can announce the same `url`.
    fn replace(&mut self, serial: Serial, url: &BaseUrl, old: PeerId, budget: &Budget) {
        let still_there = self.torrents.get(serial).is_some_and(|entry| entry.swarm.at_url(url) == Some(old));
        if still_there {
            self.remove_holder(serial, old, budget);
        }
    }

    fn remove_holder(&mut self, serial: Serial, peer: PeerId, budget: &Budget) {
        if let Some(holder) = self.torrents.get_mut(serial).and_then(|entry| entry.swarm.remove(peer)) {
            self.leases.end(serial, peer, holder.lease);
            budget.holders.sub(1);
            budget.bitmap_bytes.sub(holder.bytes());
        }
    }

    /// Some peers of a torrent.
    pub(crate) fn peers(
        &mut self,
        now: Time,
        rng: &mut impl Rng,
        id: TorrentId,
        budget: &Budget,
    ) -> Option<Vec<Handed<'_>>> {
        self.expire(now, budget);
        Some(hand_out::sample(self.torrents.find(id)?, rng, MAX_PEERS, None))
    }

    /// How many hold a torrent.
    pub(crate) fn counts(&mut self, now: Time, id: TorrentId, budget: &Budget) -> Option<Counts> {
        self.expire(now, budget);
        let entry = self.torrents.find(id)?;
        let (seeds, leechers) = (entry.swarm.seeds(), entry.swarm.leechers());
        let described_seeds = entry.described.values().filter(|holder| holder.set.is_full()).count();
        Some(Counts {
            seeds: seeds.len() + described_seeds,
            peers: seeds.len() + leechers.len() + entry.described.len(),
        })
    }

    /// A native peer that has all of a torrent: the publisher's own if it is there, else a random one.
    pub(crate) fn seed(
        &mut self,
        now: Time,
        rng: &mut impl Rng,
        id: TorrentId,
        budget: &Budget,
    ) -> Option<Seed> {
        self.expire(now, budget);
        let entry = self.torrents.find(id)?;
        let origin = entry.origin.and_then(|peer| entry.swarm.get(peer));
        if let Some(holder) = origin.filter(|holder| holder.holding.is_complete()) {
            return Some(Seed { url: holder.url.clone(), is_publisher: true });
        }
        let seeds = entry.swarm.seeds();
        let url = (!seeds.is_empty()).then(|| seeds[rng.random_range(0..seeds.len())].url.clone())?;
        Some(Seed { url, is_publisher: false })
    }

    /// Forgets whose lease is over.
    pub(crate) fn expire(&mut self, now: Time, budget: &Budget) {
        while let Some((serial, peer)) = self.leases.pop_due(now) {
            let holder = self.torrents.get_mut(serial).and_then(|entry| entry.swarm.get_mut(peer));
            let goes_on =
                holder.is_some_and(|holder| self.leases.put_back(now, serial, peer, &mut holder.lease));
            if !goes_on {
                self.remove_holder(serial, peer, budget);
            }
        }
    }
}

/// All parts. Whoever needs several takes them in their order, so that no two wait for each other; whoever needs the
/// directory as well has its lock first.
#[derive(Debug)]
pub(crate) struct Shards([Mutex<Shard>; SHARDS as usize]);

impl Default for Shards {
    fn default() -> Self {
        let mut number = 0..SHARDS;
        Shards(std::array::from_fn(|_| Mutex::new(Shard::new(number.next().unwrap_or_default()))))
    }
}

impl Shards {
    /// The part in which a torrent with this id is. Whoever chooses ids may put all of his into one: they wait for each
    /// other then as they all would for a single lock.
    pub(crate) fn of(&self, id: TorrentId) -> MutexGuard<'_, Shard> {
        lock(&self.0[Shards::place_of(id)])
    }

    /// The place of that part in [`Shards::all`].
    pub(crate) fn place_of(id: TorrentId) -> usize {
        usize::from(id.as_bytes()[0] % SHARDS)
    }

    /// The part that gave this number.
    pub(crate) fn with(&self, serial: Serial) -> MutexGuard<'_, Shard> {
        lock(&self.0[usize::from(serial.shard())])
    }

    /// One after the other, each let go before the next.
    pub(crate) fn each(&self) -> impl Iterator<Item = MutexGuard<'_, Shard>> {
        self.0.iter().map(lock)
    }

    /// All at once.
    pub(crate) fn all(&self) -> Vec<MutexGuard<'_, Shard>> {
        self.each().collect()
    }

    /// Those at once that gave the numbers which `is_wanted` knows the part of; the others' places are empty.
    pub(crate) fn those(&self, is_wanted: impl Fn(u8) -> bool) -> Vec<Option<MutexGuard<'_, Shard>>> {
        let places = (0..SHARDS).zip(&self.0);
        places.map(|(number, shard)| is_wanted(number).then(|| lock(shard))).collect()
    }
}

/// A panic inside an earlier call is a defect; going on with what is there serves everybody else.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
