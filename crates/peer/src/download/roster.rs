//! The neighbours of a download: who is one, who may not be again, and the task that follows each.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use protocol::{BaseUrl, ChunkSet, PeerId, Time};
use swarm::{DropReason, Event, Gained, PeerKey};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::Keys;
use crate::context::Context;
use crate::fact::{Fact, Origin, Sighting};
use crate::holding::Holding;
use crate::neighbour::{Follower, Neighbour, Speaks};
use crate::peer_exchange;

/// Most neighbours of one download: each costs a connection that waits for news.
pub(crate) const MOST: usize = 60;
/// Of these, most that were named by others. The rest is for those who come by themselves: without that, a swarm that starts
/// at once is a graph in which those whom the tracker named first are followed by all, and the last by nobody (decision
/// 9).
const MOST_NAMED: usize = 50;
/// Most neighbours at one host that is not this machine: many peers may share an address, but a list that names one
/// victim under a thousand ports must not make us its flood (threat A6).
const MOST_PER_HOST: usize = 8;
/// Most addresses remembered as banned or to be left alone; past it the list is full, and whoever misbehaves is only
/// dropped.
const MOST_REMEMBERED: usize = 4096;
/// A neighbour that was lost or kept failing is left alone this long; twice as long each time, up to the last.
const LEFT_ALONE_FIRST: Duration = Duration::from_secs(2);
const LEFT_ALONE_LAST: Duration = Duration::from_secs(60);
/// A neighbour keeps its place this long without an answer: hearsay that comes in floods must not push out those who
/// are about to answer.
const TIME_TO_ANSWER: Duration = Duration::from_secs(5);
/// Departed neighbours whose address is remembered: as many as there can be neighbours.
const MOST_DEPARTED: usize = MOST;
/// With fewer neighbours than this, each new one is asked at once whom it knows.
const LONELY: usize = 8;
/// Neighbours asked at a time whom they know.
const ASKED: usize = 2;

pub(super) struct Roster {
    context: Arc<Context>,
    holding: Arc<Holding>,
    facts: mpsc::Sender<Fact>,
    keys: Keys,
    members: BTreeMap<PeerKey, Member>,
    by_url: BTreeMap<BaseUrl, PeerKey>,
    banned: BTreeSet<BaseUrl>,
    /// Until when those are left alone that were lost or failed, and for how long the next time.
    left_alone: BTreeMap<BaseUrl, (Time, Duration)>,
    /// Those lost last: what they sent may still turn out to be wrong.
    departed: VecDeque<(PeerKey, BaseUrl)>,
    /// Whose turn it is to be asked whom they know.
    next_asked: PeerKey,
}

struct Member {
    neighbour: Arc<Neighbour>,
    follower: AbortHandle,
    /// When it was taken in.
    since: Time,
    /// The brain knows of it.
    met: bool,
    /// What was heard of it before it was met.
    hearsay: Option<Gained>,
}

impl Roster {
    pub(super) fn new(context: Arc<Context>, holding: Arc<Holding>, facts: mpsc::Sender<Fact>) -> Self {
        Roster {
            context,
            holding,
            facts,
            keys: Keys::default(),
            members: BTreeMap::new(),
            by_url: BTreeMap::new(),
            banned: BTreeSet::new(),
            left_alone: BTreeMap::new(),
            departed: VecDeque::new(),
            next_asked: PeerKey::new(0),
        }
    }

    pub(super) fn get(&self, peer: PeerKey) -> Option<&Arc<Neighbour>> {
        self.members.get(&peer).map(|member| &member.neighbour)
    }

    /// Somebody named a peer: it becomes a neighbour if there is room, or one of them `gives_way`, and what is said of it is
    /// news.
    pub(super) fn sighted(
        &mut self,
        sighting: Sighting,
        origin: Origin,
        gives_way: impl FnOnce() -> Option<PeerKey>,
    ) -> Vec<Event> {
        let Sighting { url, peer, held } = sighting;
        let identity = &self.context.identity;
        if peer == Some(identity.peer) || url == identity.url || self.banned.contains(&url) {
            return Vec::new();
        }
        let mut events = Vec::new();
        let key = match self.by_url.get(&url) {
            Some(key) => *key,
            None if self.is_left_alone(&url) || self.is_crowded(&url) => return Vec::new(),
            None if origin == Origin::Named && self.members.len() >= MOST_NAMED => return Vec::new(),
            None => {
                if self.members.len() >= MOST {
                    let Some(leaves) = self.useless().or_else(gives_way) else { return Vec::new() };
                    self.dismiss(leaves);
                    events.push(Event::PeerLost { peer: leaves });
                }
                self.take_in(url, peer)
            }
        };
        events.extend(self.heard_of(key, held.filter(|held| !held.is_empty())));
        events
    }

    /// Somebody says what a neighbour holds.
    fn heard_of(&mut self, peer: PeerKey, held: Option<ChunkSet>) -> Vec<Event> {
        let (Some(member), Some(held)) = (self.members.get_mut(&peer), held) else { return Vec::new() };
        let native = member.neighbour.speaks() == Speaks::Native;
        // What a neighbour says of itself is better than hearsay.
        if !(native && member.met) {
            member.neighbour.note(&held);
        }
        let gained = if held.is_full() { Gained::All } else { Gained::Set(held) };
        if member.met {
            return vec![Event::PeerGained { peer, chunks: gained }];
        }
        let is_complete = gained == Gained::All;
        member.hearsay = Some(gained);
        // A complete one that is known to speak natively need not answer first: the download starts a round trip earlier. Only the first of all:
        // of those that nobody can dial, each would hold up chunks until it is found out.
        let is_first = !self.members.values().any(|member| member.met);
        if native && is_complete && is_first { self.met(peer) } else { Vec::new() }
    }

    fn is_left_alone(&self, url: &BaseUrl) -> bool {
        self.left_alone.get(url).is_some_and(|(until, _)| self.context.clock.now() < *until)
    }

    fn is_crowded(&self, url: &BaseUrl) -> bool {
        let host = url.address().host();
        let here = host.as_ip().is_some_and(|address| address.is_loopback());
        let there = |other: &&BaseUrl| other.address().host() == host;
        !here && self.by_url.keys().filter(there).count() >= MOST_PER_HOST
    }

    /// A neighbour that can make room for another: one that did not answer when it had time to, or holds nothing.
    fn useless(&self) -> Option<PeerKey> {
        let now = self.context.clock.now();
        let mut members = self.members.iter();
        let useless = members.find(|(_, member)| {
            now.since(member.since) >= TIME_TO_ANSWER && !(member.met && member.neighbour.holds_something())
        });
        useless.map(|(key, _)| *key)
    }

    /// Not to be taken in again for a while.
    fn leave_alone(&mut self, url: BaseUrl) {
        let now = self.context.clock.now();
        self.left_alone.retain(|_, (until, pause)| now < *until + *pause + LEFT_ALONE_LAST);
        if self.left_alone.len() < MOST_REMEMBERED {
            let (until, pause) = self.left_alone.entry(url).or_insert((now, LEFT_ALONE_FIRST));
            *until = now + *pause;
            *pause = (*pause * 2).min(LEFT_ALONE_LAST);
        }
    }

    /// A neighbour answered: the brain hears of it, and of what was said of it before.
    pub(super) fn met(&mut self, peer: PeerKey) -> Vec<Event> {
        let Some(member) = self.members.get_mut(&peer) else { return Vec::new() };
        if std::mem::replace(&mut member.met, true) {
            return Vec::new();
        }
        let mut events = vec![Event::PeerFound { peer }];
        events.extend(member.hearsay.take().map(|chunks| Event::PeerGained { peer, chunks }));
        let neighbour = member.neighbour.clone();
        if self.members.len() < LONELY && neighbour.speaks() == Speaks::Native {
            self.ask(neighbour);
        }
        events
    }

    /// A neighbour is gone; it may come back.
    pub(super) fn lost(&mut self, peer: PeerKey) {
        if let Some(url) = self.dismiss(peer) {
            self.leave_alone(url);
        }
    }

    /// A neighbour makes room for another, which is no fault of its own.
    fn dismiss(&mut self, peer: PeerKey) -> Option<BaseUrl> {
        let member = self.members.remove(&peer)?;
        member.follower.abort();
        let url = member.neighbour.url.clone();
        self.by_url.remove(&url);
        if self.departed.len() >= MOST_DEPARTED {
            self.departed.pop_front();
        }
        self.departed.push_back((peer, url.clone()));
        Some(url)
    }

    /// A neighbour the brain wants nothing more to do with.
    pub(super) fn ban(&mut self, peer: PeerKey, reason: DropReason) {
        let present = self.get(peer).map(|neighbour| neighbour.url.clone());
        // One that hung up before its last chunk was verified is no better for it.
        let departed = || self.departed.iter().find(|(key, _)| *key == peer).map(|(_, url)| url.clone());
        let Some(url) = present.or_else(departed) else { return };
        self.holding.acquaintances.lost(&url);
        // Failing may pass, so that one is only left alone for a while; wrong bytes do not.
        if reason == DropReason::WrongBytes {
            tracing::warn!(%url, "sent bytes that fail their hash: banned from this download");
            if self.banned.len() < MOST_REMEMBERED {
                self.banned.insert(url);
            }
        }
        self.lost(peer);
    }

    /// Asks a few neighbours, in turn, whom they know.
    pub(super) fn ask_neighbours(&mut self) {
        let natives = |range: std::collections::btree_map::Range<'_, PeerKey, Member>| {
            range
                .filter(|(_, member)| member.neighbour.speaks() == Speaks::Native)
                .map(|(key, member)| (*key, member.neighbour.clone()))
                .take(ASKED)
                .collect::<Vec<_>>()
        };
        let mut asked = natives(self.members.range(self.next_asked..));
        if asked.is_empty() {
            asked = natives(self.members.range(..));
        }
        for (key, neighbour) in asked {
            self.next_asked = PeerKey::new(key.get() + 1);
            self.ask(neighbour);
        }
    }

    fn ask(&self, neighbour: Arc<Neighbour>) {
        let (context, holding, facts) = (self.context.clone(), self.holding.clone(), self.facts.clone());
        tokio::spawn(peer_exchange::ask(context, holding, neighbour, facts));
    }

    /// Meets everybody anew, for a brain that knows nobody.
    pub(super) fn start_over(&mut self) {
        let urls: Vec<BaseUrl> = self.by_url.keys().cloned().collect();
        self.clear();
        for url in urls {
            self.take_in(url, None);
        }
    }

    /// Ends every follower.
    pub(super) fn clear(&mut self) {
        for member in std::mem::take(&mut self.members).into_values() {
            member.follower.abort();
        }
        self.by_url.clear();
    }

    fn take_in(&mut self, url: BaseUrl, known: Option<PeerId>) -> PeerKey {
        let neighbour = Arc::new(Neighbour::new(self.keys.next(), url.clone(), known));
        let follower = Follower {
            context: self.context.clone(),
            holding: self.holding.clone(),
            neighbour: neighbour.clone(),
            facts: self.facts.clone(),
        };
        let follower = tokio::spawn(follower.run()).abort_handle();
        let key = neighbour.key;
        self.by_url.insert(url, key);
        let since = self.context.clock.now();
        self.members.insert(key, Member { neighbour, follower, since, met: false, hearsay: None });
        key
    }
}
