//! `bench tracker`: a hundredth of everything, over loopback, on a tracker of its own and on one that runs already.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::collections::BTreeMap;

use serde_json::Value;
use support::{Finished, Running, folder, run, run_well};

/// The figures by case.
fn figures(finished: &Finished) -> BTreeMap<String, Value> {
    let events = finished.events("load");
    assert_eq!(events.len(), finished.stdout.lines().count(), "nothing else on stdout: {finished:#?}");
    events.into_iter().map(|event| (event["case"].as_str().unwrap().to_owned(), event)).collect()
}

#[test]
fn every_case_is_measured_and_nothing_is_refused() {
    let dir = folder();
    let words = ["bench", "tracker", "--small", "--peers", "20000", "--connections", "4", "--json"];
    let figures = figures(&run_well(dir.path(), words));
    // A case with a clock makes as many requests as the machine can in its time: one of each connection at least. The
    // others make one for everybody that they list.
    let listed = [
        ("announces", 200, 0, 4),
        ("look-ups", 1, 100, 4),
        ("described-hashes", 10, 1000, 10),
        ("announced", 200, 0, 200),
        ("burst", 50, 0, 50),
    ];
    assert_eq!(figures.len(), listed.len(), "{figures:#?}");
    for (case, peers, hashes, requests) in listed {
        let case = &figures[case];
        assert_eq!((case["listed"].as_u64(), case["refused"].as_u64()), (Some(peers), Some(0)), "{case}");
        assert_eq!(case["hashes_per_request"], hashes, "{case}");
        assert!(case["requests"].as_u64() >= Some(requests), "{case}");
        assert!(case["requests_per_s"].as_f64() > Some(0.0) && case["cpu_s"].is_f64(), "{case}");
        let time = |name: &str| case[name].as_f64().unwrap();
        assert!(0.0 < time("p50_ms") && time("p50_ms") <= time("p99_ms"), "{case}");
        assert!(time("p99_ms") <= time("longest_ms"), "{case}");
        assert!(case["resident_bytes"].as_u64() > Some(1 << 20), "{case}");
    }
    assert_eq!(figures["announces"]["peers_in_answer"], 50, "{figures:#?}");
    assert_eq!(figures["burst"]["requests"], 50, "each peer announces once");
}

#[test]
fn a_tracker_that_runs_is_measured_as_it_is() {
    let dir = folder();
    let mut tracker = Running::start(dir.path(), ["tracker", "0", "--bind", "127.0.0.1", "--max-peers", "7"]);
    let url = tracker.url("tracker");
    let bench = |case: &str| {
        let words = ["bench", "tracker", "--small", "--url", &url, "--case", case, "--json"];
        run(dir.path(), words)
    };
    let described = bench("look-ups");
    assert_eq!(described.code, Some(0), "{described:#?}");
    let figures = described.event("load");
    assert!(figures["cpu_s"].is_null() && figures["resident_bytes"].is_null(), "{figures}");
    // It lists seven peers and no more, which is no measurement of two hundred.
    let native = bench("announces");
    assert_eq!(
        (native.code, native.event("error")["kind"].as_str()),
        (Some(5), Some("refused")),
        "{native:#?}"
    );
    assert!(native.stderr.contains("the tracker is full"), "{native:#?}");
    assert!(tracker.runs(), "it is not ours to end");
    tracker.stop();
    assert_eq!(bench("look-ups").code, Some(3), "nobody listens there now");
}

#[test]
fn people_get_a_table() {
    let dir = folder();
    let finished = run_well(dir.path(), ["bench", "tracker", "--small", "--case", "look-ups"]);
    for row in ["look-ups: 1 listed", "a second", "hashes", "half within", "memory"] {
        assert!(finished.stdout.contains(row), "{finished:#?}");
    }
}
