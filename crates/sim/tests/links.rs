//! What lies between peers: lines that a site shares, and lost packets.

use std::time::Duration;

use scenario::rollout::{Group, Link, Outcome, Role, Rollout, Site};
use sim::{Settings, run};

const FILE: u64 = 16 << 20;

fn simulated(rollout: &Rollout) -> Outcome {
    let outcome = run(rollout, &Settings::shipped(rollout.chunk_bytes));
    assert_eq!(outcome.unfinished(), 0);
    outcome
}

fn rollout(leechers: u32) -> Rollout {
    let link = Link::mbit(100, 100, Duration::from_millis(5));
    let (seed, leechers) = (Group::new(Role::Seed, 1, link), Group::new(Role::Leecher, leechers, link));
    Rollout::new(FILE, 128 << 10, seed, leechers)
}

#[test]
fn a_branch_behind_a_slow_line_gets_the_file_over_it_little_more_than_once() {
    let line = 1 << 20;
    let mut branch = rollout(8);
    let site = |name: &str| Site { name: name.to_owned(), up: line, down: line, delay: Duration::ZERO };
    branch.sites = vec![site("centre"), site("branch")];
    branch.groups[1].site = 1;
    let outcome = simulated(&branch);
    let at_least = Duration::from_secs(FILE / line);
    assert!(outcome.percentile(50) > Some(at_least), "half are done after {:?}", outcome.percentile(50));
    assert!((FILE..FILE * 3).contains(&outcome.between_sites), "{} bytes crossed", outcome.between_sites);

    branch.groups[1].site = 0;
    let together = simulated(&branch);
    assert_eq!(together.between_sites, 0);
    assert!(together.last() < outcome.last(), "inside a site its line is not used");
}

#[test]
fn lost_packets_slow_a_download_down() {
    let clean = simulated(&rollout(1));
    let mut lossy = rollout(1);
    lossy.groups[1].link.loss_ppm = 20_000;
    let lossy = simulated(&lossy);
    assert!(lossy.last() > clean.last(), "{:?} with loss, {:?} without", lossy.last(), clean.last());
}
