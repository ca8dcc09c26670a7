//! The simulated world: takes the next event, and lets those it concerns do what they do about it.
//!
//! A file a concern: `coming` (peers come, die and leave), `deciding` (a brain is told, and obeyed), `serving` (slots
//! and uplinks), `fetching` (requests and bodies), `following` (neighbours and their gains), `announcing` (the tracker),
//! `checks` (what must hold after every event).

mod announcing;
mod asking_back;
mod checks;
mod coming;
mod deciding;
mod fetching;
mod following;
mod serving;

use std::sync::Arc;
use std::time::Duration;

use protocol::Time;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use scenario::rollout::{Control, Outcome, PeerOutcome, Role, Rollout, Sample, time_for};
use swarm::{Action, Event};

use crate::Settings;
use crate::agenda::{Agenda, Happening};
use crate::node::{Node, NodeId, Presence};
use crate::requests::{RequestId, Requests};
use crate::sites::Sites;
use crate::trace::Trace;
use crate::tracker::Tracker;

/// When the first leecher comes: the seeds are ready by then, and the tracker knows them.
const START: Duration = Duration::from_secs(5);

/// Runs a rollout until every leecher that is there is complete, nothing moves any more, or its limit is reached.
///
/// # Panics
/// When an invariant is broken: that is a defect of a brain, or of this crate.
#[must_use]
pub fn run(rollout: &Rollout, settings: &Settings) -> Outcome {
    let mut world = World::new(rollout, settings);
    world.run();
    world.outcome()
}

struct World<'a> {
    rollout: &'a Rollout,
    settings: &'a Settings,
    /// One for all brains: ten thousand copies would be in no cache.
    download: Arc<swarm::Config>,
    now: Time,
    agenda: Agenda,
    nodes: Vec<Node>,
    requests: Requests,
    sites: Sites,
    tracker: Tracker,
    rng: SmallRng,
    /// Leechers that are to come, or there and not complete.
    unfinished: usize,
    /// When a chunk was last stored, or somebody came.
    moved: Time,
    /// Payload bytes that the seeds sent.
    seeds_sent: u64,
    seeds_die_at: Option<u64>,
    control: Control,
    refused: u64,
    events: u64,
    trace: Trace,
    samples: Vec<Sample>,
    sample_at: Time,
    /// Kept between calls so that millions of them allocate nothing.
    actions: Vec<Action>,
}

impl<'a> World<'a> {
    fn new(rollout: &'a Rollout, settings: &'a Settings) -> Self {
        let tracker = Tracker::new(rollout.file_bytes, rollout.chunk_bytes, rollout.seed ^ 1);
        let mut world = World {
            rollout,
            settings,
            download: Arc::new(settings.brains.download.clone()),
            now: Time::ZERO,
            agenda: Agenda::default(),
            nodes: Vec::new(),
            requests: Requests::default(),
            sites: Sites::new(&rollout.sites),
            tracker,
            rng: SmallRng::seed_from_u64(rollout.seed),
            unfinished: 0,
            moved: Time::ZERO,
            seeds_sent: 0,
            seeds_die_at: None,
            control: Control::default(),
            refused: 0,
            events: 0,
            trace: Trace::default(),
            samples: Vec::new(),
            sample_at: Time::ZERO + START,
            actions: Vec::new(),
        };
        world.populate();
        world
    }

    fn run(&mut self) {
        let end = Time::ZERO + START + self.rollout.limit;
        while self.unfinished > 0
            && let Some((at, happening)) = self.agenda.next()
            && at <= end
            && at.since(self.moved) <= self.rollout.patience
        {
            debug_assert!(at >= self.now, "time runs forwards");
            while self.sample_at <= at {
                self.take_sample();
            }
            self.now = at;
            self.events += 1;
            let requests = &self.requests;
            let fetch_of =
                |id: RequestId| requests.get(id).map_or(0, |one| one.from.word() << 40 ^ one.fetch.get());
            self.trace.note(at, &happening, fetch_of);
            self.happen(happening);
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Arrives(node) => self.arrives(node),
            Happening::Dies(node) => self.dies(node),
            Happening::Leaves(node) => self.leaves(node),
            Happening::Wake(node) => self.wakes(node),
            Happening::Uplink(node) => self.uplink_is_due(node),
            Happening::Buffered(node, request) => self.is_buffered(node, request),
            Happening::Round(node) => self.round(node),
            Happening::Meets(node, key) => self.meets(node, key),
            Happening::Told(node, group) => self.told(node, group),
            Happening::Loses(node, key) => self.loses(node, key),
            Happening::Hears(node, key) => self.hears(node, key),
            Happening::Announces(node) => self.announces(node),
            Happening::AtTracker(node) => self.at_tracker(node),
            Happening::Answered(node) => self.answered(node),
            Happening::Asked(request) => self.asked(request),
            Happening::Withdrawn(request) => self.withdrawn(request),
            Happening::Came(request, bytes) => self.came(request, bytes),
            Happening::Whole(request) => self.whole(request),
            Happening::Stored(request) => self.stored(request),
            Happening::Suggested(node, peer, chunk) => self.tell(node, Event::Suggested { peer, chunk }),
            Happening::AsksBack(node) => self.asks_back(node),
            Happening::AskedBack(node, other, what) => self.is_asked_back(node, other, what),
            Happening::Failed(node, fetch, failure) => self.failed(node, fetch, failure),
        }
    }

    fn plan(&mut self, after: Duration, happening: Happening) {
        self.agenda.plan(self.now + after, happening);
    }

    fn node(&mut self, node: NodeId) -> &mut Node {
        &mut self.nodes[node.slot()]
    }

    /// One way from one peer to another.
    fn delay(&self, one: NodeId, other: NodeId) -> Duration {
        let between = self.nodes[one.slot()].link.delay + self.nodes[other.slot()].link.delay;
        if self.sites.is_one() {
            return between;
        }
        self.sites.line(self.site(one), self.site(other)).map_or(between, |line| between + line)
    }

    /// The same for a small message, which waits behind the bodies that `from` sends.
    fn message_delay(&self, from: NodeId, to: NodeId) -> Duration {
        let sends = self.nodes[from.slot()].uplink.armed.is_some();
        self.delay(from, to) + if sends { self.rollout.network.uplink_queue } else { Duration::ZERO }
    }

    /// When a small message was sent that arrives now.
    fn sent_by(&self, from: NodeId, to: NodeId) -> Time {
        Time::from(self.now.since(Time::ZERO + self.message_delay(from, to)))
    }

    fn site(&self, node: NodeId) -> usize {
        self.rollout.groups[self.nodes[node.slot()].group].site
    }

    /// Bytes on the wire for so many of HTTP.
    fn on_wire(&self, bytes: u64) -> u64 {
        bytes + bytes * self.rollout.network.headers_ppm / 1_000_000
    }

    /// Control traffic takes its room on both links. It arrives after the bare delay all the same: it is small.
    fn charge(&mut self, from: Option<NodeId>, to: Option<NodeId>, bytes: u64) {
        if !self.rollout.network.control_costs {
            return;
        }
        let (now, bytes) = (self.now, self.on_wire(bytes));
        if let Some(from) = from {
            self.node(from).uplink.debt += bytes;
        }
        if let Some(to) = to {
            let receiving = time_for(bytes, self.nodes[to.slot()].link.down);
            self.node(to).downlink.receive(now, receiving, Duration::ZERO);
        }
    }

    fn is_tracker_away(&self) -> bool {
        let since = self.now.since(Time::ZERO + START);
        let away = &self.rollout.faults.tracker_away;
        self.now >= Time::ZERO + START && away.iter().any(|(from, until)| (*from..*until).contains(&since))
    }

    fn take_sample(&mut self) {
        let mut sample = Sample {
            at: Time::from(self.sample_at.since(Time::ZERO + START)),
            seeds_sent: self.seeds_sent,
            ..Sample::default()
        };
        for node in &self.nodes {
            sample.sent += node.sent;
            sample.complete += u32::from(node.finished.is_some());
            sample.sending += u32::from(node.role == Role::Leecher && node.upload.active() > 0);
            sample.bodies += u32::try_from(node.upload.active()).unwrap_or(u32::MAX);
            sample.waiting += u32::try_from(node.queued.len()).unwrap_or(u32::MAX);
        }
        self.samples.push(sample);
        self.sample_at = self.sample_at + self.rollout.sample.max(Duration::from_millis(1));
    }

    fn outcome(self) -> Outcome {
        let of = |time: Time| Time::from(time.since(Time::ZERO + START));
        let peers: Vec<PeerOutcome> = self
            .nodes
            .iter()
            .map(|node| PeerOutcome {
                group: node.group,
                role: node.role,
                arrived: of(node.arrived),
                finished: node.finished.map(of),
                gone: node.presence == Presence::Gone,
                sent: node.sent,
                received: node.received,
            })
            .collect();
        let leechers = || self.nodes.iter().filter(|node| node.role == Role::Leecher);
        let of_use: u64 = leechers().map(|node| self.bytes_in(node)).sum();
        let sent: u64 = self.nodes.iter().map(|node| node.sent).sum();
        Outcome {
            peers,
            file_bytes: self.rollout.file_bytes,
            between_sites: self.sites.crossed,
            wasted: sent.saturating_sub(of_use),
            refused: self.refused,
            samples: self.samples,
            control: self.control,
            events: self.events,
            trace: self.trace.value(),
        }
    }

    fn bytes_in(&self, node: &Node) -> u64 {
        node.held.iter().map(|chunk| u64::from(self.length(chunk))).sum()
    }

    /// Bytes of a chunk: the last one may be shorter.
    fn length(&self, chunk: protocol::ChunkIndex) -> u32 {
        let (size, file) = (u64::from(self.rollout.chunk_bytes), self.rollout.file_bytes);
        let length = size.min(file - u64::from(chunk.get()) * size);
        u32::try_from(length).unwrap_or(u32::MAX)
    }
}
