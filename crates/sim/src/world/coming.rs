//! Peers come, are killed, and say goodbye.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::{ChunkSet, Time};
use rand::RngExt;
use scenario::rollout::{Arrival, Group, Role, SeedDeath};
use swarm::{Download, Event, Failure, FirstCopies, Upload};

use super::{START, World};
use crate::agenda::Happening;
use crate::network::{Downlink, Uplink};
use crate::node::{Announcer, Node, NodeId, Presence};
use crate::requests::Stage;
use crate::roster::Roster;

/// Round trips to the tracker before the first announce, which goes over the same connection: connect, and ask for torrent.json.
const ROUND_TRIPS_TO_START: u32 = 2;
/// A tracker that is away when a peer wants torrent.json is tried again after this.
const RETRY: Duration = Duration::from_secs(1);
/// A neighbour whose connections break is tried three times, a second apart, before it counts as lost.
const TRIES: Duration = Duration::from_secs(2);

impl World<'_> {
    /// Makes everybody, and plans their coming.
    pub(super) fn populate(&mut self) {
        let rollout = self.rollout;
        for (number, group) in rollout.groups.iter().enumerate() {
            for place in 0..group.count {
                let arrived = self.arrival(group, place);
                let node = self.make(number, group, arrived);
                let id = NodeId::new(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
                self.unfinished += usize::from(group.role == Role::Leecher);
                self.nodes.push(node);
                self.agenda.plan(arrived, Happening::Arrives(id));
                if let Some(vanishing) = group.vanishing
                    && self.rng.random_range(0..100) < vanishing.percent
                {
                    let within = u64::try_from(vanishing.within.as_nanos()).unwrap_or(u64::MAX).max(1);
                    let after = Duration::from_nanos(self.rng.random_range(0..within));
                    self.agenda.plan(arrived + after, Happening::Dies(id));
                }
                if let (Role::Seed, Some(SeedDeath::At(at))) = (group.role, rollout.faults.seed_dies) {
                    self.agenda.plan(Time::ZERO + START + at, Happening::Dies(id));
                }
            }
        }
        if let Some(SeedDeath::Copies(hundredths)) = rollout.faults.seed_dies {
            self.seeds_die_at = Some(rollout.file_bytes.saturating_mul(hundredths) / 100);
        }
    }

    fn arrival(&mut self, group: &Group, place: u32) -> Time {
        if group.role == Role::Seed {
            return Time::ZERO;
        }
        let after = match group.arrival {
            Arrival::AtOnce => Duration::ZERO,
            Arrival::Staggered(apart) => apart * place,
            Arrival::Within(time) => {
                let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).max(1);
                Duration::from_nanos(self.rng.random_range(0..nanos))
            }
        };
        Time::ZERO + START + after
    }

    fn make(&mut self, number: usize, group: &Group, arrived: Time) -> Node {
        let (total, brains) = (self.rollout.chunks(), &self.settings.brains);
        let seed = self.rng.random();
        let is_seed = group.role == Role::Seed;
        let upload = if is_seed { &brains.seed_upload } else { &brains.upload };
        let brain = || Download::new(self.download.clone(), total, ChunkSet::full(total), seed);
        Node {
            group: number,
            role: group.role,
            link: group.link,
            dialable: group.dialable,
            conduct: group.conduct,
            presence: Presence::ToCome,
            arrived,
            finished: None,
            brain: (!is_seed).then(|| Box::new(brain())),
            wake: None,
            fetches: Vec::new(),
            roster: Roster::new(brains.download.neighbours_most),
            announcer: Announcer::default(),
            held: if is_seed { ChunkSet::full(total) } else { ChunkSet::empty(total) },
            gains: Vec::new(),
            gained_at: Time::ZERO,
            round: (Time::ZERO, 0),
            followers: Vec::new(),
            complete: is_seed.then_some(Time::ZERO),
            upload: Upload::new(upload.clone()),
            firsts: if is_seed { FirstCopies::of_seed(total, seed) } else { FirstCopies::none() },
            asks_back_at: None,
            queued: BTreeMap::new(),
            uplink: Uplink::default(),
            downlink: Downlink::default(),
            sent: 0,
            received: 0,
        }
    }

    pub(super) fn arrives(&mut self, id: NodeId) {
        if self.nodes[id.slot()].presence == Presence::Gone {
            return;
        }
        if self.is_tracker_away() {
            self.plan(RETRY, Happening::Arrives(id));
            return;
        }
        let now = self.now;
        self.moved = now;
        let node = self.node(id);
        node.presence = Presence::Here;
        let started = now + node.link.delay * 2 * ROUND_TRIPS_TO_START;
        node.announcer.due = Some(started);
        self.agenda.plan(started, Happening::Announces(id));
        if self.nodes[id.slot()].role == Role::Leecher {
            let bytes = self.tracker.torrent_bytes;
            self.control.torrent += bytes;
            self.charge(None, Some(id), bytes);
            self.tell(id, Event::Woke);
            self.plan_round(id);
        }
    }

    pub(super) fn dies(&mut self, id: NodeId) {
        let node = self.node(id);
        if node.presence == Presence::Gone {
            return;
        }
        node.presence = Presence::Gone;
        node.wake = None;
        if node.role == Role::Leecher && node.finished.is_none() {
            self.unfinished -= 1;
        }
        self.drop_uploads(id);
        for (_, request) in std::mem::take(&mut self.node(id).fetches) {
            self.withdraw(request);
        }
        self.node(id).brain = None;
        self.node(id).roster.clear();
        for other in 0..self.nodes.len() {
            let Some(key) = self.nodes[other].roster.key_of(id) else { continue };
            let other = NodeId::new(u32::try_from(other).unwrap_or(u32::MAX));
            self.plan(self.delay(id, other) + TRIES, Happening::Loses(other, key));
        }
    }

    /// Everybody who waits for something from a peer that was killed sees the connection break.
    fn drop_uploads(&mut self, id: NodeId) {
        let node = self.node(id);
        let uplink = std::mem::take(&mut node.uplink);
        let sending = uplink.flows().iter().map(|flow| flow.request);
        let queued = std::mem::take(&mut node.queued).into_values();
        for request in sending.chain(queued).collect::<Vec<_>>() {
            let Some(one) = self.requests.get(request) else { continue };
            let (from, fetch, withdrawn) = (one.from, one.fetch, one.withdrawn);
            debug_assert!(!matches!(one.stage, Stage::Travelling | Stage::Sent));
            self.requests.remove(request);
            if !withdrawn {
                self.plan(self.delay(id, from), Happening::Failed(from, fetch, Failure::Transport));
            }
        }
    }

    pub(super) fn leaves(&mut self, id: NodeId) {
        if let Some(token) = self.node(id).announcer.token.take()
            && !self.is_tracker_away()
        {
            self.tracker.leave(self.now, id, &token);
        }
        self.dies(id);
    }
}
