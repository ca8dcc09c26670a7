//! Power losses and kills, at every operation.

use proptest::prelude::*;

use super::job::{Job, Life, RIGHT_ORDER, jobs};
use crate::Opened;
use crate::disk::Disk;
use crate::disk::memory::{Dice, Fault, MemoryDisk};
use crate::partial::Step;

/// What all crash tests together must have tried at least: a harness that cuts nowhere proves nothing.
const LEAST_CUTS: usize = 5_000;

/// Stops a life at its `at`th change and opens what is left; `None` when the life was over before.
fn cut(
    job: &Job,
    start: &MemoryDisk,
    at: usize,
    order: [Step; 2],
    seed: u64,
) -> Option<(MemoryDisk, Life, Dice)> {
    let mut dice = Dice(seed);
    let disk = start.after_kill();
    disk.set_fault(Fault::Stop { at });
    let life = job.live(&disk, order, &mut dice);
    disk.is_stopped().then_some((disk, life, dice))
}

/// Cuts a life at every change with several subsets each. Returns the number of cuts and the violations.
pub(super) fn cut_everywhere(job: &Job, start: &MemoryDisk, order: [Step; 2]) -> (usize, Vec<String>) {
    let (mut cuts, mut violations) = (0, Vec::new());
    for at in 1.. {
        for seed in 0..job.subsets {
            let Some((disk, life, mut dice)) = cut(job, start, at, order, seed) else {
                return (cuts, violations);
            };
            cuts += 1;
            let after = disk.after_power_loss(&mut dice);
            if let Err(violation) = job.check(&after, &life, &mut dice) {
                violations.push(format!("{}: cut at {at}, seed {seed}: {violation}", job.name));
            }
        }
    }
    unreachable!("a life ends")
}

/// Cuts a life at every change, by a kill or a power loss, and the next life somewhere, by a power loss.
fn cut_twice(job: &Job, start: &MemoryDisk) -> (usize, Vec<String>) {
    let (mut cuts, mut violations) = (0, Vec::new());
    for at in 1.. {
        for seed in 0..job.subsets {
            let Some((disk, first, mut dice)) = cut(job, start, at, RIGHT_ORDER, seed) else {
                return (cuts, violations);
            };
            let killed = seed % 2 == 0;
            let between = if killed { disk.after_kill() } else { disk.after_power_loss(&mut dice) };
            let second_at = 1 + dice.roll(12);
            between.set_fault(Fault::Stop { at: second_at });
            // Perhaps it ends before that; then the power fails just afterwards.
            let mut second = job.live(&between, RIGHT_ORDER, &mut dice);
            cuts += 1;
            for chunk in first.durable.difference(&second.given_up) {
                second.durable.insert(chunk);
            }
            second.finished |= first.finished;
            let after = between.after_power_loss(&mut dice);
            if let Err(violation) = job.check(&after, &second, &mut dice) {
                let how = if killed { "kill" } else { "power loss" };
                violations
                    .push(format!("{}: {how} at {at}, then {second_at}, seed {seed}: {violation}", job.name));
            }
        }
    }
    unreachable!("a life ends")
}

#[test]
fn a35_a_crash_at_any_operation_loses_at_most_the_unsynced_group() {
    let (mut cuts, mut violations) = (0, Vec::new());
    let mut take = |(more, found): (usize, Vec<String>)| {
        cuts += more;
        violations.extend(found);
        more
    };
    for job in &jobs() {
        let mut here = take(cut_everywhere(job, &Job::fresh_disk(), RIGHT_ORDER));
        here += take(cut_twice(job, &Job::fresh_disk()));
        // A crash may take a copy that nobody synced; that is not what these look at.
        let brought = job.brought_disk();
        brought.sync_everything().unwrap();
        here += take(cut_everywhere(job, &brought, RIGHT_ORDER));
        if job.torrent.chunk_count() > 1 {
            let copied = job.copied_disk();
            copied.sync_everything().unwrap();
            here += take(cut_everywhere(job, &copied, RIGHT_ORDER));
            here += take(cut_twice(job, &copied));
        }
        println!("{}: {here} cut points", job.name);
    }
    println!("{cuts} cut points in all");
    assert!(violations.is_empty(), "{} of {cuts}:\n{}", violations.len(), violations.join("\n"));
    assert!(cuts >= LEAST_CUTS, "only {cuts} cut points");
}

#[test]
fn a35_what_came_by_other_hands_is_durable_before_the_journal_speaks_for_it() {
    for job in jobs().iter().filter(|job| job.torrent.chunk_count() > 1) {
        for seed in 0..20 {
            let mut dice = Dice(seed);
            for disk in [job.brought_disk(), job.copied_disk()] {
                let mut life = Life { finished: true, ..Life::new(job) };
                if let Opened::Partial(partial) = job.open(&disk).unwrap() {
                    (life.durable, life.finished) = (partial.have(), false);
                    assert!(!life.durable.is_empty());
                }
                let after = disk.after_power_loss(&mut dice);
                assert_eq!(job.check(&after, &life, &mut dice), Ok(()), "{}", job.name);
            }
        }
    }
}

proptest! {
    /// Any chain of lives, each ended by a kill or a power loss somewhere.
    #[test]
    fn a35_any_chain_of_crashes_is_survived(
        which in 0..jobs().len(),
        lives in proptest::collection::vec((1..40usize, any::<bool>()), 1..6),
        seed in any::<u64>(),
    ) {
        let job = &jobs()[which];
        let mut dice = Dice(seed);
        let mut disk = Job::fresh_disk();
        for (at, killed) in lives {
            disk.set_fault(Fault::Stop { at });
            let life = job.live(&disk, RIGHT_ORDER, &mut dice);
            disk = if killed { disk.after_kill() } else { disk.after_power_loss(&mut dice) };
            let checked = job.check(&disk.after_kill(), &life, &mut dice);
            prop_assert!(checked.is_ok(), "{:?}", checked);
        }
    }
}
