//! What is to happen when: events in the order of their time, and of their planning where times are equal.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use protocol::{ChunkIndex, Time};
use swarm::{AskedBack, Failure, FetchId, PeerKey};

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
    /// What a peer gained is told at once to those of its followers that are of this group.
    Told(NodeId, u32),
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
    /// A seed asks back what it sent; stale unless it is the time armed.
    AsksBack(NodeId),
    /// This came of asking somebody.
    AskedBack(NodeId, NodeId, AskedBack),
    /// The downloader learns that a fetch came to nothing.
    Failed(NodeId, FetchId, Failure),
}

/// A slot is 2 to this many nanoseconds long: 131 microseconds, in which ten thousand busy peers have a thousand events.
const SLOT: u32 = 17;
/// Slots of the ring: what is due within half a second, which is nearly everything.
const RING: usize = 4096;

/// Events that are planned: those of the current slot, sorted, and what was planned for it since in a heap, those of the next half
/// second in a ring of slots that nobody has sorted yet, and the others in a heap. One heap for all of them took a seventh of a large
/// run.
#[derive(Debug)]
pub(crate) struct Agenda {
    /// What is due in the current slot, the latest first.
    current: Vec<Entry>,
    /// What was planned for the current slot, or for before, while it was current.
    late: BinaryHeap<Entry>,
    /// Number of the current slot.
    slot: u64,
    ring: Vec<Vec<Entry>>,
    /// Entries in the ring.
    ringed: usize,
    /// What lay past the ring when it was planned.
    far: BinaryHeap<Entry>,
    planned: u64,
}

#[derive(Debug)]
struct Entry {
    at: Time,
    number: u64,
    happening: Happening,
}

impl Default for Agenda {
    fn default() -> Self {
        Agenda {
            current: Vec::new(),
            late: BinaryHeap::new(),
            slot: 0,
            ring: (0..RING).map(|_| Vec::new()).collect(),
            ringed: 0,
            far: BinaryHeap::new(),
            planned: 0,
        }
    }
}

impl Agenda {
    pub(crate) fn plan(&mut self, at: Time, happening: Happening) {
        self.planned += 1;
        let entry = Entry { at, number: self.planned, happening };
        match entry.slot().saturating_sub(self.slot) {
            0 => self.late.push(entry),
            ahead if ahead < RING as u64 => {
                self.ring[place(entry.slot())].push(entry);
                self.ringed += 1;
            }
            _ => self.far.push(entry),
        }
    }

    /// The next event, and its time.
    pub(crate) fn next(&mut self) -> Option<(Time, Happening)> {
        while self.current.is_empty() && self.late.is_empty() {
            let far = self.far.peek().map(Entry::slot);
            self.slot = if self.ringed > 0 { self.slot + 1 } else { far? };
            self.current = std::mem::take(&mut self.ring[place(self.slot)]);
            self.ringed -= self.current.len();
            while self.far.peek().is_some_and(|entry| entry.slot() <= self.slot) {
                self.current.extend(self.far.pop());
            }
            self.current.sort_unstable();
        }
        // The greatest is the earliest, and lies at the end.
        let next = if self.late.peek() > self.current.last() { self.late.pop() } else { self.current.pop() };
        next.map(|entry| (entry.at, entry.happening))
    }
}

/// Where a slot lies in the ring.
#[expect(clippy::cast_possible_truncation, reason = "below the length of the ring")]
const fn place(slot: u64) -> usize {
    (slot % RING as u64) as usize
}

impl Entry {
    const fn slot(&self) -> u64 {
        self.at.nanos() >> SLOT
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
    use proptest::prelude::*;

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

    proptest! {
        /// Near and far, also while others are taken out: as one sorted list would give them.
        #[test]
        fn the_order_is_that_of_a_sorted_list(
            steps in proptest::collection::vec((prop_oneof![0u64..300_000, 0u64..3_000_000_000], 0u8..3), 1..200),
        ) {
            let (mut agenda, mut list, mut now) = (Agenda::default(), std::collections::BTreeSet::new(), 0);
            for (number, (after, taken)) in (0u32..).zip(steps) {
                agenda.plan(Time::from_nanos(now + after), Happening::Wake(NodeId::new(number)));
                list.insert((now + after, number));
                for _ in 0..taken {
                    let next = agenda.next().map(|(at, happening)| (at.nanos(), format!("{happening:?}")));
                    let listed = list.pop_first();
                    prop_assert_eq!(next, listed.map(|(at, of)| (at, format!("Wake(NodeId({of}))"))));
                    now = listed.map_or(now, |(at, _)| at);
                }
            }
        }
    }
}
