//! A token bucket that tasks wait on: `--limit-up`, `--limit-down`.

use std::sync::{Mutex, PoisonError};

use swarm::TokenBucket;

use crate::clock::Clock;

/// Bytes that may pass at once after a pause: a quarter of a second's worth, within these bounds, so that slow
/// limits stay smooth and fast ones do not wake for every kilobyte.
const BURST: std::ops::RangeInclusive<u64> = (16 << 10)..=(4 << 20);

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
            let burst = (rate / 4).clamp(*BURST.start(), *BURST.end());
            Mutex::new(TokenBucket::new(Some(rate), burst))
        });
        Throttle { clock, bucket, rate }
    }

    /// Bytes to send, or to count, at a time. Under a limit less than usual: the bodies that share it must each move now and then, or
    /// their receivers take them for stuck.
    pub(crate) fn slice(&self, usual: usize) -> usize {
        let least = usual.min(4 << 10);
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
