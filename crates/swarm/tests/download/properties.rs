//! Whatever the world does, in any order: the brain keeps its invariants, asks only for what makes sense, and finishes
//! once faults end and somebody holds what is missing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use protocol::{ChunkIndex, ChunkSet, Time};
use swarm::{Action, Config, Download, Event, Failure, FetchId, Gained, Order, PeerKey};

const CHUNKS: u32 = 24;

/// One thing that happens; numbers choose among what there is at that moment.
#[derive(Clone, Copy, Debug)]
enum Step {
    Found,
    Lost(usize),
    Crowded,
    GainedAll(usize),
    GainedSet(usize, u32),
    GainedRun(usize, u32, u32),
    Bytes(usize, u32),
    Arrived(usize),
    Stored(usize),
    StoredLocally(u32),
    StoreFailed(u32),
    Disk(bool),
    Failed(usize, u8),
    Stale(u64),
    Wanted(u32, u32),
    Pass(u64),
    Wake,
}

fn step() -> impl Strategy<Value = Step> {
    let nth = 0usize..1000;
    let chunk = 0..CHUNKS + 2;
    prop_oneof![
        2 => Just(Step::Found),
        1 => nth.clone().prop_map(Step::Lost),
        2 => Just(Step::Crowded),
        1 => nth.clone().prop_map(Step::GainedAll),
        2 => (nth.clone(), any::<u32>()).prop_map(|(peer, bits)| Step::GainedSet(peer, bits)),
        2 => (nth.clone(), chunk.clone(), chunk.clone()).prop_map(|(peer, a, b)| Step::GainedRun(peer, a, b)),
        2 => (nth.clone(), 0u32..100_000).prop_map(|(fetch, bytes)| Step::Bytes(fetch, bytes)),
        5 => nth.clone().prop_map(Step::Arrived),
        4 => nth.clone().prop_map(Step::Stored),
        1 => chunk.clone().prop_map(Step::StoredLocally),
        1 => chunk.clone().prop_map(Step::StoreFailed),
        1 => any::<bool>().prop_map(Step::Disk),
        5 => (nth, 0u8..12).prop_map(|(fetch, how)| Step::Failed(fetch, how)),
        1 => (0u64..200).prop_map(Step::Stale),
        1 => (chunk.clone(), chunk).prop_map(|(a, b)| Step::Wanted(a, b)),
        3 => (0u64..8_000).prop_map(Step::Pass),
        4 => Just(Step::Wake),
    ]
}

#[derive(Clone, Copy, Debug)]
struct Open {
    peer: u32,
    chunk: u32,
    landed: bool,
}

/// The world as the brain was told of it, against which its actions are judged.
struct Model {
    now: Time,
    brain: Download,
    config: Config,
    next_peer: u32,
    /// What each neighbour said it holds, and was not found to lack.
    held: BTreeMap<u32, BTreeSet<u32>>,
    open: BTreeMap<FetchId, Open>,
    stored: BTreeSet<u32>,
    gone: BTreeSet<u32>,
    finishes: usize,
    disk_fails: bool,
    renewed_at: Option<Time>,
}

impl Model {
    fn new(config: Config, seed: u64) -> Self {
        let brain = Download::new(config.clone(), CHUNKS, ChunkSet::full(CHUNKS), seed);
        Model {
            now: Time::from(Duration::from_secs(1)),
            brain,
            config,
            next_peer: 0,
            held: BTreeMap::new(),
            open: BTreeMap::new(),
            stored: BTreeSet::new(),
            gone: BTreeSet::new(),
            finishes: 0,
            disk_fails: false,
            renewed_at: None,
        }
    }

    fn tell(&mut self, event: Event) {
        let mut actions = Vec::new();
        self.brain.handle(self.now, event, &mut actions);
        self.brain.check_invariants();
        assert!(self.brain.wake_at().is_none_or(|at| at > self.now), "the timer is in the future");
        for action in actions {
            self.judge(action);
        }
        assert_eq!(self.brain.remaining() as usize, CHUNKS as usize - self.stored.len());
        assert_eq!(self.brain.in_flight(), self.open.values().filter(|open| !open.landed).count());
        assert_eq!(self.brain.is_finished(), self.finishes == 1);
        if self.brain.remaining() > 0
            && self.brain.in_flight() == 0
            && !self.open.values().any(|open| open.landed)
        {
            assert!(self.brain.waiting_reason().is_some(), "who waits knows why");
        }
    }

    fn judge(&mut self, action: Action) {
        assert_eq!(self.finishes, 0, "{action:?} after the end");
        match action {
            Action::Fetch { fetch, peer, chunk } => {
                let (peer, chunk) = (peer.get(), chunk.get());
                assert!(!self.stored.contains(&chunk), "chunk {chunk} is stored");
                assert!(!self.disk_fails, "the disk would not take {chunk}");
                let held = self.held.get(&peer).expect("a neighbour is asked");
                assert!(held.contains(&chunk), "{peer} does not hold {chunk}");
                let copies: Vec<&Open> = self.open.values().filter(|open| open.chunk == chunk).collect();
                assert!(copies.len() <= 1, "a third copy of {chunk}");
                assert!(copies.iter().all(|open| !open.landed), "{chunk} is here and being stored");
                assert!(copies.iter().all(|open| open.peer != peer), "a second copy from the same neighbour");
                assert!(
                    self.open.insert(fetch, Open { peer, chunk, landed: false }).is_none(),
                    "a new number"
                );
                let flying = self.open.values().filter(|open| !open.landed);
                assert!(flying.clone().count() <= self.config.in_flight_most);
                let there = flying.filter(|open| open.peer == peer).count();
                assert!(there <= self.config.depth_most as usize);
            }
            Action::Cancel { fetch } => {
                assert!(self.open.remove(&fetch).is_some(), "only what flies is cancelled");
            }
            Action::Drop { peer, .. } => {
                self.held.remove(&peer.get());
                self.gone.insert(peer.get());
                let left = self.open.values().any(|open| open.peer == peer.get() && !open.landed);
                assert!(!left, "its fetches were cancelled");
            }
            Action::Finish => self.finishes += 1,
            Action::FindPeers | Action::Announce | Action::Tell => {}
        }
    }

    fn nth_peer(&self, nth: usize) -> Option<u32> {
        self.held.keys().nth(nth % self.held.len().max(1)).copied()
    }

    fn nth_fetch(&self, nth: usize, landed: bool) -> Option<FetchId> {
        let open: Vec<FetchId> =
            self.open.iter().filter(|(_, open)| open.landed == landed).map(|(&fetch, _)| fetch).collect();
        open.get(nth % open.len().max(1)).copied()
    }

    fn stored(&mut self, chunk: u32) {
        if chunk < CHUNKS {
            self.stored.insert(chunk);
            self.open.retain(|_, open| open.chunk != chunk || !open.landed);
        }
        self.tell(Event::ChunkStored { chunk: ChunkIndex::new(chunk), bytes: 65_536 });
    }

    fn gains(&mut self, nth: usize, chunks: Gained, which: &[u32]) {
        if let Some(peer) = self.nth_peer(nth) {
            self.held.entry(peer).or_default().extend(which.iter().filter(|&&chunk| chunk < CHUNKS));
            self.tell(Event::PeerGained { peer: PeerKey::new(peer), chunks });
        }
    }

    fn found(&mut self) -> u32 {
        let peer = self.next_peer;
        self.next_peer += 1;
        if self.held.len() < self.config.neighbours_most {
            self.held.insert(peer, BTreeSet::new());
        }
        self.tell(Event::PeerFound { peer: PeerKey::new(peer) });
        peer
    }

    fn lose(&mut self, peer: u32) {
        self.held.remove(&peer);
        self.open.retain(|_, open| open.peer != peer || open.landed);
        self.tell(Event::PeerLost { peer: PeerKey::new(peer) });
    }

    /// Somebody comes, and perhaps a neighbour gives way to it.
    fn crowded(&mut self) {
        let Some(peer) = self.brain.gives_way(self.now).map(PeerKey::get) else { return };
        let every = self.config.renew_every;
        assert!(self.renewed_at.is_none_or(|at| self.now.since(at) >= every), "one at a time");
        self.renewed_at = Some(self.now);
        let held = self.held.get(&peer).expect("a neighbour gives way");
        assert!(
            !self.open.values().any(|open| open.peer == peer && !open.landed),
            "{peer} is asked for something"
        );
        for chunk in held.iter().filter(|chunk| !self.stored.contains(chunk)) {
            let holders = self.held.values().filter(|held| held.contains(chunk)).count();
            assert!(holders > 2, "{peer} holds {chunk}, which {holders} hold");
        }
        self.lose(peer);
        self.found();
    }

    fn arrived(&mut self, fetch: FetchId) {
        if let Some(open) = self.open.get_mut(&fetch) {
            open.landed = true;
            self.tell(Event::Arrived { fetch });
        }
    }

    fn failed(&mut self, fetch: FetchId, failure: Failure) {
        if let Some(open) = self.open.remove(&fetch) {
            if failure == Failure::Missing
                && let Some(held) = self.held.get_mut(&open.peer)
            {
                held.remove(&open.chunk);
            }
            self.tell(Event::FetchFailed { fetch, failure });
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Found => _ = self.found(),
            Step::Lost(nth) => {
                if let Some(peer) = self.nth_peer(nth) {
                    self.lose(peer);
                }
            }
            Step::Crowded => self.crowded(),
            Step::GainedAll(nth) => self.gains(nth, Gained::All, &(0..CHUNKS).collect::<Vec<_>>()),
            Step::GainedSet(nth, bits) => {
                let chunks: Vec<u32> = (0..CHUNKS).filter(|chunk| bits >> chunk & 1 == 1).collect();
                let mut set = ChunkSet::empty(CHUNKS);
                for &chunk in &chunks {
                    set.insert(ChunkIndex::new(chunk));
                }
                self.gains(nth, Gained::Set(set), &chunks);
            }
            Step::GainedRun(nth, first, last) => {
                let run = (ChunkIndex::new(first), ChunkIndex::new(last));
                self.gains(nth, Gained::Runs(vec![run]), &(first..=last).collect::<Vec<_>>());
            }
            Step::Bytes(nth, bytes) => {
                if let Some(fetch) = self.nth_fetch(nth, false) {
                    self.tell(Event::BytesArrived { fetch, bytes });
                }
            }
            Step::Arrived(nth) => {
                if let Some(fetch) = self.nth_fetch(nth, false) {
                    self.arrived(fetch);
                }
            }
            Step::Stored(nth) => {
                if let Some(fetch) = self.nth_fetch(nth, true) {
                    self.stored(self.open[&fetch].chunk);
                }
            }
            Step::StoredLocally(chunk) => self.stored(chunk),
            Step::StoreFailed(chunk) => {
                self.open.retain(|_, open| open.chunk != chunk || !open.landed);
                self.tell(Event::StoreFailed { chunk: ChunkIndex::new(chunk) });
            }
            Step::Disk(works) => {
                self.disk_fails = !works;
                self.tell(if works { Event::DiskWorks } else { Event::DiskFails });
            }
            Step::Failed(nth, how) => {
                let retry_after = Duration::from_millis(u64::from(how) * 300);
                let (landed, failure) = match how {
                    0 => (true, Failure::WrongBytes),
                    1..=3 => (false, Failure::Missing),
                    4..=5 => (false, Failure::Busy { retry_after }),
                    6..=7 => (false, Failure::Elsewhere { retry_after }),
                    _ => (false, Failure::Transport),
                };
                if let Some(fetch) = self.nth_fetch(nth, landed) {
                    self.failed(fetch, failure);
                }
            }
            Step::Stale(fetch) => self.tell_of_forgotten(fetch),
            Step::Wanted(first, last) => {
                self.tell(Event::RangeWanted { first: ChunkIndex::new(first), last: ChunkIndex::new(last) });
            }
            Step::Pass(millis) => {
                self.now = self.now + Duration::from_millis(millis);
                self.tell(Event::Woke);
            }
            Step::Wake => self.wake(),
        }
    }

    /// Repeats the news of a neighbour that is gone.
    fn tell_of_forgotten(&mut self, nth: u64) {
        let gone: Vec<u32> = self.gone.iter().copied().collect();
        if let Some(&peer) = gone.get(usize::try_from(nth).unwrap() % gone.len().max(1)) {
            self.tell(Event::PeerGained { peer: PeerKey::new(peer), chunks: Gained::All });
            self.tell(Event::PeerLost { peer: PeerKey::new(peer) });
        }
    }

    fn wake(&mut self) {
        if let Some(at) = self.brain.wake_at() {
            self.now = at;
            self.tell(Event::Woke);
        }
    }

    /// Faults end: a seed comes that serves; everything under way is settled in the order of asking.
    fn finish(&mut self) {
        self.take(Step::Disk(true));
        if self.held.len() == self.config.neighbours_most {
            self.take(Step::Lost(0));
        }
        let seed = self.found();
        self.held.insert(seed, (0..CHUNKS).collect());
        self.tell(Event::PeerGained { peer: PeerKey::new(seed), chunks: Gained::All });
        for _ in 0..1000 {
            if self.brain.is_finished() {
                return;
            }
            if let Some(fetch) = self.nth_fetch(0, false) {
                self.now = self.now + Duration::from_millis(5);
                self.arrived(fetch);
            } else if let Some(fetch) = self.nth_fetch(0, true) {
                self.stored(self.open[&fetch].chunk);
            } else {
                self.wake();
            }
        }
        if self.stored.len() == CHUNKS as usize {
            self.tell(Event::Woke);
        }
        assert!(self.brain.is_finished(), "never finishes: {:?}", self.brain.waiting_reason());
    }
}

proptest! {
    #[test]
    fn whatever_happens_the_invariants_hold_and_it_finishes_when_faults_end(
        steps in proptest::collection::vec(step(), 0..250),
        seed in any::<u64>(),
        sequential in any::<bool>(),
        in_flight_most in 1usize..12,
        depth_most in 2u32..6,
    ) {
        let config = Config {
            chunk_bytes: 64 << 10,
            order: if sequential { Order::Sequential } else { Order::RarestFirst },
            in_flight_most,
            depth_most,
            neighbours_most: 6,
            ..Config::default()
        };
        let mut model = Model::new(config, seed);
        for step in steps {
            model.take(step);
        }
        model.finish();
        prop_assert_eq!(model.finishes, 1);
    }

    #[test]
    fn the_same_seed_and_events_give_the_same_actions(
        steps in proptest::collection::vec(step(), 0..150),
        seed in any::<u64>(),
    ) {
        let outcome = || {
            let mut model = Model::new(Config { chunk_bytes: 64 << 10, ..Config::default() }, seed);
            for &step in &steps {
                model.take(step);
            }
            format!("{:?}", model.brain)
        };
        prop_assert_eq!(outcome(), outcome());
    }
}
