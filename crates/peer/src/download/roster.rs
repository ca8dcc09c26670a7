//! The neighbours of a download: who is one, who may not be again, and the task that follows each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use protocol::{BaseUrl, PeerId};
use swarm::{DropReason, Event, Gained, PeerKey};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::Keys;
use crate::context::Context;
use crate::fact::{Fact, Sighting};
use crate::holding::Holding;
use crate::neighbour::{Follower, Neighbour, Speaks};
use crate::peer_exchange;

/// Most neighbours of one download: each costs a connection that waits for news.
const MOST: usize = 60;
/// Most addresses remembered as banned; past it the list is full, and whoever misbehaves is only dropped.
const MOST_BANNED: usize = 4096;
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
    /// Whose turn it is to be asked whom they know.
    next_asked: PeerKey,
}

struct Member {
    neighbour: Arc<Neighbour>,
    follower: AbortHandle,
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
            next_asked: PeerKey::new(0),
        }
    }

    pub(super) fn get(&self, peer: PeerKey) -> Option<&Arc<Neighbour>> {
        self.members.get(&peer).map(|member| &member.neighbour)
    }

    /// Somebody named a peer: it becomes a neighbour if there is room, and what is said of it is news.
    pub(super) fn sighted(&mut self, sighting: Sighting) -> Vec<Event> {
        let Sighting { url, peer, held } = sighting;
        let identity = &self.context.identity;
        if peer == Some(identity.peer) || url == identity.url || self.banned.contains(&url) {
            return Vec::new();
        }
        let key = match self.by_url.get(&url) {
            Some(key) => *key,
            None if self.members.len() >= MOST => return Vec::new(),
            None => self.take_in(url, peer),
        };
        let Some(member) = self.members.get_mut(&key) else { return Vec::new() };
        let Some(held) = held.filter(|held| !held.is_empty()) else { return Vec::new() };
        member.neighbour.note(&held);
        let gained = if held.is_full() { Gained::All } else { Gained::Set(held) };
        if member.met {
            return vec![Event::PeerGained { peer: key, chunks: gained }];
        }
        member.hearsay = Some(gained);
        // Whoever is known to speak natively need not answer first: the download starts a round trip earlier.
        if member.neighbour.speaks() == Speaks::Native { self.met(key) } else { Vec::new() }
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
        if let Some(member) = self.members.remove(&peer) {
            member.follower.abort();
            self.by_url.remove(&member.neighbour.url);
        }
    }

    /// A neighbour the brain wants nothing more to do with.
    pub(super) fn ban(&mut self, peer: PeerKey, reason: DropReason) {
        let Some(url) = self.get(peer).map(|neighbour| neighbour.url.clone()) else { return };
        self.holding.acquaintances.lost(&url);
        // Failing may pass; wrong bytes do not.
        if reason == DropReason::WrongBytes {
            tracing::warn!(%url, "sent bytes that fail their hash: banned from this download");
            if self.banned.len() < MOST_BANNED {
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
        self.members.insert(key, Member { neighbour, follower, met: false, hearsay: None });
        key
    }
}
