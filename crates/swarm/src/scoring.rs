//! From whom: what a neighbour's past says about asking it again.
//!
//! The rate is measured over the time in which something was asked of it, so that an idle neighbour does not look
//! slow. All arithmetic is on integers: the same events give the same choices on every machine.

use std::time::Duration;

use protocol::Time;

use crate::Config;
use crate::inflight::bytes_in;

/// The part of a whole download that is one neighbour's, if all have the same.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    /// Of the chunks that are left.
    pub(crate) chunks: u32,
    /// Of [`Config::window_last`], but at least [`Config::window_enough`].
    pub(crate) bytes: u64,
}

/// What is known of a neighbour as a source; first in memory what [`Score::depth`] needs.
#[derive(Clone, Debug)]
#[repr(C)]
pub(crate) struct Score {
    /// No fetch before this.
    pub(crate) blocked_until: Time,
    /// Bytes that ever came from it.
    received: u64,
    /// Most fetches it has shown to accept. Lowered by a quarter when it is busy, and raised by one when so many have succeeded:
    /// of those who share an uplink, who has more at a time loses more by a refusal and gains no more by success, so that all come to
    /// have the same (Chiu and Jain, "Analysis of the Increase and Decrease Algorithms for Congestion Avoidance", 1989).
    accepts: u32,
    meter: Meter,
    /// The least time, lately, from a request to the first that was heard of its body: a round trip, and what of a queue nobody escapes.
    delay: Option<Duration>,
    /// Of the bytes received, what came before it was counted anew.
    counted: u64,
    /// When anything last came from it.
    pub(crate) heard: Time,
    /// Successes since it was raised last.
    credit: u32,
    /// When it was lowered last: what was asked for before that is refused for the same reason.
    lowered_at: Option<Time>,
    failures: u32,
    misses: u32,
    busies: u32,
    /// When the last of them was counted.
    busy_at: Option<Time>,
    /// When the last failure was counted: what was asked before that belongs to the same misfortune.
    failed_at: Option<Time>,
}

impl Score {
    /// The least delay grows by one part in this many with every answer.
    const FORGETS: u32 = 16;

    pub(crate) fn new(now: Time, config: &Config) -> Self {
        Score {
            meter: Meter::default(),
            delay: None,
            received: 0,
            counted: 0,
            heard: now,
            blocked_until: now,
            accepts: config.depth_most,
            credit: 0,
            lowered_at: None,
            failures: 0,
            misses: 0,
            busies: 0,
            busy_at: None,
            failed_at: None,
        }
    }

    /// Bytes per second while asked; `None` before it was measured, and what the first body alone says until there is more.
    pub(crate) const fn rate(&self) -> Option<u64> {
        self.meter.rate
    }

    /// Something is asked of a neighbour that was idle.
    pub(crate) fn busy_from(&mut self, now: Time) {
        self.meter.begin(now);
    }

    /// Nothing is asked of it any more.
    pub(crate) fn idle_from(&mut self, now: Time) {
        self.meter.end(now);
    }

    /// `bytes` came from it.
    pub(crate) fn received(&mut self, now: Time, bytes: u64) {
        self.heard = now;
        self.received = self.received.saturating_add(bytes);
        self.meter.add(now, bytes);
    }

    /// The first of a body came this long after it was asked for. The least counts, and is forgotten little by little: a way can get longer.
    pub(crate) fn answered_after(&mut self, delay: Duration) {
        self.delay = Some(self.delay.map_or(delay, |least| delay.min(least + least / Self::FORGETS)));
    }

    /// It has not sent half a chunk yet. A second request would stand behind the first that long; it goes out while the other half
    /// comes.
    pub(crate) const fn is_new(&self, config: &Config) -> bool {
        self.received < config.chunk_bytes as u64 / 2
    }

    /// What it brought since that was counted anew, in bytes.
    pub(crate) const fn brought(&self) -> u64 {
        self.received - self.counted
    }

    /// What it brought by now is not counted any more.
    pub(crate) const fn count_anew(&mut self) {
        self.counted = self.received;
    }

    /// A whole body came: a first measurement is taken at once, however short the time was.
    pub(crate) fn body_whole(&mut self, now: Time) {
        if self.meter.rate.is_none() {
            self.meter.guess(now);
        }
    }

    /// Time passed: silence lowers the rate too.
    pub(crate) fn look(&mut self, now: Time) {
        self.meter.add(now, 0);
    }

    /// How many fetches to keep in flight there: what it sends in [`Config::horizon`], but past its share only what
    /// it sends in twice the time that its answers take; and no more than its share of what is left, so that the last chunks are spread over
    /// everybody. Nor more than twice what it ever sent: a first body out of a full bucket
    /// looks like a fast link, and whoever waits for a certain chunk would stand behind all that was asked because of it.
    pub(crate) fn depth(&self, config: &Config, share: Share) -> u32 {
        let window = match self.meter.rate {
            None => config.window_first,
            Some(rate) => {
                let on_the_way = bytes_in(rate, self.delay.unwrap_or_default() * 2);
                bytes_in(rate, config.horizon).min(on_the_way.max(share.bytes))
            }
        };
        let shown = self.received.saturating_mul(2).saturating_add(config.window_first);
        let chunks = window.min(shown).min(config.window_last) / u64::from(config.chunk_bytes.max(1));
        let least = if self.is_new(config) { 1 } else { config.depth_least };
        let wanted = u32::try_from(chunks).unwrap_or(u32::MAX).min(share.chunks).max(least);
        wanted.min(config.depth_most).min(self.accepts).max(1)
    }

    /// A chunk that it sent is verified and stored.
    pub(crate) fn succeeded(&mut self, config: &Config) {
        self.failures = 0;
        self.misses = 0;
        self.busies = 0;
        self.credit += 1;
        if self.credit >= self.accepts {
            self.credit = 0;
            self.accepts = (self.accepts + 1).min(config.depth_most);
        }
    }

    /// A fetch that was asked for at `started` failed. The pause that follows, or `None` when this belongs to a
    /// failure already counted: one lost connection fails many fetches.
    pub(crate) fn failed(&mut self, now: Time, started: Time, config: &Config) -> Option<Duration> {
        if self.failed_at.is_some_and(|counted| started <= counted) {
            return None;
        }
        self.failed_at = Some(now);
        self.failures = self.failures.saturating_add(1);
        Some(config.backoff(self.failures))
    }

    /// It did not hold what it said it holds; true when that happened so often that it counts as a failure.
    pub(crate) fn missed(&mut self, config: &Config) -> bool {
        self.misses += 1;
        let failure = self.misses >= config.misses_a_failure;
        if failure {
            self.misses = 0;
        }
        failure
    }

    /// It is busy for a request of `started`, with `in_flight` of our requests accepted: the pause that follows, and whether it has
    /// sent us away so often, without one success, that this counts as a failure.
    pub(crate) fn busy(
        &mut self,
        now: Time,
        retry_after: Duration,
        (started, in_flight): (Time, u32),
        config: &Config,
    ) -> (Duration, bool) {
        if self.lowered_at.is_none_or(|lowered| started > lowered) {
            self.accepts = (in_flight.min(self.accepts) * 3 / 4).clamp(1, config.depth_most);
            (self.credit, self.lowered_at) = (0, Some(now));
        }
        if self.busy_at.is_none_or(|counted| now.since(counted) >= config.busy_counts_every) {
            self.busies += 1;
            self.busy_at = Some(now);
        }
        let failure = self.busies >= config.busies_a_failure;
        if failure {
            self.busies = 0;
        }
        (retry_after.clamp(config.busy_least, config.busy_most), failure)
    }

    /// Failed too often in a row without one success.
    pub(crate) const fn is_failing(&self, config: &Config) -> bool {
        self.failures >= config.failures_most
    }
}

/// Bytes per second of busy time, averaged over some samples.
#[derive(Clone, Debug, Default)]
#[repr(C)]
struct Meter {
    rate: Option<u64>,
    /// Samples of full length that are in the rate. Before the first one it is a guess, from a body that may have come out of a
    /// buffer or a bucket in no time.
    samples: u64,
    /// Since when this stretch of being busy is not accounted for.
    busy_since: Option<Time>,
    /// Busy time of the current sample before that, and its bytes.
    busy: Duration,
    bytes: u64,
}

impl Meter {
    /// Long enough to see past the bursts of a link, short enough to follow its changes.
    const SAMPLE: Duration = Duration::from_millis(250);
    /// A sample moves the rate by one part in this many, the first ones by as much as makes the rate their mean: what was
    /// guessed is forgotten.
    const SMOOTHING: u64 = 4;

    fn begin(&mut self, now: Time) {
        self.busy_since = Some(now);
    }

    fn end(&mut self, now: Time) {
        self.busy = self.elapsed(now);
        self.busy_since = None;
    }

    fn add(&mut self, now: Time, bytes: u64) {
        self.bytes += bytes;
        if self.elapsed(now) >= Self::SAMPLE {
            self.fold(now);
        }
    }

    /// The rate until a sample is full, if it is known at all by now.
    fn guess(&mut self, now: Time) {
        self.rate = self.sample(now);
    }

    fn fold(&mut self, now: Time) {
        let Some(sample) = self.sample(now) else { return };
        let parts = (self.samples + 1).min(Self::SMOOTHING);
        self.rate = Some(self.rate.map_or(sample, |rate| rate - rate / parts + sample / parts));
        self.samples = parts;
        self.bytes = 0;
        self.busy = Duration::ZERO;
        if self.busy_since.is_some() {
            self.busy_since = Some(now);
        }
    }

    /// What came since the last sample, per second. Who has not sent a byte yet is unknown, not slow: its first answer may be a
    /// round trip away.
    fn sample(&self, now: Time) -> Option<u64> {
        let nanos = self.elapsed(now).as_nanos();
        if nanos == 0 || (self.rate.is_none() && self.bytes == 0) {
            return None;
        }
        Some(u64::try_from(u128::from(self.bytes) * 1_000_000_000 / nanos).unwrap_or(u64::MAX))
    }

    fn elapsed(&self, now: Time) -> Duration {
        self.busy + self.busy_since.map_or(Duration::ZERO, |since| now.since(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// There is much left, and few share it.
    const AMPLE: Share = Share { chunks: 1000, bytes: 1 << 20 };

    const fn at(millis: u64) -> Time {
        Time::from_nanos(millis * 1_000_000)
    }

    fn score() -> (Score, Config) {
        let config = Config { chunk_bytes: 64 << 10, ..Config::default() };
        (Score::new(at(0), &config), config)
    }

    #[test]
    fn the_rate_counts_only_the_time_in_which_something_was_asked() {
        let (mut score, _) = score();
        for second in 0..20 {
            score.busy_from(at(second * 1000));
            score.received(at(second * 1000 + 100), 100_000);
            score.idle_from(at(second * 1000 + 100));
        }
        let rate = score.rate().unwrap();
        assert!((950_000..=1_050_000).contains(&rate), "1 MB/s while asked, idle nine tenths: {rate}");
    }

    #[test]
    fn the_depth_follows_the_rate_between_its_bounds() {
        let (mut score, config) = score();
        assert_eq!(score.depth(&config, AMPLE), 2, "128 KiB before anything is known");
        score.meter.rate = Some(16 << 20);
        assert_eq!(score.depth(&config, AMPLE), 2, "nor more before it sent anything");
        score.received = 64 << 10;
        assert_eq!(score.depth(&config, AMPLE), 4, "twice what it sent, and what it was asked at first");
        score.received = 16 << 20;
        assert_eq!(score.depth(&config, AMPLE), 16, "1 MiB of a fast one");
        score.answered_after(Duration::from_millis(80));
        assert_eq!(score.depth(&config, AMPLE), 40, "what it sends in two round trips of a long way");
        score.answered_after(Duration::from_millis(800));
        assert_eq!(score.depth(&config, AMPLE), 43, "a queue in between says little about the way");
        score.meter.rate = Some(1 << 30);
        assert_eq!(score.depth(&config, AMPLE), 64, "4 MiB at most");
        assert_eq!(
            score.depth(&config, Share { chunks: 5, ..AMPLE }),
            5,
            "no more than its share of what is left"
        );
        score.meter.rate = Some(1);
        assert_eq!(score.depth(&config, AMPLE), 2, "two of a slow one");
        let large = Config { chunk_bytes: 1 << 20, ..config };
        score.meter.rate = Some(100 << 20);
        assert_eq!(score.depth(&large, AMPLE), 4);
        score.delay = None;
        assert_eq!(score.depth(&large, AMPLE), 2);
    }

    #[test]
    fn a_first_body_out_of_a_bucket_is_forgotten_with_the_first_full_sample() {
        let (mut score, config) = score();
        score.busy_from(at(0));
        score.received(at(1), 64 << 10);
        score.body_whole(at(1));
        assert_eq!(score.rate(), Some((64 << 10) * 1000), "all that is known");
        score.received(at(256), 36_000);
        assert!(score.rate().is_some_and(|rate| rate < 400_000), "{:?}", score.rate());
        assert_eq!(score.depth(&config, AMPLE), 3, "half a second of it");
    }

    #[test]
    fn silence_while_asked_lowers_the_rate() {
        let (mut score, _) = score();
        score.busy_from(at(0));
        score.received(at(250), 250_000);
        let before = score.rate();
        score.look(at(2000));
        assert!(score.rate() < before);
    }

    #[test]
    fn one_lost_connection_is_one_failure_however_many_fetches_it_took_along() {
        let (mut score, config) = score();
        assert_eq!(score.failed(at(100), at(0), &config), Some(Duration::from_secs(1)));
        for _ in 0..10 {
            assert_eq!(score.failed(at(100), at(50), &config), None);
        }
        assert!(!score.is_failing(&config));
        assert_eq!(score.failed(at(1200), at(1100), &config), Some(Duration::from_secs(2)));
        assert_eq!(score.failed(at(4000), at(3300), &config), Some(Duration::from_secs(4)));
        assert!(score.is_failing(&config));
        score.succeeded(&config);
        assert!(!score.is_failing(&config));
    }

    #[test]
    fn a_chunk_it_lacks_now_and_then_is_no_failure() {
        let (mut score, config) = score();
        for _ in 0..10 {
            assert!((1..config.misses_a_failure).all(|_| !score.missed(&config)));
            score.succeeded(&config);
        }
        assert_eq!((0..config.misses_a_failure).filter(|_| score.missed(&config)).count(), 1);
    }

    #[test]
    fn a_busy_neighbour_is_asked_less_at_a_time_and_then_more_again() {
        let (mut score, config) = score();
        (score.meter.rate, score.received) = (Some(16 << 20), 16 << 20);
        assert_eq!(score.busy(at(1), Duration::ZERO, (at(0), 4), &config), (config.busy_least, false));
        score.busy(at(2), Duration::ZERO, (at(0), 3), &config);
        assert_eq!(score.depth(&config, AMPLE), 3);
        for _ in 0..3 {
            assert_eq!(score.depth(&config, AMPLE), 3);
            score.succeeded(&config);
        }
        assert_eq!(score.depth(&config, AMPLE), 4, "one more with each round of successes");
        assert_eq!(
            score.busy(at(4), Duration::from_secs(86_400), (at(3), 0), &config),
            (config.busy_most, false)
        );
        assert_eq!(score.depth(&config, AMPLE), 1);
    }

    #[test]
    fn whoever_had_more_at_a_time_gives_way_to_whoever_had_less() {
        let (mut much, config) = score();
        let mut little = much.clone();
        for score in [&mut much, &mut little] {
            (score.meter.rate, score.received) = (Some(64 << 20), 64 << 20);
        }
        (much.accepts, little.accepts) = (40, 4);
        // Both are refused now and then, and each gets what it has room for in between.
        for round in 0..200 {
            for score in [&mut much, &mut little] {
                let depth = score.depth(&config, AMPLE);
                (0..depth).for_each(|_| score.succeeded(&config));
                if round % 8 == 0 {
                    score.busy(at(round * 1000 + 1), Duration::ZERO, (at(round * 1000), depth), &config);
                }
            }
        }
        let depths = (much.depth(&config, AMPLE), little.depth(&config, AMPLE));
        assert!(depths.0.abs_diff(depths.1) <= 3, "{depths:?} at a time");
    }
}
