//! `stress-test` itself: small runs of it are good, a broken client makes it fail, and nothing that it starts outlives it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use support::{Finished, Running, folder, program, run, run_well, wait_for};

/// `stress-test` with its temporary folder in `dir`.
fn stress(dir: &Path, words: &[&str]) -> Command {
    let mut command = program(dir, ["stress-test", "--json"].iter().chain(words));
    command.env("TMPDIR", dir);
    command
}

fn ended_well(dir: &Path, words: &[&str]) -> Finished {
    let finished = Running::spawn(stress(dir, words)).finished();
    assert_eq!(finished.code, Some(0), "{finished:#?}");
    assert!(leftovers(dir).is_empty(), "{:?}", leftovers(dir));
    finished
}

/// What a run has left in its temporary folder.
fn leftovers(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("http-torrent-stress-")).collect()
}

/// A process: its id, and when it started, so that a later one of the same id is not taken for it.
type Birth = (u32, String);

/// Fields of /proc/{id}/stat after the name, which may hold anything (`man proc_pid_stat`); `None` when it is gone.
fn stat(id: u32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let fields: Vec<String> = stat.rsplit_once(") ")?.1.split(' ').map(str::to_owned).collect();
    (fields[0] != "Z").then_some(fields)
}

fn birth(id: u32) -> Option<Birth> {
    Some((id, stat(id)?[19].clone()))
}

/// The children of a process.
fn children(parent: u32) -> BTreeSet<Birth> {
    let ids =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    let ours = ids.filter(|id| stat(*id).is_some_and(|fields| fields[1] == parent.to_string()));
    ours.filter_map(birth).collect()
}

fn all_gone(births: &BTreeSet<Birth>) -> bool {
    births.iter().all(|(id, began)| birth(*id).is_none_or(|(_, now)| now != *began))
}

/// Waits until everybody downloads; gives the processes that were seen meanwhile.
fn in_the_middle(running: &mut Running) -> BTreeSet<Birth> {
    let mut seen = BTreeSet::new();
    loop {
        let swarm = running.event("swarm");
        seen.extend(children(running.id()));
        let clients = swarm["clients"].as_array().unwrap();
        if clients.iter().all(|held| held.as_u64() > Some(0)) {
            return seen;
        }
    }
}

#[test]
fn the_list_names_every_scenario_and_an_unknown_one_is_wrong_usage() {
    let dir = folder();
    let list = run_well(dir.path(), ["stress-test", "--scenario", "list"]).stdout;
    for name in
        ["calm", "tracker-dies-half-on-dht", "only-seed-dies", "tracker-dies-all-on-dht", "behind-proxy"]
    {
        assert!(list.lines().any(|line| line.starts_with(&format!("{name} "))), "{list}");
    }
    for wrong in [
        &["stress-test", "--scenario", "clam"][..],
        &["stress-test", "--clients", "1"],
        &["stress-test", "--clients", "201"],
        &["stress-test", "--size", "1K"],
        &["stress-test", "--report", "report.txt"],
    ] {
        assert_eq!(run(dir.path(), wrong).code, Some(2), "{wrong:?}");
    }
    assert_eq!(run(dir.path(), ["stress-test", "--report", "no/such/folder/report.json"]).code, Some(6));
}

#[test]
fn a_calm_run_ends_well_and_reports_every_figure() {
    let dir = folder();
    let words =
        ["--scenario", "calm", "--clients", "3", "--size", "1M", "--seed", "7", "--report", "report.json"];
    let finished = ended_well(dir.path(), &words);
    assert_eq!(finished.event("verdict")["ok"], true);
    let report: Value = serde_json::from_slice(&fs::read(dir.path().join("report.json")).unwrap()).unwrap();
    let clients = report["runs"][0]["clients"].as_array().unwrap();
    assert_eq!((report["seed"].as_u64(), clients.len()), (Some(7), 4));
    for client in &clients[1..] {
        let from = |source: &str| client["sources"][source].as_u64().unwrap();
        assert_eq!(from("seed") + from("peer") + from("cache") + from("local"), 1 << 20, "{client}");
        assert!(client["finish"].as_f64() > client["start"].as_f64(), "{client}");
    }
}

#[test]
fn the_only_seed_dies_and_the_page_shows_it() {
    let dir = folder();
    let words = ["--scenario", "only-seed-dies", "--clients", "3", "--size", "1M", "--report", "report.html"];
    let finished = ended_well(dir.path(), &words);
    let fault = finished.event("fault");
    assert_eq!(fault["what"], "seed is killed");
    assert!(fault["permille"].as_u64() < Some(1000), "{fault}");
    let page = fs::read_to_string(dir.path().join("report.html")).unwrap();
    assert!(page.contains("seed killed") && page.contains("</html>"));
}

#[test]
fn a08_liars_are_asked_and_every_download_completes() {
    let dir = folder();
    let words = ["--scenario", "liars", "--clients", "3", "--size", "1M", "--report", "report.json"];
    ended_well(dir.path(), &words);
    let report: Value = serde_json::from_slice(&fs::read(dir.path().join("report.json")).unwrap()).unwrap();
    let lies = |client: &Value| client["falsified"].as_u64().unwrap();
    assert!(report["runs"][0]["clients"].as_array().unwrap().iter().map(lies).sum::<u64>() > 0);
}

#[test]
fn an_interrupt_leaves_no_process_and_no_folder_behind() {
    for signal in ["INT", "TERM", "HUP"] {
        let dir = folder();
        let mut running = Running::spawn(stress(dir.path(), &["--scenario", "churn", "--clients", "4"]));
        let mut seen = in_the_middle(&mut running);
        seen.extend(children(running.id()));
        assert!(seen.len() >= 6, "a tracker, a seed and four clients: {seen:?}");
        running.signal(signal);
        let finished = running.finished();
        assert_eq!((finished.code, finished.event("error")["kind"].as_str()), (Some(1), Some("interrupted")));
        assert!(all_gone(&seen), "{signal}: {seen:?}");
        assert!(leftovers(dir.path()).is_empty(), "{:?}", leftovers(dir.path()));
    }
}

#[test]
fn nothing_outlives_a_run_that_is_killed_itself() {
    let dir = folder();
    let mut running = Running::spawn(stress(dir.path(), &["--scenario", "calm", "--clients", "4"]));
    let seen = in_the_middle(&mut running);
    running.kill();
    wait_for("everybody to be gone", || all_gone(&seen).then_some(()));
}

#[test]
fn a_client_that_dies_unplanned_makes_it_fail_and_its_log_is_kept() {
    let dir = folder();
    let mut running =
        Running::spawn(stress(dir.path(), &["--scenario", "calm", "--clients", "3", "--seed", "9"]));
    let seen = in_the_middle(&mut running);
    let victim = seen.iter().find(|(id, _)| {
        fs::read(format!("/proc/{id}/cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).contains("/client-2\0"))
    });
    let victim = victim.expect("client-2 is among the children").0.to_string();
    assert!(Command::new("kill").args(["-s", "KILL", &victim]).status().unwrap().success());
    let finished = running.finished();
    assert_eq!(finished.code, Some(1), "{finished:#?}");
    let verdict = finished.event("verdict");
    let failures = verdict["failures"].as_array().unwrap();
    let early = failures.iter().find(|failure| failure["what"] == "it ended by itself").unwrap();
    assert_eq!((early["who"].as_str(), early["why"].as_str()), (Some("client-2"), Some("signal 9")));
    assert!(failures.iter().all(|failure| failure["who"] == "client-2"), "{failures:?}");
    assert!(Path::new(early["log"].as_str().unwrap()).is_file(), "{early}");
    let next = finished.event("error")["next"].as_str().unwrap().to_owned();
    assert!(next.contains("--scenario calm --clients 3 --size 16M --seed 9"), "{next}");
    wait_for("the others to be gone", || all_gone(&seen).then_some(()));
}
