//! A seed sends about one copy of a file to a swarm that carries itself, and goes on sending where it is needed.

use std::time::Duration;

use scenario::rollout::{Arrival, Group, Link, Outcome, Role, Rollout, Vanishing};
use sim::{Settings, run};

/// The seed of a hundred megabits, and so many peers of so many.
fn swarm(seed: u64, count: u32, up: u64, leechers: impl FnOnce(&mut Group)) -> (Rollout, Outcome) {
    let link = |up| Link::mbit(up, 400, Duration::from_millis(10));
    let mut group = Group::new(Role::Leecher, count, link(up));
    leechers(&mut group);
    let mut rollout = Rollout::new(64 << 20, 256 << 10, Group::new(Role::Seed, 1, link(100)), group);
    rollout.seed = seed;
    let outcome = run(&rollout, &Settings::shipped(rollout.chunk_bytes));
    assert_eq!(outcome.unfinished(), 0);
    (rollout, outcome)
}

/// One comes so long after the other: all within twice the time that the seed takes for one copy.
fn staggered(millis: u64) -> impl Fn(&mut Group) {
    move |group| group.arrival = Arrival::Staggered(Duration::from_millis(millis))
}

/// Thousandths of a copy that the seed sends to so many peers, each with as much uplink as it has, in so many runs.
fn copies(runs: u64, count: u32, leechers: impl Fn(&mut Group)) -> Vec<u64> {
    (1..=runs).map(|seed| swarm(seed, count, 100, &leechers).1.seed_copies_permille()).collect()
}

#[test]
fn a_swarm_that_comes_at_once_costs_its_seed_one_copy() {
    let copies = copies(3, 100, |_| {});
    assert!(copies.iter().all(|copies| (1000..=1020).contains(copies)), "{copies:?}");
}

#[test]
fn to_those_who_come_later_others_send() {
    let copies = copies(3, 100, staggered(100));
    assert!(copies.iter().all(|&copies| copies < 1600), "{copies:?}; 1970 where nobody says how it gets on");
}

#[test]
fn eight_who_come_one_after_the_other_carry_themselves_too() {
    // One run of eight peers differs from the next by a tenth: what it costs on the average is what counts.
    let copies = copies(6, 8, staggered(500));
    let mean = copies.iter().sum::<u64>() / 6;
    assert!(
        mean < 1150 && copies.iter().all(|&copies| copies < 1200),
        "{copies:?}; 1263 to 1273 where eight are too few for that"
    );
}

#[test]
fn what_left_with_those_who_had_it_is_sent_again() {
    let copies = copies(3, 100, |group| {
        staggered(100)(group);
        group.vanishing = Some(Vanishing { percent: 30, within: Duration::from_secs(8) });
    });
    assert!(copies.iter().all(|&copies| copies < 1700), "{copies:?}; 2000 to 2080 where nobody says");
}

#[test]
fn a_swarm_that_needs_its_seed_has_all_of_its_uplink() {
    let (mut sent, mut all_of_it) = (0, 0);
    for seed in 1..=6 {
        let (rollout, outcome) = swarm(seed, 60, 30, |_| {});
        all_of_it += u128::from(outcome.last().unwrap_or_default().nanos()) * 100_000_000 / 8 / 1_000_000;
        sent += u128::from(outcome.seed_copies_permille()) * u128::from(rollout.file_bytes);
    }
    assert!(
        sent * 1000 > all_of_it * 925,
        "{sent} of {all_of_it} thousandths of a byte; 47 % where a quarter of an uplink counts as enough"
    );
}
