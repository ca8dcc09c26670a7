//! The named scenarios: what the mission describes, and what else must not stop a swarm.

use std::time::Duration;

use crate::Permille;
use crate::experiment::{
    Conduct, Expectation, Fault, Group, Happening, Pace, Portion, Scenario, Traits, Trigger, WayIn,
};

/// Part of the progress at which a tracker dies: everybody has begun, nobody is near the end.
const EARLY: Trigger = Trigger::Progress(Permille::new(200));
/// Part of the progress at which it returns, or latecomers come.
const LATER: Trigger = Trigger::Progress(Permille::new(400));

/// Every scenario, in the order in which they are run.
pub fn catalogue() -> Vec<Scenario> {
    vec![
        calm(),
        tracker_dies_half_on_dht(),
        only_seed_dies(),
        tracker_dies_all_on_dht(),
        churn(),
        liars(),
        slow(),
        tracker_restarts(),
        no_tracker(),
        behind_proxy(),
    ]
}

/// The scenario of this name.
pub fn by_name(name: &str) -> Option<Scenario> {
    catalogue().into_iter().find(|scenario| scenario.name == name)
}

fn everybody(traits: &Traits) -> Vec<Group> {
    vec![Group { portion: Portion::Rest, traits: traits.clone() }]
}

fn on_dht() -> Traits {
    Traits { dht: true, ..Traits::default() }
}

fn calm() -> Scenario {
    Scenario {
        name: "calm",
        about: "nothing goes wrong",
        tracker: true,
        seed: Traits::default(),
        groups: everybody(&Traits::default()),
        timeline: Vec::new(),
        expectation: Expectation { tracker_knows_everyone: true },
    }
}

fn tracker_dies_half_on_dht() -> Scenario {
    Scenario {
        name: "tracker-dies-half-on-dht",
        about: "the tracker dies while half the clients are on the DHT",
        seed: on_dht(),
        groups: vec![
            Group { portion: Portion::Share(Permille::new(500)), traits: on_dht() },
            Group { portion: Portion::Rest, traits: Traits::default() },
        ],
        timeline: vec![Happening::Once(EARLY, Fault::TrackerDies)],
        expectation: Expectation::default(),
        ..calm()
    }
}

fn only_seed_dies() -> Scenario {
    // The seed sends each chunk once and much faster than the others pass them on: it dies early on their way.
    let passing_on = Traits { pace: Pace::up(Duration::from_secs(8)), ..on_dht() };
    Scenario {
        name: "only-seed-dies",
        about: "the only complete client dies once every chunk exists somewhere else",
        seed: Traits { pace: Pace::up(Duration::from_secs(1)), ..on_dht() },
        groups: everybody(&passing_on),
        timeline: vec![Happening::Once(Trigger::EveryChunkElsewhere, Fault::SeedDies)],
        expectation: Expectation::default(),
        ..calm()
    }
}

fn tracker_dies_all_on_dht() -> Scenario {
    let late = Traits { way_in: WayIn::Dht, arrival: LATER, ..on_dht() };
    Scenario {
        name: "tracker-dies-all-on-dht",
        about: "the tracker dies while everybody is on the DHT; some come only after its death",
        seed: on_dht(),
        groups: vec![
            Group { portion: Portion::Share(Permille::new(250)), traits: late },
            Group { portion: Portion::Rest, traits: on_dht() },
        ],
        timeline: vec![Happening::Once(EARLY, Fault::TrackerDies)],
        expectation: Expectation::default(),
        ..calm()
    }
}

fn churn() -> Scenario {
    Scenario {
        name: "churn",
        about: "every client is killed (SIGKILL) and started again, all the time",
        groups: everybody(&on_dht()),
        timeline: vec![Happening::Churn { deaths: 3 }],
        ..calm()
    }
}

fn liars() -> Scenario {
    let liar = Traits { conduct: Conduct::Liar, ..Traits::default() };
    Scenario {
        name: "liars",
        about: "three in ten clients send wrong bytes",
        groups: vec![
            Group { portion: Portion::Share(Permille::new(300)), traits: liar },
            Group { portion: Portion::Rest, traits: Traits::default() },
        ],
        ..calm()
    }
}

fn slow() -> Scenario {
    /// A copy in this time is fast; twenty times as long is slow.
    const FAST: Duration = Duration::from_millis(500);
    let fast = Traits { pace: Pace::both(FAST), ..Traits::default() };
    let slow = Traits { pace: Pace::both(FAST.saturating_mul(20)), ..Traits::default() };
    Scenario {
        name: "slow",
        about: "one client in four has a link of a twentieth",
        seed: fast.clone(),
        groups: vec![
            Group { portion: Portion::Share(Permille::new(250)), traits: slow },
            Group { portion: Portion::Rest, traits: fast },
        ],
        ..calm()
    }
}

fn tracker_restarts() -> Scenario {
    Scenario {
        name: "tracker-restarts",
        about: "the tracker dies, is there again with an empty memory, and knows everybody again",
        timeline: vec![
            Happening::Once(EARLY, Fault::TrackerDies),
            Happening::Once(LATER, Fault::TrackerReturns),
        ],
        ..calm()
    }
}

fn no_tracker() -> Scenario {
    let by_dht = Traits { way_in: WayIn::Dht, ..on_dht() };
    let by_peer = Traits { way_in: WayIn::Peer, ..on_dht() };
    Scenario {
        name: "no-tracker",
        about: "there is no tracker: each knows one node of the DHT, or one other client, and no more",
        tracker: false,
        seed: on_dht(),
        groups: vec![
            Group { portion: Portion::Share(Permille::new(250)), traits: by_peer },
            Group { portion: Portion::Rest, traits: by_dht },
        ],
        expectation: Expectation::default(),
        ..calm()
    }
}

fn behind_proxy() -> Scenario {
    let proxied = Traits { proxy: true, ..Traits::default() };
    Scenario {
        name: "behind-proxy",
        about: "everybody stands behind a reverse proxy, under a path of it",
        seed: proxied.clone(),
        groups: everybody(&proxied),
        ..calm()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_is_documented_and_each_is_found() {
        let names: Vec<&str> = catalogue().iter().map(|scenario| scenario.name).collect();
        assert_eq!(
            names,
            [
                "calm",
                "tracker-dies-half-on-dht",
                "only-seed-dies",
                "tracker-dies-all-on-dht",
                "churn",
                "liars",
                "slow",
                "tracker-restarts",
                "no-tracker",
                "behind-proxy"
            ]
        );
        assert!(names.iter().all(|name| by_name(name).is_some_and(|found| found.name == *name)));
        assert!(by_name("all").is_none());
    }
}
