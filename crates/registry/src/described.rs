//! What described clients announced: hashes of any form, and who holds them.
//!
//! Announcers are named by their address, for the described protocol has no ids. They live by pings.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use protocol::api::tracker::OpaqueHash;
use protocol::{Hash, Host, HostPort, Time};

use crate::Limits;
use crate::deadlines::Deadlines;
use crate::torrents::Serial;

/// A described announcer's number in this process; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AnnouncerId(u64);

/// A name as the tables keep it: hashes in canonical form, which published torrents may know, take half the room.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Name {
    Hash(Hash),
    Other(OpaqueHash),
}

impl Name {
    pub(crate) fn of(text: &OpaqueHash) -> Self {
        text.as_str().parse().map_or_else(|_| Name::Other(text.clone()), Name::Hash)
    }
}

/// Why a described announce is refused. Nothing of it is kept then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DescribedRefusal {
    /// The host has its share of announcers.
    #[error("{0} clients of this host are listed already")]
    HostFull(usize),
    /// The announcer has its share of hashes.
    #[error("a client may announce {0} hashes, not more")]
    TooManyHashes(usize),
    /// A table is full.
    #[error("the tracker is full; try again later")]
    Full,
}

/// One described client.
#[derive(Debug)]
pub(crate) struct Announcer {
    pub(crate) address: HostPort,
    /// Where its announces come from: what the address is checked against again before every ping.
    pub(crate) source: IpAddr,
    pub(crate) names: HashSet<Arc<Name>>,
    /// The torrents that list it.
    pub(crate) listed_in: BTreeSet<Serial>,
}

/// Described announcers and the hashes they hold.
#[derive(Debug, Default)]
pub(crate) struct Described {
    announcers: HashMap<AnnouncerId, Announcer>,
    by_address: HashMap<HostPort, AnnouncerId>,
    per_host: HashMap<Host, usize>,
    /// Holders of each name, ascending.
    holders: HashMap<Arc<Name>, Vec<AnnouncerId>>,
    pairs: usize,
    pub(crate) lives: Deadlines<AnnouncerId>,
    pub(crate) pings: Deadlines<AnnouncerId>,
    next: u64,
}

/// What an announce changed.
pub(crate) struct News {
    pub(crate) announcer: AnnouncerId,
    /// Names it did not hold before.
    pub(crate) names: Vec<Arc<Name>>,
}

impl Described {
    /// Takes an announce whole, or not at all.
    pub(crate) fn announce(
        &mut self,
        limits: &Limits,
        address: &HostPort,
        source: IpAddr,
        names: &[OpaqueHash],
    ) -> Result<News, DescribedRefusal> {
        let known = self.by_address.get(address).copied();
        let held = known.and_then(|id| self.announcers.get(&id)).map(|announcer| &announcer.names);
        let mut seen = HashSet::new();
        let fresh: Vec<Name> = names
            .iter()
            .map(Name::of)
            .filter(|name| held.is_none_or(|held| !held.contains(name)) && seen.insert(name.clone()))
            .collect();
        let unheard = fresh.iter().filter(|name| !self.holders.contains_key(*name)).count();
        if held.map_or(0, HashSet::len) + fresh.len() > limits.hashes_per_announcer {
            return Err(DescribedRefusal::TooManyHashes(limits.hashes_per_announcer));
        }
        if self.holders.len() + unheard > limits.hashes || self.pairs + fresh.len() > limits.pairs {
            return Err(DescribedRefusal::Full);
        }
        let id = match known {
            Some(id) => id,
            None => self.admit(limits, address, source)?,
        };
        let fresh: Vec<Arc<Name>> = fresh.into_iter().map(|name| self.shared(name)).collect();
        self.pairs += fresh.len();
        for name in &fresh {
            let holders = self.holders.entry(name.clone()).or_default();
            if let Err(at) = holders.binary_search(&id) {
                holders.insert(at, id);
            }
        }
        if let Some(announcer) = self.announcers.get_mut(&id) {
            announcer.source = source;
            announcer.names.extend(fresh.iter().cloned());
        }
        Ok(News { announcer: id, names: fresh })
    }

    fn admit(
        &mut self,
        limits: &Limits,
        address: &HostPort,
        source: IpAddr,
    ) -> Result<AnnouncerId, DescribedRefusal> {
        let on_host = self.per_host.get(address.host()).copied().unwrap_or(0);
        if on_host >= limits.announcers_per_host {
            return Err(DescribedRefusal::HostFull(on_host));
        }
        if self.announcers.len() >= limits.announcers {
            return Err(DescribedRefusal::Full);
        }
        let id = AnnouncerId(self.next);
        self.next += 1;
        *self.per_host.entry(address.host().clone()).or_default() += 1;
        self.by_address.insert(address.clone(), id);
        let announcer =
            Announcer { address: address.clone(), source, names: HashSet::new(), listed_in: BTreeSet::new() };
        self.announcers.insert(id, announcer);
        Ok(id)
    }

    /// The one copy of a name that all tables share.
    fn shared(&self, name: Name) -> Arc<Name> {
        self.holders.get_key_value(&name).map_or_else(|| Arc::new(name), |(shared, _)| shared.clone())
    }

    pub(crate) fn get(&self, id: AnnouncerId) -> Option<&Announcer> {
        self.announcers.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: AnnouncerId) -> Option<&mut Announcer> {
        self.announcers.get_mut(&id)
    }

    /// Who holds this name, ascending.
    pub(crate) fn holders(&self, name: &Name) -> &[AnnouncerId] {
        self.holders.get(name).map_or(&[], Vec::as_slice)
    }

    /// Takes an announcer out with all it holds.
    pub(crate) fn remove(&mut self, id: AnnouncerId) -> Option<Announcer> {
        let announcer = self.announcers.remove(&id)?;
        self.by_address.remove(&announcer.address);
        self.lives.remove(id);
        self.pings.remove(id);
        if let Some(count) = self.per_host.get_mut(announcer.address.host()) {
            *count -= 1;
            if *count == 0 {
                self.per_host.remove(announcer.address.host());
            }
        }
        self.pairs -= announcer.names.len();
        for name in &announcer.names {
            let Some(holders) = self.holders.get_mut(name) else { continue };
            if let Ok(at) = holders.binary_search(&id) {
                holders.remove(at);
            }
            if holders.is_empty() {
                self.holders.remove(name);
            }
        }
        Some(announcer)
    }

    /// Keeps an announcer listed for its whole life from `now` on.
    pub(crate) fn alive(&mut self, now: Time, limits: &Limits, id: AnnouncerId) {
        if self.announcers.contains_key(&id) {
            self.lives.set(id, now + crate::pings::life(limits.ping_every));
        }
    }

    /// Announcers, different hashes, and pairs of the two.
    pub(crate) fn size(&self) -> (usize, usize, usize) {
        (self.announcers.len(), self.holders.len(), self.pairs)
    }
}
