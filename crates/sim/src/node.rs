//! One simulated peer: its brains, its link, and what the shell round them would remember.

use std::collections::BTreeMap;

use protocol::api::tracker::Token;
use protocol::{ChunkIndex, ChunkSet, Time};
use scenario::rollout::{Conduct, Link, Role};
use swarm::{Download, FetchId, FirstCopies, PeerKey, Requester, Ticket, Upload};

use crate::network::{Downlink, Uplink};
use crate::requests::RequestId;
use crate::roster::{Place, Roster};
use crate::tracker::Answer;

/// A simulated peer's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NodeId(u32);

impl NodeId {
    pub(crate) const fn new(number: u32) -> Self {
        NodeId(number)
    }

    pub(crate) const fn get(self) -> u32 {
        self.0
    }

    pub(crate) const fn slot(self) -> usize {
        self.0 as usize
    }

    pub(crate) fn word(self) -> u64 {
        self.0.into()
    }
}

/// As whom it asks others.
impl From<NodeId> for Requester {
    fn from(node: NodeId) -> Self {
        Requester::new(node.word())
    }
}

impl From<Requester> for NodeId {
    fn from(requester: Requester) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "made of a node's number")]
        NodeId(requester.get() as u32)
    }
}

/// Whether a peer is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// It has not come yet.
    ToCome,
    /// It runs.
    Here,
    /// It is gone for good.
    Gone,
}

/// A simulated peer.
///
/// In this order in memory: each slice that is sent, and each message, looks at the link of a peer that is in no cache, and finds all
/// it needs in the first lines.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Node {
    pub(crate) link: Link,
    pub(crate) downlink: Downlink,
    /// A leecher's download, until it is complete.
    pub(crate) brain: Option<Box<Download>>,
    pub(crate) role: Role,
    pub(crate) dialable: bool,
    pub(crate) conduct: Conduct,
    pub(crate) presence: Presence,
    pub(crate) group: usize,
    /// Payload bytes sent and received, whether or not they were of use.
    pub(crate) sent: u64,
    pub(crate) received: u64,
    /// What was stored, in order, for those who follow.
    pub(crate) gains: Vec<Gain>,
    pub(crate) uplink: Uplink,
    /// The brain's timer that is planned.
    pub(crate) wake: Option<Time>,
    /// What was asked for and is not settled, oldest first.
    pub(crate) fetches: Vec<(FetchId, RequestId)>,
    pub(crate) held: ChunkSet,
    pub(crate) roster: Roster,

    pub(crate) arrived: Time,
    pub(crate) finished: Option<Time>,
    pub(crate) announcer: Announcer,
    /// When the last gain was stored.
    pub(crate) gained_at: Time,
    /// When it last read what its neighbours gained, and how much it had gained itself by then.
    pub(crate) round: (Time, usize),
    /// Who follows what it gains. Some of them may have lost interest.
    pub(crate) followers: Vec<Follower>,
    /// Since when it holds everything.
    pub(crate) complete: Option<Time>,

    pub(crate) upload: Upload,
    pub(crate) firsts: FirstCopies,
    /// When it is planned that a seed asks back what it sent.
    pub(crate) asks_back_at: Option<Time>,
    /// Requests that wait for a slot.
    pub(crate) queued: BTreeMap<Ticket, RequestId>,
}

/// Who follows what a peer gains.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Follower {
    pub(crate) node: NodeId,
    pub(crate) group: u32,
    /// As whom it knows the peer, and where in its roster that was found last.
    pub(crate) key: PeerKey,
    pub(crate) place: Place,
}

/// A chunk that was stored, and when: 12 bytes, because a large run has tens of millions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gain {
    at: (u32, u32),
    chunk: u32,
}

impl Gain {
    #[expect(clippy::cast_possible_truncation, reason = "the two halves of 64 bits")]
    pub(crate) const fn new(at: Time, chunk: ChunkIndex) -> Self {
        Gain { at: ((at.nanos() >> 32) as u32, at.nanos() as u32), chunk: chunk.get() }
    }

    pub(crate) fn at(self) -> Time {
        Time::from_nanos(u64::from(self.at.0) << 32 | u64::from(self.at.1))
    }

    pub(crate) const fn chunk(self) -> ChunkIndex {
        ChunkIndex::new(self.chunk)
    }
}

/// When the tracker is told of this peer: as `peer/src/tracker_client`.
#[derive(Debug, Default)]
pub(crate) struct Announcer {
    /// When the next announce is sent; `None` while one is under way.
    pub(crate) due: Option<Time>,
    /// When the last one was answered, or failed.
    pub(crate) answered: Option<Time>,
    /// Somebody asked to be quick while one was under way.
    pub(crate) hurried: bool,
    /// Announces that failed in a row.
    pub(crate) failures: u32,
    pub(crate) token: Option<Token>,
    /// What is on its way back; nothing where the tracker is away.
    pub(crate) answer: Option<Answer>,
}

impl Node {
    pub(crate) const fn is_here(&self) -> bool {
        matches!(self.presence, Presence::Here)
    }

    /// Forgets a fetch that is settled.
    pub(crate) fn forget(&mut self, fetch: FetchId) -> Option<RequestId> {
        let at = self.fetches.binary_search_by_key(&fetch, |&(id, _)| id).ok()?;
        Some(self.fetches.remove(at).1)
    }
}
