//! The crash test can fail: with the wrong order, or a disk that does not sync, it finds what goes wrong.

use super::crashes::cut_everywhere;
use super::job::{Job, RIGHT_ORDER};
use crate::disk::memory::{Dice, Fault};
use crate::partial::Step;

#[test]
fn the_journal_before_the_data_is_caught() {
    let job = Job::file("wrong order", 16 * 9);
    let (cuts, violations) = cut_everywhere(&job, &Job::fresh_disk(), [Step::Journal, Step::Data]);
    assert!(cuts > 100, "only {cuts} cut points");
    assert!(violations.iter().any(|found| found.contains("is claimed and wrong")), "{violations:?}");
}

#[test]
fn a_journal_without_the_data_is_caught_in_the_final_place() {
    let job = Job::file("no data sync", 16 * 9);
    let (_, violations) = cut_everywhere(&job, &Job::fresh_disk(), [Step::Journal, Step::Journal]);
    assert!(
        violations.iter().any(|found| found.contains("in the final place and is wrong")),
        "{violations:?}"
    );
}

/// Lives to the end on a disk that only says it synced, then the power fails.
fn violations_after(fault: Fault) -> Vec<String> {
    let job = Job::folder("deaf", &[("a/b", 40), ("c", 20)]);
    let violations = (0..50).filter_map(|seed| {
        let mut dice = Dice(seed);
        let disk = Job::fresh_disk();
        disk.set_fault(fault);
        let life = job.live(&disk, RIGHT_ORDER, &mut dice);
        assert!(life.finished, "{life:?}");
        job.check(&disk.after_power_loss(&mut dice), &life, &mut dice).err()
    });
    violations.collect()
}

#[test]
fn missing_syncs_are_caught() {
    assert!(!violations_after(Fault::DeafToData).is_empty());
    assert!(!violations_after(Fault::DeafToNames).is_empty());
    assert_eq!(violations_after(Fault::None), [""; 0]);
}
