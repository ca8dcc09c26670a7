//! The one driver loop: wait for one fact, tell the brain, perform what it says.
//!
//! Nothing here decides what to fetch or from whom; nothing in the brain knows of addresses, bytes or disks.

mod brain;
mod durability;
mod flights;
mod roster;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use protocol::ChunkIndex;
use store::StoreError;
use swarm::{Action, Download, Event, Order, PeerKey, Waiting};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::brain::{brain, first_wanted_twin};
use self::durability::{Durability, Finish, News, Taken};
use self::flights::Flights;
use self::roster::Roster;
use crate::context::Context;
use crate::fact::{Fact, Origin, Sighting, Source};
use crate::fetch::Wanted;
use crate::holding::Holding;
use crate::hurry::Hurry;
use crate::progress::{Meter, Progress, Sources};
use crate::tracker_client::Troubles;

/// Facts waiting for the driver. Whoever has more to tell waits: that is the back-pressure.
pub(crate) const INBOX: usize = 1024;
/// Facts told to the brain before its decisions are performed, so that requests to one neighbour can go together.
const AT_ONCE: usize = 64;
/// How often progress is published and durability considered.
const TICK: Duration = Duration::from_millis(250);
/// When the brain has nothing planned, it is woken this late: far, and bounded.
const FAR: Duration = Duration::from_secs(3600);

/// Chunks of a reader's range that are looked at for twins; fewer than the wishes that the brain remembers, so that
/// the range itself is not forgotten.
const READ_AHEAD: usize = 4;

/// How a download ended.
pub(crate) enum Ending {
    /// Everything wanted is durable in its final place, there.
    Whole(PathBuf),
    /// The process stops; what is stored is durable.
    Stopped,
    /// The disk refused.
    Disk(StoreError),
}

/// What a driver is made of.
pub(crate) struct Setup {
    pub(crate) context: Arc<Context>,
    pub(crate) holding: Arc<Holding>,
    /// Only these files; `None` is all of them.
    pub(crate) files: Option<BTreeSet<usize>>,
    pub(crate) order: Order,
    pub(crate) seed: u64,
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
    files: Option<BTreeSet<usize>>,
    order: Order,
    seed: u64,
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
    durability: Durability,
    stop: CancellationToken,
}

impl Driver {
    pub(crate) fn new(setup: Setup) -> Self {
        let Setup { context, holding, files, order, seed, local, inbox, hurry, troubles, progress, stop } =
            setup;
        let (tell, facts) = inbox;
        Driver {
            roster: Roster::new(context.clone(), holding.clone(), tell.clone()),
            flights: Flights::new(context.clone(), holding.clone(), tell.clone()),
            durability: Durability::new(context.net.clone(), context.clock, holding.clone()),
            brain: brain(&context, &holding, order, seed),
            sources: Sources { local, ..Sources::default() },
            down: Meter::default(),
            up: Meter::default(),
            context,
            holding,
            files,
            order,
            seed,
            facts,
            hurry,
            troubles,
            progress,
            stop,
        }
    }

    /// Runs until everything wanted has its final place, the process stops, or the disk refuses. What is stored by
    /// then is durable unless the disk refused.
    pub(crate) async fn run(mut self) -> Ending {
        let ending = self.drive().await;
        self.roster.clear();
        self.flights.clear();
        let settled = self.durability.settle().await;
        self.publish();
        match (ending, settled) {
            // What was lost is fetched by the next start.
            (Ending::Stopped, Err(error)) if !matches!(error, StoreError::Lost { .. }) => Ending::Disk(error),
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
            if self.perform(&mut actions)
                && let Some(ending) = self.finish(&mut actions).await
            {
                return ending;
            }
            let wake = self
                .brain
                .wake_at()
                .map_or_else(|| Instant::now() + FAR, |time| self.context.clock.instant(time));
            tokio::select! {
                // Facts last: there may always be one more, and the others come only now and then.
                biased;
                () = stop.cancelled() => return Ending::Stopped,
                _ = tick.tick() => {
                    self.publish();
                    match self.durability.look().await {
                        Ok(news) => self.heard(news, &mut actions),
                        Err(error) => return Ending::Disk(error),
                    }
                }
                () = tokio::time::sleep_until(wake) => self.tell_brain(Event::Woke, &mut actions),
                Ok(()) = wishes.changed() => {
                    let wish = *wishes.borrow_and_update();
                    if let Some((first, last)) = wish {
                        self.wish(first, last, &mut actions);
                    }
                }
                Some(fact) = self.facts.recv() => {
                    if let Err(error) = self.learn_all(fact, &mut actions) {
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
                    self.sighted(sighting, Origin::Named, actions);
                }
            }
            Fact::Visited(sighting) => self.sighted(sighting, Origin::Came, actions),
            Fact::Suggested { peer, chunk } => self.tell_brain(Event::Suggested { peer, chunk }, actions),
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
            Fact::Arrived { fetch } => {
                self.flights.arrived(fetch);
                self.tell_brain(Event::Arrived { fetch }, actions);
            }
            Fact::Failed { fetch, failure } => {
                self.flights.landed(fetch);
                self.tell_brain(Event::FetchFailed { fetch, failure }, actions);
            }
            Fact::Stored { fetch, chunk, bytes, source } => {
                self.flights.landed(fetch);
                self.stored(chunk, bytes, source, actions);
            }
            Fact::StoreFailed { fetch, chunk, source, error } => {
                self.flights.landed(fetch);
                self.tell_brain(Event::StoreFailed { chunk: chunk.index() }, actions);
                let news = self.durability.refused(chunk, source, error)?;
                self.heard(Some(news), actions);
            }
        }
        Ok(())
    }

    fn stored(&mut self, chunk: ChunkIndex, bytes: u64, source: Source, actions: &mut Vec<Action>) {
        self.count(bytes, source);
        if self.brain.tells_at_once(self.context.gate.sending()) {
            self.holding.press();
        }
        self.tell_brain(Event::ChunkStored { chunk, bytes }, actions);
    }

    fn count(&mut self, bytes: u64, source: Source) {
        self.holding.downloaded.fetch_add(bytes, Ordering::Relaxed);
        match source {
            Source::Seed => self.sources.seed += bytes,
            Source::Peer => self.sources.peer += bytes,
            Source::Cache => self.sources.cache += bytes,
        }
    }

    /// Somebody reads from `first` to `last`. Of equal chunks the brain knows only the first wanted one, so a wish for
    /// another is told as a wish for that.
    fn wish(&mut self, first: ChunkIndex, last: ChunkIndex, actions: &mut Vec<Action>) {
        self.tell_brain(Event::RangeWanted { first, last }, actions);
        let ahead = (first.get()..=last.get()).take(READ_AHEAD).map(ChunkIndex::new);
        let twins = ahead.filter(|chunk| !self.holding.holds(*chunk)).filter_map(|chunk| {
            let twin = first_wanted_twin(&self.holding, chunk);
            (twin != chunk).then_some(twin)
        });
        for twin in twins.collect::<BTreeSet<_>>() {
            self.tell_brain(Event::RangeWanted { first: twin, last: twin }, actions);
        }
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
                        let need = self.brain.need(self.context.clock.now(), chunk);
                        self.flights.plan(neighbour, Wanted { fetch, chunk, need });
                    }
                }
                Action::Cancel { fetch } => self.flights.cancel(fetch),
                Action::Announce => self.hurry.ask(),
                Action::Tell => self.holding.press(),
                Action::Drop { peer, reason } => self.roster.ban(peer, reason),
                Action::Finish => finished = true,
            }
        }
        self.flights.take_off();
        finished
    }

    /// Tells the brain what is new about the disk.
    fn heard(&mut self, news: Option<News>, actions: &mut Vec<Action>) {
        match news {
            None => {}
            Some(News::Full) => self.tell_brain(Event::DiskFails, actions),
            Some(News::RoomAgain(taken)) => {
                if let Some(Taken { chunk, bytes, source }) = taken {
                    self.stored(chunk, bytes, source, actions);
                }
                self.tell_brain(Event::DiskWorks, actions);
            }
            Some(News::Lost) => self.start_over(actions),
        }
    }

    /// Moves everything to its final place, with patience for a full disk. `None`: there is more to fetch.
    async fn finish(&mut self, actions: &mut Vec<Action>) -> Option<Ending> {
        loop {
            match self.durability.finish(self.files.clone()).await {
                None => return Some(Ending::Stopped),
                Some(Err(error)) => return Some(Ending::Disk(error)),
                Some(Ok(Finish::Done(path))) => return Some(Ending::Whole(path)),
                Some(Ok(Finish::NotYet(News::Lost))) => {
                    self.start_over(actions);
                    return None;
                }
                Some(Ok(Finish::NotYet(_))) => {
                    self.publish();
                    if let Err(ending) = self.wait_for_room(actions).await {
                        return Some(ending);
                    }
                }
            }
        }
    }

    /// Waits until a full disk is worth another try. Facts are heard meanwhile: whoever tells them also announces.
    async fn wait_for_room(&mut self, actions: &mut Vec<Action>) -> Result<(), Ending> {
        let stop = self.stop.clone();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Err(Ending::Stopped),
                () = self.durability.next_try() => return Ok(()),
                Some(fact) = self.facts.recv() => self.learn_all(fact, actions).map_err(Ending::Disk)?,
            }
        }
    }

    fn sighted(&mut self, sighting: Sighting, origin: Origin, actions: &mut Vec<Action>) {
        let (now, brain) = (self.context.clock.now(), &mut self.brain);
        for event in self.roster.sighted(sighting, origin, || brain.gives_way(now)) {
            self.tell_brain(event, actions);
        }
    }

    /// Chunks are missing again that the brain takes for stored, and it keeps no note of who holds those: another
    /// brain goes on from what is here.
    fn start_over(&mut self, actions: &mut Vec<Action>) {
        self.flights.clear();
        actions.clear();
        let mut sightings = Vec::new();
        // What waits here is about fetches and neighbours that the new brain does not know.
        while let Ok(fact) = self.facts.try_recv() {
            match fact {
                Fact::Sighted(more) => sightings.extend(more),
                Fact::Stored { bytes, source, .. } => self.count(bytes, source),
                _ => {}
            }
        }
        let brain = brain(&self.context, &self.holding, self.order, self.seed);
        // A task that is being aborted may still tell of its fetch: no new one has that number.
        self.brain = brain.counting_on_from(&self.brain);
        self.roster.start_over();
        for sighting in sightings {
            self.sighted(sighting, Origin::Named, actions);
        }
        if self.durability.trouble().is_some() {
            self.tell_brain(Event::DiskFails, actions);
        }
        self.hurry.ask();
        self.tell_brain(Event::Woke, actions);
    }

    fn publish(&mut self) {
        let now = self.context.clock.now();
        let uploaded = self.holding.uploaded.load(Ordering::Relaxed);
        let received = self.sources.sum() - self.sources.local;
        let total = self.progress.borrow().total;
        let full = self.durability.trouble().map(str::to_owned);
        let waiting = full.or_else(|| self.brain.waiting_reason().map(|reason| self.explain(reason)));
        self.progress.send_replace(Progress {
            bytes: self.holding.held_bytes(),
            total,
            peers: u32::try_from(self.brain.neighbours()).unwrap_or(u32::MAX),
            down_bytes_per_s: self.down.look(now, received),
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
            Waiting::Disk => "the disk is full".to_owned(),
        };
        self.troubles.line().map_or(waiting.clone(), |trouble| format!("{waiting} ({trouble})"))
    }
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
