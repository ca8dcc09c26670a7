//! The state machine of a download: an event in, actions out, one armed timer.
//!
//! Each call does the work that its event makes necessary: the event changes the tables (`neighbours`, `fetches`),
//! due timers fire (`timers`), and the neighbours that may have got room are given fetches (`choosing`). None of
//! this visits every chunk; a gain costs its chunks, a lost or lying neighbour costs what it held.

mod check;
mod choosing;
mod chunk_table;
mod fetches;
mod neighbour;
mod neighbourhood;
mod neighbours;
mod pauses;
mod renewal;
mod runs;
mod states;
mod timers;

use std::sync::Arc;

use protocol::{ChunkIndex, ChunkSet, Time};

use crate::finder::Finder;
use crate::flow::Flow;
use crate::inflight::Inflight;
use crate::picker::Picker;
use crate::{Action, Config, Event, Gained, Need, PeerKey};
use chunk_table::ChunkTable;
use neighbourhood::Neighbourhood;
use pauses::Pauses;

/// Decides what to fetch from whom, for one torrent, until every wanted chunk is stored.
///
/// In this order in memory: most events are gains of what is stored here already, by a brain that is in no cache (a simulation has ten
/// thousand), and they end with what the first lines hold.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub struct Download {
    finished: bool,
    stored_any: bool,
    /// The disk takes nothing: no fetch starts.
    disk_fails: bool,
    /// All neighbours may have got room, or something to be asked for, in this call.
    all_eager: bool,
    /// Those that may.
    eager: Vec<PeerKey>,
    wake: Option<Time>,
    /// When the fetches in flight are to be looked at.
    look_at: Option<Time>,
    table: ChunkTable,
    fetches: Inflight,
    config: Arc<Config>,
    finder: Finder,
    /// When pauses of neighbours end. An entry may be stale: a pause can be prolonged.
    blocked: Pauses,
    /// When neighbours may be asked again for what they turned us away with.
    avoided: Pauses,
    /// The best measured rate of a neighbour, in bytes per second; refreshed when fetches are looked at.
    fastest: u64,
    /// What came lately.
    flow: Flow,
    /// When a neighbour gave way to a newcomer last.
    renewed_at: Option<Time>,
    picker: Picker,
    neighbours: Neighbourhood,
}

/// Why nothing moves: what to tell somebody who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// No neighbour is known.
    NoPeers,
    /// No neighbour holds any of the chunks that are missing, so many.
    NobodyHas(u32),
    /// Those that hold some are busy or failing; the first of them is asked again then.
    BackingOff {
        /// When.
        until: Time,
    },
    /// The disk takes nothing.
    Disk,
}

impl Download {
    /// A download of the chunks `missing` (wanted and not held) of a torrent of `total` chunks. With the same `seed`
    /// and the same events it takes the same actions; different peers need different seeds, or they all pick the
    /// same chunks. When nothing is missing, the first event answers [`Action::Finish`].
    ///
    /// # Panics
    /// When `missing` is a set of another number of chunks than `total`.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "the set has served its purpose")]
    pub fn new(config: impl Into<Arc<Config>>, total: u32, missing: ChunkSet, seed: u64) -> Self {
        let config = config.into();
        assert_eq!(missing.len(), total, "the missing chunks are of another torrent");
        Download {
            table: ChunkTable::new(total, &missing),
            neighbours: Neighbourhood::default(),
            fetches: Inflight::default(),
            picker: Picker::new(config.order, config.wishes_most, seed),
            finder: Finder::new(&config),
            blocked: Pauses::default(),
            avoided: Pauses::default(),
            renewed_at: None,
            look_at: None,
            disk_fails: false,
            fastest: 0,
            flow: Flow::default(),
            eager: Vec::new(),
            all_eager: false,
            stored_any: false,
            finished: false,
            wake: None,
            config,
        }
    }

    /// Takes the place of `previous` in one shell: no number of a fetch is used again, so that late news of the old
    /// ones is about nothing.
    #[must_use]
    pub fn counting_on_from(mut self, previous: &Download) -> Self {
        self.fetches.count_on_from(&previous.fetches);
        self
    }

    /// Takes in an event and appends what is to be done about it, in order. `now` never runs backwards.
    pub fn handle(&mut self, now: Time, event: Event, actions: &mut Vec<Action>) {
        if self.finished {
            return;
        }
        let was_held_up = self.is_held_up();
        self.apply(now, event, actions);
        if self.table.unstored() == 0 {
            self.finish(actions);
            return;
        }
        self.fire_timers(now, actions);
        self.all_eager |= was_held_up && !self.is_held_up();
        self.fill(now, actions);
        if self.finder.consider(now, self.needs_neighbours(), &self.config) {
            actions.push(Action::FindPeers);
        }
        self.arm_timer(now);
    }

    /// When [`Event::Woke`] is due, if nothing happens before.
    pub const fn wake_at(&self) -> Option<Time> {
        self.wake
    }

    /// Every wanted chunk is stored, and [`Action::Finish`] was said.
    pub const fn is_finished(&self) -> bool {
        self.finished
    }

    /// Wanted chunks that are not stored.
    pub const fn remaining(&self) -> u32 {
        self.table.unstored()
    }

    /// Fetches in flight, second copies included, bodies that are being verified and written not.
    pub const fn in_flight(&self) -> usize {
        self.fetches.flying()
    }

    /// Neighbours known and not dropped.
    pub fn neighbours(&self) -> usize {
        self.neighbours.len()
    }

    /// Whether what is gained while so many bodies are being sent is to be told at once, whatever it is: an uplink is idle because nobody
    /// knows what it could send. The shell asks, since only it knows; what is rare is said by [`Action::Tell`].
    pub fn tells_at_once(&self, sending: usize) -> bool {
        sending == 0 && self.is_among_many()
    }

    /// So many neighbours that telling at once brings more than it costs.
    fn is_among_many(&self) -> bool {
        self.neighbours.len() >= self.config.rare_among
    }

    /// Bytes per second that a neighbour sends while asked; `None` before it was measured.
    pub fn rate_of(&self, peer: PeerKey) -> Option<u64> {
        self.neighbours.get(peer)?.score.rate()
    }

    /// What to say when `chunk` is asked for, so that whoever is asked knows whether it is needed.
    pub fn need(&self, now: Time, chunk: ChunkIndex) -> Need {
        let holders = self.table.availability().holders(chunk.get());
        Need { rate: self.flow.rate(now), others: holders.saturating_sub(1) }
    }

    /// Why nothing moves; `None` while something does, and at the end.
    pub fn waiting_reason(&self) -> Option<Waiting> {
        if self.table.unstored() == 0 || self.fetches.flying() > 0 || self.table.storing() > 0 {
            return None;
        }
        if self.disk_fails {
            return Some(Waiting::Disk);
        }
        if self.neighbours.is_empty() {
            return Some(Waiting::NoPeers);
        }
        let nobody_has = self.table.availability().held_by_nobody();
        match self.blocked.next() {
            Some(until) if nobody_has < self.table.missing().count() => Some(Waiting::BackingOff { until }),
            _ => Some(Waiting::NobodyHas(nobody_has)),
        }
    }

    fn apply(&mut self, now: Time, event: Event, actions: &mut Vec<Action>) {
        match event {
            Event::PeerFound { peer } => self.peer_found(now, peer),
            Event::PeerLost { peer } => self.peer_lost(now, peer),
            Event::PeerGained { peer, chunks: Gained::All } => self.peer_gained_all(peer),
            Event::PeerGained { peer, chunks } => self.peer_gained(peer, chunks),
            Event::BytesArrived { fetch, bytes } => self.bytes_arrived(now, fetch, bytes),
            Event::Arrived { fetch } => self.arrived(now, fetch),
            Event::ChunkStored { chunk, bytes } => self.chunk_stored(now, chunk, bytes, actions),
            Event::StoreFailed { chunk } => self.store_failed(chunk),
            // Fetching on for a disk that is full would load the network for nothing.
            Event::DiskFails => self.disk_fails = true,
            Event::DiskWorks => self.disk_fails = false,
            Event::FetchFailed { fetch, failure } => self.fetch_failed(now, fetch, failure, actions),
            Event::Suggested { peer, chunk } => self.suggested(peer, chunk),
            Event::RangeWanted { first, last } => self.range_wanted(first, last),
            Event::Woke => {}
        }
    }

    fn range_wanted(&mut self, first: ChunkIndex, last: ChunkIndex) {
        let end = self.table.total();
        if first <= last && first.get() < end {
            self.picker.wish(first, last.min(ChunkIndex::new(end - 1)));
        }
    }

    /// More neighbours would help: there are few, or nobody has some missing chunk.
    fn needs_neighbours(&self) -> bool {
        let known = self.neighbours.len();
        known < self.config.neighbours_wanted.min(self.config.neighbours_most)
            || (known < self.config.neighbours_most && self.table.availability().held_by_nobody() > 0)
    }

    fn finish(&mut self, actions: &mut Vec<Action>) {
        debug_assert_eq!(self.fetches.iter().count(), 0, "a stored chunk leaves no fetch behind");
        self.finished = true;
        self.wake = None;
        self.look_at = None;
        self.eager.clear();
        self.all_eager = false;
        if self.stored_any {
            actions.push(Action::Announce);
        }
        actions.push(Action::Finish);
    }
}
