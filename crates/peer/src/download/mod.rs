//! The one driver loop: wait for one fact, tell the brain, perform what it says.
//!
//! Nothing here decides what to fetch or from whom; nothing in the brain knows of addresses, bytes or disks.

mod flights;
mod roster;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use protocol::{ChunkIndex, ChunkSet, Time};
use store::StoreError;
use swarm::{Action, Download, Event, PeerKey, Waiting};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::flights::Flights;
pub(crate) use self::roster::MOST as MOST_NEIGHBOURS;
use self::roster::Roster;
use crate::context::Context;
use crate::fact::{Fact, Source};
use crate::holding::Holding;
use crate::progress::{Meter, Progress, Sources};
use crate::tracker_client::{Hurry, Troubles};

/// Facts waiting for the driver. Whoever has more to tell waits: that is the back-pressure.
pub(crate) const INBOX: usize = 1024;
/// Facts told to the brain before its decisions are performed, so that requests to one neighbour can go together.
const AT_ONCE: usize = 64;
/// How often progress is published and durability considered.
const TICK: Duration = Duration::from_millis(250);
/// Written bytes are made durable at least this often …
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// … and as soon as there are so many.
const SYNC_BYTES: u64 = 64 << 20;
/// When the brain has nothing planned, it is woken this late: far, and bounded.
const FAR: Duration = Duration::from_secs(3600);

/// How a download ended.
pub(crate) enum Ending {
    /// Everything wanted is stored (and not yet moved to its final place).
    Whole,
    /// The process stops; what is stored is durable.
    Stopped,
    /// The disk refused.
    Disk(StoreError),
}

/// What a driver is made of.
pub(crate) struct Setup {
    pub(crate) context: Arc<Context>,
    pub(crate) holding: Arc<Holding>,
    pub(crate) brain: Download,
    /// Bytes that were there at the start.
    pub(crate) local: u64,
    pub(crate) inbox: (mpsc::Sender<Fact>, mpsc::Receiver<Fact>),
    pub(crate) hurry: Hurry,
    pub(crate) troubles: Troubles,
    pub(crate) progress: watch::Sender<Progress>,
    pub(crate) stop: CancellationToken,
}

pub(crate) struct Driver {
    context: Arc<Context>,
    holding: Arc<Holding>,
    brain: Download,
    roster: Roster,
    flights: Flights,
    facts: mpsc::Receiver<Fact>,
    hurry: Hurry,
    troubles: Troubles,
    progress: watch::Sender<Progress>,
    sources: Sources,
    down: Meter,
    up: Meter,
    syncing: Option<JoinHandle<Result<(), StoreError>>>,
    synced_at: Time,
    stop: CancellationToken,
}

impl Driver {
    pub(crate) fn new(setup: Setup) -> Self {
        let Setup { context, holding, brain, local, inbox: (tell, facts), hurry, troubles, progress, stop } =
            setup;
        Driver {
            roster: Roster::new(context.clone(), holding.clone(), tell.clone()),
            flights: Flights::new(context.clone(), holding.clone(), tell.clone()),
            synced_at: context.clock.now(),
            sources: Sources { local, ..Sources::default() },
            down: Meter::default(),
            up: Meter::default(),
            syncing: None,
            context,
            holding,
            brain,
            facts,
            hurry,
            troubles,
            progress,
            stop,
        }
    }

    /// Runs until everything wanted is stored, the process stops, or the disk refuses. What is stored by then is
    /// durable unless the disk refused.
    pub(crate) async fn run(mut self) -> Ending {
        let ending = self.drive().await;
        self.roster.clear();
        self.flights.clear();
        if let Some(syncing) = self.syncing.take() {
            let _ = syncing.await;
        }
        let holding = self.holding.clone();
        let synced = tokio::task::spawn_blocking(move || holding.sync()).await;
        self.publish();
        match (ending, synced) {
            (Ending::Whole | Ending::Stopped, Ok(Err(error))) => Ending::Disk(error),
            (ending, _) => ending,
        }
    }

    async fn drive(&mut self) -> Ending {
        let mut actions = Vec::new();
        let mut wishes = self.holding.wishes();
        let mut tick = tokio::time::interval(TICK);
        let stop = self.stop.clone();
        self.tell_brain(Event::Woke, &mut actions);
        loop {
            if self.perform(&mut actions) {
                return Ending::Whole;
            }
            let wake = self
                .brain
                .wake_at()
                .map_or_else(|| Instant::now() + FAR, |time| self.context.clock.instant(time));
            tokio::select! {
                () = stop.cancelled() => return Ending::Stopped,
                Some(fact) = self.facts.recv() => {
                    if let Err(error) = self.learn_all(fact, &mut actions) {
                        return Ending::Disk(error);
                    }
                }
                () = tokio::time::sleep_until(wake) => self.tell_brain(Event::Woke, &mut actions),
                Ok(()) = wishes.changed() => {
                    let wish = *wishes.borrow_and_update();
                    if let Some((first, last)) = wish {
                        self.tell_brain(Event::RangeWanted { first, last }, &mut actions);
                    }
                }
                _ = tick.tick() => {
                    self.publish();
                    if let Err(error) = self.sync_if_due().await {
                        return Ending::Disk(error);
                    }
                }
            }
        }
    }

    /// Tells the brain this fact and those that wait behind it.
    fn learn_all(&mut self, fact: Fact, actions: &mut Vec<Action>) -> Result<(), StoreError> {
        let mut next = Some(fact);
        for _ in 0..AT_ONCE {
            let Some(fact) = next.take().or_else(|| self.facts.try_recv().ok()) else { break };
            self.learn(fact, actions)?;
        }
        Ok(())
    }

    fn learn(&mut self, fact: Fact, actions: &mut Vec<Action>) -> Result<(), StoreError> {
        match fact {
            Fact::Sighted(sightings) => {
                for sighting in sightings {
                    for event in self.roster.sighted(sighting) {
                        self.tell_brain(event, actions);
                    }
                }
            }
            Fact::Met { peer } => {
                for event in self.roster.met(peer) {
                    self.tell_brain(event, actions);
                }
            }
            Fact::Gained { peer, chunks } => self.tell_brain(Event::PeerGained { peer, chunks }, actions),
            Fact::Lost { peer } => {
                self.roster.lost(peer);
                self.flights.lost(peer);
                self.tell_brain(Event::PeerLost { peer }, actions);
            }
            Fact::Bytes { fetch, bytes } => self.tell_brain(Event::BytesArrived { fetch, bytes }, actions),
            Fact::Arrived { fetch } => self.tell_brain(Event::Arrived { fetch }, actions),
            Fact::Failed { fetch, failure } => {
                self.flights.landed(fetch);
                self.tell_brain(Event::FetchFailed { fetch, failure }, actions);
            }
            Fact::Stored { fetch, chunk, bytes, source } => {
                self.flights.landed(fetch);
                self.stored(chunk, bytes, source, actions);
            }
            Fact::StoreFailed { fetch, chunk, error } => {
                self.flights.landed(fetch);
                self.tell_brain(Event::StoreFailed { chunk }, actions);
                return Err(error);
            }
        }
        Ok(())
    }

    fn stored(&mut self, chunk: ChunkIndex, bytes: u64, source: Source, actions: &mut Vec<Action>) {
        self.holding.downloaded.fetch_add(bytes, Ordering::Relaxed);
        match source {
            Source::Seed => self.sources.seed += bytes,
            Source::Peer => self.sources.peer += bytes,
            Source::Cache => self.sources.cache += bytes,
        }
        self.tell_brain(Event::ChunkStored { chunk }, actions);
    }

    fn tell_brain(&mut self, event: Event, actions: &mut Vec<Action>) {
        self.brain.handle(self.context.clock.now(), event, actions);
    }

    /// Does what the brain decided; true when it is done.
    fn perform(&mut self, actions: &mut Vec<Action>) -> bool {
        let mut finished = false;
        for action in actions.drain(..) {
            match action {
                Action::FindPeers => {
                    self.hurry.ask();
                    self.roster.ask_neighbours();
                }
                Action::Fetch { fetch, peer, chunk } => {
                    // A neighbour that was lost meanwhile: the brain hears of that in the same breath.
                    if let Some(neighbour) = self.roster.get(peer) {
                        self.flights.plan(neighbour, fetch, chunk);
                    }
                }
                Action::Cancel { fetch } => self.flights.cancel(fetch),
                Action::Announce => self.hurry.ask(),
                Action::Drop { peer, reason } => self.roster.ban(peer, reason),
                Action::Finish => finished = true,
            }
        }
        self.flights.take_off();
        finished
    }

    async fn sync_if_due(&mut self) -> Result<(), StoreError> {
        if let Some(syncing) = self.syncing.take_if(|syncing| syncing.is_finished()) {
            // A cancelled one means that the runtime ends; the last sync follows anyway.
            syncing.await.unwrap_or(Ok(()))?;
        }
        let now = self.context.clock.now();
        let unsynced = self.holding.unsynced_bytes();
        let due = unsynced > SYNC_BYTES || (unsynced > 0 && now.since(self.synced_at) >= SYNC_EVERY);
        if due && self.syncing.is_none() {
            self.synced_at = now;
            let holding = self.holding.clone();
            self.syncing = Some(tokio::task::spawn_blocking(move || holding.sync()));
        }
        Ok(())
    }

    fn publish(&mut self) {
        let now = self.context.clock.now();
        let uploaded = self.holding.uploaded.load(Ordering::Relaxed);
        let Sources { seed, peer, cache, local } = self.sources;
        let total = self.progress.borrow().total;
        let waiting = self.brain.waiting_reason().map(|reason| self.explain(reason));
        self.progress.send_replace(Progress {
            bytes: seed + peer + cache + local,
            total,
            peers: u32::try_from(self.brain.neighbours()).unwrap_or(u32::MAX),
            down_bytes_per_s: self.down.look(now, seed + peer + cache),
            up_bytes_per_s: self.up.look(now, uploaded),
            uploaded,
            sources: self.sources,
            waiting,
        });
    }

    /// Why nothing moves, and what will change that.
    fn explain(&self, reason: Waiting) -> String {
        let waiting = match reason {
            Waiting::NoPeers => "no peer found yet; waiting for a seeder".to_owned(),
            Waiting::NobodyHas(chunks) => format!("{chunks} chunks are held by nobody found so far"),
            Waiting::BackingOff { .. } => {
                "those who hold the missing chunks are busy or failing; asking again".to_owned()
            }
            Waiting::Disk { .. } => "the disk refused; trying again".to_owned(),
        };
        self.troubles.line().map_or(waiting.clone(), |trouble| format!("{waiting} ({trouble})"))
    }
}

/// The chunks that the brain is to bring: of those wanted and missing, one for each set of twins.
pub(crate) fn missing(holding: &Holding) -> ChunkSet {
    let torrent = holding.torrent();
    let held = holding.held().0;
    let mut missing = ChunkSet::empty(torrent.chunk_count());
    for chunk in holding.wanted().difference(&held) {
        missing.insert(first_wanted_twin(holding, chunk));
    }
    missing
}

/// The chunk that stands for all its wanted twins.
fn first_wanted_twin(holding: &Holding, chunk: ChunkIndex) -> ChunkIndex {
    let mut twins = holding.torrent().twins(chunk);
    twins.find(|twin| holding.wanted().contains(*twin)).unwrap_or(chunk)
}

/// Keys for neighbours: never used twice in a download.
#[derive(Default)]
struct Keys(u32);

impl Keys {
    fn next(&mut self) -> PeerKey {
        self.0 += 1;
        PeerKey::new(self.0)
    }
}
