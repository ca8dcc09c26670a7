//! The tracker is killed in the middle; whoever was there goes on, who comes later is let in by the DHT, and the tracker
//! that returns knows everyone again.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Instant;

use serde_json::Value;

use crate::support::{DEADLINE, LOCAL, Running, content, folder, http, run_well, wait_for};

/// Large enough that a limited seed needs some seconds for it.
const LENGTH: usize = 24 << 20;
/// What the seed may send: three copies in ten seconds.
const SEED: [&str; 2] = ["--limit-up", "8M"];
/// How long a tracker that returns may need to know everyone.
const KNOWN_AGAIN_S: u64 = 15;

fn client(dir: &Path, words: &[&str]) -> Running {
    Running::start(dir, ["client"].iter().chain(words).chain(&LOCAL))
}

fn tracker(dir: &Path, port: &str) -> (Running, String) {
    let mut tracker = Running::start(dir, ["tracker", port, "--bind", "127.0.0.1"]);
    let url = tracker.url("tracker");
    (tracker, url)
}

/// Where a process's DHT node is, as it must be given to another.
fn dht_address(process: &mut Running) -> String {
    process.url("dht").strip_prefix("udp://").unwrap().to_owned()
}

/// Waits until a download has `permille` of its content.
fn has(process: &mut Running, permille: u64) {
    let deadline = Instant::now() + DEADLINE;
    while Instant::now() < deadline {
        let progress = process.event("progress");
        if progress["bytes"].as_u64().unwrap() * 1_000 >= permille * progress["total"].as_u64().unwrap() {
            return;
        }
    }
    panic!("no progress: {}", process.said());
}

fn peers_known(tracker: &str, id: &str) -> BTreeSet<String> {
    let Ok(answer) = http::request("GET", &format!("{tracker}/torrent/{id}/peers"), &[], b"") else {
        return BTreeSet::new();
    };
    if answer.status != 200 {
        return BTreeSet::new();
    }
    let list = answer.json()["peers"].as_array().cloned().unwrap_or_default();
    list.iter().map(|peer| peer["url"].as_str().unwrap().to_owned()).collect()
}

fn torrentify(dir: &Path, tracker: &str) -> Value {
    let tracker = tracker.strip_prefix("http://").unwrap();
    run_well(dir, ["torrentify", "seed/movie", tracker, "--chunk-size", "64K", "--json"]).event("link")
}

#[test]
fn the_tracker_dies_at_a_fifth_and_clients_that_come_after_its_death_complete() {
    let dir = folder();
    let original = content::bytes(LENGTH, 7);
    content::write(&dir.path().join("seed/movie"), &original);
    let (first_tracker, tracker_url) = tracker(dir.path(), "0");
    let described = torrentify(dir.path(), &tracker_url);
    let (link, id) = (described["link"].as_str().unwrap(), described["torrent_id"].as_str().unwrap());

    let on_dht = |to: &str| client(dir.path(), &["dht_enabled", "--dir", to]);
    let seed_words = ["has_file", "dht_enabled", "--dir", "seed"];
    let mut clients = vec![client(dir.path(), &[&seed_words[..], &SEED].concat())];
    clients.extend(["early-1", "early-2"].map(on_dht));
    let mut urls: BTreeSet<String> = clients.iter_mut().map(|client| client.url("client")).collect();
    let ways_in: Vec<String> = clients.iter_mut().map(dht_address).collect();

    has(&mut clients[1], 200);
    first_tracker.kill();

    // Only one of those that were there is named, and it is no seed.
    let bootstrap = ["--dht-bootstrap", ways_in[1].as_str()];
    let late_client = |to: &str| client(dir.path(), &[&["--dir", to][..], &bootstrap].concat());
    let late_get = |source: &str, to: &str| {
        let fixed = ["get", source, "-o", to, "--seed-time", "1h"];
        Running::start(dir.path(), fixed.iter().chain(&bootstrap).chain(&LOCAL))
    };
    let mut late = vec![late_client("late-1"), late_client("late-2")];
    late.push(late_get(link, "late-by-link"));
    late.push(late_get("torrent.json", "late-by-file"));
    urls.extend(late.iter_mut().map(|client| client.url("client")));
    clients.extend(late);
    for client in &mut clients[1..] {
        client.event("complete");
    }
    for to in ["early-1", "early-2", "late-1", "late-2", "late-by-link", "late-by-file"] {
        assert!(fs::read(dir.path().join(to).join("movie")).unwrap() == original, "{to}");
    }

    let returned = Instant::now();
    let port = tracker_url.rsplit(':').next().unwrap();
    let (_second_tracker, url) = tracker(dir.path(), port);
    assert_eq!(url, tracker_url);
    wait_for("the tracker to know everyone", || (peers_known(&url, id) == urls).then_some(()));
    let took = returned.elapsed();
    println!("the tracker that returned knew all {} again after {took:.1?}", urls.len());
    assert!(took.as_secs() < KNOWN_AGAIN_S, "{took:?}");
    assert_eq!(http::get(&format!("{url}/torrent/{id}")).status, 200, "and what it is");
}

#[test]
fn a_link_from_a_peer_in_the_dht_works_when_its_tracker_is_dead() {
    let dir = folder();
    content::write(&dir.path().join("seed/movie"), &content::bytes(1 << 20, 8));
    let (tracker, tracker_url) = tracker(dir.path(), "0");
    let described = torrentify(dir.path(), &tracker_url);
    let mut seed = client(dir.path(), &["has_file", "--dht-port", "0", "--dir", "seed"]);
    let way_in = dht_address(&mut seed);
    tracker.kill();
    let link = format!("{}?dht={way_in}", described["link"].as_str().unwrap());
    let got = run_well(dir.path(), ["get", &link, "-o", "got", "--json"].iter().copied().chain(LOCAL));
    assert_eq!(got.event("complete")["sources"]["seed"], 1 << 20);
    // Likewise a peer that is named, without any DHT.
    let peer = seed.said().lines().find_map(|line| line.strip_prefix("peer at ").map(str::to_owned)).unwrap();
    let plain = described["link"].as_str().unwrap();
    run_well(dir.path(), ["get", plain, "-o", "again", "--peer", &peer].iter().copied().chain(LOCAL));
}

#[test]
fn who_shares_in_the_dht_puts_it_into_the_link_and_getters_take_part() {
    let dir = folder();
    content::write(&dir.path().join("movie"), &content::bytes(8 << 20, 9));
    let flags = ["--dht-port", "0", "--limit-up", "4M"];
    let mut sharer = crate::support::Sharer::start_with(dir.path(), "movie", &flags);
    assert!(sharer.link.contains("?dht=127.0.0.1:"), "{}", sharer.link);
    let mut getter = sharer.start_get(dir.path(), "got", &["--seed-time", "1h"]);
    let way_in = dht_address(&mut getter);
    getter.event("complete");
    // The sharer, and its tracker with it, is gone; the link still leads to who has the file.
    assert!(sharer.process.runs());
    sharer.process.kill();
    let fixed = ["get", sharer.link.as_str(), "-o", "late", "--dht-bootstrap", &way_in, "--json"];
    let late = run_well(dir.path(), fixed.iter().copied().chain(LOCAL));
    assert_eq!(late.event("complete")["sources"]["seed"], 8 << 20);
}
