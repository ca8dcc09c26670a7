//! What leads from hashes to torrents and described clients: the other door's tables, under a lock of their own.
//!
//! Native announces do not come here. Whoever changes the directory may take parts of the torrents meanwhile, one after
//! the other and never the other way round.

use protocol::Time;
use protocol::api::tracker::OpaqueHash;

use crate::Limits;
use crate::described::{AnnouncerId, Client, Described, DescribedRefusal};
use crate::hash_index::HashIndex;
use crate::listing::DescribedBitmaps;
use crate::pings::{self, PingDue};
use crate::publishing::Indexing;
use crate::shard::Shards;

/// Names of announcers that are gone which one call forgets besides what it is for: about a millisecond's.
/// [`crate::Registry::settle`] does the rest.
const FORGET_STEPS: usize = 2048;

/// The tables of hashes, and of those who announced hashes.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    pub(crate) limits: Limits,
    pub(crate) hashes: HashIndex,
    pub(crate) indexing: Indexing,
    pub(crate) described: Described,
    pub(crate) bitmaps: DescribedBitmaps,
}

impl Directory {
    /// Nobody has announced anything.
    pub(crate) fn new(limits: Limits) -> Self {
        Directory { limits, ..Directory::default() }
    }

    /// A described client announces what it holds.
    pub(crate) fn announce(
        &mut self,
        now: Time,
        client: &Client,
        names: &[OpaqueHash],
        shards: &Shards,
    ) -> Result<(), DescribedRefusal> {
        let news = self.described.announce(&self.limits, client, names)?;
        let id = news.announcer;
        self.alive(now, id);
        if !self.described.pings.contains(id) {
            self.described.pings.set(id, now + self.limits.ping_every);
        }
        self.list_in_torrents(shards, id, &news.names);
        Ok(())
    }

    /// Announcers to ping now, at most so many.
    pub(crate) fn pings_due(&mut self, now: Time, most: usize) -> Vec<PingDue> {
        pings::take_due(&mut self.described, now, self.limits.ping_every, most)
    }

    /// An announcer lives.
    pub(crate) fn alive(&mut self, now: Time, announcer: AnnouncerId) {
        self.described.alive(now, &self.limits, announcer);
    }

    /// Forgets whose life is over, and a part of what they announced.
    pub(crate) fn expire(&mut self, now: Time, shards: &Shards) {
        while let Some(id) = self.described.lives.pop_due(now) {
            self.remove_announcer(shards, id);
        }
        self.described.forget_names(FORGET_STEPS);
    }

    /// When [`Directory::expire`] has something to do, if ever: at once while names are left to be forgotten.
    pub(crate) fn next_end(&self) -> Option<Time> {
        if self.described.is_forgetting() { Some(Time::ZERO) } else { self.described.lives.next() }
    }
}
