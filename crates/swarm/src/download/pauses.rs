//! When pauses of neighbours end, the earliest at hand.
//!
//! Every event asks whether one has ended, and nearly always none has: the answer lies in the brain itself and not in a tree
//! that is elsewhere in memory, where asking took a sixth of the time that `Download::handle` itself needs in a large simulation.

use std::collections::BTreeSet;

use protocol::Time;

use crate::PeerKey;

/// Ends of pauses, each with whose it is. One neighbour can have several.
#[derive(Clone, Debug, Default)]
#[repr(C)]
pub(super) struct Pauses {
    /// The earliest of them.
    next: Option<Time>,
    ends: BTreeSet<(Time, PeerKey)>,
}

impl Pauses {
    pub(super) fn insert(&mut self, until: Time, peer: PeerKey) {
        self.ends.insert((until, peer));
        self.next = Some(self.next.map_or(until, |next| next.min(until)));
    }

    pub(super) fn remove(&mut self, until: Time, peer: PeerKey) {
        if self.ends.remove(&(until, peer)) && self.next == Some(until) {
            self.next = self.earliest();
        }
    }

    /// Takes out one that ended by `now`.
    pub(super) fn pop_ended(&mut self, now: Time) -> Option<PeerKey> {
        if self.next.is_none_or(|next| next > now) {
            return None;
        }
        let (_, peer) = self.ends.pop_first()?;
        self.next = self.earliest();
        Some(peer)
    }

    /// When the first of them ends.
    pub(super) const fn next(&self) -> Option<Time> {
        self.next
    }

    fn earliest(&self) -> Option<Time> {
        self.ends.first().map(|&(until, _)| until)
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn contains(&self, until: Time, peer: PeerKey) -> bool {
        self.ends.contains(&(until, peer))
    }

    /// Asserts that the earliest is what is remembered of it.
    pub(super) fn check_invariants(&self) {
        assert_eq!(self.next, self.earliest(), "the end of the first pause");
    }
}
