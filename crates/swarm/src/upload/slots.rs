//! How many bodies are sent at a time: as few as keep the uplink full.
//!
//! Few, because a chunk that is sent alone is whole, and can be passed on, sooner than one that shares the uplink. But a
//! body over a long way is not limited by the uplink: a new connection needs some round trips before it is fast. So the
//! number climbs: at first it is doubled, later now and then half as many more are tried, and kept if markedly more bytes go out; and fewer are tried,
//! and kept if nearly as many do. While requests are lacking nothing can be learned, and the number stays.

use std::time::Duration;

use protocol::Time;

use crate::UploadConfig;

/// A rate is measured over a stretch of at least this length, and of a body a slot.
const STRETCH: Duration = Duration::from_millis(200);
/// Stretches between two trials.
const SETTLED: u32 = 4;
/// A trial with more slots is worth its while from so many hundredths of the rate before …
const BETTER: u64 = 105;
/// … and one with fewer down to so many.
const AS_GOOD: u64 = 97;

/// Finds the number of slots.
#[derive(Clone, Debug)]
pub(super) struct Slots {
    limit: usize,
    /// The number before the trial, and its rate.
    base: (usize, u64),
    phase: Phase,
    /// No trial has failed yet: the number is doubled.
    ramping: bool,
    /// The stretch that is measured: since when, and bodies and bytes so far.
    since: Time,
    bodies: usize,
    bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The base is measured, for so many stretches more; then more are tried, or fewer.
    Settled(u32, Trial),
    /// Another number is in force; the bodies that are under way were begun with the one before.
    Changing(Trial),
    /// It is measured.
    Trying(Trial),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trial {
    More,
    Fewer,
}

impl Slots {
    pub(super) const fn new(config: &UploadConfig) -> Self {
        Slots {
            limit: config.slots,
            base: (config.slots, 0),
            phase: Phase::Settled(0, Trial::More),
            ramping: true,
            since: Time::ZERO,
            bodies: 0,
            bytes: 0,
        }
    }

    /// Bodies to be sent at a time.
    pub(super) const fn limit(&self) -> usize {
        self.limit
    }

    /// A body of `bytes` is sent; `asked` requests are being served or wait.
    pub(super) fn sent(&mut self, now: Time, bytes: u32, asked: usize, config: &UploadConfig) {
        self.bodies += 1;
        self.bytes += u64::from(bytes);
        if asked < self.limit {
            // Not the slots are what limits.
            self.begin(now);
            return;
        }
        let length = now.since(self.since);
        if self.bodies < self.limit || length < STRETCH {
            return;
        }
        let rate = u128::from(self.bytes) * 1_000_000_000 / length.as_nanos().max(1);
        let body = self.bytes / self.bodies as u64;
        self.measured(u64::try_from(rate).unwrap_or(u64::MAX), body, asked, config);
        self.begin(now);
    }

    fn begin(&mut self, now: Time) {
        (self.since, self.bodies, self.bytes) = (now, 0, 0);
    }

    fn measured(&mut self, rate: u64, body: u64, asked: usize, config: &UploadConfig) {
        let hundredths = rate.saturating_mul(100) / self.base.1.max(1);
        self.phase = match self.phase {
            Phase::Settled(0, trial) => {
                self.base = (self.limit, rate);
                self.try_another(trial, body, asked, config)
            }
            Phase::Settled(left, trial) => Phase::Settled(left - 1, trial),
            Phase::Changing(trial) => Phase::Trying(trial),
            Phase::Trying(Trial::More) if hundredths >= BETTER => {
                self.base = (self.limit, rate);
                self.try_another(Trial::More, body, asked, config)
            }
            Phase::Trying(Trial::Fewer) if hundredths >= AS_GOOD => {
                self.base = (self.limit, self.base.1.max(rate));
                self.try_another(Trial::Fewer, body, asked, config)
            }
            Phase::Trying(trial) => {
                self.ramping = false;
                self.limit = self.base.0;
                let next = if trial == Trial::More { Trial::Fewer } else { Trial::More };
                Phase::Settled(SETTLED, next)
            }
        };
    }

    fn try_another(&mut self, trial: Trial, body: u64, asked: usize, config: &UploadConfig) -> Phase {
        let by_bytes = usize::try_from(config.slots_bytes / body.max(1)).unwrap_or(usize::MAX);
        let most = config.slots_most.min(by_bytes).max(config.slots);
        let next = match trial {
            Trial::More if self.ramping => (self.limit * 2).min(most),
            Trial::More => (self.limit + self.limit.div_ceil(2)).min(most),
            Trial::Fewer => (self.limit - self.limit / 3).max(config.slots),
        };
        // A queue that more slots would empty leaves nothing to choose from.
        if next == self.limit || asked < 2 * next {
            let other = if trial == Trial::More { Trial::Fewer } else { Trial::More };
            return Phase::Settled(SETTLED, other);
        }
        self.limit = next;
        Phase::Changing(trial)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: u64 = 1_000_000;

    /// An uplink of `rate` bytes per second over which a body of 100 kB takes `alone` milliseconds at least: the most
    /// slots in the last half of a minute of serving whoever there is room for.
    fn settles_at(rate: u64, alone: u64) -> usize {
        let config = UploadConfig { slots: 8, slots_most: 64, ..UploadConfig::default() };
        let (mut slots, mut now, mut most) = (Slots::new(&config), 0, 0);
        while now < 60_000 * MILLI {
            let count = slots.limit() as u64;
            let took = (alone * MILLI).max(count * 100_000 * 1_000_000_000 / rate);
            now += took;
            for _ in 0..count {
                slots.sent(Time::from_nanos(now), 100_000, 1000, &config);
            }
            if now > 30_000 * MILLI {
                most = most.max(slots.base.0);
            }
        }
        most
    }

    #[test]
    fn an_uplink_that_few_bodies_fill_sends_few() {
        assert_eq!(settles_at(1_000_000, 1), 8);
        assert_eq!(settles_at(10_000_000, 50), 8);
    }

    #[test]
    fn over_a_long_way_as_many_are_sent_as_fill_the_uplink() {
        // 100 MB/s and 25 ms: 25 bodies are under way.
        let slots = settles_at(100_000_000, 25);
        assert!((20..=40).contains(&slots), "{slots} slots");
        let slots = settles_at(1_000_000_000, 100);
        assert!((48..=64).contains(&slots), "as many as may be: {slots}");
    }

    #[test]
    fn while_requests_are_lacking_nothing_changes() {
        let config = UploadConfig::default();
        let mut slots = Slots::new(&config);
        for number in 1..10_000 {
            slots.sent(Time::from_nanos(number * 10 * MILLI), 100_000, 3, &config);
        }
        assert_eq!(slots.limit(), config.slots);
    }
}
