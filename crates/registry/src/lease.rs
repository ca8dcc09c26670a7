//! How often native peers announce, and how long they stay listed after that.

use std::time::Duration;

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

/// How long an announce answered with this interval keeps its sender listed.
pub(crate) fn lease(interval: Duration) -> Duration {
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
        assert_eq!(lease(interval(0)).as_secs(), 15);
    }
}
