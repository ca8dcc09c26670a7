//! Requests for chunks between simulated peers, from the asking until nothing of them is under way.

use protocol::{ChunkIndex, Time};
use swarm::{FetchId, Need, PeerKey, Ticket};

use crate::node::NodeId;
use crate::roster::Place;

/// One request; an id of one that is over finds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RequestId {
    slot: u32,
    generation: u32,
}

/// Where a request stands on the side of its uploader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// On its way.
    Travelling,
    /// Waiting for a slot.
    Queued(Ticket),
    /// Its body is being sent.
    Sending,
    /// The uploader is done with it.
    Sent,
    /// Its body is here, and being stored.
    Whole,
}

/// A request for one chunk.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) from: NodeId,
    pub(crate) to: NodeId,
    /// As whom the one who asks knows the other, and where in its roster that was found last.
    pub(crate) key: PeerKey,
    pub(crate) place: Place,
    pub(crate) fetch: FetchId,
    pub(crate) chunk: ChunkIndex,
    pub(crate) stage: Stage,
    /// Nobody waits for it any more.
    pub(crate) withdrawn: bool,
    /// Bytes that the brain was told of.
    pub(crate) told: u32,
    pub(crate) asked_at: Time,
    /// What it says of its asker.
    pub(crate) need: Need,
}

/// All requests under way: a table with free places, so that millions of them allocate nothing.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    places: Vec<(u32, Option<Request>)>,
    free: Vec<u32>,
}

impl Requests {
    pub(crate) fn insert(&mut self, request: Request) -> RequestId {
        if let Some(slot) = self.free.pop() {
            let (generation, place) = &mut self.places[slot as usize];
            *place = Some(request);
            return RequestId { slot, generation: *generation };
        }
        let slot = u32::try_from(self.places.len()).unwrap_or_else(|_| unreachable!("bounded by the brains"));
        self.places.push((0, Some(request)));
        RequestId { slot, generation: 0 }
    }

    pub(crate) fn get(&self, id: RequestId) -> Option<&Request> {
        let (generation, place) = &self.places[id.slot as usize];
        place.as_ref().filter(|_| *generation == id.generation)
    }

    pub(crate) fn get_mut(&mut self, id: RequestId) -> Option<&mut Request> {
        let (generation, place) = &mut self.places[id.slot as usize];
        place.as_mut().filter(|_| *generation == id.generation)
    }

    pub(crate) fn remove(&mut self, id: RequestId) -> Option<Request> {
        let (generation, place) = &mut self.places[id.slot as usize];
        let request = place.take_if(|_| *generation == id.generation)?;
        *generation = generation.wrapping_add(1);
        self.free.push(id.slot);
        Some(request)
    }
}
