//! A file that is read while it arrives, and one that changes while it is shared.

#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod support;

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::process::Command;

use support::{Sharer, content, folder, wait_for};

const CHUNK: usize = 64 << 10;

#[test]
fn curl_gets_a_range_of_a_file_that_is_still_arriving() {
    let dir = folder();
    let all = content::bytes(4 << 20, 3);
    content::write(&dir.path().join("film.mp4"), &all);
    // Ten seconds for the whole: the end of it is wanted long before.
    let sharer = Sharer::start_with(dir.path(), "film.mp4", &["--limit-up", "400K"]);
    let mut leecher = sharer.start_get(dir.path(), "out", &[]);
    let url = format!("{}/file/{}", leecher.url("client"), sharer.torrent_id);
    // It listens before it knows what the link is of.
    leecher.event("progress");
    let (first, last) = (all.len() - 3 * CHUNK, all.len() - CHUNK);
    let range = format!("{first}-{last}");
    let curl = Command::new("curl").args(["-sSf", "--max-time", "60", "-r", &range, &url]).output().unwrap();
    assert!(curl.status.success(), "{}", String::from_utf8_lossy(&curl.stderr));
    assert!(curl.stdout == all[first..=last], "the bytes of that range");
    assert!(!dir.path().join("out/film.mp4").exists(), "the file is still arriving");
    leecher.event("complete");
}

#[test]
fn a34_a_file_that_changes_while_it_is_shared_is_no_longer_offered_where_it_changed() {
    let dir = folder();
    let (chunks, changed) = (16, 5);
    let all = content::bytes(chunks * CHUNK, 4);
    content::write(&dir.path().join("data.bin"), &all);
    let sharer = Sharer::start(dir.path(), "data.bin");
    let file = OpenOptions::new().write(true).open(dir.path().join("data.bin")).unwrap();
    file.write_all_at(b"changed", (changed * CHUNK) as u64).unwrap();
    drop(file);
    let mut leecher = sharer.start_get(dir.path(), "out", &[]);
    let all_but_one = (chunks - 1) * CHUNK;
    wait_for("all but the changed chunk", || {
        (leecher.event("progress")["bytes"] == all_but_one).then_some(())
    });
    assert!(leecher.runs() && !dir.path().join("out/data.bin").exists(), "it waits for the true chunk");
    assert!(sharer.process.stderr().contains("no longer offered"), "{}", sharer.process.stderr());
    // Whoever still has the true file completes the swarm.
    fs::create_dir(dir.path().join("true")).unwrap();
    content::write(&dir.path().join("true/data.bin"), &all);
    let torrent = support::http::get(&sharer.link).body;
    fs::write(dir.path().join("true/torrent.json"), torrent).unwrap();
    let words = ["client", "has_file", "--tracker", sharer.tracker.strip_prefix("http://").unwrap()];
    let _true = support::Running::start(&dir.path().join("true"), words.iter().chain(&support::LOCAL));
    leecher.event("complete");
    assert!(fs::read(dir.path().join("out/data.bin")).unwrap() == all);
}
