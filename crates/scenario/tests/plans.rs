//! Plans: the same seed gives the same one, and what is due comes when it is due, once.

#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

use proptest::prelude::*;
use scenario::{
    Action, Conduct, Director, Facts, MemberId, Moment, Permille, Plan, PlanError, Setting, by_name,
    catalogue,
};

const SIZE: u64 = 16 << 20;

fn plan(name: &str, clients: usize, seed: u64) -> Plan {
    Plan::new(&by_name(name).unwrap(), Setting { clients, size: SIZE, seed }).unwrap()
}

fn facts(shares: &[u16]) -> Facts {
    let shares = std::iter::once(&1000).chain(shares);
    Facts { shares: shares.map(|share| Permille::new(*share)).collect(), every_chunk_elsewhere: false }
}

fn due(director: &mut Director, facts: &Facts) -> Vec<Action> {
    director.due(facts).into_iter().map(|due| due.action).collect()
}

#[test]
fn three_in_ten_lie_and_one_in_four_is_slow_whatever_the_number() {
    let liars = |clients| {
        let plan = plan("liars", clients, 7);
        assert_eq!(plan.members[0].traits.conduct, Conduct::Honest, "the seed");
        plan.members.iter().filter(|member| member.traits.conduct == Conduct::Liar).count()
    };
    assert_eq!([2, 3, 8, 10, 100].map(liars), [1, 1, 2, 3, 30]);
    let slow = |clients| {
        let plan = plan("slow", clients, 7);
        plan.members.iter().filter(|member| member.traits.in_words().contains(&"slow")).count()
    };
    assert_eq!([2, 4, 8, 100].map(slow), [1, 1, 2, 25]);
}

#[test]
fn a_step_is_due_once_when_its_moment_has_come() {
    let plan = plan("tracker-restarts", 2, 1);
    let mut director = Director::new(&plan);
    assert_eq!(due(&mut director, &facts(&[300, 90])), []);
    assert_eq!(due(&mut director, &facts(&[300, 100])), [Action::KillTracker]);
    assert_eq!(due(&mut director, &facts(&[300, 100])), []);
    assert!(!director.is_done());
    assert_eq!(due(&mut director, &facts(&[1000, 0])), [Action::StartTracker]);
    assert!(director.is_done());
}

#[test]
fn late_looks_do_everything_in_its_order() {
    let plan = plan("tracker-restarts", 2, 1);
    let mut director = Director::new(&plan);
    assert_eq!(due(&mut director, &facts(&[900, 900])), [Action::KillTracker, Action::StartTracker]);
}

#[test]
fn the_seed_dies_once_every_chunk_is_elsewhere() {
    let plan = plan("only-seed-dies", 2, 1);
    let mut director = Director::new(&plan);
    assert_eq!(due(&mut director, &facts(&[999, 999])), []);
    let elsewhere = Facts { every_chunk_elsewhere: true, ..facts(&[500, 600]) };
    assert_eq!(due(&mut director, &elsewhere), [Action::Kill(MemberId::SEED)]);
}

#[test]
fn one_death_of_a_member_is_due_at_a_time() {
    let plan = plan("churn", 2, 3);
    let mut director = Director::new(&plan);
    let one = Action::Restart(MemberId::at(1));
    // Two moments passed between two looks: it dies, and dies again when it is seen alive.
    assert_eq!(due(&mut director, &facts(&[999, 0])), [one]);
    assert_eq!(due(&mut director, &facts(&[999, 0])), [one]);
}

#[test]
fn latecomers_come_after_the_trackers_death() {
    let plan = plan("tracker-dies-all-on-dht", 8, 3);
    let late = plan.ids().filter(|id| !plan.is_early(*id)).count();
    assert_eq!(late, 2);
    let mut director = Director::new(&plan);
    let all = |share: u16| facts(&[share; 8]);
    assert_eq!(due(&mut director, &all(200)), [Action::KillTracker]);
    assert_eq!(due(&mut director, &all(400)).len(), late);
}

#[test]
fn what_is_out_of_bounds_is_refused() {
    let checked = |clients, size| Setting { clients, size, seed: 0 }.checked().map(drop);
    assert_eq!(checked(8, SIZE), Ok(()));
    assert_eq!(checked(1, SIZE), Err(PlanError::Clients(1)));
    assert_eq!(checked(201, SIZE), Err(PlanError::Clients(201)));
    assert_eq!(checked(8, 1), Err(PlanError::Size(1)));
    assert_eq!(checked(8, 17 << 30), Err(PlanError::Size(17 << 30)));
    assert_eq!(checked(100, 16 << 30), Err(PlanError::Bytes(101 * (16 << 30))));
}

proptest! {
    #[test]
    fn the_same_seed_gives_the_same_plan(seed: u64, clients in 2..40usize, at in 0..10usize) {
        let scenario = &catalogue()[at];
        let setting = Setting { clients, size: SIZE, seed };
        let (one, two) = (Plan::new(scenario, setting).unwrap(), Plan::new(scenario, setting).unwrap());
        prop_assert_eq!(format!("{one:?}"), format!("{two:?}"));
        prop_assert_eq!(one.members.len(), clients + 1);
    }

    #[test]
    fn every_step_can_come_in_the_middle(seed: u64, clients in 2..40usize, at in 0..10usize) {
        let plan = Plan::new(&catalogue()[at], Setting { clients, size: SIZE, seed }).unwrap();
        for step in &plan.steps {
            if let Moment::Swarm(share) | Moment::Of(_, share) = step.when {
                prop_assert!(share > Permille::NONE && share < Permille::new(900), "{step:?}");
            }
        }
        // Nobody waits for himself: those who are there from the start bring about every share that is waited for.
        let early = plan.ids().skip(1).filter(|id| plan.is_early(*id)).count() as u64;
        let reachable = Permille::of(early, clients as u64);
        prop_assert!(plan.steps.iter().all(|step| !matches!(step.when, Moment::Swarm(share) if share >= reachable)));
    }

    #[test]
    fn a_churn_differs_from_seed_to_seed(seed: u64) {
        let (one, two) = (plan("churn", 8, seed), plan("churn", 8, seed.wrapping_add(1)));
        prop_assert_ne!(format!("{:?}", one.steps), format!("{:?}", two.steps));
    }
}
