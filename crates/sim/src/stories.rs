//! Small random experiments: a number is a story, and the same number is the same story.

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use scenario::rollout::{
    Arrival, Conduct, Faults, Group, Link, Network, Role, Rollout, SeedDeath, Vanishing,
};

/// A small rollout in which every leecher that stays must become complete: somebody honest who can be dialled holds
/// everything to the end, or dies only after others have it.
#[must_use]
pub fn story(number: u64) -> Rollout {
    let mut rng = SmallRng::seed_from_u64(number);
    let chunk_bytes = 1 << rng.random_range(14..20);
    let chunks = rng.random_range(1..80u64);
    let file_bytes =
        (chunks * u64::from(chunk_bytes)).saturating_sub(rng.random_range(0..u64::from(chunk_bytes)));
    let seeds = Group::new(Role::Seed, rng.random_range(1..3), link(&mut rng));
    let mut rollout = Rollout::new(file_bytes.max(1), chunk_bytes, seeds, leechers(&mut rng));
    for _ in 0..rng.random_range(0..3) {
        rollout.groups.push(leechers(&mut rng));
    }
    rollout.seed = number;
    rollout.patience = Duration::from_secs(200);
    rollout.network = Network { headers_ppm: rng.random_range(0..50_000), ..Network::default() };
    rollout.faults = faults(&mut rng);
    rollout
}

fn link(rng: &mut SmallRng) -> Link {
    let up = rng.random_range(1..100);
    let delay = Duration::from_micros(rng.random_range(50..80_000));
    Link::mbit(up, up * rng.random_range(1..5), delay)
}

fn leechers(rng: &mut SmallRng) -> Group {
    let mut group = Group::new(Role::Leecher, rng.random_range(1..12), link(rng));
    group.dialable = rng.random_bool(0.8);
    group.arrival = match rng.random_range(0..3) {
        0 => Arrival::AtOnce,
        1 => Arrival::Staggered(Duration::from_millis(rng.random_range(1..2000))),
        _ => Arrival::Within(Duration::from_secs(rng.random_range(1..10))),
    };
    group.conduct = match rng.random_range(0..10) {
        0 => Conduct::FreeRider,
        1 => Conduct::Liar,
        _ => Conduct::Honest,
    };
    if rng.random_bool(0.3) {
        let within = Duration::from_secs(rng.random_range(1..60));
        group.vanishing = Some(Vanishing { percent: rng.random_range(5..60), within });
    }
    if rng.random_bool(0.2) {
        group.lingers = Some(Duration::from_secs(rng.random_range(0..20)));
    }
    group
}

fn faults(rng: &mut SmallRng) -> Faults {
    let mut faults = Faults::default();
    if rng.random_bool(0.3) {
        let from = Duration::from_millis(rng.random_range(0..5000));
        faults.tracker_away = vec![(from, from + Duration::from_secs(rng.random_range(1..40)))];
    }
    // Nobody may be left who needs it: see `Outcome::unfinished` for what a test can say then.
    if rng.random_bool(0.15) {
        faults.seed_dies = Some(if rng.random_bool(0.5) {
            SeedDeath::At(Duration::from_secs(rng.random_range(1..60)))
        } else {
            SeedDeath::Copies(rng.random_range(100..400))
        });
    }
    faults
}
