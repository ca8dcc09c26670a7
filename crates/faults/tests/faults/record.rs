//! What happened in a run: kept beside the simulation, compared between runs, judged at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use protocol::ChunkSet;

/// A host, by its place in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct HostId(pub(crate) usize);

/// A request for a chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) at: Duration,
    pub(crate) host: HostId,
    /// Which of its lives.
    pub(crate) life: usize,
    pub(crate) to: IpAddr,
    pub(crate) hash: String,
    /// Past all caches, of which there are none in this world: so asks only who gave the chunk away, to see whether it is passed on.
    pub(crate) back: bool,
}

/// What a host does on the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Move {
    Connects,
    /// So many bytes of a request.
    Asks(usize),
    /// So many bytes of an answer.
    Answers(usize),
    /// A datagram of so many bytes.
    Sends(usize),
    /// The connection that it opened or accepted as its so-manieth.
    Closes(u64),
}

/// All of it. The same seed makes the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Simulated time, as the simulation has it: a host's own clock may jump.
    pub(crate) now: Duration,
    pub(crate) asked: Vec<Asked>,
    /// Starts of each host so far.
    pub(crate) lives: BTreeMap<HostId, usize>,
    /// What was durable when the host came back to that life.
    pub(crate) durable: BTreeMap<(HostId, usize), ChunkSet>,
    /// When each host's last life completed its download.
    pub(crate) complete: BTreeMap<HostId, Duration>,
    /// When each address first got a lie, in its present life.
    pub(crate) lied_to: BTreeMap<IpAddr, Duration>,
    /// Whom the tracker listed when.
    pub(crate) listed: Vec<(Duration, BTreeSet<String>)>,
    /// What must never happen, as it happened.
    pub(crate) violations: Vec<String>,
    /// Everything that the hosts did on the network, with the other end's address where there is one.
    pub(crate) trace: Vec<(Duration, HostId, Move, Option<IpAddr>)>,
    /// How many claims were tried.
    pub(crate) claims_tried: usize,
}

/// Shared by everything in one run.
#[derive(Clone, Default)]
pub(crate) struct Record(Arc<Mutex<Facts>>);

impl Record {
    pub(crate) fn with<T>(&self, note: impl FnOnce(&mut Facts) -> T) -> T {
        note(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn facts(&self) -> Facts {
        self.with(|facts| facts.clone())
    }

    /// The host starts; returns which life this is, from 1.
    pub(crate) fn begins(&self, host: HostId, address: IpAddr) -> usize {
        self.with(|facts| {
            facts.complete.remove(&host);
            facts.lied_to.remove(&address);
            let lives = facts.lives.entry(host).or_default();
            *lives += 1;
            *lives
        })
    }

    pub(crate) fn life(&self, host: HostId) -> usize {
        self.with(|facts| facts.lives.get(&host).copied().unwrap_or(0))
    }

    pub(crate) fn asked(&self, host: HostId, to: IpAddr, hash: String, back: bool) {
        let life = self.life(host);
        self.with(|facts| facts.asked.push(Asked { at: facts.now, host, life, to, hash, back }));
    }

    pub(crate) fn moves(&self, host: HostId, does: Move, other: Option<IpAddr>) {
        self.with(|facts| facts.trace.push((facts.now, host, does, other)));
    }

    pub(crate) fn lied(&self, to: IpAddr) {
        self.with(|facts| _ = facts.lied_to.entry(to).or_insert(facts.now));
    }

    pub(crate) fn violation(&self, what: String) {
        self.with(|facts| facts.violations.push(what));
    }
}
