//! What arithmetic allows at best: no way of sharing makes everybody complete sooner than this.
//!
//! Both bounds are for one source, everybody there from the beginning, and payload only.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use protocol::Time;

use super::{Conduct, Link, Role, Rollout, time_for};

/// Both bounds of a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// See [`fluid`].
    pub fluid: Duration,
    /// See [`chunked`].
    pub chunked: Duration,
}

impl Bounds {
    /// Of everybody who takes part, as if all came at once and stayed; all seeds together count as one source. Who
    /// cannot be dialled, refuses, or sends wrong bytes is of no use to others.
    pub fn of(rollout: &Rollout) -> Self {
        let (mut seed_up, mut leechers) = (0_u64, Vec::new());
        for group in &rollout.groups {
            let gives = group.dialable && group.conduct == Conduct::Honest;
            let up = if gives { group.link.up } else { 0 };
            match group.role {
                Role::Seed => seed_up = seed_up.saturating_add(up.saturating_mul(group.count.into())),
                Role::Leecher => leechers.extend((0..group.count).map(|_| Link { up, ..group.link })),
            }
        }
        Bounds {
            fluid: fluid(rollout.file_bytes, seed_up, &leechers),
            chunked: chunked(rollout.file_bytes, rollout.chunk_bytes, seed_up, &leechers),
        }
    }
}

/// `max(F/u_s, F/d, N·F/(u_s + Σu_p))`, the least time for a file that can be cut as finely as one likes (Kumar and
/// Ross, "Peer-Assisted File Distribution: The Minimum Distribution Time", 2006). `seed_up` in bytes per second.
/// A peer that nobody can dial has an upload of 0.
pub fn fluid(file_bytes: u64, seed_up: u64, leechers: &[Link]) -> Duration {
    let slowest = leechers.iter().map(|link| link.down).min().unwrap_or(u64::MAX);
    let all_up = leechers.iter().fold(seed_up, |sum, link| sum.saturating_add(link.up));
    let all_bytes = file_bytes.saturating_mul(leechers.len() as u64);
    long(file_bytes, seed_up).max(long(file_bytes, slowest)).max(long(all_bytes, all_up))
}

/// The same for a file of whole chunks: only who has a whole chunk can pass it on.
///
/// For links of one upload rate this is what Mundinger, Weber and Weiss prove to be reached, `1 + ⌊log₂ N⌋/M` times
/// the time to upload the file ("Optimal Scheduling of Peer-to-Peer File Dissemination", 2008, theorem 1). For others
/// it takes the same two arguments, each of which holds for any rates: the last chunk leaves the seed at `F/u_s` at the
/// earliest and must then spread; and until a peer has its first chunk its upload counts for nothing. (A bound, not
/// a schedule: for unequal links it need not be reached.)
pub fn chunked(file_bytes: u64, chunk_bytes: u32, seed_up: u64, leechers: &[Link]) -> Duration {
    let chunk = u64::from(chunk_bytes);
    let mut ups: Vec<u64> = leechers.iter().map(|link| link.up).collect();
    // Whoever spreads the most is served first.
    ups.sort_unstable_by_key(|&up| Reverse(up));
    let left_seed = long(file_bytes, seed_up);
    let last_spread = spread(chunk, seed_up, &ups, true).last().copied().unwrap_or_default();
    let bound = left_seed + last_spread;
    bound.max(busy(file_bytes, chunk, seed_up, &ups)).max(fluid(file_bytes, seed_up, leechers))
}

/// When each of the peers with uploads `ups` has a whole chunk at the earliest, in order, where everyone who has it
/// sends it on. `has_one`: the first of them has it at the beginning.
fn spread(chunk: u64, seed_up: u64, ups: &[u64], has_one: bool) -> Vec<Duration> {
    let mut times = Vec::with_capacity(ups.len());
    let mut sends: BinaryHeap<Reverse<(Duration, u64)>> = BinaryHeap::new();
    sends.push(Reverse((time_for(chunk, seed_up), seed_up)));
    let mut waiting = ups.iter();
    if has_one && let Some(&first) = waiting.next() {
        times.push(Duration::ZERO);
        sends.push(Reverse((time_for(chunk, first), first)));
    }
    for &up in waiting {
        let Some(Reverse((at, from))) = sends.pop() else { break };
        times.push(at);
        sends.push(Reverse((at + time_for(chunk, from), from)));
        if up > 0 {
            sends.push(Reverse((at + time_for(chunk, up), up)));
        }
    }
    times
}

/// When `N` copies can have been sent, if everyone sends all the time from its first chunk on.
fn busy(file_bytes: u64, chunk: u64, seed_up: u64, ups: &[u64]) -> Duration {
    let all = u128::from(file_bytes) * ups.len() as u128 * NANOS;
    // Bytes times nanoseconds: sent so far, and the rate at which more are.
    let (mut sent, mut rate, mut since) = (0u128, u128::from(seed_up), Duration::ZERO);
    for (&up, at) in ups.iter().zip(spread(chunk, seed_up, ups, false)) {
        let more = rate * at.saturating_sub(since).as_nanos();
        if sent + more >= all {
            break;
        }
        (sent, rate, since) = (sent + more, rate + u128::from(up), at);
    }
    let rest = (all - sent).div_ceil(rate.max(1));
    since + Duration::from_nanos(u64::try_from(rest).unwrap_or(u64::MAX))
}

const NANOS: u128 = 1_000_000_000;

/// `bytes / rate` for whole files of many peers.
fn long(bytes: u64, rate: u64) -> Duration {
    let nanos = u128::from(bytes) * NANOS / u128::from(rate.max(1));
    Time::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)).since(Time::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn alike(count: usize, up: u64, down: u64) -> Vec<Link> {
        vec![Link { up, down, delay: Duration::ZERO, loss_ppm: 0 }; count]
    }

    #[test]
    fn the_fluid_bound_is_the_scarcest_of_three() {
        let of = |seed_up, count, up, down| fluid(1000, seed_up, &alike(count, up, down));
        assert_eq!(of(10, 4, 1000, 1000), Duration::from_secs(100), "the seed's uplink");
        assert_eq!(of(1000, 4, 1000, 10), Duration::from_secs(100), "a downlink");
        assert_eq!(
            of(100, 9, 100, 1000),
            Duration::from_secs(10),
            "everybody's uplinks: 9,000 bytes at 1,000"
        );
        assert_eq!(of(100, 9, 0, 1000), Duration::from_secs(90), "nobody can be dialled");
    }

    #[test]
    fn the_two_shaped_cases_of_the_measurements() {
        let eight = fluid(128 * MIB, 50 * 125_000, &alike(8, 50 * 125_000, 200 * 125_000));
        assert_eq!(eight.as_millis(), 21_474);
        let sixteen = fluid(64 * MIB, 40 * 125_000, &alike(16, 20 * 125_000, 80 * 125_000));
        assert_eq!(sixteen.as_millis(), 23_860);
    }

    #[test]
    fn with_equal_uplinks_it_is_the_theorem_of_mundinger_weber_and_weiss() {
        // 1 + floor(log2 N)/M uploads of a file of M chunks, here of one second a chunk.
        for (leechers, chunks) in [(1, 1), (1, 7), (2, 3), (3, 3), (7, 4), (8, 4), (100, 1), (1000, 50)] {
            let bound = chunked(100 * chunks, 100, 100, &alike(leechers, 100, u64::MAX));
            let expected = chunks + u64::from(leechers.ilog2());
            assert_eq!(bound, Duration::from_secs(expected), "{leechers} leechers, {chunks} chunks");
        }
    }

    #[test]
    fn no_bound_for_chunks_is_below_the_fluid_one() {
        for (seed_up, up) in [(100, 10), (10, 100), (50, 0), (1, 1)] {
            for count in [1, 2, 5, 33] {
                let links = alike(count, up, 1000);
                assert!(chunked(5000, 100, seed_up, &links) >= fluid(5000, seed_up, &links));
            }
        }
    }

    #[test]
    fn a_fast_seed_lets_all_uplinks_work_only_after_everyone_has_a_chunk() {
        // 4 leechers, seed 4 chunks a second, they one: all have a chunk after a second at the latest.
        let links = alike(4, 100, 10_000);
        let fluid = fluid(10_000, 400, &links);
        let chunked = chunked(10_000, 100, 400, &links);
        assert_eq!(fluid, Duration::from_secs(50));
        assert!(chunked > fluid && chunked < fluid + Duration::from_secs(1), "{chunked:?}");
    }
}
