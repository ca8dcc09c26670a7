//! Neighbours are met, and followed: as `peer/src/neighbour.rs`, except that a peer reads what all its neighbours
//! gained in one round.
//!
//! A real follower's long poll is answered at once when nothing was told for a while, and otherwise when enough gains have
//! gathered or a batch's time is over. Here a gain after a silence is told at once as well; for the others every peer has
//! a clock of about that length, and reads at each tick what its neighbours had stored a delay ago. With a dense
//! stream the two are the same.

use std::time::Duration;

use protocol::{ChunkIndex, ChunkSet, Time};
use swarm::{Event, Gained, Gathering, PeerKey};

use super::World;
use crate::agenda::Happening;
use crate::node::{Follower, NodeId};
use crate::roster::{Member, Origin, Place, Reading, Sighted};

/// Request and head of the answer of a long poll, in bytes, and each run in it.
const POLL: (u64, u64) = (172, 148);
const RUN: u64 = 12;
/// Enough gains are told at once, unless the last ones were told just now. As in `peer/src/serve/torrent.rs`.
const LEAST_APART: Duration = Duration::from_millis(50);
/// The first so many are told that often, however few they are. Here they are counted by who reads, who gains about as fast.
const FIRST: usize = 16;
/// Request and head of the answer of a bitmap, or of a list of peers.
const QUESTION: (u64, u64) = (220, 180);
/// A peer in such a list.
const ENTRY: u64 = 110;
/// What a neighbour that nobody can dial costs in time: three connections of three seconds, a second apart.
const IN_VAIN: Duration = Duration::from_secs(11);
/// Likewise for one that is gone: refused at once, three times.
const REFUSED: Duration = Duration::from_secs(2);

impl World<'_> {
    /// Somebody named a peer.
    pub(super) fn sighted(
        &mut self,
        id: NodeId,
        of: NodeId,
        held: Option<ChunkSet>,
        native: bool,
        origin: Origin,
    ) {
        if of == id || self.nodes[id.slot()].brain.is_none() {
            return;
        }
        let now = self.now;
        let node = self.node(id);
        let brain = &mut node.brain;
        let gives_way = || brain.as_deref_mut().and_then(|brain| brain.gives_way(now));
        let Sighted { events, taken_in, lost, ask } = node.roster.sighted(now, of, held, origin, gives_way);
        if let Some(key) = lost {
            self.withdraw_all(id, key);
            self.tell(id, Event::PeerLost { peer: key });
        }
        if let Some(key) = taken_in {
            // Connect and ask; one who was named without its id is first asked what it speaks.
            let (delay, round_trips) = (self.delay(id, of), if native { 2 } else { 4 });
            if let Some(member) = self.node(id).roster.get_mut(key) {
                member.delay = delay;
            }
            self.plan(delay * 2 * round_trips, Happening::Meets(id, key));
        }
        let key = events.first().and_then(event_key);
        for event in events {
            self.tell(id, event);
        }
        if let (true, Some(key)) = (ask, key) {
            self.ask_whom(id, key);
        }
    }

    /// Asks a neighbour whom it knows.
    pub(super) fn ask_whom(&mut self, id: NodeId, key: PeerKey) {
        let Some(of) = self.node(id).roster.get(key).map(|member| member.node) else { return };
        self.plan(self.delay(id, of) * 2, Happening::Hears(id, key));
    }

    pub(super) fn hears(&mut self, id: NodeId, key: PeerKey) {
        let Some(of) = self.node(id).roster.get(key).map(|member| member.node) else { return };
        let other = self.node(of);
        if !other.is_here() || !other.dialable {
            return;
        }
        let told: Vec<NodeId> = other.roster.told().collect();
        self.control.peers += QUESTION.0 + QUESTION.1 + told.len() as u64 * ENTRY;
        self.charge(Some(id), Some(of), QUESTION.0);
        self.charge(Some(of), Some(id), QUESTION.1 + told.len() as u64 * ENTRY);
        for named in told {
            self.sighted(id, named, None, false, Origin::Named);
        }
    }

    /// A neighbour answers for the first time, with what it holds, or does not answer.
    pub(super) fn meets(&mut self, id: NodeId, key: PeerKey) {
        let now = self.now;
        let Some(of) = self.node(id).roster.get(key).map(|member| member.node) else { return };
        let other = &self.nodes[of.slot()];
        if !other.is_here() || !other.dialable {
            let after = if other.is_here() { IN_VAIN } else { REFUSED };
            self.plan(after, Happening::Loses(id, key));
            return;
        }
        let one_way = self.delay(id, of);
        let other = &self.nodes[of.slot()];
        let is_complete = other.complete.is_some_and(|at| at + one_way <= now);
        let mut held = ChunkSet::empty(self.rollout.chunks());
        let seen = other.gains.iter().take_while(|gain| gain.at() + one_way <= now);
        let cursor = u32::try_from(seen.map(|gain| held.insert(gain.chunk())).count()).unwrap_or(u32::MAX);
        let bytes = QUESTION.1 + ChunkSet::wire_length(held.len()) as u64;
        self.control.gains += QUESTION.0 + bytes;
        self.charge(Some(id), Some(of), QUESTION.0);
        self.charge(Some(of), Some(id), bytes);
        self.node(of).roster.saw(id);
        let roster = &mut self.node(id).roster;
        roster.saw(of);
        roster.note(key, is_complete || !held.is_empty());
        if let Some(member) = roster.get_mut(key) {
            member.reading = if is_complete { Reading::Done } else { Reading::Upto(cursor) };
        }
        if !is_complete {
            let group = u32::try_from(self.nodes[id.slot()].group).unwrap_or(u32::MAX);
            self.node(of).followers.push(Follower { node: id, group, key, place: Place::UNKNOWN });
        }
        // Who asks has told its own address: it becomes a neighbour, too.
        self.sighted(of, id, None, true, Origin::Came);
        let roster = &mut self.node(id).roster;
        let mut events = Vec::new();
        let ask = roster.met(key, &mut events);
        events.push(Event::PeerGained {
            peer: key,
            chunks: if is_complete { Gained::All } else { Gained::Set(held) },
        });
        for event in events {
            self.tell(id, event);
        }
        if ask {
            self.ask_whom(id, key);
        }
    }

    /// A neighbour does not answer any more, if it is still one.
    pub(super) fn loses(&mut self, id: NodeId, key: PeerKey) {
        if self.node(id).roster.get(key).is_some() {
            self.lose(id, key);
        }
    }

    /// Plans the next reading of gains.
    pub(super) fn plan_round(&mut self, id: NodeId) {
        let members = self.nodes[id.slot()].roster.members();
        let far: Duration = members.iter().map(|member| member.delay).sum();
        let mean = far / u32::try_from(members.len()).unwrap_or(u32::MAX).max(1);
        let round = self.gain_interval(id) + mean * 2;
        self.plan(round, Happening::Round(id));
    }

    /// How long gains are gathered before they are told: until there are enough, and no longer than the network says.
    /// Neighbours gain about as fast as oneself.
    fn gain_interval(&mut self, id: NodeId) -> Duration {
        let now = self.now;
        let node = self.node(id);
        let gained = node.gains.len();
        let (since, before) = std::mem::replace(&mut node.round, (now, gained));
        let lately = u32::try_from(gained - before).unwrap_or(u32::MAX);
        let together =
            now.since(since).saturating_mul(Gathering::of(self.rollout.chunk_bytes).gains) / lately.max(1);
        let most = self.batch();
        let least = LEAST_APART.min(most);
        match lately {
            _ if gained < FIRST => least,
            0 => most,
            _ => together.clamp(least, most),
        }
    }

    /// The longest that gains are gathered.
    fn batch(&self) -> Duration {
        self.rollout.network.batch * Gathering::of(self.rollout.chunk_bytes).waits
    }

    /// Reads what all neighbours gained.
    pub(super) fn round(&mut self, id: NodeId) {
        if self.nodes[id.slot()].brain.is_none() {
            return;
        }
        for news in self.news_for(id) {
            self.hear_news(id, news);
        }
        self.plan_round(id);
    }

    fn hear_news(&mut self, id: NodeId, News { key, of, runs }: News) {
        let answer = POLL.1 + runs.len() as u64 * RUN;
        self.control.gains += POLL.0 + answer;
        self.charge(Some(id), Some(of), POLL.0);
        self.charge(Some(of), Some(id), answer);
        self.tell(id, Event::PeerGained { peer: key, chunks: Gained::Runs(runs) });
    }

    /// What a peer's neighbours gained and it has not read: each a delay late.
    fn news_for(&mut self, id: NodeId) -> Vec<News> {
        let mut roster = std::mem::take(&mut self.node(id).roster);
        let news = roster.members_mut().iter_mut().filter_map(|member| self.news_of(id, member)).collect();
        self.node(id).roster = roster;
        news
    }

    /// The same of one neighbour. Most have nothing new, so that this is looked at first.
    fn news_of(&self, id: NodeId, member: &mut Member) -> Option<News> {
        let other = &self.nodes[member.node.slot()];
        if !other.is_here() || member.unread(&other.gains).is_empty() {
            return None;
        }
        let until = self.sent_by(member.node, id);
        let runs = member.read(&other.gains, until, self.rollout.chunks());
        (!runs.is_empty()).then_some(News { key: member.key, of: member.node, runs })
    }

    /// A peer gained a chunk: the first after a silence is told at once, and among many neighbours whatever is gained while
    /// nobody asks for anything; others with the next round.
    pub(super) fn tell_followers(&mut self, id: NodeId) {
        let (now, batch) = (self.now, self.batch());
        let node = self.node(id);
        let before = std::mem::replace(&mut node.gained_at, now);
        let after_silence = before == Time::ZERO || now.since(before) >= batch;
        let sending = node.upload.active();
        if after_silence || node.brain.as_deref().is_some_and(|brain| brain.tells_at_once(sending)) {
            self.tell_at_once(id);
        }
    }

    /// All followers hear what a peer gained, and not with the next round. (Of a real one, a poll may still be on its way.)
    /// One event for those of a group, which have the same link and site: an event a follower took a large simulation a tenth longer.
    pub(super) fn tell_at_once(&mut self, id: NodeId) {
        let followers = &self.nodes[id.slot()].followers;
        let mut groups: Vec<(u32, NodeId)> = Vec::new();
        for follower in followers {
            if groups.iter().all(|&(other, _)| other != follower.group) {
                groups.push((follower.group, follower.node));
            }
        }
        for (group, follower) in groups {
            self.plan(self.message_delay(id, follower), Happening::Told(id, group));
        }
    }

    /// Followers of this group hear what a peer gained.
    pub(super) fn told(&mut self, of: NodeId, group: u32) {
        if !self.nodes[of.slot()].is_here() {
            return;
        }
        let chunks = self.rollout.chunks();
        // Put back below: nothing is told before all have read.
        let mut followers = std::mem::take(&mut self.node(of).followers);
        let gains = std::mem::take(&mut self.node(of).gains);
        let mut news = Vec::with_capacity(followers.len());
        let mut until = None;
        for &mut Follower { node: id, key, ref mut place, .. } in
            followers.iter_mut().filter(|one| one.group == group)
        {
            let until = *until.get_or_insert_with(|| self.sent_by(of, id));
            let Some(member) = self.node(id).roster.get_near(key, place) else { continue };
            let runs = member.read(&gains, until, chunks);
            if !runs.is_empty() {
                news.push((id, News { key, of, runs }));
            }
        }
        let node = self.node(of);
        (node.followers, node.gains) = (followers, gains);
        for (id, news) in news {
            self.hear_news(id, news);
        }
    }
}

/// Chunks that a neighbour gained.
struct News {
    key: PeerKey,
    of: NodeId,
    runs: Vec<(ChunkIndex, ChunkIndex)>,
}

fn event_key(event: &Event) -> Option<PeerKey> {
    match event {
        Event::PeerFound { peer } | Event::PeerGained { peer, .. } => Some(*peer),
        _ => None,
    }
}
