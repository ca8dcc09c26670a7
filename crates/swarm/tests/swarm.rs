//! A whole swarm of the real brains in one thread: one seed, leechers with uplinks, and nothing else.
//!
//! Small on purpose: an uplink is shared equally by the bodies that it sends, there is a latency, downlinks are free.
//! It says whether the brains together behave (everybody finishes, the seed need not send every chunk to everybody),
//! not how fast they are on a real network.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on says why")]
#![expect(clippy::cast_precision_loss, reason = "counts of nodes and chunks, far below 2^52")]
#![expect(clippy::print_stdout, reason = "the measured figures, shown with --nocapture")]

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::{ChunkIndex, ChunkSet, Time};
use swarm::{
    Action, Answer, Asker, Config, Content, Download, Event, Failure, FetchId, FirstCopies, Gained, PeerKey,
    Requester, Ticket, Upload, UploadConfig,
};

const LATENCY: Duration = Duration::from_millis(5);
/// How long gains are collected before they are told.
const BATCH: Duration = Duration::from_millis(50);

#[derive(Clone, Copy, Debug)]
enum Happening {
    Wake(usize),
    Request {
        to: usize,
        from: usize,
        fetch: FetchId,
        chunk: u32,
    },
    Suggested {
        from: usize,
        to: usize,
        chunk: ChunkIndex,
    },
    Refused {
        from: usize,
        fetch: FetchId,
        failure: Failure,
    },
    Cancelled {
        to: usize,
        from: usize,
        fetch: FetchId,
    },
    /// The next body of an uplink should be whole; stale unless the number is its latest.
    Sent(usize, u64),
    Received {
        from: usize,
        fetch: FetchId,
        chunk: u32,
    },
    Tell {
        of: usize,
    },
    Dies(usize),
}

#[derive(Clone, Copy, Debug)]
struct Request {
    from: usize,
    fetch: FetchId,
    chunk: u32,
}

/// A seed (no brain) or a leecher.
struct Node {
    brain: Option<Download>,
    upload: Upload,
    firsts: FirstCopies,
    uplink: f64,
    requests: BTreeMap<Ticket, Request>,
    /// Bodies that are being sent, and the bytes each still needs.
    sending: BTreeMap<Ticket, f64>,
    sending_since: Time,
    schedule: u64,
    /// Chunks stored and not yet told to the others.
    untold: Vec<u32>,
    copies_sent: f64,
    alive: bool,
    finished_at: Option<Time>,
}

struct Swarm {
    nodes: Vec<Node>,
    chunk_bytes: u32,
    chunks: u32,
    now: Time,
    agenda: BTreeMap<(Time, u64), Happening>,
    scheduled: u64,
}

impl Swarm {
    /// Node 0 is the seed. Uplinks in bytes per second.
    fn new(leechers: usize, chunks: u32, chunk_bytes: u32, seed_up: f64, peer_up: f64) -> Self {
        let now = Time::from(Duration::from_secs(1));
        let node = |number: usize| {
            let config = Config { chunk_bytes, ..Config::default() };
            let brain = Download::new(config, chunks, ChunkSet::full(chunks), 1000 + number as u64);
            Node {
                brain: (number > 0).then_some(brain),
                upload: Upload::new(UploadConfig::default()),
                firsts: if number == 0 { FirstCopies::of_seed(chunks, 1) } else { FirstCopies::none() },
                uplink: if number == 0 { seed_up } else { peer_up },
                requests: BTreeMap::new(),
                sending: BTreeMap::new(),
                sending_since: now,
                schedule: 0,
                untold: Vec::new(),
                copies_sent: 0.0,
                alive: true,
                finished_at: None,
            }
        };
        let nodes = (0..=leechers).map(node).collect();
        let mut swarm = Swarm { nodes, chunk_bytes, chunks, now, agenda: BTreeMap::new(), scheduled: 0 };
        for (one, other) in (1..=leechers).flat_map(|one| (0..=leechers).map(move |other| (one, other))) {
            if one != other {
                swarm.tell(one, Event::PeerFound { peer: key(other) });
                if other == 0 {
                    swarm.tell(one, Event::PeerGained { peer: key(0), chunks: Gained::All });
                }
            }
        }
        swarm
    }

    fn plan(&mut self, after: Duration, happening: Happening) {
        self.scheduled += 1;
        self.agenda.insert((self.now + after, self.scheduled), happening);
    }

    fn tell(&mut self, node: usize, event: Event) {
        let Node { brain: Some(brain), alive: true, finished_at, .. } = &mut self.nodes[node] else { return };
        let mut actions = Vec::new();
        brain.handle(self.now, event, &mut actions);
        let wake = brain.wake_at();
        if brain.is_finished() && finished_at.is_none() {
            brain.check_invariants();
            *finished_at = Some(self.now);
        }
        for action in actions {
            match action {
                Action::Fetch { fetch, peer, chunk } => {
                    let request =
                        Happening::Request { to: number(peer), from: node, fetch, chunk: chunk.get() };
                    self.plan(LATENCY, request);
                }
                Action::Cancel { fetch } => {
                    for to in 0..self.nodes.len() {
                        self.plan(LATENCY, Happening::Cancelled { to, from: node, fetch });
                    }
                }
                Action::Drop { peer, reason } => panic!("{node} drops {peer:?}: {reason:?}"),
                Action::FindPeers | Action::Announce | Action::Tell | Action::Finish => {}
            }
        }
        if let Some(at) = wake {
            self.plan(at.since(self.now), Happening::Wake(node));
        }
    }

    /// Runs until every living leecher is complete; how long it took.
    fn run(&mut self) -> Duration {
        let start = self.now;
        while self.nodes.iter().any(|node| node.alive && node.brain.is_some() && node.finished_at.is_none()) {
            let ((at, _), happening) = self.agenda.pop_first().expect("the swarm stands still");
            assert!(at.since(start) < Duration::from_secs(3600), "not within an hour");
            self.now = at;
            self.happen(happening);
        }
        self.now.since(start)
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Wake(node) => {
                let due = self.nodes[node].brain.as_ref().and_then(Download::wake_at);
                if due.is_some_and(|at| at <= self.now) {
                    self.tell(node, Event::Woke);
                }
            }
            Happening::Request { to, from, fetch, chunk } => self.request(to, Request { from, fetch, chunk }),
            Happening::Suggested { from, to, chunk } => {
                self.tell(to, Event::Suggested { peer: key(from), chunk });
            }
            Happening::Refused { from, fetch, failure } => {
                self.tell(from, Event::FetchFailed { fetch, failure });
            }
            Happening::Cancelled { to, from, fetch } => {
                let of = |request: &Request| request.from == from && request.fetch == fetch;
                let found = self.nodes[to].requests.iter().find(|(_, request)| of(request));
                if let Some(&ticket) = found.map(|(ticket, _)| ticket) {
                    self.end(to, ticket);
                }
            }
            Happening::Sent(node, schedule) if self.nodes[node].schedule == schedule => self.sent(node),
            Happening::Sent(..) => {}
            Happening::Received { from, fetch, chunk } => self.received(from, fetch, chunk),
            Happening::Tell { of } => self.tell_gains(of),
            Happening::Dies(node) => {
                self.nodes[node].alive = false;
                for other in 1..self.nodes.len() {
                    self.tell(other, Event::PeerLost { peer: key(node) });
                }
            }
        }
    }

    fn request(&mut self, to: usize, request: Request) {
        if !self.nodes[to].alive {
            return;
        }
        let requester = Requester::new(request.from as u64);
        let (content, chunk) = (Content::new(request.chunk.into()), ChunkIndex::new(request.chunk));
        let need = self.nodes[request.from].brain.as_ref().map(|brain| brain.need(self.now, chunk));
        let asker = Asker { who: requester, need: need.unwrap_or_default() };
        let uploader = &mut self.nodes[to];
        let demand = uploader.firsts.demand(self.now, asker, chunk, content, uploader.upload.rate());
        match self.nodes[to].upload.ask(self.now, requester, demand, self.chunk_bytes) {
            Answer::Grant(ticket) => {
                self.nodes[to].requests.insert(ticket, request);
                self.begin(to, &[ticket]);
            }
            Answer::Wait(ticket) => _ = self.nodes[to].requests.insert(ticket, request),
            Answer::Refuse { retry_after } => self.refuse(to, request, Failure::Busy { retry_after }),
            Answer::Elsewhere { retry_after } => self.refuse(to, request, Failure::Elsewhere { retry_after }),
        }
    }

    /// An answer says what its receiver might ask for next.
    fn suggest(&mut self, from: usize, to: usize) {
        if let Some(chunk) = self.nodes[from].firsts.suggest(self.now, Requester::new(to as u64)) {
            self.plan(LATENCY, Happening::Suggested { from, to, chunk });
        }
    }

    fn refuse(&mut self, by: usize, request: Request, failure: Failure) {
        self.suggest(by, request.from);
        self.plan(LATENCY, Happening::Refused { from: request.from, fetch: request.fetch, failure });
    }

    /// Accounts for what the uplink has sent since the last change.
    fn advance(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        let sent = self.now.since(node.sending_since).as_secs_f64() * node.uplink;
        let each = sent / node.sending.len().max(1) as f64;
        if !node.sending.is_empty() {
            node.copies_sent += sent / f64::from(self.chunk_bytes) / f64::from(self.chunks);
        }
        node.sending.values_mut().for_each(|left| *left -= each);
        node.sending_since = self.now;
    }

    fn begin(&mut self, node: usize, tickets: &[Ticket]) {
        self.advance(node);
        for ticket in tickets {
            let Some(&Request { from, chunk, .. }) = self.nodes[node].requests.get(ticket) else { continue };
            let now = self.now;
            self.nodes[node].firsts.sent(now, None, ChunkIndex::new(chunk));
            self.suggest(node, from);
        }
        let bytes = f64::from(self.chunk_bytes);
        self.nodes[node].sending.extend(tickets.iter().map(|&ticket| (ticket, bytes)));
        self.plan_next_body(node);
    }

    fn plan_next_body(&mut self, number: usize) {
        let node = &mut self.nodes[number];
        node.schedule += 1;
        let schedule = node.schedule;
        if let Some(least) = node.sending.values().copied().reduce(f64::min) {
            let after = least.max(0.0) * node.sending.len() as f64 / node.uplink;
            // A nanosecond more than computed, so that rounding never leaves a part of a byte.
            self.plan(
                Duration::from_secs_f64(after) + Duration::from_nanos(1),
                Happening::Sent(number, schedule),
            );
        }
    }

    fn sent(&mut self, number: usize) {
        self.advance(number);
        let whole =
            self.nodes[number].sending.iter().find(|(_, left)| **left <= 0.5).map(|(&ticket, _)| ticket);
        if let Some(ticket) = whole
            && let Some(&Request { from, fetch, chunk }) = self.nodes[number].requests.get(&ticket)
        {
            self.plan(LATENCY, Happening::Received { from, fetch, chunk });
            self.end(number, ticket);
        } else {
            self.plan_next_body(number);
        }
    }

    /// A request is done with, served or not.
    fn end(&mut self, number: usize, ticket: Ticket) {
        self.advance(number);
        self.nodes[number].sending.remove(&ticket);
        self.nodes[number].requests.remove(&ticket);
        let granted = self.nodes[number].upload.done(self.now, ticket);
        self.begin(number, &granted);
        let upload = &mut self.nodes[number].upload;
        let (turned_away, retry_after) = (upload.turned_away(), upload.elsewhere());
        for ticket in turned_away {
            if let Some(request) = self.nodes[number].requests.remove(&ticket) {
                self.refuse(number, request, Failure::Elsewhere { retry_after });
            }
        }
    }

    fn received(&mut self, node: usize, fetch: FetchId, chunk: u32) {
        let before = self.nodes[node].brain.as_ref().map(Download::remaining);
        self.tell(node, Event::Arrived { fetch });
        self.tell(node, Event::ChunkStored { chunk: ChunkIndex::new(chunk), bytes: 65_536 });
        if self.nodes[node].brain.as_ref().map(Download::remaining) != before {
            if self.nodes[node].untold.is_empty() {
                self.plan(BATCH + LATENCY, Happening::Tell { of: node });
            }
            self.nodes[node].untold.push(chunk);
        }
    }

    fn tell_gains(&mut self, of: usize) {
        let chunks = std::mem::take(&mut self.nodes[of].untold);
        let runs: Vec<_> =
            chunks.iter().map(|&chunk| (ChunkIndex::new(chunk), ChunkIndex::new(chunk))).collect();
        for other in (1..self.nodes.len()).filter(|&other| other != of) {
            self.tell(other, Event::PeerGained { peer: key(of), chunks: Gained::Runs(runs.clone()) });
        }
    }
}

fn key(node: usize) -> PeerKey {
    PeerKey::new(u32::try_from(node).unwrap())
}

fn number(peer: PeerKey) -> usize {
    peer.get() as usize
}

/// Megabits per second as bytes per second.
fn mbit(rate: f64) -> f64 {
    rate * 1e6 / 8.0
}

/// The least time that any swarm needs: the seed sends everything once, and everybody's uplink carries everything to
/// everybody.
fn bound(swarm: &Swarm) -> f64 {
    let file = f64::from(swarm.chunk_bytes) * f64::from(swarm.chunks);
    let leechers = (swarm.nodes.len() - 1) as f64;
    let uplinks: f64 = swarm.nodes.iter().map(|node| node.uplink).sum();
    (file / swarm.nodes[0].uplink).max(leechers * file / uplinks)
}

fn report(name: &str, swarm: &Swarm, took: Duration) -> (f64, f64) {
    let (time, copies) = (took.as_secs_f64() / bound(swarm), swarm.nodes[0].copies_sent);
    println!("{name}: {time:.2} x bound, the seed sent {copies:.2} copies");
    (time, copies)
}

#[test]
fn eight_leechers_finish_soon_after_the_seed_has_sent_everything_once() {
    let mut swarm = Swarm::new(8, 512, 128 << 10, mbit(50.0), mbit(50.0));
    let took = swarm.run();
    let (time, copies) = report("8 leechers, 64 MiB, 50/50 Mbit/s", &swarm, took);
    assert!(time < 1.25, "{time:.2} times the bound");
    assert!(copies < 1.25, "the seed sent {copies:.2} copies");
}

#[test]
fn sixteen_leechers_finish_soon_when_everybodys_uplink_is_the_limit() {
    let mut swarm = Swarm::new(16, 512, 128 << 10, mbit(40.0), mbit(20.0));
    let took = swarm.run();
    let (time, _) = report("16 leechers, 64 MiB, 40/20 Mbit/s", &swarm, took);
    assert!(time < 1.15, "{time:.2} times the bound");
}

#[test]
fn all_leechers_finish_when_the_seed_dies_after_a_little_more_than_one_copy() {
    let mut swarm = Swarm::new(8, 256, 128 << 10, mbit(50.0), mbit(50.0));
    let file = 256.0 * f64::from(128 << 10);
    swarm.plan(Duration::from_secs_f64(file * 1.2 / mbit(50.0)), Happening::Dies(0));
    let took = swarm.run();
    report("8 leechers, the seed dies after 1.2 copies", &swarm, took);
}

#[test]
fn fifty_leechers_of_a_slow_seed_finish() {
    let mut swarm = Swarm::new(50, 128, 64 << 10, mbit(8.0), mbit(8.0));
    let took = swarm.run();
    let (time, copies) = report("50 leechers, 8 MiB, 8/8 Mbit/s", &swarm, took);
    assert!(time < 3.5 && copies < 3.5);
}

#[test]
fn a_lone_leecher_keeps_the_link_full() {
    let mut swarm = Swarm::new(1, 512, 64 << 10, mbit(100.0), mbit(1.0));
    let took = swarm.run();
    let (time, copies) = report("1 leecher, 32 MiB, 100 Mbit/s", &swarm, took);
    assert!(time < 1.05 && copies < 1.01);
}
