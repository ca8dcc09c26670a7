//! A limit on bytes per second, as a debt that time pays off.

use std::time::Duration;

use protocol::Time;

/// A token bucket that says how long to wait instead of making anybody try again.
///
/// Kept as one number, the time at which everything taken so far is earned (the "theoretical arrival time" of the
/// generic cell rate algorithm, ITU-T I.371): exact to a nanosecond a take, so that no rate drifts however small the
/// takes are.
#[derive(Clone, Debug)]
pub struct TokenBucket {
    rate: Option<u64>,
    burst_bytes: u64,
    /// In nanoseconds of [`Time`]; negative while an unused burst reaches back before the epoch.
    earned_at: i128,
}

impl TokenBucket {
    /// A full bucket of `burst_bytes` that earns `rate` bytes per second. `None` and 0 limit nothing.
    #[must_use]
    pub const fn new(rate: Option<u64>, burst_bytes: u64) -> Self {
        TokenBucket { rate: positive(rate), burst_bytes, earned_at: i128::MIN }
    }

    /// Takes `bytes`, which are earned by then: how long to wait before sending them. They count as sent; whoever
    /// takes next waits behind them. More than a burst at once is a debt, not an error.
    pub fn take(&mut self, now: Time, bytes: u64) -> Duration {
        let Some(rate) = self.rate else { return Duration::ZERO };
        let now = i128::from(now.nanos());
        let unused = now.saturating_sub(nanos_for(self.burst_bytes, rate));
        self.earned_at = self.earned_at.max(unused).saturating_add(nanos_for(bytes, rate));
        let wait = u64::try_from(self.earned_at.saturating_sub(now).max(0)).unwrap_or(u64::MAX);
        Duration::from_nanos(wait)
    }

    /// Changes the rate. A debt in bytes stays one of as many bytes; a lifted limit forgives it.
    pub fn set_rate(&mut self, now: Time, rate: Option<u64>) {
        let rate = positive(rate);
        let now = i128::from(now.nanos());
        match (self.rate, rate) {
            (Some(old), Some(new)) => {
                let ahead = self.earned_at.max(now.saturating_sub(nanos_for(self.burst_bytes, old))) - now;
                self.earned_at = now.saturating_add(ahead.saturating_mul(old.into()) / i128::from(new));
            }
            // No burst on top of what an unlimited time has just sent.
            _ => self.earned_at = now,
        }
        self.rate = rate;
    }
}

/// How long `rate` bytes per second take for `bytes`, rounded up.
const fn nanos_for(bytes: u64, rate: u64) -> i128 {
    // Both factors are below 2^64: the product is below 2^94.
    #[expect(clippy::cast_possible_wrap, reason = "below 2^94")]
    let nanos = (bytes as u128 * 1_000_000_000).div_ceil(rate as u128) as i128;
    nanos
}

const fn positive(rate: Option<u64>) -> Option<u64> {
    match rate {
        Some(0) => None,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Sends bodies of the given sizes one after the other for 10 s; the bytes that went out.
    fn sent_in_ten_seconds(bucket: &mut TokenBucket, sizes: &[u64]) -> u64 {
        let (start, mut now, mut sent) = (Time::from_nanos(77), Time::from_nanos(77), 0);
        for &size in sizes.iter().cycle() {
            now = now + bucket.take(now, size);
            if now.since(start) > Duration::from_secs(10) {
                break;
            }
            sent += size;
        }
        sent
    }

    #[test]
    fn a_burst_goes_at_once_and_then_the_rate_holds() {
        let mut bucket = TokenBucket::new(Some(1000), 500);
        assert_eq!(bucket.take(Time::ZERO, 500), Duration::ZERO);
        assert_eq!(bucket.take(Time::ZERO, 100), Duration::from_millis(100));
        assert_eq!(
            bucket.take(Time::ZERO, 100),
            Duration::from_millis(200),
            "it waits behind the one before"
        );
        assert_eq!(bucket.take(Time::from(Duration::from_secs(60)), 600), Duration::from_millis(100));
    }

    #[test]
    fn no_limit_is_free() {
        for rate in [None, Some(0)] {
            assert_eq!(TokenBucket::new(rate, 0).take(Time::ZERO, u64::MAX), Duration::ZERO);
        }
    }

    #[test]
    fn a_debt_survives_a_change_of_the_rate() {
        let mut bucket = TokenBucket::new(Some(1000), 0);
        assert_eq!(bucket.take(Time::ZERO, 1000), Duration::from_secs(1));
        bucket.set_rate(Time::ZERO, Some(4000));
        assert_eq!(bucket.take(Time::ZERO, 1000), Duration::from_millis(500));
        bucket.set_rate(Time::ZERO, None);
        assert_eq!(bucket.take(Time::ZERO, 1_000_000), Duration::ZERO);
        bucket.set_rate(Time::ZERO, Some(1000));
        assert_eq!(bucket.take(Time::ZERO, 10), Duration::from_millis(10));
    }

    #[test]
    fn an_absurd_take_waits_and_does_not_overflow() {
        let mut bucket = TokenBucket::new(Some(1), u64::MAX);
        for _ in 0..3 {
            bucket.take(Time::from_nanos(u64::MAX), u64::MAX);
        }
        assert_eq!(bucket.take(Time::ZERO, 1), Duration::from_nanos(u64::MAX));
    }

    proptest! {
        #[test]
        fn over_ten_seconds_the_rate_is_exact_within_two_percent(
            rate in 100_000u64..1_000_000_000,
            sizes in proptest::collection::vec(1u64..1500, 1..20),
        ) {
            // Sizes as a socket sees them, scaled to the rate so that a case has some thousands of takes.
            let sizes: Vec<u64> = sizes.iter().map(|size| size * rate / 5_000_000 + 1).collect();
            let sent = sent_in_ten_seconds(&mut TokenBucket::new(Some(rate), 0), &sizes);
            let wanted = rate * 10;
            prop_assert!(sent <= wanted && sent >= wanted / 100 * 98, "{} of {}", sent, wanted);
        }
    }
}
