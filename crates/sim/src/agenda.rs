//! What is to happen when: events in the order of their time, and of their planning where times are equal.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use protocol::{ChunkIndex, Time};
use swarm::{Failure, FetchId, PeerKey};

use crate::node::NodeId;
use crate::requests::RequestId;

/// Something that happens in the simulated world.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Happening {
    /// A peer starts.
    Arrives(NodeId),
    /// A peer is killed.
    Dies(NodeId),
    /// A peer that is complete says goodbye.
    Leaves(NodeId),
    /// A brain's timer; stale unless it is the one armed.
    Wake(NodeId),
    /// An uplink may send its next slice; stale unless it is the time armed.
    Uplink(NodeId),
    /// What is left of a body is buffered.
    Buffered(NodeId, RequestId),
    /// A peer reads what its neighbours gained.
    Round(NodeId),
    /// The first answer of a neighbour arrives, or does not.
    Meets(NodeId, PeerKey),
    /// A neighbour's first gain after a silence is told.
    Told(NodeId, PeerKey),
    /// A neighbour is found to be gone.
    Loses(NodeId, PeerKey),
    /// A neighbour answers whom it knows.
    Hears(NodeId, PeerKey),
    /// An announcer's timer; stale unless it is the one armed.
    Announces(NodeId),
    /// An announce reaches the tracker.
    AtTracker(NodeId),
    /// The tracker's answer reaches the announcer.
    Answered(NodeId),
    /// A request reaches its uploader.
    Asked(RequestId),
    /// The uploader of a request learns that nobody waits for it any more.
    Withdrawn(RequestId),
    /// Part of a body came.
    Came(RequestId, u32),
    /// A body is whole.
    Whole(RequestId),
    /// A body is verified and written.
    Stored(RequestId),
    /// An answer's head says what to ask for next.
    Suggested(NodeId, PeerKey, ChunkIndex),
    /// The downloader learns that a fetch came to nothing.
    Failed(NodeId, FetchId, Failure),
}

/// Events that are planned.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    heap: BinaryHeap<Entry>,
    planned: u64,
}

#[derive(Debug)]
struct Entry {
    at: Time,
    number: u64,
    happening: Happening,
}

impl Agenda {
    pub(crate) fn plan(&mut self, at: Time, happening: Happening) {
        self.planned += 1;
        self.heap.push(Entry { at, number: self.planned, happening });
    }

    /// The next event, and its time.
    pub(crate) fn next(&mut self) -> Option<(Time, Happening)> {
        self.heap.pop().map(|entry| (entry.at, entry.happening))
    }
}

impl Ord for Entry {
    /// The earliest is the greatest: `BinaryHeap` gives the greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Entry {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_order_of_time_and_then_of_planning() {
        let mut agenda = Agenda::default();
        for (at, node) in [(2, 0), (1, 1), (2, 2), (1, 3)] {
            agenda.plan(Time::from_nanos(at), Happening::Wake(NodeId::new(node)));
        }
        let order: Vec<String> =
            std::iter::from_fn(|| agenda.next()).map(|(_, happening)| format!("{happening:?}")).collect();
        assert_eq!(order, ["Wake(NodeId(1))", "Wake(NodeId(3))", "Wake(NodeId(0))", "Wake(NodeId(2))"]);
    }
}
