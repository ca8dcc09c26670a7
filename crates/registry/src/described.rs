//! What described clients announced: hashes of any form, and who holds them.
//!
//! Announcers are named by their address, for the described protocol has no ids. They live by pings.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::vec;

use protocol::api::tracker::OpaqueHash;
use protocol::{Hash, HostPort, Time};

use crate::Limits;
use crate::deadlines::Deadlines;
use crate::names::{NameId, Names};
use crate::target::{Tally, Target};
use crate::torrents::Serial;

/// A described announcer's number in this process; used again only after four billion others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AnnouncerId(u32);

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
    /// The target has its share of announcers.
    #[error("{0} clients of this host are listed already")]
    TargetFull(usize),
    /// The target has its share of hashes.
    #[error("the clients of this host have announced their share of hashes")]
    ShareTaken,
    /// The announcer has its share of hashes.
    #[error("a client may announce {0} hashes, not more")]
    TooManyHashes(usize),
    /// A table is full.
    #[error("the tracker is full; try again later")]
    Full,
}

/// Where a described client is. The shell has checked that one who comes from `source` may say so.
#[derive(Clone, Debug)]
pub struct Client {
    /// Where it says it can be reached.
    pub address: HostPort,
    /// Where its announce came from.
    pub source: IpAddr,
    /// Whom the address leads to.
    pub target: Target,
}

/// One described client.
#[derive(Debug)]
pub(crate) struct Announcer {
    pub(crate) address: HostPort,
    /// Where its announces come from: what the address is checked against again before every ping.
    pub(crate) source: IpAddr,
    /// As whose it counts: the target of its first announce. It stays that for its life, for what is counted must be counted back.
    pub(crate) target: Target,
    /// Ascending. A million pairs of announcer and hash are mostly these.
    names: Vec<NameId>,
    /// The torrents that list it.
    pub(crate) listed_in: BTreeSet<Serial>,
}

/// Described announcers and the hashes they hold.
#[derive(Debug, Default)]
pub(crate) struct Described {
    announcers: HashMap<AnnouncerId, Announcer>,
    by_address: HashMap<HostPort, AnnouncerId>,
    per_target: Tally,
    names: Names,
    names_of: Tally,
    pairs: usize,
    pairs_of: Tally,
    pub(crate) lives: Deadlines<AnnouncerId>,
    pub(crate) pings: Deadlines<AnnouncerId>,
    next: u32,
    /// Whose names are still to be forgotten. They are nobody's any more, but the tables still have them.
    dying: VecDeque<Dying>,
    /// Of everybody, the dying among them.
    targets: HashMap<AnnouncerId, Target>,
}

/// One who is gone.
#[derive(Debug)]
struct Dying {
    id: AnnouncerId,
    target: Target,
    names: vec::IntoIter<NameId>,
}

/// What an announce changed.
pub(crate) struct News {
    pub(crate) announcer: AnnouncerId,
    /// Names it did not hold before.
    pub(crate) names: Vec<Name>,
}

impl Described {
    /// Takes an announce whole, or not at all.
    pub(crate) fn announce(
        &mut self,
        limits: &Limits,
        client: &Client,
        names: &[OpaqueHash],
    ) -> Result<News, DescribedRefusal> {
        let known = self.by_address.get(&client.address).copied();
        let announcer = known.and_then(|id| self.announcers.get(&id));
        let held = announcer.map_or(&[][..], |announcer| &announcer.names);
        let target = announcer.map_or(client.target, |announcer| announcer.target);
        let mut seen = HashSet::new();
        let is_held = |name: &Name| self.names.find(name).is_some_and(|id| held.binary_search(&id).is_ok());
        let fresh: Vec<Name> =
            names.iter().map(Name::of).filter(|name| !is_held(name) && seen.insert(name.clone())).collect();
        if held.len() + fresh.len() > limits.hashes_per_announcer {
            return Err(DescribedRefusal::TooManyHashes(limits.hashes_per_announcer));
        }
        self.has_room(limits, target, &fresh)?;
        let id = match known {
            Some(id) => id,
            None => self.admit(limits, client)?,
        };
        self.pairs += fresh.len();
        self.pairs_of.add(target, fresh.len());
        let ids: Vec<NameId> = fresh.iter().map(|name| self.add_holder(name, id, target)).collect();
        if let Some(announcer) = self.announcers.get_mut(&id) {
            announcer.source = client.source;
            add(&mut announcer.names, ids);
        }
        Ok(News { announcer: id, names: fresh })
    }

    /// Whether the tables, and this target's share of them, have room for names that one of its clients has not held.
    fn has_room(&self, limits: &Limits, target: Target, fresh: &[Name]) -> Result<(), DescribedRefusal> {
        let unheard = fresh.iter().filter(|name| self.names.find(name).is_none()).count();
        if self.names.len() + unheard > limits.hashes || self.pairs + fresh.len() > limits.pairs {
            return Err(DescribedRefusal::Full);
        }
        let over =
            |has: &Tally, more: usize, most: usize| more > 0 && has.of(target) + more > limits.share_of(most);
        if over(&self.names_of, unheard, limits.hashes) || over(&self.pairs_of, fresh.len(), limits.pairs) {
            return Err(DescribedRefusal::ShareTaken);
        }
        Ok(())
    }

    fn admit(&mut self, limits: &Limits, client: &Client) -> Result<AnnouncerId, DescribedRefusal> {
        let there = self.per_target.of(client.target);
        if there >= limits.announcers_per_target {
            return Err(DescribedRefusal::TargetFull(there));
        }
        if self.announcers.len() >= limits.announcers {
            return Err(DescribedRefusal::Full);
        }
        // After a wrap, those who are still there are passed over; the tables have few thousand.
        while self.targets.contains_key(&AnnouncerId(self.next)) {
            self.next = self.next.wrapping_add(1);
        }
        let id = AnnouncerId(self.next);
        self.next = self.next.wrapping_add(1);
        self.per_target.add(client.target, 1);
        self.targets.insert(id, client.target);
        let Client { address, source, target } = client.clone();
        self.by_address.insert(address.clone(), id);
        let (names, listed_in) = (Vec::new(), BTreeSet::new());
        self.announcers.insert(id, Announcer { address, source, target, names, listed_in });
        Ok(id)
    }

    fn add_holder(&mut self, name: &Name, id: AnnouncerId, target: Target) -> NameId {
        let (name, holders) = self.names.note(name);
        if let Err(at) = holders.binary_search(&id) {
            if at == 0 {
                if let Some(before) = holders.first().and_then(|first| self.targets.get(first)) {
                    self.names_of.sub(*before, 1);
                }
                self.names_of.add(target, 1);
            }
            holders.insert(at, id);
        }
        name
    }

    fn remove_holder(&mut self, name: NameId, id: AnnouncerId, target: Target) {
        let Some(holders) = self.names.holders_mut(name) else { return };
        let Ok(at) = holders.binary_search(&id) else { return };
        holders.remove(at);
        if at > 0 {
            return;
        }
        self.names_of.sub(target, 1);
        match holders.first() {
            Some(next) => {
                if let Some(next) = self.targets.get(next) {
                    self.names_of.add(*next, 1);
                }
            }
            None => self.names.forget(name),
        }
    }

    pub(crate) fn get(&self, id: AnnouncerId) -> Option<&Announcer> {
        self.announcers.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: AnnouncerId) -> Option<&mut Announcer> {
        self.announcers.get_mut(&id)
    }

    /// Who holds this name, ascending.
    pub(crate) fn holders(&self, name: &Name) -> &[AnnouncerId] {
        self.names.find(name).map_or(&[], |name| self.names.holders(name))
    }

    /// Takes an announcer out. What it held is forgotten by and by: a hundred thousand names take a while.
    /// Returns the torrents that list it, and its target.
    pub(crate) fn remove(&mut self, id: AnnouncerId) -> Option<(BTreeSet<Serial>, Target)> {
        let Announcer { address, target, names, listed_in, .. } = self.announcers.remove(&id)?;
        self.by_address.remove(&address);
        self.lives.remove(id);
        self.pings.remove(id);
        self.per_target.sub(target, 1);
        self.dying.push_back(Dying { id, target, names: names.into_iter() });
        Some((listed_in, target))
    }

    /// Forgets at most so many names of those who are gone. True when there are more.
    pub(crate) fn forget_names(&mut self, most: usize) -> bool {
        let mut left = most;
        while let Some(mut dying) = self.dying.pop_front() {
            for name in dying.names.by_ref().take(left) {
                left -= 1;
                self.pairs -= 1;
                self.pairs_of.sub(dying.target, 1);
                self.remove_holder(name, dying.id, dying.target);
            }
            if dying.names.len() > 0 {
                self.dying.push_front(dying);
                return true;
            }
            self.targets.remove(&dying.id);
        }
        false
    }

    /// Whether there are such names.
    pub(crate) fn is_forgetting(&self) -> bool {
        !self.dying.is_empty()
    }

    /// Keeps an announcer listed for its whole life from `now` on.
    pub(crate) fn alive(&mut self, now: Time, limits: &Limits, id: AnnouncerId) {
        if self.announcers.contains_key(&id) {
            self.lives.set(id, now + crate::pings::life(limits.ping_every));
        }
    }

    /// Announcers, different hashes, and pairs of the two.
    pub(crate) fn size(&self) -> (usize, usize, usize) {
        (self.announcers.len(), self.names.len(), self.pairs)
    }
}

/// Adds to an ascending list what is not in it. The first announce brings most, and with it the list has just that room; those
/// that follow bring a few, which would not be worth sorting all of it again.
fn add(names: &mut Vec<NameId>, more: Vec<NameId>) {
    const FEW: usize = 16;
    if names.is_empty() {
        names.reserve_exact(more.len());
    }
    if names.is_empty() || more.len() > FEW {
        names.extend(more);
        names.sort_unstable();
        return;
    }
    for id in more {
        if let Err(at) = names.binary_search(&id) {
            names.insert(at, id);
        }
    }
}
