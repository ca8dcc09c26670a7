//! Whom a node knows: many nodes near it, a few of every other region (Kademlia §2.4, BEP 5 "Routing Table").
//!
//! Only who answered a query of ours is in the table, so that nobody gets in by claiming an address. A node is
//! *good* while it answers, *questionable* when it was silent for a quarter of an hour or missed one query, *bad*
//! after two missed in a row. Good nodes are never displaced: who was there longest stays longest, and a flood of
//! newcomers changes nothing (threat A21).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use protocol::Time;

use crate::address::Source;
use crate::config::K;
use crate::id::Id;
use crate::message::Contact;

/// A node silent for so long is questionable (BEP 5).
pub(crate) const QUESTIONABLE_AFTER: Duration = Duration::from_secs(15 * 60);
/// A node silent for so long is asked whether it is there, so that it need not become questionable.
const QUIET_AFTER: Duration = Duration::from_secs(12 * 60);
/// Queries missed in a row that make a node bad.
const FAILURES_BAD: u32 = 2;
/// Queries missed in a row after which it is forgotten, although nobody wants its place.
const FAILURES_MOST: u32 = 5;
/// Places in the buckets of the farthest regions; [`K`] in all others. More there saves the first hop of a look-up (as
/// libtorrent does it), and makes everybody know everybody in a network of some dozens.
const FAR_BUCKETS: [usize; 3] = [8 * K, 4 * K, 2 * K];
/// Nodes of one source on the internet: whoever has one address there is not many.
const SOURCE_MOST: usize = 2;

/// What a missed query makes of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missed {
    /// Sent before it last answered, or before another miss was counted: that counts.
    Before,
    /// Perhaps a lost packet.
    Once,
    /// It is bad from now on.
    NowBad,
    /// It was bad before, or nobody knows it.
    Again,
}

#[derive(Clone, Debug)]
struct Entry {
    contact: Contact,
    /// When it last answered, or asked while it was known.
    heard: Time,
    /// Queries missed since it last answered.
    failures: u32,
    /// When it last answered, or a miss was counted. What was sent before says no more than that did: of eight queries
    /// in flight one pause loses all.
    settled: Time,
}

impl Entry {
    fn is_good(&self, now: Time) -> bool {
        self.failures == 0 && now.since(self.heard) < QUESTIONABLE_AFTER
    }

    const fn is_bad(&self) -> bool {
        self.failures >= FAILURES_BAD
    }
}

#[derive(Clone, Debug, Default)]
struct Bucket {
    entries: Vec<Entry>,
    /// When a node of it last answered, or was looked for.
    touched: Time,
}

/// The nodes a node knows.
#[derive(Clone, Debug)]
pub(crate) struct RoutingTable {
    own: Id,
    /// By how many leading bits a node's id shares with ours.
    buckets: Vec<Bucket>,
    id_at: BTreeMap<SocketAddr, Id>,
    of_source: BTreeMap<Source, usize>,
}

impl RoutingTable {
    pub(crate) fn new(own: Id) -> Self {
        RoutingTable {
            own,
            buckets: vec![Bucket::default(); Id::BITS],
            id_at: BTreeMap::new(),
            of_source: BTreeMap::new(),
        }
    }

    /// A node answered: true when it is in the table from now on and was not before.
    pub(crate) fn answered(&mut self, now: Time, contact: Contact) -> bool {
        if let Some(before) = self.id_at.get(&contact.address).copied()
            && before != contact.id
        {
            // It was restarted under another name.
            self.remove(before);
        }
        let Some(at) = self.bucket_of(contact.id) else { return false };
        self.buckets[at].touched = now;
        if let Some(entry) = self.entry_mut(contact.id) {
            if entry.contact.address == contact.address {
                (entry.heard, entry.settled) = (now, now);
                entry.failures = 0;
                return false;
            }
            // The same name elsewhere: believed when the one we know is gone.
            if !entry.is_bad() {
                return false;
            }
            self.remove(contact.id);
        }
        if !self.has_room(at, &contact.address) {
            return false;
        }
        if let Some(bad) = self.displaceable(at) {
            self.remove(bad);
        }
        self.buckets[at].entries.push(Entry { contact, heard: now, failures: 0, settled: now });
        self.id_at.insert(contact.address, contact.id);
        *self.of_source.entry(Source::of(&contact.address)).or_default() += 1;
        true
    }

    /// A node asked us something. True when it is worth asking whether it is there: it is unknown, and would find a
    /// place.
    pub(crate) fn asked(&mut self, now: Time, contact: Contact) -> bool {
        let Some(at) = self.bucket_of(contact.id) else { return false };
        match self.entry_mut(contact.id) {
            Some(entry) if entry.contact.address == contact.address => {
                if entry.failures == 0 {
                    entry.heard = now;
                }
                // It is alive, and missed something: hearing it answer settles that.
                entry.failures > 0
            }
            Some(entry) => entry.is_bad(),
            None => self.has_room(at, &contact.address) || self.has(&contact.address),
        }
    }

    /// A node missed a query that was sent then.
    pub(crate) fn missed(&mut self, now: Time, address: &SocketAddr, sent: Time) -> Missed {
        let Some(id) = self.id_at.get(address).copied() else { return Missed::Again };
        let Some(entry) = self.entry_mut(id) else { return Missed::Again };
        if sent < entry.settled {
            return if entry.is_bad() { Missed::Again } else { Missed::Before };
        }
        entry.failures += 1;
        entry.settled = now;
        let failures = entry.failures;
        if failures >= FAILURES_MOST {
            self.remove(id);
        }
        match failures {
            ..FAILURES_BAD => Missed::Once,
            FAILURES_BAD => Missed::NowBad,
            _ => Missed::Again,
        }
    }

    /// The `most` nodes nearest to `target` that may be asked. Bad ones only when there are no others: after a
    /// breakdown of the network they are all that is left.
    pub(crate) fn nearest(&self, target: Id, most: usize) -> Vec<Contact> {
        let not_bad = self.nearest_where(target, most, |entry| !entry.is_bad());
        if not_bad.is_empty() { self.nearest_where(target, most, |_| true) } else { not_bad }
    }

    /// The `most` good nodes nearest to `target`, to be told to others.
    pub(crate) fn nearest_good(&self, now: Time, target: Id, most: usize) -> Vec<Contact> {
        self.nearest_where(target, most, |entry| entry.is_good(now))
    }

    fn nearest_where(&self, target: Id, most: usize, take: impl Fn(&Entry) -> bool) -> Vec<Contact> {
        let mut found: Vec<Contact> = self.entries().filter(|e| take(e)).map(|entry| entry.contact).collect();
        found.sort_by_cached_key(|contact| contact.id.distance(target));
        found.truncate(most);
        found
    }

    /// Nodes that are good now.
    pub(crate) fn good(&self, now: Time) -> impl Iterator<Item = Contact> {
        self.entries().filter(move |entry| entry.is_good(now)).map(|entry| entry.contact)
    }

    /// Nodes that are not good and may be again, or soon will not be.
    pub(crate) fn quiet(&self, now: Time) -> impl Iterator<Item = Contact> {
        let is_quiet = move |entry: &&Entry| entry.failures > 0 || now.since(entry.heard) >= QUIET_AFTER;
        self.entries().filter(is_quiet).map(|entry| entry.contact)
    }

    /// Whether there is a node at this address, good or not.
    pub(crate) fn has(&self, address: &SocketAddr) -> bool {
        self.id_at.contains_key(address)
    }

    /// Whether a node at this address is known to answer.
    pub(crate) fn knows(&self, now: Time, address: &SocketAddr) -> bool {
        self.id_at.get(address).and_then(|id| self.entry(*id)).is_some_and(|entry| entry.is_good(now))
    }

    /// A bucket in which nothing happened for a quarter of an hour, now taken as looked after. Of the
    /// buckets nearer than the first that has places left one is enough, for all their nodes together are few: whoever
    /// has an id near ours does not make us look through the empty space between.
    pub(crate) fn stale_bucket(&mut self, now: Time, since: Time) -> Option<usize> {
        let deepest = self.buckets.iter().rposition(|bucket| !bucket.entries.is_empty())?;
        let has_room = |(at, bucket): (usize, &Bucket)| (bucket.entries.len() < K).then_some(at + 1);
        let last = self.buckets.iter().enumerate().find_map(has_room).unwrap_or(deepest).min(deepest);
        let stale = self.buckets[..=last].iter().position(|bucket| bucket.touched < since)?;
        self.buckets[stale].touched = now;
        Some(stale)
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.buckets.iter().flat_map(|bucket| &bucket.entries)
    }

    /// The bucket of an id; `None` for our own.
    fn bucket_of(&self, id: Id) -> Option<usize> {
        let at = self.own.shared_bits(id);
        (at < Id::BITS).then_some(at)
    }

    fn entry(&self, id: Id) -> Option<&Entry> {
        self.buckets[self.bucket_of(id)?].entries.iter().find(|entry| entry.contact.id == id)
    }

    fn entry_mut(&mut self, id: Id) -> Option<&mut Entry> {
        let at = self.bucket_of(id)?;
        self.buckets[at].entries.iter_mut().find(|entry| entry.contact.id == id)
    }

    /// Whether a newcomer finds a place: a questionable node keeps its own until it is known to be bad.
    fn has_room(&self, at: usize, address: &SocketAddr) -> bool {
        let source = Source::of(address);
        let crowded =
            source.is_global() && self.of_source.get(&source).is_some_and(|held| *held >= SOURCE_MOST);
        let entries = &self.buckets[at].entries;
        !crowded && (entries.len() < places(at) || entries.iter().any(Entry::is_bad))
    }

    /// Whose place a newcomer takes, when all places are taken.
    fn displaceable(&self, at: usize) -> Option<Id> {
        let entries = &self.buckets[at].entries;
        let full = entries.len() >= places(at);
        full.then(|| entries.iter().find(|entry| entry.is_bad())).flatten().map(|entry| entry.contact.id)
    }

    fn remove(&mut self, id: Id) {
        let Some(at) = self.bucket_of(id) else { return };
        let entries = &mut self.buckets[at].entries;
        let Some(place) = entries.iter().position(|entry| entry.contact.id == id) else { return };
        let address = entries.remove(place).contact.address;
        self.id_at.remove(&address);
        let source = Source::of(&address);
        if let Some(held) = self.of_source.get_mut(&source) {
            *held -= 1;
            if *held == 0 {
                self.of_source.remove(&source);
            }
        }
    }
}

/// How many nodes a bucket holds.
fn places(at: usize) -> usize {
    FAR_BUCKETS.get(at).copied().unwrap_or(K)
}

#[cfg(test)]
mod tests;
