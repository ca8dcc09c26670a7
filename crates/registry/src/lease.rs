//! How often native peers announce, and how long they stay listed after that.

use std::collections::BTreeSet;
use std::time::Duration;

use protocol::{PeerId, Time};

use crate::torrents::Serial;

/// Announces the tracker wants to see a second, at most: one core answers several times as many.
const ANNOUNCES_PER_SECOND: usize = 10_000;
/// Shortest interval, in seconds.
const SHORTEST_S: u64 = 5;
/// A holder may miss two announces before it is forgotten.
const INTERVALS_PER_LEASE: u32 = 3;

/// The interval between announces when `holders` announce: max(5 s, holders/10,000 s).
pub(crate) fn interval(holders: usize) -> Duration {
    let spread = u64::try_from(holders.div_ceil(ANNOUNCES_PER_SECOND)).unwrap_or(u64::MAX);
    Duration::from_secs(spread.max(SHORTEST_S))
}

/// A holder's lease.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lease {
    /// When it ends.
    until: Time,
    /// When it is looked at: never later than it ends.
    looked_at: Time,
}

/// When to look at whose lease. A lease that is renewed keeps its place here, for that is only too early: whoever is
/// looked at and not over yet gets its next place then, so that most announces move nothing.
#[derive(Debug, Default)]
pub(crate) struct Leases(BTreeSet<(Time, Serial, PeerId)>);

impl Leases {
    /// The lease of a holder that has none.
    pub(crate) fn begin(&mut self, serial: Serial, peer: PeerId, until: Time) -> Lease {
        self.0.insert((until, serial, peer));
        Lease { until, looked_at: until }
    }

    /// Renews a lease; it may end earlier than before.
    pub(crate) fn renew(&mut self, serial: Serial, peer: PeerId, lease: &mut Lease, until: Time) {
        lease.until = until;
        if until < lease.looked_at {
            self.0.remove(&(lease.looked_at, serial, peer));
            *lease = self.begin(serial, peer, until);
        }
    }

    /// Forgets a lease.
    pub(crate) fn end(&mut self, serial: Serial, peer: PeerId, lease: Lease) {
        self.0.remove(&(lease.looked_at, serial, peer));
    }

    /// Takes out one whose lease is to be looked at.
    pub(crate) fn pop_due(&mut self, now: Time) -> Option<(Serial, PeerId)> {
        let &(at, ..) = self.0.first()?;
        if at > now {
            return None;
        }
        self.0.pop_first().map(|(_, serial, peer)| (serial, peer))
    }

    /// Puts back one that was taken out and whose lease is not over; false when it is.
    pub(crate) fn put_back(&mut self, now: Time, serial: Serial, peer: PeerId, lease: &mut Lease) -> bool {
        let goes_on = lease.until > now;
        if goes_on {
            *lease = self.begin(serial, peer, lease.until);
        }
        goes_on
    }
}

/// How long an announce answered with this interval keeps its sender listed.
pub(crate) fn length(interval: Duration) -> Duration {
    interval * INTERVALS_PER_LEASE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_grows_with_the_holders() {
        let seconds = |holders| interval(holders).as_secs();
        assert_eq!((seconds(0), seconds(1), seconds(50_000)), (5, 5, 5));
        assert_eq!((seconds(50_001), seconds(500_000)), (6, 50));
        assert_eq!(length(interval(0)).as_secs(), 15);
    }
}
