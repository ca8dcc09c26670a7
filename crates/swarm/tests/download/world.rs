//! One download among scripted neighbours, in virtual time.
//!
//! `run_until` jumps from one happening to the next (or to the brain's own timer), so no test sleeps, and checks the
//! brain's invariants after every event.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use protocol::{ChunkIndex, ChunkSet, Time};
use swarm::{Action, Config, Download, DropReason, Event, Failure, FetchId, Gained, PeerKey};

pub(crate) const KIB: u32 = 1 << 10;
pub(crate) const MIB: u64 = 1 << 20;

/// How a neighbour answers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Manner {
    /// Sends everything at so many bytes a second, one body after the other.
    Serves(u64),
    /// Sends bodies as fast, and every one is wrong.
    Lies(u64),
    /// Sends one byte a second (threat A10).
    Drips,
    /// Accepts and never says a word.
    Mute,
    /// Says that it is busy, so many times, for so long each; then serves at 1 MiB/s.
    Busy(u32, Duration),
    /// Breaks the connection, so many times; then serves at 1 MiB/s.
    Breaks(u32),
    /// Says that others will have what it is asked for, so many times; then serves at 1 MiB/s.
    TurnsAway(u32, Duration),
    /// Holds nothing of what it says it holds.
    Lacks,
}

#[derive(Clone, Debug)]
enum Happening {
    Tell(Event),
    /// The body of a fetch is whole; false when its bytes are wrong.
    Body(FetchId, bool),
    Drip(FetchId),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) at: Time,
    pub(crate) fetch: FetchId,
    pub(crate) peer: u32,
    pub(crate) chunk: u32,
}

pub(crate) struct World {
    pub(crate) now: Time,
    pub(crate) brain: Download,
    pub(crate) chunk_bytes: u32,
    /// Every fetch that was ever asked for.
    pub(crate) asked: Vec<Asked>,
    pub(crate) stored: BTreeSet<u32>,
    pub(crate) dropped: BTreeMap<u32, DropReason>,
    pub(crate) searches: Vec<Time>,
    pub(crate) announces: usize,
    pub(crate) finishes: usize,
    pub(crate) cancelled: BTreeSet<FetchId>,
    manners: BTreeMap<u32, (Manner, Time)>,
    open: BTreeMap<FetchId, Asked>,
    agenda: BTreeMap<(Time, u64), Happening>,
    scheduled: u64,
}

pub(crate) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

impl World {
    /// A download of everything, `total` chunks, with the default limits.
    pub(crate) fn new(chunk_bytes: u32, total: u32) -> Self {
        Self::with(Config { chunk_bytes, ..Config::default() }, total)
    }

    pub(crate) fn with(config: Config, total: u32) -> Self {
        World {
            now: Time::from(seconds(100)),
            chunk_bytes: config.chunk_bytes,
            brain: Download::new(config, total, ChunkSet::full(total), 7),
            asked: Vec::new(),
            stored: BTreeSet::new(),
            dropped: BTreeMap::new(),
            searches: Vec::new(),
            announces: 0,
            finishes: 0,
            cancelled: BTreeSet::new(),
            manners: BTreeMap::new(),
            open: BTreeMap::new(),
            agenda: BTreeMap::new(),
            scheduled: 0,
        }
    }

    /// A neighbour that says it holds everything.
    pub(crate) fn seed(&mut self, peer: u32, manner: Manner) {
        self.join(peer, manner, Gained::All);
    }

    /// A neighbour that says it holds some chunks.
    pub(crate) fn holder(&mut self, peer: u32, manner: Manner, chunks: &[u32]) {
        let runs = chunks.iter().map(|&chunk| (ChunkIndex::new(chunk), ChunkIndex::new(chunk)));
        self.join(peer, manner, Gained::Runs(runs.collect()));
    }

    /// A neighbour that has not said yet what it holds.
    pub(crate) fn newcomer(&mut self, peer: u32, manner: Manner) {
        self.manners.insert(peer, (manner, self.now));
        self.tell(Event::PeerFound { peer: PeerKey::new(peer) });
    }

    /// A neighbour changes its ways.
    pub(crate) fn behave(&mut self, peer: u32, manner: Manner) {
        self.manners.insert(peer, (manner, self.now));
    }

    /// A fetch comes to nothing now.
    pub(crate) fn fail(&mut self, fetch: FetchId, failure: Failure) {
        self.open.remove(&fetch);
        self.tell(Event::FetchFailed { fetch, failure });
    }

    /// A chunk that landed cannot be written.
    pub(crate) fn fail_to_store(&mut self, fetch: FetchId, chunk: u32) {
        self.open.remove(&fetch);
        self.tell(Event::StoreFailed { chunk: ChunkIndex::new(chunk) });
    }

    fn join(&mut self, peer: u32, manner: Manner, chunks: Gained) {
        self.newcomer(peer, manner);
        self.tell(Event::PeerGained { peer: PeerKey::new(peer), chunks });
    }

    pub(crate) fn lose(&mut self, peer: u32) {
        self.open.retain(|_, asked| asked.peer != peer);
        self.tell(Event::PeerLost { peer: PeerKey::new(peer) });
    }

    /// Tells the brain an event now and carries out what it decides.
    pub(crate) fn tell(&mut self, event: Event) -> Vec<Action> {
        if let Event::ChunkStored { chunk, .. } = event {
            self.stored.insert(chunk.get());
            self.open.retain(|_, asked| asked.chunk != chunk.get());
        }
        let mut actions = Vec::new();
        self.brain.handle(self.now, event, &mut actions);
        self.brain.check_invariants();
        assert!(self.brain.wake_at().is_none_or(|at| at > self.now), "a timer in the past spins the shell");
        for &action in &actions {
            self.perform(action);
        }
        actions
    }

    /// Lets time pass until `done`; panics after `limit`. How long it took.
    pub(crate) fn run_until(&mut self, limit: Duration, done: impl Fn(&World) -> bool) -> Duration {
        let start = self.now;
        while !done(self) {
            let wake = self.brain.wake_at();
            let next = self.agenda.first_key_value().map(|(&(at, _), _)| at);
            let at = wake.into_iter().chain(next).min().expect("nothing will ever happen again");
            assert!(at.since(start) <= limit, "not within {limit:?}: {:?}", self.brain.waiting_reason());
            self.now = self.now.max(at);
            match next.filter(|&next| next <= at).and_then(|_| self.agenda.pop_first()) {
                Some((_, happening)) => self.happen(happening),
                None => _ = self.tell(Event::Woke),
            }
        }
        self.now.since(start)
    }

    pub(crate) fn run_to_the_end(&mut self, limit: Duration) -> Duration {
        self.run_until(limit, |world| world.brain.is_finished())
    }

    /// Lets time pass whatever happens.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        self.schedule(end, Happening::Tell(Event::Woke));
        self.run_until(time, |world| world.now >= end);
    }

    /// The chunks asked of `peer`, in order.
    pub(crate) fn asked_of(&self, peer: u32) -> Vec<u32> {
        self.asked.iter().filter(|asked| asked.peer == peer).map(|asked| asked.chunk).collect()
    }

    pub(crate) fn open_of(&self, peer: u32) -> Vec<Asked> {
        self.open.values().filter(|asked| asked.peer == peer).copied().collect()
    }

    fn schedule(&mut self, at: Time, happening: Happening) {
        self.scheduled += 1;
        self.agenda.insert((at, self.scheduled), happening);
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Tell(event) => _ = self.tell(event),
            Happening::Drip(fetch) if self.open.contains_key(&fetch) => {
                self.tell(Event::BytesArrived { fetch, bytes: 1 });
                self.schedule(self.now + seconds(1), Happening::Drip(fetch));
            }
            Happening::Body(fetch, right) if self.open.contains_key(&fetch) => {
                let asked = self.open[&fetch];
                self.tell(Event::BytesArrived { fetch, bytes: self.chunk_bytes });
                self.tell(Event::Arrived { fetch });
                let verdict = if right {
                    Event::ChunkStored { chunk: ChunkIndex::new(asked.chunk), bytes: 65_536 }
                } else {
                    Event::FetchFailed { fetch, failure: Failure::WrongBytes }
                };
                self.open.remove(&fetch);
                self.tell(verdict);
            }
            Happening::Drip(_) | Happening::Body(..) => {}
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::FindPeers => self.searches.push(self.now),
            Action::Announce => self.announces += 1,
            Action::Tell => {}
            Action::Finish => self.finishes += 1,
            Action::Cancel { fetch } => {
                self.cancelled.insert(fetch);
                self.open.remove(&fetch);
            }
            Action::Drop { peer, reason } => {
                let before = self.dropped.insert(peer.get(), reason);
                assert_eq!(before, None, "dropped once");
            }
            Action::Fetch { fetch, peer, chunk } => self.serve(fetch, peer.get(), chunk.get()),
        }
    }

    fn serve(&mut self, fetch: FetchId, peer: u32, chunk: u32) {
        assert!(!self.stored.contains(&chunk), "chunk {chunk} is stored and was asked for");
        assert!(!self.dropped.contains_key(&peer), "peer {peer} was dropped and is asked");
        let asked = Asked { at: self.now, fetch, peer, chunk };
        self.asked.push(asked);
        self.open.insert(fetch, asked);
        let bytes = self.chunk_bytes;
        let now = self.now;
        let (manner, link_free) = self.manners.get_mut(&peer).expect("only neighbours are asked");
        let mut send = |rate: u64| {
            *link_free = now.max(*link_free) + Duration::from_nanos(u64::from(bytes) * 1_000_000_000 / rate);
            *link_free
        };
        let failed = |failure| Happening::Tell(Event::FetchFailed { fetch, failure });
        let (at, happening) = match manner {
            Manner::Serves(rate) => (send(*rate), Happening::Body(fetch, true)),
            Manner::Lies(rate) => (send(*rate), Happening::Body(fetch, false)),
            Manner::Drips => (now + seconds(1), Happening::Drip(fetch)),
            Manner::Mute => return,
            Manner::Busy(times @ 1.., retry_after) => {
                *times -= 1;
                (now + millis(10), failed(Failure::Busy { retry_after: *retry_after }))
            }
            Manner::Breaks(times @ 1..) => {
                *times -= 1;
                (now + millis(10), failed(Failure::Transport))
            }
            Manner::TurnsAway(times @ 1.., retry_after) => {
                *times -= 1;
                (now + millis(10), failed(Failure::Elsewhere { retry_after: *retry_after }))
            }
            Manner::Busy(0, _) | Manner::Breaks(0) | Manner::TurnsAway(0, _) => {
                (send(MIB), Happening::Body(fetch, true))
            }
            Manner::Lacks => (now + millis(10), failed(Failure::Missing)),
        };
        self.schedule(at, happening);
    }
}
