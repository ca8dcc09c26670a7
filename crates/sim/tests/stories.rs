//! A thousand small stories: whatever comes, dies, lies and refuses, the invariants hold after every event, and whoever
//! stays becomes complete as long as the living hold everything.

#![expect(clippy::print_stderr, reason = "a failure says how to see it again")]

use std::env;

use scenario::rollout::{Conduct, Outcome, Role, Rollout};
use sim::{Checks, Settings, run, story};

/// How many stories, unless `SIM_STORIES` says otherwise.
const STORIES: u64 = 1000;

/// Says how to see one story again when it fails, however it does.
struct Replay(u64);

impl Drop for Replay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "replay: SIM_STORY={} cargo test -p sim --test stories one_story -- --nocapture",
                self.0
            );
        }
    }
}

fn tell(number: u64) -> (Rollout, Outcome) {
    let _replay = Replay(number);
    let rollout = story(number);
    let outcome = run(&rollout, &everything(&rollout));
    check(&rollout, &outcome);
    (rollout, outcome)
}

fn everything(rollout: &Rollout) -> Settings {
    Settings { checks: Checks::Everything, ..Settings::shipped(rollout.chunk_bytes) }
}

/// Everyone who stays finishes, unless nobody who could give the rest is left.
fn check(rollout: &Rollout, outcome: &Outcome) {
    let gives = |group: usize| {
        let group = &rollout.groups[group];
        group.conduct == Conduct::Honest && group.dialable
    };
    let somebody_has_all = outcome
        .peers
        .iter()
        .any(|peer| gives(peer.group) && !peer.gone && (peer.role == Role::Seed || peer.finished.is_some()));
    if somebody_has_all {
        assert_eq!(outcome.unfinished(), 0, "somebody has everything, and some do not finish: {rollout:#?}");
    }
    let received: u64 = outcome.peers.iter().map(|peer| peer.received).sum();
    let sent: u64 = outcome.peers.iter().map(|peer| peer.sent).sum();
    assert_eq!(received, sent, "what is sent is received");
}

/// Every fourth story, from this one on: four tests, so that they run side by side.
fn tell_every_fourth_from(first: u64) {
    let count = env::var("SIM_STORIES").ok().and_then(|count| count.parse().ok()).unwrap_or(STORIES);
    for number in (first..count).step_by(4) {
        tell(number);
    }
}

#[test]
fn a_thousand_stories_end_well_the_first_of_four() {
    tell_every_fourth_from(0);
}

#[test]
fn a_thousand_stories_end_well_the_second_of_four() {
    tell_every_fourth_from(1);
}

#[test]
fn a_thousand_stories_end_well_the_third_of_four() {
    tell_every_fourth_from(2);
}

#[test]
fn a_thousand_stories_end_well_the_last_of_four() {
    tell_every_fourth_from(3);
}

#[test]
fn one_story_is_the_same_story_to_the_event() {
    let number = env::var("SIM_STORY").ok().and_then(|number| number.parse().ok()).unwrap_or(7);
    let (rollout, outcome) = tell(number);
    let again = run(&rollout, &everything(&rollout));
    assert_eq!((outcome.events, outcome.trace), (again.events, again.trace));
    let other = story(number + 1);
    assert_ne!(outcome.trace, run(&other, &everything(&other)).trace, "another number is another story");
    println!("{rollout:#?}\n{outcome:#?}");
}
