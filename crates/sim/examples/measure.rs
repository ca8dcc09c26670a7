//! Measures the brains on the shapes of issue and paper: `cargo run --release -p sim --example measure -- CASE…`.
//!
//! Each line: case, time of the last divided by the fluid bound and by the bound for chunks, p50 and p99 likewise, what
//! the seed sent in copies of the file, control bytes per payload, refusals, and what the run itself cost.

#![expect(clippy::print_stdout, reason = "the table is what it is for")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

use std::time::{Duration, Instant};

use sim::{Arrival, Experiment, Group, Link, Role, Vanishing, bounds, run};

const MIB: u64 = 1 << 20;

/// The shapes by name.
fn case(name: &str) -> Option<Experiment> {
    let lab = Duration::from_micros(100);
    let far = Duration::from_millis(10);
    let shape = |seed: Link, count: u32, peer: Link, mib: u64, chunk: u32| {
        let (seed, peers) = (Group::new(Role::Seed, 1, seed), Group::new(Role::Leecher, count, peer));
        let mut experiment = Experiment::new(mib * MIB, chunk, seed, peers);
        experiment.network.headers_ppm = 0;
        experiment
    };
    let gigabit = Link::mbit(1000, 1000, far);
    let hundred = |delay| (Link::mbit(100, 400, delay), Link::mbit(100, 400, delay));
    Some(match name {
        "8" => shape(Link::mbit(50, 200, lab), 8, Link::mbit(50, 200, lab), 128, 128 << 10),
        "16" => shape(Link::mbit(40, 80, lab), 16, Link::mbit(20, 80, lab), 64, 64 << 10),
        "100" => shape(hundred(far).0, 100, hundred(far).1, 1024, 1 << 20),
        "1000" => shape(gigabit, 1000, gigabit, 3072, 1 << 20),
        "10000" => shape(gigabit, 10_000, gigabit, 3072, 3 << 20),
        "scale" => shape(gigabit, 1000, gigabit, 500, 1 << 20),
        "half" => {
            let mut half = shape(hundred(far).0, 50, hundred(far).1, 256, 256 << 10);
            let mut deaf = half.groups[1].clone();
            deaf.dialable = false;
            half.groups.push(deaf);
            half
        }
        "churn" => {
            let mut churn = shape(hundred(far).0, 100, hundred(far).1, 256, 256 << 10);
            churn.groups[1].arrival = Arrival::Staggered(Duration::from_millis(500));
            churn.groups[1].vanishing = Some(Vanishing { percent: 20, within: Duration::from_secs(30) });
            churn
        }
        "alone" => shape(hundred(far).0, 1, hundred(far).1, 256, 256 << 10),
        _ => return None,
    })
}

fn main() {
    let mut names: Vec<String> = std::env::args().skip(1).collect();
    let mut seeds = 1;
    names.retain(|name| match name.strip_prefix("seeds=") {
        Some(count) => {
            seeds = count.parse().unwrap_or(1);
            false
        }
        None => true,
    });
    if names.is_empty() {
        names = ["8", "16", "100", "half", "churn"].map(str::to_owned).to_vec();
    }
    println!("case    T/fluid T/chunks   p50   p99  copies control  waste refused   events   cost");
    for name in names {
        for seed in 1..=seeds {
            let Some(mut experiment) = case(&name) else {
                println!("{name}: no such case");
                break;
            };
            experiment.seed = seed;
            measure(&name, &experiment);
        }
    }
}

fn measure(name: &str, experiment: &Experiment) {
    let began = Instant::now();
    let outcome = run(experiment);
    let seed = experiment.groups[0].link;
    let mut leechers = Vec::new();
    for group in &experiment.groups[1..] {
        let up = if group.dialable { group.link.up } else { 0 };
        leechers.extend((0..group.count).map(|_| Link { up, ..group.link }));
    }
    let fluid = bounds::fluid(experiment.file_bytes, seed.up, &leechers).as_secs_f64();
    let chunked =
        bounds::chunked(experiment.file_bytes, experiment.chunk_bytes, seed.up, &leechers).as_secs_f64();
    let at = |hundredths| outcome.percentile(hundredths).unwrap_or_default().as_secs_f64();
    let last = at(100);
    let cost = began.elapsed().as_secs_f64();
    let payload: u64 = outcome.peers.iter().map(|peer| peer.sent).sum();
    println!(
        "{name:<8} {:>6.3} {:>7.3} {:>6.3} {:>5.3} {:>6.3} {:>6.2}% {:>5.2}% {:>7} {:>8.2}M {cost:>6.2}s  {:016x}{}",
        last / fluid,
        last / chunked,
        at(50) / fluid,
        at(99) / fluid,
        outcome.seed_copies_permille() as f64 / 1000.0,
        outcome.control_ppm() as f64 / 10_000.0,
        outcome.wasted as f64 * 100.0 / payload as f64,
        outcome.refused,
        outcome.events as f64 / 1e6,
        outcome.trace,
        if outcome.unfinished() > 0 {
            format!("  {} UNFINISHED", outcome.unfinished())
        } else {
            String::new()
        },
    );
}
