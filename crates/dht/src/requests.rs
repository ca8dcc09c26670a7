//! Queries that wait for their answers, and how patient to be with them.
//!
//! A query that has no answer after the usual round trip is *slow*: whoever waits for it goes on without it, so that
//! dead nodes cost milliseconds and not seconds. One without an answer after [`GIVE_UP`] is *missed*, which counts
//! against the node. The usual round trip is estimated as TCP does it (RFC 6298).

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use protocol::Time;

use crate::node::OperationId;

/// A query is missed after this. Longer than any round trip on earth; shorter would blame nodes for a busy moment.
const GIVE_UP: Duration = Duration::from_secs(2);
/// When a query is slow, before any round trip was measured.
const SLOW_FIRST: Duration = Duration::from_millis(500);
/// And at least: schedulers of busy machines take longer than their networks.
const SLOW_LEAST: Duration = Duration::from_millis(150);

/// What becomes of a query, and for whom it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) to: SocketAddr,
    /// The operation that waits for it; none for a ping.
    pub(crate) operation: Option<OperationId>,
    pub(crate) sent: Time,
    slow_at: Time,
}

/// What time did to a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overdue {
    Slow(Request),
    Missed(Request),
}

/// The queries in flight.
#[derive(Clone, Debug)]
pub(crate) struct Requests {
    of: BTreeMap<u32, Request>,
    /// When something happens to which; true when that is the end.
    due: BTreeSet<(Time, u32, bool)>,
    smoothed: Duration,
    deviation: Duration,
    measured: bool,
}

impl Requests {
    pub(crate) const fn new() -> Self {
        Requests {
            of: BTreeMap::new(),
            due: BTreeSet::new(),
            smoothed: Duration::ZERO,
            deviation: Duration::ZERO,
            measured: false,
        }
    }

    /// A query is sent, under a transaction number that [`Requests::is_free`].
    pub(crate) fn sent(
        &mut self,
        now: Time,
        transaction: u32,
        to: SocketAddr,
        operation: Option<OperationId>,
    ) {
        let slow_at = now + self.patience();
        self.of.insert(transaction, Request { to, operation, sent: now, slow_at });
        self.due.insert((slow_at, transaction, false));
        self.due.insert((now + GIVE_UP, transaction, true));
    }

    pub(crate) fn is_free(&self, transaction: u32) -> bool {
        !self.of.contains_key(&transaction)
    }

    /// Whether an address was asked something and may still answer.
    pub(crate) fn waits_for(&self, address: &SocketAddr) -> bool {
        self.of.values().any(|request| request.to == *address)
    }

    /// An answer came. `None` unless exactly this was asked, there.
    pub(crate) fn answered(&mut self, now: Time, transaction: &[u8], from: &SocketAddr) -> Option<Request> {
        let transaction = u32::from_be_bytes(transaction.try_into().ok()?);
        let request = *self.of.get(&transaction).filter(|request| request.to == *from)?;
        self.of.remove(&transaction);
        self.due.remove(&(request.slow_at, transaction, false));
        self.due.remove(&(request.sent + GIVE_UP, transaction, true));
        self.measure(now.since(request.sent));
        Some(request)
    }

    /// The next query that is overdue.
    pub(crate) fn overdue(&mut self, now: Time) -> Option<Overdue> {
        let &(at, transaction, ends) = self.due.first()?;
        if at > now {
            return None;
        }
        self.due.pop_first();
        if ends {
            return self.of.remove(&transaction).map(Overdue::Missed);
        }
        self.of.get(&transaction).copied().map(Overdue::Slow)
    }

    pub(crate) fn wake_at(&self) -> Option<Time> {
        self.due.first().map(|(at, ..)| *at)
    }

    fn measure(&mut self, took: Duration) {
        if self.measured {
            let off = self.smoothed.abs_diff(took);
            self.deviation = (self.deviation * 3 + off) / 4;
            self.smoothed = (self.smoothed * 7 + took) / 8;
        } else {
            self.measured = true;
            self.smoothed = took;
            self.deviation = took / 2;
        }
    }

    fn patience(&self) -> Duration {
        let usual = if self.measured { self.smoothed + self.deviation * 4 } else { SLOW_FIRST };
        usual.clamp(SLOW_LEAST, GIVE_UP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::Rank;

    fn millis(millis: u64) -> Time {
        Time::ZERO + Duration::from_millis(millis)
    }

    const OPERATION: OperationId = OperationId { rank: Rank::Find, number: 3 };

    fn a() -> SocketAddr {
        ([127, 0, 0, 1], 1).into()
    }

    #[test]
    fn a_query_is_slow_then_missed() {
        let mut requests = Requests::new();
        requests.sent(millis(0), 7, a(), Some(OPERATION));
        assert_eq!(requests.wake_at(), Some(millis(500)));
        assert_eq!(requests.overdue(millis(499)), None);
        assert!(matches!(
            requests.overdue(millis(500)),
            Some(Overdue::Slow(Request { operation: Some(OPERATION), .. }))
        ));
        assert_eq!(requests.overdue(millis(1_999)), None);
        assert!(matches!(requests.overdue(millis(2_000)), Some(Overdue::Missed(_))));
        assert_eq!((requests.overdue(millis(9_000)), requests.wake_at()), (None, None));
        assert!(requests.answered(millis(9_000), &7u32.to_be_bytes(), &a()).is_none(), "too late");
    }

    #[test]
    fn a18_only_the_address_that_was_asked_answers_and_only_once() {
        let mut requests = Requests::new();
        requests.sent(millis(0), 7, a(), None);
        let elsewhere = ([127, 0, 0, 2], 1).into();
        assert!(requests.answered(millis(1), &7u32.to_be_bytes(), &elsewhere).is_none());
        assert!(requests.answered(millis(1), &8u32.to_be_bytes(), &a()).is_none());
        assert!(requests.answered(millis(1), b"7", &a()).is_none());
        assert!(requests.answered(millis(1), &7u32.to_be_bytes(), &a()).is_some());
        assert!(requests.answered(millis(1), &7u32.to_be_bytes(), &a()).is_none());
        assert_eq!(requests.wake_at(), None);
    }

    #[test]
    fn patience_follows_the_round_trips() {
        let mut requests = Requests::new();
        assert_eq!(requests.patience(), SLOW_FIRST);
        for at in 0..50 {
            requests.sent(millis(at * 1_000), 1, a(), None);
            requests.answered(millis(at * 1_000 + 1), &1u32.to_be_bytes(), &a());
        }
        assert_eq!(requests.patience(), SLOW_LEAST);
        for at in 50..100 {
            requests.sent(millis(at * 1_000), 1, a(), None);
            requests.answered(millis(at * 1_000 + 700), &1u32.to_be_bytes(), &a());
        }
        assert!((Duration::from_millis(700)..Duration::from_millis(900)).contains(&requests.patience()));
    }
}
