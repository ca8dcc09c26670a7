//! How many bodies are sent at a time: as few as keep the uplink full, and of all peers of a swarm about the same.
//!
//! Few, because a chunk that is sent alone is whole, and can be passed on, sooner than one that shares the uplink. But a
//! body is not limited by the uplink alone: a connection that was idle needs some round trips before it is fast, and of
//! those who receive, some have their downlink full. So as many are sent as together take [`BODY_TIME`], by the best rate that
//! was measured; and where the way is so long that this does not fill the uplink, now and then twice as many are tried, and
//! kept if clearly more goes out. While requests are lacking nothing can be learned, and the number stays.

use std::time::Duration;

use protocol::Time;

use crate::UploadConfig;

/// As many bodies are sent at a time as take this long together. A new connection needs six round trips for 1 MiB, which are
/// 120 ms where one is 20 ms: where all bodies are sent in less, connections and not the uplink limit them.
const BODY_TIME: Duration = Duration::from_millis(180);
/// … and are no more bytes than this: over a short fast way they would only fill memory.
const BODY_TIME_BYTES: u64 = 16 << 20;
/// Until this long after the first body the number only rises, to what the best rate needs: at the start of a swarm all connections are cold,
/// and a low rate is the swarm's and not the uplink's.
const WARM: Duration = Duration::from_millis(1500);
/// Unless the bodies of all slots are less than so many bytes together: their connections are cold whatever is done, and where
/// acknowledgements wait behind what their senders send, 1 MiB is on its way for 150 ms.
const LITTLE: u64 = 2 << 20;
/// A rate is measured over a stretch of at least this length, and of a body a slot.
const STRETCH: Duration = Duration::from_millis(200);
/// Stretches between two trials: at first, and after many that helped nothing. A trial that fails costs the swarm something.
const SETTLED: u32 = 8;
const SETTLED_MOST: u32 = 64;
/// A trial with twice the slots is worth its while from so many hundredths of the rate before: where slots are what
/// limits, it gives nearly twice as much; less is chance …
const BETTER: u64 = 130;
/// … and one with half of them down to so many.
const AS_GOOD: u64 = 95;

/// The best rate loses one part in this many with every stretch that is slower.
const FORGETS: u64 = 16;

/// Finds the number of slots.
#[derive(Clone, Debug)]
pub(super) struct Slots {
    limit: usize,
    /// Never fewer than these: what the best rate so far needs.
    least: usize,
    /// The best rate of late, in bytes per second.
    best: u64,
    /// Mean bytes of a body, where that was measured.
    body: u64,
    phase: Phase,
    /// Stretches until the next trial.
    pause: u32,
    /// When the first body was sent.
    first: Option<Time>,
    /// The stretch that is measured: since when, and bodies and bytes so far.
    since: Time,
    bodies: usize,
    bytes: u64,
    /// Requests refused in it.
    refused: usize,
    /// Bodies were begun in it that are nowhere else.
    firsts: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The first number is in force.
    Starting,
    /// For so many stretches more; then more are tried, or fewer.
    Settled(u32, Trial),
    /// Another number is in force than before, when this was the rate; the bodies that are under way were begun with that one.
    Changing(Trial, Before),
    /// It is measured.
    Trying(Trial, Before),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trial {
    More,
    Fewer,
}

/// Slots and rate before a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Before {
    slots: usize,
    rate: u64,
}

impl Slots {
    pub(super) const fn new(config: &UploadConfig) -> Self {
        Slots {
            limit: config.slots_first,
            least: config.slots,
            best: 0,
            body: 0,
            phase: Phase::Starting,
            pause: SETTLED,
            first: None,
            since: Time::ZERO,
            bodies: 0,
            bytes: 0,
            refused: 0,
            firsts: false,
        }
    }

    /// Bodies to be sent at a time.
    pub(super) const fn limit(&self) -> usize {
        self.limit
    }

    /// The best rate of late, in bytes per second; 0 before it was measured.
    pub(super) const fn rate(&self) -> u64 {
        self.best
    }

    /// How many bodies the uplink sends in so long; none before it was measured.
    pub(super) fn bodies_in(&self, time: Duration) -> usize {
        let bytes = u128::from(self.best) * time.as_nanos() / 1_000_000_000;
        let bodies = bytes.checked_div(u128::from(self.body)).unwrap_or(0);
        usize::try_from(bodies).unwrap_or(usize::MAX)
    }

    /// A request is refused: there is more to send than slots and queue show.
    pub(super) const fn refused(&mut self) {
        self.refused = self.refused.saturating_add(1);
    }

    /// A body is begun that is nowhere else.
    pub(super) const fn first_copy(&mut self) {
        self.firsts = true;
    }

    /// A body of `bytes` is sent; `asked` requests are being served or wait.
    pub(super) fn sent(&mut self, now: Time, bytes: u32, asked: usize, config: &UploadConfig) {
        self.bodies += 1;
        self.bytes += u64::from(bytes);
        self.first = self.first.or(Some(now));
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
        self.body = self.bytes / self.bodies as u64;
        let most = most(self.body, config);
        // A trial that empties the queue leaves nothing to choose from.
        let most = most.min(asked.saturating_add(self.refused) / 2);
        self.measured(now, u64::try_from(rate).unwrap_or(u64::MAX), most, config);
        self.begin(now);
    }

    fn begin(&mut self, now: Time) {
        (self.since, self.bodies, self.bytes, self.refused) = (now, 0, 0, 0);
        self.firsts = false;
    }

    /// A stretch is over that had this rate; a trial may have up to `most` slots.
    fn measured(&mut self, now: Time, rate: u64, most: usize, config: &UploadConfig) {
        // The best of late: a link may become slower, and a burst out of buffers is not its rate.
        self.best = rate.max(self.best - self.best / FORGETS);
        let needed = self.needed(config);
        let least = std::mem::replace(&mut self.least, needed);
        if self.limit == least && self.phase != Phase::Starting {
            self.limit = self.least;
        }
        self.phase = match self.phase {
            Phase::Starting if self.body * (self.limit as u64) < LITTLE => {
                self.attempt(Trial::More, rate, most)
            }
            Phase::Starting if self.first.is_some_and(|first| now.since(first) < WARM) => Phase::Starting,
            Phase::Starting => {
                self.limit = self.least;
                Phase::Settled(SETTLED, Trial::More)
            }
            Phase::Settled(0, trial) => self.attempt(trial, rate, most),
            Phase::Settled(left, trial) => Phase::Settled(left - 1, trial),
            Phase::Changing(trial, before) => Phase::Trying(trial, before),
            Phase::Trying(trial, before) => {
                let hundredths = rate.saturating_mul(100) / before.rate.max(1);
                match trial {
                    Trial::More if hundredths >= BETTER => self.attempt(trial, rate, most),
                    Trial::Fewer if hundredths >= AS_GOOD => self.attempt(trial, before.rate, most),
                    Trial::More | Trial::Fewer => {
                        self.limit = before.slots;
                        self.pause = (self.pause * 2).min(SETTLED_MOST);
                        Phase::Settled(self.pause, trial.other())
                    }
                }
            }
        };
        self.limit = self.limit.max(self.least);
    }

    /// Bodies of the mean size that the best rate sends in [`BODY_TIME`]. While what is sent is nowhere else, half as
    /// many again as are above the least: the swarm needs nothing as much, and where uplinks are fast, the downlinks of its receivers are
    /// taken by what they send each other, so that each of these bodies goes slower than the uplink could.
    fn needed(&self, config: &UploadConfig) -> usize {
        let in_memory = usize::try_from(BODY_TIME_BYTES / self.body.max(1)).unwrap_or(usize::MAX);
        let usual = self.bodies_in(BODY_TIME).min(in_memory);
        let more = if self.firsts { usual.saturating_sub(config.slots) / 2 } else { 0 };
        let bodies = usual.saturating_add(more);
        bodies.clamp(config.slots, most(self.body, config))
    }

    fn attempt(&mut self, trial: Trial, rate: u64, most: usize) -> Phase {
        let before = Before { slots: self.limit, rate };
        let next = match trial {
            Trial::More => self.limit * 2,
            Trial::Fewer => (self.limit / 2).max(self.least),
        };
        // Less than twice as many cannot show what doubling does.
        if next == self.limit || next > most.max(self.limit) {
            return Phase::Settled(self.pause, trial.other());
        }
        self.limit = next;
        Phase::Changing(trial, before)
    }
}

impl Trial {
    const fn other(self) -> Self {
        match self {
            Trial::More => Trial::Fewer,
            Trial::Fewer => Trial::More,
        }
    }
}

/// The most bodies of this size.
fn most(body: u64, config: &UploadConfig) -> usize {
    let by_bytes = usize::try_from(config.slots_bytes / body.max(1)).unwrap_or(usize::MAX);
    config.slots_most.min(by_bytes).max(config.slots)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: u64 = 1_000_000;

    /// The median number of slots in the last half of a minute of serving whoever there is room for, over an uplink of `rate` bytes per
    /// second, where a body of 1 MB takes `alone` milliseconds at least.
    fn settles_at(rate: u64, alone: u64) -> usize {
        settles_with(rate, alone, |_| {})
    }

    /// The same, where this is said before each body.
    fn settles_with(rate: u64, alone: u64, say: impl Fn(&mut Slots)) -> usize {
        let config = UploadConfig::default();
        let (mut slots, mut now, mut numbers) = (Slots::new(&config), 0, Vec::new());
        while now < 60_000 * MILLI {
            let count = slots.limit() as u64;
            now += (alone * MILLI).max(count * 1_000_000 * 1_000_000_000 / rate);
            for _ in 0..count {
                say(&mut slots);
                slots.sent(Time::from_nanos(now), 1_000_000, 1000, &config);
            }
            if now > 30_000 * MILLI {
                numbers.push(slots.limit());
            }
        }
        numbers.sort_unstable();
        numbers[numbers.len() / 2]
    }

    #[test]
    fn a_slow_uplink_sends_few_bodies_at_a_time_and_a_fast_one_as_many_as_it_sends_in_the_time_of_a_cold_connection()
     {
        assert_eq!(settles_at(1_000_000, 1), 8);
        assert_eq!(settles_at(12_500_000, 50), 8);
        assert_eq!(settles_at(60_000_000, 1), 10);
        assert_eq!(settles_at(1_000_000_000, 1), 16, "more only take memory");
    }

    #[test]
    fn a_fast_uplink_sends_more_at_a_time_while_that_is_nowhere_else() {
        assert_eq!(settles_with(1_000_000_000, 1, Slots::first_copy), 20);
        assert_eq!(settles_with(1_000_000, 1, Slots::first_copy), 8);
    }

    #[test]
    fn a_fast_uplink_need_not_be_warm_to_have_the_slots_of_its_rate_and_a_slow_one_keeps_the_first_number() {
        let config = UploadConfig::default();
        for (rate, expected) in [(1_000_000_000, 20), (20_000_000, config.slots_first)] {
            let (mut slots, mut now) = (Slots::new(&config), 0);
            while now < 1_000 * MILLI {
                now += 1_000_000 * 1_000_000_000 / rate;
                slots.first_copy();
                slots.sent(Time::from_nanos(now), 1_000_000, 1000, &config);
            }
            assert_eq!(slots.limit(), expected, "{rate} bytes a second");
        }
    }

    #[test]
    fn little_bodies_on_a_long_way_do_not_wait_until_connections_are_warm() {
        let config = UploadConfig::default();
        let (mut slots, mut now) = (Slots::new(&config), 0);
        while now < 1_300 * MILLI {
            let count = slots.limit() as u64;
            now += (150 * MILLI).max(count * 65_536 * 1_000_000_000 / 25_000_000);
            (0..count).for_each(|_| slots.sent(Time::from_nanos(now), 65_536, 1000, &config));
        }
        assert!(slots.limit() >= 32, "{} slots", slots.limit());
    }

    #[test]
    fn an_uplink_that_becomes_slow_sends_few_again() {
        let config = UploadConfig::default();
        let (mut slots, mut now) = (Slots::new(&config), 0);
        for rate in [1_000_000_000, 1_000_000] {
            for _ in 0..2000 {
                now += 1_000_000 * 1_000_000_000 / rate;
                slots.sent(Time::from_nanos(now), 1_000_000, 1000, &config);
            }
        }
        assert_eq!(slots.limit(), config.slots);
    }

    #[test]
    fn over_a_long_way_as_many_are_sent_as_fill_the_uplink() {
        // 40 MB/s and 600 ms: 24 bodies are under way, and 8 are doubled twice.
        assert_eq!(settles_at(40_000_000, 600), 32);
        // A hundred would be, but they are in memory.
        assert!((32..=33).contains(&settles_at(100_000_000, 1000)));
    }

    #[test]
    fn while_requests_are_lacking_nothing_changes() {
        let config = UploadConfig::default();
        let mut slots = Slots::new(&config);
        for number in 1..10_000 {
            slots.sent(Time::from_nanos(number * 10 * MILLI), 100_000, 3, &config);
        }
        assert_eq!(slots.limit(), config.slots_first);
    }
}
