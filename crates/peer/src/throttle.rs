//! A token bucket that tasks wait on: `--limit-up`, `--limit-down`.

use std::sync::{Mutex, PoisonError};

use swarm::TokenBucket;

use crate::clock::Clock;

/// Bytes that may pass at once after a pause: a tenth of a second's worth, within these bounds. Ten seconds are exact within 2 % with
/// it, from 10 kB/s on, and who wakes late by less than that loses nothing.
const BURST: std::ops::RangeInclusive<u64> = (1 << 10)..=(4 << 20);

/// A limit on payload bytes a second, shared by all transfers in one direction.
pub(crate) struct Throttle {
    clock: Clock,
    /// `None`: no limit, and nothing to pay for it.
    bucket: Option<Mutex<TokenBucket>>,
    rate: Option<u64>,
}

/// A slice takes this part of a second at most.
const SHARE: u64 = 16;

impl Throttle {
    pub(crate) fn new(clock: Clock, rate: Option<u64>) -> Self {
        let bucket = rate.map(|rate| {
            let burst = (rate / 10).clamp(*BURST.start(), *BURST.end());
            Mutex::new(TokenBucket::new(Some(rate), burst))
        });
        Throttle { clock, bucket, rate }
    }

    /// Bytes to send, or to count, at a time. Under a limit less than usual: the bodies that share it must each move now and then, or
    /// their receivers take them for stuck.
    pub(crate) fn slice(&self, usual: usize) -> usize {
        let least = usual.min(1 << 10);
        self.rate.map_or(usual, |rate| usize::try_from(rate / SHARE).unwrap_or(usual).clamp(least, usual))
    }

    /// Bytes a second; `None` is no limit.
    pub(crate) const fn rate(&self) -> Option<u64> {
        self.rate
    }

    pub(crate) fn is_off(&self) -> bool {
        self.bucket.is_none()
    }

    /// Returns when `bytes` more may pass.
    pub(crate) async fn pass(&self, bytes: u64) {
        let Some(bucket) = &self.bucket else { return };
        let wait = bucket.lock().unwrap_or_else(PoisonError::into_inner).take(self.clock.now(), bytes);
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_several_transfers_pass_in_ten_seconds_is_within_two_percent_of_the_limit() {
        const USUAL: usize = 256 << 10;
        for rate in [10_000, 100_000, 1 << 20, 50 << 20, 2_000_000_000] {
            let throttle = Arc::new(Throttle::new(Clock::start(), Some(rate)));
            let passed = Arc::new(AtomicU64::new(0));
            let transfers = (0..3).map(|_| {
                let (throttle, passed) = (throttle.clone(), passed.clone());
                tokio::spawn(async move {
                    loop {
                        let slice = throttle.slice(USUAL) as u64;
                        throttle.pass(slice).await;
                        passed.fetch_add(slice, Ordering::Relaxed);
                    }
                })
            });
            let transfers: Vec<_> = transfers.collect();
            // Of a clock that stands still, and jumps when everybody waits for it.
            let _ = tokio::time::timeout(Duration::from_secs(10), std::future::pending::<()>()).await;
            let (got, wanted) = (passed.load(Ordering::Relaxed), rate * 10);
            assert!((wanted / 100 * 98..=wanted / 100 * 102).contains(&got), "{got} of {wanted}");
            for transfer in transfers {
                transfer.abort();
            }
        }
    }

    #[tokio::test]
    async fn no_limit_waits_for_nothing() {
        let throttle = Throttle::new(Clock::start(), None);
        assert!(throttle.is_off() && throttle.rate().is_none());
        throttle.pass(u64::MAX).await;
        assert_eq!(throttle.slice(1 << 18), 1 << 18);
    }
}
