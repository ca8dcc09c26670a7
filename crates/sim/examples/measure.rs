//! Measures the brains on the shapes of issue and paper: `cargo run --release -p sim --example measure -- CASE…`.
//!
//! Each line: case, time of the last divided by the fluid bound and by the bound for chunks, p50 and p99 likewise, what
//! the seed sent in copies of the file, control bytes per payload, refusals, and the run's events and trace. What a run costs
//! is said by `time` before the command: nothing here reads a clock.

#![expect(clippy::print_stdout, reason = "the table is what it is for")]
#![expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "figures for people")]

use std::time::Duration;

use scenario::rollout::{Arrival, Bounds, Conduct, Group, Link, Role, Rollout, Vanishing};
use sim::{Settings, run};

/// As `http-torrent simulate` has it: with `MIMALLOC_ALLOW_THP=1`, by which that begins itself, a run costs here what it costs there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const MIB: u64 = 1 << 20;

/// The shapes by name.
fn case(name: &str) -> Option<Rollout> {
    let far = Duration::from_millis(10);
    // 20 ms from peer to peer and back.
    let gigabit = Link::mbit(1000, 1000, Duration::from_millis(5));
    let hundred = |delay| (Link::mbit(100, 400, delay), Link::mbit(100, 400, delay));
    Some(match name {
        "100" => shape(hundred(far).0, 100, hundred(far).1, 1024, 1 << 20),
        "1000" => shape(gigabit, 1000, gigabit, 3072, 1 << 20),
        "10000" => shape(gigabit, 10_000, gigabit, 3072, 3 << 20),
        "300" => shape(gigabit, 300, gigabit, 1024, 1 << 20),
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
        // Many more than anybody has neighbours, one every 50 ms.
        "late" => {
            let mut late = shape(hundred(far).0, 300, hundred(far).1, 256, 256 << 10);
            late.groups[1].arrival = Arrival::Staggered(Duration::from_millis(50));
            late
        }
        // Four in five can hardly send: who has only such neighbours needs others.
        "slow" => {
            let mut slow = shape(hundred(far).0, 240, Link::mbit(2, 400, far), 256, 256 << 10);
            slow.groups.push(Group {
                arrival: Arrival::Staggered(Duration::from_millis(100)),
                ..slow.groups[1].clone()
            });
            slow.groups[2].count = 60;
            slow.groups[2].link = Link::mbit(400, 400, far);
            slow
        }
        "allnat" => {
            let (seed, peer) = (
                Link::mbit(200, 200, Duration::from_millis(10)),
                Link::mbit(50, 200, Duration::from_millis(10)),
            );
            let mut nat = shape(seed, 12, peer, 32, 64 << 10);
            nat.groups[1].dialable = false;
            nat
        }
        "alone" => shape(hundred(far).0, 1, hundred(far).1, 256, 256 << 10),
        _ => return real(name),
    })
}

/// Those that are measured with real processes too (`bench/shapes.py`).
fn real(name: &str) -> Option<Rollout> {
    let link = |up, down| Link::mbit(up, down, Duration::from_micros(100));
    let of_fifty = |count, mib| shape(link(50, 200), count, link(50, 200), mib, 64 << 10);
    Some(match name {
        "8" => shape(link(50, 200), 8, link(50, 200), 128, 128 << 10),
        "16" => shape(link(40, 80), 16, link(20, 80), 64, 64 << 10),
        "fast" => shape(link(200, 50), 12, link(10, 50), 32, 64 << 10),
        "unequal" => {
            let mut unequal = shape(link(40, 100), 5, link(40, 100), 32, 64 << 10);
            unequal.groups.push(Group { link: link(8, 100), ..unequal.groups[1].clone() });
            unequal
        }
        "staggered" => {
            let mut staggered = of_fifty(8, 64);
            staggered.groups[1].arrival = Arrival::Staggered(Duration::from_secs(1));
            staggered
        }
        "liars" => {
            let mut liars = of_fifty(7, 32);
            liars.groups.push(Group { count: 3, conduct: Conduct::Liar, ..liars.groups[1].clone() });
            liars
        }
        _ => return None,
    })
}

/// One seed and so many leechers, whose payload alone is counted.
fn shape(seed: Link, count: u32, peer: Link, mib: u64, chunk: u32) -> Rollout {
    let (seed, peers) = (Group::new(Role::Seed, 1, seed), Group::new(Role::Leecher, count, peer));
    let mut rollout = Rollout::new(mib * MIB, chunk, seed, peers);
    rollout.network.headers_ppm = 0;
    rollout
}

/// One thing to be measured.
struct Trial {
    rollout: Rollout,
    settings: Settings,
}

fn main() {
    let mut names: Vec<String> = std::env::args().skip(1).collect();
    let mut seeds = 1;
    let mut knobs = Vec::new();
    names.retain(|name| match name.split_once('=') {
        Some(("seeds", count)) => {
            seeds = count.parse().unwrap_or(1);
            false
        }
        Some((knob, value)) => {
            knobs.push((knob.to_owned(), value.parse::<u64>().unwrap_or_default()));
            false
        }
        None => true,
    });
    if names.is_empty() {
        names = ["8", "16", "100", "half", "churn"].map(str::to_owned).to_vec();
    }
    println!("case     T/fluid T/chunks    p50    p99 copies control  waste refused    events  trace");
    for name in names {
        let only = knobs.iter().find(|(knob, _)| knob == "only").map(|&(_, seed)| seed);
        for seed in only.unwrap_or(1)..=only.unwrap_or(seeds) {
            let Some(mut rollout) = case(&name) else {
                println!("{name}: no such case");
                break;
            };
            rollout.seed = seed;
            if let Some(&(_, kib)) = knobs.iter().find(|(knob, _)| knob == "chunk") {
                rollout.chunk_bytes = u32::try_from(kib << 10).unwrap_or(u32::MAX);
            }
            let settings = Settings::shipped(rollout.chunk_bytes);
            let mut trial = Trial { rollout, settings };
            for (knob, value) in &knobs {
                turn(&mut trial, knob, *value);
            }
            measure(&name, &trial);
            if knobs.iter().any(|(knob, _)| knob == "curve") {
                curve(&trial);
            }
        }
    }
}

/// Sets one thing of a rollout, so that it can be tried without building anew.
fn turn(Trial { rollout, settings }: &mut Trial, knob: &str, value: u64) {
    let small = u32::try_from(value).unwrap_or(u32::MAX);
    let millis = Duration::from_millis(value);
    let (brains, network) = (&mut settings.brains, &mut rollout.network);
    match knob {
        "slots" => {
            for upload in [&mut brains.upload, &mut brains.seed_upload] {
                (upload.slots, upload.slots_first) = (value as usize, value as usize);
                upload.slots_per_requester = upload.slots_per_requester.min(upload.slots);
            }
        }
        "firstslots" => {
            brains.upload.slots_first = value as usize;
            brains.seed_upload.slots_first = value as usize;
        }
        "mostslots" => {
            brains.upload.slots_most = value as usize;
            brains.seed_upload.slots_most = value as usize;
        }
        "seedslots" => brains.seed_upload.slots = value as usize,
        "per" => {
            brains.upload.slots_per_requester = value as usize;
            brains.seed_upload.slots_per_requester = value as usize;
        }
        "queue" => {
            brains.upload.queue = value as usize;
            brains.seed_upload.queue = value as usize;
        }
        "anywhere" => {
            brains.upload.queue_anywhere = value as usize;
            brains.seed_upload.queue_anywhere = value as usize;
        }
        "retry" => {
            brains.upload.retry_least = millis;
            brains.seed_upload.retry_least = millis;
        }
        "flymost" => brains.download.in_flight_bytes_most = value << 20,
        "depth" => brains.download.depth_least = small,
        "inflight" => brains.download.in_flight_bytes = value << 10,
        "window" => brains.download.window_first = value << 10,
        "horizon" => brains.download.horizon = millis,
        "enough" => brains.download.window_enough = value << 10,
        "wanted" => brains.download.neighbours_wanted = value as usize,
        "most" => brains.download.neighbours_most = value as usize,
        "renew" => brains.download.renew_every = millis,
        "elsewhere" => {
            brains.upload.elsewhere = millis;
            brains.seed_upload.elsewhere = millis;
        }
        "memory" => {
            brains.upload.sent_memory = millis;
            brains.seed_upload.sent_memory = millis;
        }
        "mostavoided" => brains.download.avoided_most = value as usize,
        "buffer" => network.buffer = small << 10,
        "rtt" => rollout.groups.iter_mut().for_each(|group| group.link.delay = millis / 4),
        "peers" => rollout.groups[1].count = small,
        "mib" => rollout.file_bytes = value << 20,
        "bloat" => network.uplink_queue = millis,
        "sample" => rollout.sample = millis,
        "fresh" => {
            brains.upload.fresh_enough = value as usize;
            brains.seed_upload.fresh_enough = value as usize;
        }
        "seedfresh" => brains.seed_upload.fresh_enough = value as usize,
        "batch" => network.batch = millis,
        "control" => network.control_costs = value > 0,
        "headers" => network.headers_ppm = value,
        "cwnd" => network.first_window = value << 10,
        _ => {}
    }
}

fn curve(Trial { rollout, settings }: &Trial) {
    let outcome = run(rollout, settings);
    let mut before = 0;
    let times: Vec<String> =
        outcome.times().iter().rev().take(20).map(|time| format!("{:.2}", time.as_secs_f64())).collect();
    println!("the last: {}", times.join(" "));
    println!("    at  complete   Mbit/s  seed MiB  sending bodies waiting");
    for sample in &outcome.samples {
        println!(
            "{:>6.1} {:>9} {:>8.1} {:>9.1} {:>8} {:>6} {:>7}",
            sample.at.since(protocol::Time::ZERO).as_secs_f64(),
            sample.complete,
            (sample.sent - before) as f64 / 125_000.0 / rollout.sample.as_secs_f64(),
            sample.seeds_sent as f64 / 1_048_576.0,
            sample.sending,
            sample.bodies,
            sample.waiting,
        );
        before = sample.sent;
    }
}

fn measure(name: &str, Trial { rollout, settings }: &Trial) {
    let outcome = run(rollout, settings);
    let Bounds { fluid, chunked } = Bounds::of(rollout);
    let (fluid, chunked) = (fluid.as_secs_f64(), chunked.as_secs_f64());
    let at = |hundredths| outcome.percentile(hundredths).unwrap_or_default().as_secs_f64();
    let last = at(100);
    let payload: u64 = outcome.peers.iter().map(|peer| peer.sent).sum();
    println!(
        "{name:<8} {:>7.4} {:>8.4} {:>6.4} {:>6.4} {:>6.3} {:>6.2}% {:>5.2}% {:>7} {:>8.2}M  {:016x}{}",
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
