//! Programs written from the mission's document alone, in Python with nothing but its standard library, in one swarm
//! with ours: HTTP/1.0, no Content-Length, one connection at a time.

#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use support::{LOCAL, Running, content, folder, run_well};

/// A file of ten chunks of the smallest size.
const LENGTH: usize = 10 * (16 << 10) - 100;

/// Starts one of the stand-ins and waits for its port.
fn stand_in(name: &str, args: &[&str]) -> (Running, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stand_ins").join(name);
    let mut command = Command::new("python3");
    command.arg("-u").arg(script).args(args);
    let mut running = Running::spawn(command);
    let line = running.line();
    let port = line.strip_prefix("listening ").unwrap_or_else(|| panic!("{line}\n{}", running.said()));
    let address = format!("127.0.0.1:{port}");
    (running, address)
}

fn address(url: &str) -> &str {
    url.strip_prefix("http://").unwrap()
}

fn our_tracker(dir: &Path) -> (Running, String) {
    let mut tracker = Running::start(dir, ["tracker", "0", "--bind", "127.0.0.1"]);
    let url = tracker.url("tracker");
    (tracker, address(&url).to_owned())
}

fn our_client(dir: &Path, words: &[&str]) -> Running {
    Running::start(dir, ["client"].iter().chain(words).chain(&LOCAL))
}

/// `seed/data.bin`, its sha1 torrent in every folder given, and those folders.
fn sha1_torrent(dir: &Path, tracker: &str, folders: &[&str]) {
    content::write(&dir.join("seed/data.bin"), &content::bytes(LENGTH, 1));
    run_well(dir, ["torrentify", "seed/data.bin", tracker, "--hash", "sha1", "-o", "torrent.json"]);
    for name in folders {
        fs::create_dir_all(dir.join(name)).unwrap();
        fs::copy(dir.join("torrent.json"), dir.join(name).join("torrent.json")).unwrap();
    }
}

fn same(dir: &Path, folder: &str) {
    assert_eq!(fs::read(dir.join(folder).join("data.bin")).unwrap(), content::bytes(LENGTH, 1), "{folder}");
}

#[test]
fn a_described_leecher_gets_a_file_from_our_seeder() {
    let dir = folder();
    let (_tracker, tracker) = our_tracker(dir.path());
    sha1_torrent(dir.path(), &tracker, &["seed", "theirs"]);
    let mut seeder = our_client(&dir.path().join("seed"), &["has_file"]);
    seeder.event("complete");
    let theirs = dir.path().join("theirs");
    let (mut leecher, _) =
        stand_in("client.py", &[&format!("{}/torrent.json", theirs.display()), theirs.to_str().unwrap()]);
    assert_eq!(leecher.line(), "complete", "{}", leecher.said());
    same(dir.path(), "theirs");
}

#[test]
fn our_leecher_gets_a_file_from_a_described_seeder_and_feeds_a_described_leecher() {
    let dir = folder();
    let (_tracker, tracker) = our_tracker(dir.path());
    sha1_torrent(dir.path(), &tracker, &["seed", "ours", "theirs"]);
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (mut seeder, _) =
        stand_in("client.py", &[&format!("{}/torrent.json", at("seed")), &at("seed"), "has_file"]);
    assert_eq!(seeder.line(), "complete");
    let mut ours = our_client(&dir.path().join("ours"), &[]);
    let complete = ours.event("complete");
    assert_eq!(complete["bytes"], LENGTH);
    same(dir.path(), "ours");
    seeder.kill();
    let (mut leecher, _) = stand_in("client.py", &[&format!("{}/torrent.json", at("theirs")), &at("theirs")]);
    assert_eq!(leecher.line(), "complete", "{}", leecher.said());
    same(dir.path(), "theirs");
}

#[test]
fn our_clients_work_through_a_tracker_that_refuses_all_for_one_unknown_hash() {
    let dir = folder();
    let (mut tracker, address) = stand_in("tracker.py", &[]);
    sha1_torrent(dir.path(), &address, &["seed", "ours"]);
    let seed = dir.path().join("seed").to_str().unwrap().to_owned();
    let mut ours = our_client(&dir.path().join("ours"), &[]);
    ours.url("client");
    // While its chunks become known one by one, our client's whole list is refused and it asks for parts of it.
    let (_seeder, _) = stand_in("client.py", &[&format!("{seed}/torrent.json"), &seed, "has_file", "slowly"]);
    ours.event("complete");
    same(dir.path(), "ours");
    assert!(tracker.line().starts_with("refused "), "the story needs a refusal");
}
