//! How many of those are served at a time who keep to themselves what they get: as few as leave the uplink as busy as it was.
//!
//! One, while all others fill the uplink. But these may be few and slow, and an uplink is not to be idle because of who asks for it.

use std::time::Duration;

use protocol::Time;

/// What was sent is looked at over a stretch of at least this length, and of so many bodies: of few, one more or less says nothing.
const STRETCH: Duration = Duration::from_millis(250);
const BODIES: u32 = 16;
/// Twice as many when less than so many hundredths of the best rate are sent …
const IDLE: u64 = 80;
/// … and a quarter less of them when so many are.
const BUSY: u64 = 90;
/// The best rate loses one part in this many with every stretch that is slower: a link may have become slower.
const FORGETS: u64 = 64;

/// The number, and what it follows from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spare {
    limit: usize,
    /// In bytes per second.
    best: u64,
    since: Time,
    bodies: u32,
    bytes: u64,
}

impl Spare {
    pub(super) const fn new() -> Self {
        Spare { limit: 1, best: 0, since: Time::ZERO, bodies: 0, bytes: 0 }
    }

    /// Bodies of such requests to be sent at a time.
    pub(super) const fn limit(&self) -> usize {
        self.limit
    }

    /// A body of `bytes` is sent; whether one of them waits. There are never more than `most`.
    pub(super) fn sent(&mut self, now: Time, bytes: u32, waits: bool, most: usize) {
        self.bodies += 1;
        self.bytes += u64::from(bytes);
        let length = now.since(self.since);
        if length < STRETCH || self.bodies < BODIES {
            return;
        }
        let rate = u128::from(self.bytes) * 1_000_000_000 / length.as_nanos().max(1);
        let rate = u64::try_from(rate).unwrap_or(u64::MAX);
        self.best = rate.max(self.best - self.best / FORGETS);
        let hundredths = rate.saturating_mul(100) / self.best.max(1);
        if hundredths < IDLE && waits {
            self.limit = (self.limit * 2).min(most.max(1));
        } else if hundredths >= BUSY {
            self.limit -= self.limit / 4 + usize::from((2..4).contains(&self.limit));
        }
        (self.since, self.bodies, self.bytes) = (now, 0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Time {
        Time::from_nanos(millis * 1_000_000)
    }

    /// Stretches of these many bytes each, from this one on.
    fn send(spare: &mut Spare, from: u64, stretches: &[u32], waits: bool) -> Vec<usize> {
        let each = (from..).zip(stretches).map(|(number, &bytes)| {
            (1..BODIES).for_each(|_| spare.sent(at(250 * number - 1), bytes, waits, 8));
            spare.sent(at(250 * number), bytes, waits, 8);
            spare.limit()
        });
        each.collect()
    }

    #[test]
    fn while_the_uplink_is_full_there_is_one() {
        assert_eq!(send(&mut Spare::new(), 1, &[1000, 1100, 950, 1000], true), [1; 4]);
    }

    #[test]
    fn as_many_as_fill_it_where_the_others_do_not_and_fewer_again_when_they_do() {
        let mut spare = Spare::new();
        assert_eq!(send(&mut spare, 1, &[1000, 300, 400, 500, 700], true), [1, 2, 4, 8, 8]);
        assert_eq!(send(&mut spare, 6, &[780, 1000, 1000, 1000, 1000, 1000], true), [8, 6, 5, 4, 3, 2]);
        assert_eq!(send(&mut spare, 12, &[1000, 1000], true), [1, 1]);
    }

    #[test]
    fn while_none_of_them_waits_there_are_no_more_of_them() {
        assert_eq!(send(&mut Spare::new(), 1, &[1000, 100, 100], false), [1; 3]);
    }
}
