//! Tests of the test: the same seed makes the same run, faults hit while there is work, and each property fails when
//! what it promises is broken.

use std::time::Duration;

use crate::network::Manners;
use crate::number;
use crate::plan::{Fault, Kind, Plan, Role, TRACKER};
use crate::properties::judge;
use crate::record::{Asked, HostId};
use crate::world::{Outcome, Sabotage, run};

const SECOND: Duration = Duration::from_secs(1);

/// A seed, two leechers, and these faults.
fn small(seed: Manners, faults: Vec<(Duration, Fault)>) -> Plan {
    let hosts = vec![Role::Tracker, Role::Seed(seed), Role::Leecher, Role::Leecher];
    let size = 24 * 8192;
    let limit_up = size as u64 / 10;
    Plan { seed: 7, kind: Kind::Rough, hosts, chunk_size: 8192, size, limit_up, dht: None, faults }
}

fn wrong(plan: &Plan, sabotage: Sabotage) -> String {
    judge(plan, &run(plan, sabotage))
}

#[test]
fn the_same_seed_makes_the_same_run() {
    for seed in 0..number("SAME").unwrap_or(24) {
        let plan = Plan::draw(seed);
        let [first, second] = [run(&plan, Sabotage::None), run(&plan, Sabotage::None)];
        let differs = first.facts.trace.iter().zip(&second.facts.trace).find(|(one, other)| one != other);
        assert!(differs.is_none(), "seed {seed}: {differs:?}");
        assert!(first.facts == second.facts, "seed {seed}");
        assert_eq!(first.ended, second.ended, "seed {seed}");
    }
}

#[test]
fn the_plans_try_what_they_are_for() {
    let (mut restarts, mut with_something, mut lies, mut claims, mut meanwhile) = (0, 0, 0, 0, 0);
    for seed in 0..60 {
        let plan = Plan::draw(seed);
        let Outcome { facts, .. } = run(&plan, Sabotage::None);
        restarts += facts.durable.len();
        with_something += facts.durable.values().filter(|held| !held.is_empty() && !held.is_full()).count();
        lies += facts.lied_to.len();
        claims += facts.claims_tried;
        let last = facts.asked.last().map_or(Duration::ZERO, |asked| asked.at);
        meanwhile += plan.faults.iter().filter(|(at, _)| *at < last).count();
    }
    println!(
        "{restarts} restarts of leechers, {with_something} with a part; {lies} leechers lied to; {claims} claims; \
         {meanwhile} faults before the last fetch"
    );
    assert!(restarts >= 10 && with_something >= 5 && lies >= 20 && claims >= 500 && meanwhile >= 100);
}

#[test]
fn a_small_swarm_without_sabotage_is_well() {
    let crash = vec![(3 * SECOND, Fault::Crash(HostId(2))), (5 * SECOND, Fault::Start(HostId(2)))];
    let plan = small(Manners::Honest, crash);
    assert_eq!(wrong(&plan, Sabotage::None), "");
}

#[test]
fn a36_clocks_that_jump_disturb_nobody() {
    let naps = (0..4).map(|host| (Duration::from_millis(1500 + 700 * host as u64), Fault::Nap(HostId(host))));
    let plan = small(Manners::Honest, naps.collect());
    let outcome = run(&plan, Sabotage::None);
    assert_eq!(judge(&plan, &outcome), "");
    // Nobody took the hour for a reason to begin anew, or to give anybody up for long.
    assert!(outcome.ended < 30 * SECOND, "{:?}", outcome.ended);
}

#[test]
fn a_lie_that_is_believed_is_found() {
    assert!(
        wrong(&small(Manners::Honest, Vec::new()), Sabotage::Believe)
            .contains("wrong bytes under the final name")
    );
}

#[test]
fn a_restart_that_begins_anew_is_found() {
    let crash = vec![(6 * SECOND, Fault::Crash(HostId(2))), (7 * SECOND, Fault::Start(HostId(2)))];
    let found = wrong(&small(Manners::Honest, crash), Sabotage::Forget);
    assert!(found.contains("fetched again what was durable"), "{found}");
}

#[test]
fn a_leecher_that_never_completes_is_found() {
    let others = [0, 1, 3].map(HostId);
    let cut = others.map(|other| (SECOND, Fault::Partition(HostId(2), other)));
    let mended = others.map(|other| (3 * SECOND, Fault::Repair(HostId(2), other)));
    let plan = small(Manners::Honest, [cut, mended].concat());
    assert_eq!(wrong(&plan, Sabotage::None), "", "the control: it completes");
    let found = wrong(&plan, Sabotage::NeverRepair);
    assert!(found.contains("leecher-2 is not complete") && !found.contains("leecher-3"), "{found}");
}

#[test]
fn a_claim_without_a_chunk_is_found() {
    let found = wrong(&small(Manners::Brags, Vec::new()), Sabotage::None);
    assert!(found.contains("HostId(1) claims chunk"), "{found}");
}

#[test]
fn a_liar_that_is_asked_again_is_found() {
    let mut plan = small(Manners::Honest, Vec::new());
    plan.hosts.push(Role::Seed(Manners::Lies));
    let mut outcome = run(&plan, Sabotage::None);
    assert_eq!(judge(&plan, &outcome), "");
    let (host, liar) = (HostId(2), outcome.addresses[&HostId(4)]);
    let lied = outcome.facts.lied_to[&outcome.addresses[&host]];
    outcome.facts.asked.push(Asked {
        at: lied + 5 * SECOND,
        host,
        life: 1,
        to: liar,
        hash: String::new(),
        back: false,
    });
    assert!(judge(&plan, &outcome).contains("asked the liar again"));
}

#[test]
fn a_tracker_that_does_not_hear_of_everybody_is_found() {
    let mut plan =
        small(Manners::Honest, vec![(SECOND, Fault::Crash(TRACKER)), (9 * SECOND, Fault::Start(TRACKER))]);
    plan.kind = Kind::Returning;
    let mut outcome = run(&plan, Sabotage::None);
    assert_eq!(judge(&plan, &outcome), "");
    outcome.facts.listed.iter_mut().for_each(|(_, list)| _ = list.pop_first());
    assert!(judge(&plan, &outcome).contains("the tracker came back"));
}
