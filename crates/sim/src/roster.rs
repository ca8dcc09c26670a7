//! Who is a neighbour of a simulated peer, and who may not be again for a while: as `peer/src/download/roster.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use protocol::{ChunkIndex, ChunkSet, Time};
use swarm::{DropReason, Event, Gained, PeerKey};

use crate::node::{Gain, NodeId};

/// Of the places for neighbours, one in so many is for those who come by themselves, and not for whom others name: without
/// that, a swarm that starts at once is a graph in which those whom the tracker named first are followed by all, and the
/// last by nobody.
const CAME: usize = 6;
/// A neighbour that was lost or kept failing is left alone this long; twice as long each time, up to the last.
const LEFT_ALONE_FIRST: Duration = Duration::from_secs(2);
const LEFT_ALONE_LAST: Duration = Duration::from_secs(60);
/// With fewer neighbours than this, each new one is asked at once whom it knows.
const LONELY: usize = 8;
/// Most peers remembered as alive, to be told to others.
const ACQUAINTANCES: usize = 256;
/// Most of them in one answer.
const TOLD: usize = protocol::api::tracker::MAX_PEERS;

/// A neighbour. One cache line: each request, body and gain looks at one of sixty of a peer that is in no cache.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Member {
    pub(crate) key: PeerKey,
    pub(crate) node: NodeId,
    /// One way to it: kept here, because looking at sixty peers to ask for it is slow.
    pub(crate) delay: Duration,
    /// The brain knows of it.
    pub(crate) met: bool,
    /// What was heard of it before it was met.
    hearsay: Option<Box<Gained>>,
    pub(crate) reading: Reading,
    /// It holds anything, as far as is known.
    something: bool,
    /// Requests under way, and the connections that were needed for the most of them at a time.
    pub(crate) flying: u16,
    pub(crate) connections: u16,
    /// Bytes a round trip that a connection to it was good for, and when.
    window: (u64, Time),
}

/// A connection that is idle for this long halves its window (RFC 2861: with every retransmission timeout).
const IDLE: Duration = Duration::from_millis(250);

impl Member {
    /// Bytes a round trip that a connection to it is good for by now.
    pub(crate) fn window_at(&self, now: Time, first: u64) -> u64 {
        let (window, at) = self.window;
        let halvings = now.since(at).as_nanos() / IDLE.as_nanos();
        window.checked_shr(u32::try_from(halvings).unwrap_or(u32::MAX)).unwrap_or(0).max(first)
    }

    /// Of what it gained, in order, what was not read.
    pub(crate) fn unread<'a>(&self, gains: &'a [Gain]) -> &'a [Gain] {
        let Reading::Upto(cursor) = self.reading else { return &[] };
        gains.get(cursor as usize..).unwrap_or_default()
    }

    /// Reads what it gained by then, of `chunks` in all.
    pub(crate) fn read(&mut self, gains: &[Gain], until: Time, chunks: u32) -> Vec<(ChunkIndex, ChunkIndex)> {
        let seen = self.unread(gains).iter().take_while(|gain| gain.at() <= until);
        let runs: Vec<_> = seen.map(|gain| (gain.chunk(), gain.chunk())).collect();
        if let (Reading::Upto(cursor), false) = (self.reading, runs.is_empty()) {
            let read = cursor + u32::try_from(runs.len()).unwrap_or(u32::MAX);
            self.reading = if read == chunks { Reading::Done } else { Reading::Upto(read) };
            self.something = true;
        }
        runs
    }

    /// Nothing of a body has come over a connection to it.
    pub(crate) const fn is_new(&self) -> bool {
        self.window.0 == 0
    }

    /// A connection to it has grown to this window.
    pub(crate) fn keep_window(&mut self, now: Time, window: u64) {
        self.window = (window.max(self.window_at(now, 0)), now);
    }
}

/// How a peer became known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Somebody named it.
    Named,
    /// It asked here what there is.
    Came,
}

/// How far what a neighbour gained is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// It has not answered yet.
    NotYet,
    /// So many of its gains.
    Upto(u32),
    /// It holds everything: nothing more to read.
    Done,
}

/// The neighbours, in the order of their keys.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    /// Most of them: `neighbours_most` of its brain.
    most: usize,
    members: Vec<Member>,
    /// Key and peer of each member again, side by side: they are looked through at many messages, and members are a cache line each.
    keys: Vec<PeerKey>,
    nodes: Vec<NodeId>,
    last_key: u32,
    banned: BTreeSet<NodeId>,
    left_alone: BTreeMap<NodeId, (Time, Duration)>,
    next_asked: u32,
    /// Who was seen alive, the latest last.
    acquaintances: Vec<NodeId>,
}

/// Where in a roster a member was found last. Of more than there are numbers, the last ones are searched for each time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place(u16);

impl Place {
    /// It was not looked for yet.
    pub(crate) const UNKNOWN: Place = Place(u16::MAX);
}

/// What a sighting leads to.
#[derive(Debug, Default)]
pub(crate) struct Sighted {
    /// For the brain.
    pub(crate) events: Vec<Event>,
    /// A new neighbour, which is to be asked what it holds.
    pub(crate) taken_in: Option<PeerKey>,
    /// One that made room for it.
    pub(crate) lost: Option<PeerKey>,
    /// The neighbour was met, and is to be asked whom it knows.
    pub(crate) ask: bool,
}

impl Roster {
    pub(crate) fn new(most: usize) -> Self {
        Roster { most, ..Roster::default() }
    }

    pub(crate) fn get(&self, key: PeerKey) -> Option<&Member> {
        Some(&self.members[self.place_of(key)?])
    }

    pub(crate) fn get_mut(&mut self, key: PeerKey) -> Option<&mut Member> {
        let at = self.place_of(key)?;
        Some(&mut self.members[at])
    }

    /// The same of a member that was at `place` when it was looked for last: most still are, and their keys need not be searched.
    /// Notes where it is.
    pub(crate) fn get_near(&mut self, key: PeerKey, place: &mut Place) -> Option<&mut Member> {
        let mut at = usize::from(place.0);
        if self.members.get(at).is_none_or(|member| member.key != key) {
            at = self.place_of(key)?;
            *place = u16::try_from(at).map_or(Place::UNKNOWN, Place);
        }
        self.members.get_mut(at)
    }

    pub(crate) fn key_of(&self, node: NodeId) -> Option<PeerKey> {
        self.nodes.iter().position(|&other| other == node).map(|at| self.keys[at])
    }

    fn place_of(&self, key: PeerKey) -> Option<usize> {
        self.keys.binary_search(&key).ok()
    }

    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    pub(crate) fn members_mut(&mut self) -> &mut [Member] {
        &mut self.members
    }

    /// Somebody named a peer: it becomes a neighbour if there is room, or one of them `gives_way`, and what is said of it is
    /// news.
    pub(crate) fn sighted(
        &mut self,
        now: Time,
        node: NodeId,
        held: Option<ChunkSet>,
        origin: Origin,
        gives_way: impl FnOnce() -> Option<PeerKey>,
    ) -> Sighted {
        let mut sighted = Sighted::default();
        if self.banned.contains(&node) {
            return sighted;
        }
        let key = match self.key_of(node) {
            Some(key) => key,
            None if self.left_alone.get(&node).is_some_and(|(until, _)| now < *until) => return sighted,
            None => {
                if origin == Origin::Named && self.members.len() >= self.most - self.most / CAME {
                    return sighted;
                }
                if self.members.len() >= self.most {
                    let Some(leaves) = self.useless().or_else(gives_way) else { return sighted };
                    self.lost(now, leaves);
                    sighted.lost = Some(leaves);
                }
                let key = self.take_in(node);
                sighted.taken_in = Some(key);
                key
            }
        };
        let (Some(held), Some(member)) = (held.filter(|held| !held.is_empty()), self.get_mut(key)) else {
            return sighted;
        };
        if !member.met {
            member.something = true;
        }
        let gained = if held.is_full() { Gained::All } else { Gained::Set(held) };
        if member.met {
            sighted.events.push(Event::PeerGained { peer: key, chunks: gained });
        } else {
            // As in `peer/src/download/roster.rs`.
            let is_complete = gained == Gained::All;
            member.hearsay = Some(Box::new(gained));
            let is_first = !self.members.iter().any(|member| member.met);
            sighted.ask = is_complete && is_first && self.met(key, &mut sighted.events);
        }
        sighted
    }

    /// A neighbour answered, or need not: the brain hears of it. True when it should be asked whom it knows.
    pub(crate) fn met(&mut self, key: PeerKey, events: &mut Vec<Event>) -> bool {
        let few = self.members.len() < LONELY;
        let Some(member) = self.get_mut(key) else { return false };
        if std::mem::replace(&mut member.met, true) {
            return false;
        }
        events.push(Event::PeerFound { peer: key });
        events.extend(member.hearsay.take().map(|chunks| Event::PeerGained { peer: key, chunks: *chunks }));
        few
    }

    /// It is known to hold something.
    pub(crate) fn note(&mut self, key: PeerKey, something: bool) {
        if let Some(member) = self.get_mut(key) {
            member.something = something;
        }
    }

    /// A neighbour that can make room for another: one that has not answered yet, or holds nothing.
    fn useless(&self) -> Option<PeerKey> {
        self.members.iter().find(|member| !member.met || !member.something).map(|member| member.key)
    }

    /// A neighbour is gone; it may come back.
    pub(crate) fn lost(&mut self, now: Time, key: PeerKey) {
        let Some(at) = self.place_of(key) else { return };
        self.keys.remove(at);
        self.nodes.remove(at);
        let member = self.members.remove(at);
        let (until, pause) = self.left_alone.entry(member.node).or_insert((now, LEFT_ALONE_FIRST));
        *until = now + *pause;
        *pause = (*pause * 2).min(LEFT_ALONE_LAST);
    }

    /// A neighbour the brain wants nothing more to do with.
    pub(crate) fn ban(&mut self, now: Time, key: PeerKey, reason: DropReason) {
        let Some(node) = self.get(key).map(|member| member.node) else { return };
        self.acquaintances.retain(|&other| other != node);
        if reason == DropReason::WrongBytes {
            self.banned.insert(node);
        }
        self.lost(now, key);
    }

    /// The neighbour whose turn it is to be asked whom it knows.
    pub(crate) fn ask_next(&mut self) -> Option<PeerKey> {
        let of = |from: u32| self.keys.iter().copied().find(|key| key.get() >= from);
        let key = of(self.next_asked).or_else(|| of(0))?;
        self.next_asked = key.get() + 1;
        Some(key)
    }

    fn take_in(&mut self, node: NodeId) -> PeerKey {
        self.last_key += 1;
        let key = PeerKey::new(self.last_key);
        self.keys.push(key);
        self.nodes.push(node);
        self.members.push(Member {
            key,
            node,
            delay: Duration::ZERO,
            met: false,
            hearsay: None,
            reading: Reading::NotYet,
            something: false,
            flying: 0,
            connections: 0,
            window: (0, Time::ZERO),
        });
        key
    }

    /// Ends it: the download is over. Who was seen alive is still told to others.
    pub(crate) fn clear(&mut self) {
        (self.members, self.keys, self.nodes) = (Vec::new(), Vec::new(), Vec::new());
        self.left_alone = BTreeMap::new();
    }

    /// `node` was alive just now.
    pub(crate) fn saw(&mut self, node: NodeId) {
        if let Some(at) = self.acquaintances.iter().position(|&other| other == node) {
            self.acquaintances.remove(at);
        } else if self.acquaintances.len() >= ACQUAINTANCES {
            self.acquaintances.remove(0);
        }
        self.acquaintances.push(node);
    }

    /// Who is told to somebody that asks: the latest seen first.
    pub(crate) fn told(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.acquaintances.iter().rev().copied().take(TOLD)
    }
}

/// What is said of its size holds.
const _: () = assert!(size_of::<Member>() == 64, "a neighbour is one cache line");
