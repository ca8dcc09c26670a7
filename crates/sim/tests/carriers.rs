//! What a seed sends to those who do not pass it on costs a swarm little, since the seed finds them out.

use std::time::Duration;

use scenario::rollout::{Bounds, Conduct, Group, Link, Outcome, Role, Rollout};
use sim::{Checks, Settings, run};

/// Seven that pass on what they get, and three as `others` makes them.
fn swarm(seed: u64, others: impl FnOnce(&mut Group)) -> (Rollout, Outcome) {
    let link = Link::mbit(50, 200, Duration::from_micros(100));
    let leechers = Group::new(Role::Leecher, 7, link);
    let mut bad = Group { count: 3, ..leechers.clone() };
    others(&mut bad);
    let mut rollout = Rollout::new(32 << 20, 64 << 10, Group::new(Role::Seed, 1, link), leechers);
    rollout.groups.push(bad);
    rollout.seed = seed;
    let settings = Settings { checks: Checks::Everything, ..Settings::shipped(rollout.chunk_bytes) };
    let outcome = run(&rollout, &settings);
    assert_eq!(outcome.unfinished(), 0);
    (rollout, outcome)
}

/// The time of the last in hundredths of the fluid bound, for which the bad ones send nothing.
fn hundredths((rollout, outcome): (Rollout, Outcome)) -> u128 {
    let last = outcome.last().unwrap_or_default();
    u128::from(last.nanos()) * 100 / Bounds::of(&rollout).fluid.as_nanos()
}

#[test]
fn a08_liars_take_few_of_the_first_copies() {
    for seed in 1..=4 {
        let took = hundredths(swarm(seed, |bad| bad.conduct = Conduct::Liar));
        assert!((100..120).contains(&took), "seed {seed}: {took} hundredths; 134 to 142 without asking back");
    }
}

#[test]
fn those_whom_nobody_can_dial_take_few_of_them_and_are_complete_with_the_others() {
    for seed in 1..=4 {
        let took = hundredths(swarm(seed, |bad| bad.dialable = false));
        assert!((100..130).contains(&took), "seed {seed}: {took} hundredths; 137 to 151 without asking back");
    }
}
