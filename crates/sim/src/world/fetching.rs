//! Requests from the side of who asks: as `peer/src/fetch.rs`.

use std::time::Duration;

use protocol::ChunkIndex;
use scenario::rollout::Conduct;
use swarm::{Event, Failure, FetchId, PeerKey};

use super::World;
use crate::agenda::Happening;
use crate::node::{Gain, NodeId};
use crate::requests::{Request, RequestId, Stage};
use crate::roster::{Place, Reading};

/// Head of a request for a chunk, in bytes, and what it has more where the asker says how it gets on.
const ASK: u64 = 200;
const NEED: u64 = 34;
/// Most connections to one neighbour that are kept.
const CONNECTIONS: u16 = 16;

impl World<'_> {
    /// Sends a request, on a connection that is free or on a new one.
    pub(super) fn fetch(&mut self, id: NodeId, fetch: FetchId, key: PeerKey, chunk: ChunkIndex) {
        self.check_fetch(id, chunk);
        let now = self.now;
        let mut place = Place::UNKNOWN;
        let Some(member) = self.node(id).roster.get_near(key, &mut place) else { return };
        let to = member.node;
        member.flying += 1;
        // Who has not got everything does not need to know: it is no seed.
        let is_complete = member.reading == Reading::Done;
        let connects = member.flying > member.connections;
        if connects && member.connections < CONNECTIONS {
            member.connections += 1;
        }
        let brain = self.node(id).brain.as_ref().filter(|_| is_complete);
        let need = brain.map(|brain| brain.need(now, chunk)).unwrap_or_default();
        let request = self.requests.insert(Request {
            from: id,
            to,
            key,
            place,
            fetch,
            chunk,
            stage: Stage::Travelling,
            withdrawn: false,
            told: 0,
            asked_at: now,
            need,
        });
        self.node(id).fetches.push((fetch, request));
        let head = ASK + if is_complete { NEED } else { 0 };
        self.control.requests += head;
        self.charge(Some(id), Some(to), head);
        let (one_way, connecting) = (self.message_delay(id, to), self.delay(id, to) * 2);
        self.plan(if connects { one_way + connecting } else { one_way }, Happening::Asked(request));
    }

    /// The brain has no more use for a fetch.
    pub(super) fn cancel(&mut self, id: NodeId, fetch: FetchId) {
        if let Some(request) = self.node(id).forget(fetch) {
            self.withdraw(request);
        }
    }

    /// Gives up what was asked of a neighbour, except bodies that are here already.
    pub(super) fn withdraw_all(&mut self, id: NodeId, key: PeerKey) {
        let mut fetches = std::mem::take(&mut self.node(id).fetches);
        fetches.retain(|&(_, request)| {
            let flies =
                self.requests.get(request).is_some_and(|one| one.key == key && one.stage != Stage::Whole);
            if flies {
                self.withdraw(request);
            }
            !flies
        });
        self.node(id).fetches = fetches;
    }

    /// Nobody waits for a request any more: its uploader hears of that.
    pub(super) fn withdraw(&mut self, id: RequestId) {
        let Some(request) = self.requests.get_mut(id) else { return };
        if std::mem::replace(&mut request.withdrawn, true) {
            return;
        }
        let (from, to, key, place) = (request.from, request.to, request.key, request.place);
        self.landed(from, key, place);
        self.plan(self.delay(from, to), Happening::Withdrawn(id));
    }

    /// A connection is free again.
    fn landed(&mut self, id: NodeId, key: PeerKey, mut place: Place) {
        if let Some(member) = self.node(id).roster.get_near(key, &mut place) {
            member.flying = member.flying.saturating_sub(1);
        }
    }

    /// Part of a body came.
    pub(super) fn came(&mut self, id: RequestId, bytes: u32) {
        let Some(request) = self.requests.get(id).filter(|one| !one.withdrawn) else { return };
        let (from, fetch) = (request.from, request.fetch);
        self.tell(from, Event::BytesArrived { fetch, bytes });
    }

    /// A body is whole; it is verified and stored.
    pub(super) fn whole(&mut self, id: RequestId) {
        let Some(request) = self.requests.get_mut(id).filter(|one| !one.withdrawn) else { return };
        request.stage = Stage::Whole;
        let Request { from, key, place, fetch, chunk, told, .. } = *request;
        self.landed(from, key, place);
        if told > 0 {
            let bytes = self.length(chunk) - told;
            self.tell(from, Event::BytesArrived { fetch, bytes });
        }
        self.tell(from, Event::Arrived { fetch });
        self.plan(self.rollout.network.store, Happening::Stored(id));
    }

    pub(super) fn stored(&mut self, id: RequestId) {
        let Some(Request { from, to, fetch, chunk, withdrawn, .. }) = self.requests.remove(id) else {
            return;
        };
        if withdrawn || !self.nodes[from.slot()].is_here() {
            return;
        }
        self.node(from).forget(fetch);
        if self.nodes[to.slot()].conduct == Conduct::Liar {
            self.tell(from, Event::FetchFailed { fetch, failure: Failure::WrongBytes });
            return;
        }
        let now = self.now;
        let node = self.node(from);
        if node.held.insert(chunk) {
            self.moved = now;
            let node = self.node(from);
            node.gains.push(Gain::new(now, chunk));
            if node.held.is_full() {
                node.complete = Some(now);
            }
            self.tell_followers(from);
        }
        let bytes = self.length(chunk).into();
        self.tell(from, Event::ChunkStored { chunk, bytes });
    }

    /// A request comes to nothing after this.
    pub(super) fn fail(&mut self, id: RequestId, after: Duration, failure: Failure) {
        let Some(request) = self.requests.remove(id) else { return };
        if !request.withdrawn {
            self.landed(request.from, request.key, request.place);
            self.plan(after, Happening::Failed(request.from, request.fetch, failure));
        }
    }

    pub(super) fn failed(&mut self, id: NodeId, fetch: FetchId, failure: Failure) {
        if self.node(id).forget(fetch).is_some() {
            self.tell(id, Event::FetchFailed { fetch, failure });
        }
    }
}
