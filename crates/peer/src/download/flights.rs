//! Fetches under way: tasks by fetch, several small chunks of one neighbour in one request.

use std::collections::BTreeMap;
use std::sync::Arc;

use swarm::{FetchId, PeerKey};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::context::Context;
use crate::fact::Fact;
use crate::fetch::{Fetcher, Wanted};
use crate::holding::Holding;
use crate::neighbour::{Neighbour, Speaks};

/// Chunks up to this length go together, where a request would cost more than the bytes. Not the ordinary ones of
/// 64 KiB and more: each of those is a resource of its own that any cache on the way can keep.
const SMALL: u32 = 32 << 10;
/// Bytes asked for in one request of small chunks.
const TOGETHER: u32 = 1 << 20;
/// Bytes asked of a described peer in one request: it builds its whole answer in memory, and nothing of it counts
/// before all of it is here.
const DESCRIBED_TOGETHER: u32 = 256 << 10;

pub(super) struct Flights {
    context: Arc<Context>,
    holding: Arc<Holding>,
    facts: mpsc::Sender<Fact>,
    /// Planned and not yet requested, by neighbour. Empty between two rounds of the driver.
    planned: BTreeMap<PeerKey, (Arc<Neighbour>, Vec<Wanted>)>,
    /// The request that each fetch is part of. Bounded by the brain's limit of fetches in flight.
    requests: BTreeMap<FetchId, Arc<Request>>,
    /// Fetches whose bytes are here and being verified and stored. Whatever becomes of their neighbour, the brain
    /// hears how that ended, or their chunks would be "being stored" for ever.
    landing: BTreeMap<FetchId, Arc<Request>>,
}

/// A request under way; cancelled when the last of its fetches is.
struct Request {
    peer: PeerKey,
    task: AbortHandle,
}

impl Drop for Request {
    fn drop(&mut self) {
        // Every fetch of it is cancelled or has landed; a task that is done does not mind.
        self.task.abort();
    }
}

impl Flights {
    pub(super) fn new(context: Arc<Context>, holding: Arc<Holding>, facts: mpsc::Sender<Fact>) -> Self {
        Flights {
            context,
            holding,
            facts,
            planned: BTreeMap::new(),
            requests: BTreeMap::new(),
            landing: BTreeMap::new(),
        }
    }

    /// Notes a fetch for the next [`Flights::take_off`].
    pub(super) fn plan(&mut self, neighbour: &Arc<Neighbour>, wanted: Wanted) {
        let entry = self.planned.entry(neighbour.key).or_insert_with(|| (neighbour.clone(), Vec::new()));
        entry.1.push(wanted);
    }

    /// Requests what was planned.
    pub(super) fn take_off(&mut self) {
        for (neighbour, wanted) in std::mem::take(&mut self.planned).into_values() {
            for group in self.grouped(&neighbour, wanted) {
                self.request(&neighbour, group);
            }
        }
    }

    fn grouped(&self, neighbour: &Neighbour, wanted: Vec<Wanted>) -> Vec<Vec<Wanted>> {
        // What may go into one request: a chunk of at most so many bytes, beside others up to so many.
        let (small, together) = match neighbour.speaks() {
            Speaks::Described => (DESCRIBED_TOGETHER, DESCRIBED_TOGETHER),
            Speaks::Native if neighbour.takes_several() => (SMALL, TOGETHER),
            Speaks::Native => (0, 0),
        };
        let mut groups: Vec<(u32, Vec<Wanted>)> = Vec::new();
        for next in wanted {
            let length = self.holding.torrent().span(next.chunk).length;
            match groups.last_mut() {
                Some((bytes, group))
                    if self.takes_company(&group[0], small)
                        && length <= small
                        && *bytes + length <= together =>
                {
                    *bytes += length;
                    group.push(next);
                }
                _ => groups.push((length, vec![next])),
            }
        }
        groups.into_iter().map(|(_, group)| group).collect()
    }

    fn takes_company(&self, first: &Wanted, small: u32) -> bool {
        self.holding.torrent().span(first.chunk).length <= small
    }

    fn request(&mut self, neighbour: &Arc<Neighbour>, wanted: Vec<Wanted>) {
        let task = Fetcher {
            context: self.context.clone(),
            holding: self.holding.clone(),
            neighbour: neighbour.clone(),
            facts: self.facts.clone(),
        };
        let fetches: Vec<FetchId> = wanted.iter().map(|wanted| wanted.fetch).collect();
        let request =
            Arc::new(Request { peer: neighbour.key, task: tokio::spawn(task.run(wanted)).abort_handle() });
        for fetch in fetches {
            self.requests.insert(fetch, request.clone());
        }
    }

    /// The brain has no more use for a fetch.
    pub(super) fn cancel(&mut self, fetch: FetchId) {
        for (_, wanted) in self.planned.values_mut() {
            wanted.retain(|planned| planned.fetch != fetch);
        }
        self.requests.remove(&fetch);
    }

    /// A neighbour is gone, and the brain has forgotten its fetches.
    pub(super) fn lost(&mut self, peer: PeerKey) {
        self.planned.remove(&peer);
        self.requests.retain(|_, request| request.peer != peer);
    }

    /// The bytes of a fetch are here.
    pub(super) fn arrived(&mut self, fetch: FetchId) {
        if let Some(request) = self.requests.remove(&fetch) {
            self.landing.insert(fetch, request);
        }
    }

    /// A fetch has ended by itself.
    pub(super) fn landed(&mut self, fetch: FetchId) {
        self.requests.remove(&fetch);
        self.landing.remove(&fetch);
    }

    /// Ends everything under way.
    pub(super) fn clear(&mut self) {
        self.planned.clear();
        self.requests.clear();
        self.landing.clear();
    }
}
