//! The mission's programs under their own words: tracker, torrentify, client.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use support::{LOCAL, Running, content, folder, http, run, run_well, wait_for};
use tempfile::TempDir;

struct World {
    dir: TempDir,
    tracker: Running,
    tracker_url: String,
}

impl World {
    fn new() -> Self {
        let dir = folder();
        let mut tracker = Running::start(dir.path(), ["tracker", "0", "--bind", "127.0.0.1"]);
        let tracker_url = tracker.url("tracker");
        World { dir, tracker, tracker_url }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Describes `seed/name` in `name.json`; gives the torrent id.
    fn describe(&self, name: &str, flags: &[&str]) -> String {
        let (content, tracker) = (format!("seed/{name}"), self.tracker_url.trim_start_matches("http://"));
        let file = format!("{name}.json");
        let fixed = ["torrentify", &content, tracker, "-o", &file, "--json"];
        let link = run_well(self.path(), fixed.iter().chain(flags)).event("link");
        link["torrent_id"].as_str().unwrap().to_owned()
    }

    fn client(&self, words: &[&str]) -> Running {
        Running::start(self.path(), ["client"].iter().chain(words).chain(&LOCAL))
    }

    fn peers(&self, id: &str) -> Vec<Value> {
        let answer = http::get(&format!("{}/torrent/{id}/peers", self.tracker_url));
        match answer.status {
            200 => answer.json()["peers"].as_array().cloned().unwrap_or_default(),
            _ => Vec::new(),
        }
    }
}

#[test]
fn a_seeder_and_a_leecher_as_the_mission_starts_them() {
    let world = World::new();
    content::write(&world.path().join("seed/f"), &content::bytes(500_000, 1));
    world.describe("f", &[]);
    // The default place of the description.
    fs::rename(world.path().join("f.json"), world.path().join("torrent.json")).unwrap();
    let mut seeder = world.client(&["has_file", "--dir", "seed"]);
    let first = seeder.line();
    assert!(first.contains(r#""event":"listening","role":"client""#), "{first}");
    assert_eq!(seeder.event("complete")["sources"]["local"], 500_000);
    let mut leecher = world.client(&["dht_enabled", "--dir", "leech"]);
    assert_eq!(leecher.event("complete")["sources"]["seed"], 500_000);
    assert!(leecher.stderr().contains("DHT node at udp://127.0.0.1:"), "{}", leecher.said());
    assert!(
        fs::read(world.path().join("leech/f")).unwrap() == fs::read(world.path().join("seed/f")).unwrap()
    );
    // Both go on until they are told to end, and have done what they were to do.
    assert!(leecher.runs() && seeder.runs());
    assert_eq!(
        (leecher.stop().code, seeder.stop().code, world.tracker.stop().code),
        (Some(0), Some(0), Some(0))
    );
}

#[test]
fn described_programs_find_a_chunk_through_the_tracker() {
    let world = World::new();
    let bytes = content::bytes(40_000, 2);
    content::write(&world.path().join("seed/f"), &bytes);
    world.describe("f", &["--hash", "sha1"]);
    let mut seeder = world.client(&["has_file", "--dir", "seed", "--torrent", "f.json"]);
    let url = seeder.url("client");
    seeder.event("complete");
    let description: Value = serde_json::from_slice(&fs::read(world.path().join("f.json")).unwrap()).unwrap();
    let hash = description["chunks"][2]["hash"].as_str().unwrap();
    let request = json!([hash]).to_string();
    let holders = wait_for("an assignment", || {
        let answer = http::post(&format!("{}/chunk", world.tracker_url), &request);
        (answer.status == 200).then(|| answer.json())
    });
    let address = format!("{}:{}", holders[0]["client_host"].as_str().unwrap(), holders[0]["client_port"]);
    assert_eq!((format!("http://{address}"), holders[0]["hash_list"][0].as_str()), (url.clone(), Some(hash)));
    let chunk = http::get(&format!("{url}/chunk/{hash}"));
    assert!(chunk.body == bytes[2 * 16384..], "the chunk differs");
    let described = http::post(&format!("{url}/chunk"), &request).json();
    assert_eq!((described[0]["hash"].as_str(), described.as_array().unwrap().len()), (Some(hash), 1));
}

#[test]
fn a_client_that_is_told_to_end_leaves_the_tracker() {
    for signal in ["INT", "TERM"] {
        let world = World::new();
        content::write(&world.path().join("seed/f"), b"content");
        let id = world.describe("f", &[]);
        let seeder = world.client(&["has_file", "--dir", "seed", "--torrent", "f.json"]);
        wait_for("the announce", || (world.peers(&id).len() == 1).then_some(()));
        seeder.signal(signal);
        assert_eq!(seeder.finished().code, Some(0));
        assert_eq!(world.peers(&id), Vec::<Value>::new());
    }
}

#[test]
fn a_second_signal_ends_at_once() {
    let world = World::new();
    content::write(&world.path().join("seed/f"), b"content");
    let id = world.describe("f", &[]);
    let seeder = world.client(&["has_file", "--dir", "seed", "--torrent", "f.json"]);
    wait_for("the announce", || (world.peers(&id).len() == 1).then_some(()));
    // Leaving takes two seconds with a tracker that does not answer. Both signals wait for the client when it goes on,
    // so that it gets the second within these on any machine.
    world.tracker.signal("STOP");
    for signal in ["STOP", "INT", "TERM", "CONT"] {
        seeder.signal(signal);
    }
    let ended = seeder.finished();
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("a second signal ends at once"), "{}", ended.stderr);
}

#[test]
fn one_client_shares_many_torrents_and_ends_when_it_is_told_to() {
    let world = World::new();
    let names = ["a", "b", "c"];
    for (name, seed) in names.iter().zip(1..) {
        content::write(&world.path().join("seed").join(name), &content::bytes(100_000, seed));
        world.describe(name, &[]);
    }
    let torrents = ["--torrent", "a.json", "--torrent", "b.json", "--torrent", "c.json"];
    let mut seeder = world.client(&[&["has_file", "--dir", "seed"], &torrents[..]].concat());
    for _ in names {
        seeder.event("complete");
    }
    let leecher =
        world.client(&[&["--exit-when-complete", "--dir", "leech"], &torrents[..]].concat()).finished();
    assert_eq!((leecher.code, leecher.events("complete").len()), (Some(0), 3), "{leecher:#?}");
    assert!(without_journals(&world.path().join("seed")) == without_journals(&world.path().join("leech")));
}

fn without_journals(folder: &Path) -> Vec<(String, Vec<u8>, bool)> {
    let mut files = content::tree(folder);
    files.retain(|(path, _, _)| !path.ends_with(".http-torrent"));
    files
}

#[test]
fn has_file_is_a_promise() {
    let world = World::new();
    content::write(&world.path().join("seed/f"), &content::bytes(100_000, 4));
    world.describe("f", &[]);
    let fixed = ["client", "has_file", "--torrent", "f.json", "--json", "--dir"];
    let missing = run(world.path(), fixed.iter().chain(&["empty"]).chain(&LOCAL));
    assert_eq!(missing.code, Some(6), "{missing:#?}");
    assert!(!world.path().join("empty").exists());
    let mut other = content::bytes(100_000, 4);
    other[70_000] ^= 1;
    content::write(&world.path().join("other/f"), &other);
    let wrong = run(world.path(), fixed.iter().chain(&["other"]).chain(&LOCAL));
    assert_eq!(
        (wrong.code, wrong.event("error")["kind"].as_str()),
        (Some(6), Some("in_the_way")),
        "{wrong:#?}"
    );
    assert!(fs::read(world.path().join("other/f")).unwrap() == other, "it was touched");
}

#[test]
fn get_says_who_could_not_help() {
    let world = World::new();
    let id = "00".repeat(32);
    let get = |link: &str| run(world.path(), ["get", link, "--json"].iter().chain(&LOCAL));
    let unknown = get(&format!("{}/torrent/{id}", world.tracker_url));
    assert_eq!((unknown.code, unknown.event("error")["kind"].as_str()), (Some(3), Some("no_source")));
    assert!(unknown.stderr.contains("does not know this torrent"), "{unknown:#?}");

    let link = format!("{}/torrent/{id}#s3cret", world.tracker_url);
    assert_eq!(world.tracker.stop().code, Some(0));
    let gone = get_with_log(world.dir.path(), &link);
    assert_eq!(gone.code, Some(3), "{gone:#?}");
    assert!(gone.stderr.contains("cannot be reached"), "{gone:#?}");
    // Threat A29.
    assert!(!format!("{gone:?}").contains("s3cret"), "{gone:#?}");
}

fn get_with_log(dir: &Path, link: &str) -> support::Finished {
    run(dir, ["get", link, "--json", "-vvv"].iter().chain(&LOCAL))
}

#[test]
fn a39_a_tracker_that_sends_something_else_is_not_believed() {
    let world = World::new();
    content::write(&world.path().join("seed/f"), b"content");
    world.describe("f", &[]);
    let honest = fs::read_to_string(world.path().join("f.json")).unwrap();
    let link_id = "11".repeat(32);
    for (status, body, code, kind) in [
        ("200 OK", honest.as_str(), 4, "integrity"),
        ("200 OK", "{}", 4, "integrity"),
        ("403 Forbidden", "members only\u{1b}[2J", 5, "refused"),
        ("500 Internal Server Error", "", 3, "no_source"),
        ("302 Found", "", 5, "refused"),
    ] {
        let url = http::answering(status, body);
        let link = format!("{url}/torrent/{link_id}");
        let finished = run(world.path(), ["get", &link, "--json"].iter().chain(&LOCAL));
        assert_eq!(finished.code, Some(code), "{status} {body}: {finished:#?}");
        assert_eq!(finished.event("error")["kind"], kind);
        assert!(!finished.stderr.contains('\u{1b}'), "{finished:#?}");
    }
}

#[test]
fn a_swarm_outlives_its_tracker() {
    let world = World::new();
    let size = 64 * 65536;
    content::write(&world.path().join("seed/f"), &content::bytes(size, 5));
    world.describe("f", &[]);
    let mut seeder = world.client(&["has_file", "--dir", "seed", "--torrent", "f.json"]);
    seeder.event("complete");
    let mut leecher = world.client(&["--dir", "leech", "--torrent", "f.json", "--limit-down", "2M"]);
    while leecher.event("progress")["bytes"] == 0 {}
    world.tracker.kill();
    assert_eq!(leecher.event("complete")["bytes"], size);
}
