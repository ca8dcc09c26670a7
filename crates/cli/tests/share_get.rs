//! From one machine's file to another's, with two commands.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use support::{LOCAL, Running, Sharer, content, folder, http, program, run, wait_for};

/// Smallest chunk that `share` makes of small files.
const CHUNK: usize = 65536;

/// Shares what `make` leaves under the name `x` and fetches it; the copy must be the same.
fn round_trip(make: impl Fn(&Path)) -> serde_json::Value {
    let dir = folder();
    make(&dir.path().join("x"));
    let sharer = Sharer::start(dir.path(), "x");
    let finished = sharer.get(dir.path(), "copy");
    assert_eq!(finished.code, Some(0), "{finished:#?}\n{}", sharer.process.said());
    let complete = finished.event("complete");
    let copy = dir.path().join("copy/x");
    assert_eq!(complete["path"], copy.to_str().unwrap());
    let original = dir.path().join("x");
    if original.is_dir() {
        assert!(content::tree(&original) == content::tree(&copy), "the copy of the folder differs");
    } else {
        assert!(fs::read(original).unwrap() == fs::read(copy).unwrap(), "the copy of the file differs");
    }
    assert_eq!(sharer.process.stop().code, Some(0));
    complete
}

#[test]
fn files_of_every_awkward_size_arrive() {
    for size in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 5 * CHUNK] {
        let complete = round_trip(|path| content::write(path, &content::bytes(size, 1)));
        assert_eq!(complete["bytes"], size, "{complete}");
        assert_eq!(complete["sources"]["seed"], size, "{complete}");
    }
}

#[test]
fn a_share_that_is_started_again_reads_nothing_that_did_not_change() {
    let dir = folder();
    content::write(&dir.path().join("f"), &content::bytes(5 * CHUNK, 1));
    let shared = |flags: &[&str]| {
        let sharer = Sharer::start_with(dir.path(), "f", flags);
        let id = sharer.torrent_id.clone();
        (id, sharer.process.stop().stderr.contains("not read again"))
    };
    let (id, was_remembered) = shared(&[]);
    assert!(!was_remembered, "the first time it is read");
    // Two seconds after the last change it is remembered.
    wait_for("a share that is not read", || (shared(&[]) == (id.clone(), true)).then_some(()));
    assert_eq!(shared(&["--rehash"]), (id.clone(), false));
    assert_eq!(shared(&[]), (id, true), "and remembered anew");
}

#[test]
fn a_file_with_equal_chunks_arrives_and_each_is_fetched_once() {
    let dir = folder();
    let bytes = vec![7; 9 * CHUNK + 5];
    content::write(&dir.path().join("f"), &bytes);
    let sharer = Sharer::start(dir.path(), "f");
    let complete = sharer.get(dir.path(), "copy").event("complete");
    assert_eq!(complete["sources"]["seed"], bytes.len(), "{complete}");
    assert!(fs::read(dir.path().join("copy/f")).unwrap() == bytes, "the copy differs");
    // Two contents went over the wire: the whole chunk and the tail.
    let metrics = http::get(&format!("{}/metrics", sharer.peer)).text();
    assert!(metrics.contains(&format!("http_torrent_uploaded_bytes_total {}\n", CHUNK + 5)), "{metrics}");
}

#[test]
fn a_folder_arrives_with_its_empty_files_and_exec_bits() {
    round_trip(|folder| {
        content::write(&folder.join("deep/er/file"), &content::bytes(3 * CHUNK + 7, 2));
        content::write(&folder.join("Grüße 文件"), b"text");
        content::write(&folder.join("empty"), b"");
        content::write(&folder.join("tool"), b"#!/bin/sh\n");
        fs::set_permissions(folder.join("tool"), fs::Permissions::from_mode(0o755)).unwrap();
    });
}

#[test]
fn ten_thousand_small_files_arrive() {
    let complete = round_trip(|folder| {
        for at in 0..10_000u32 {
            content::write(&folder.join(format!("{:02}/{at}", at % 100)), &at.to_le_bytes());
        }
    });
    assert_eq!(complete["bytes"], 40_000);
}

#[test]
fn share_prints_three_lines_that_work() {
    let dir = folder();
    let name = "it's a file";
    content::write(&dir.path().join(name), &content::bytes(300_000, 3));
    let mut sharer = Running::spawn(program(dir.path(), ["share", name, "--port", "0"].iter().chain(&LOCAL)));
    let (link, get, curl) = (sharer.line(), sharer.line(), sharer.line());
    assert_eq!(get, format!("http-torrent get {link}"));
    let downloads = dir.path().join("downloads");
    fs::create_dir(&downloads).unwrap();
    // As a person would: pasted into a shell.
    let status =
        Command::new("sh").args(["-c", &format!("{curl} -sS")]).current_dir(&downloads).status().unwrap();
    assert!(status.success(), "{curl}");
    let expected = fs::read(dir.path().join(name)).unwrap();
    assert!(fs::read(downloads.join(name)).unwrap() == expected, "curl's copy differs");
    assert_eq!(sharer.stop().code, Some(0));
}

#[test]
fn a_shared_folder_has_a_list_and_no_curl_line() {
    let dir = folder();
    content::write(&dir.path().join("x/a"), b"a");
    let mut sharer = Running::spawn(program(dir.path(), ["share", "x", "--port", "0"].iter().chain(&LOCAL)));
    let (_link, _get, list) = (sharer.line(), sharer.line(), sharer.line());
    let url = list.strip_prefix("list: ").unwrap_or_else(|| panic!("{list}"));
    assert!(http::get(url).text().contains('a'), "{list}");
    wait_for("what people are told", || sharer.said().contains("sharing x; Ctrl-C ends it").then_some(()));
    assert!(!sharer.said().contains("complete:"), "{}", sharer.said());
    assert_eq!(sharer.stop().code, Some(0));
}

#[test]
fn any_http_client_gets_the_file_or_a_part_of_it() {
    let dir = folder();
    let bytes = content::bytes(3 * CHUNK + 11, 4);
    content::write(&dir.path().join("f"), &bytes);
    let sharer = Sharer::start(dir.path(), "f");
    let curl = |flags: &[&str]| {
        let output = Command::new("curl").args(["-sSf"]).args(flags).arg(&sharer.file_url).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        output.stdout
    };
    assert!(curl(&[]) == bytes, "the whole file differs");
    assert!(curl(&["-r", "65530-65545"]) == bytes[65530..=65545], "a range across two chunks differs");
    assert!(curl(&["-r", "-11"]) == bytes[3 * CHUNK..], "the last bytes differ");
    assert_eq!(http::get(&format!("{}/ping", sharer.peer)).text(), "pong");
}

#[test]
fn some_files_of_a_folder_and_later_all_of_them() {
    let dir = folder();
    let original = dir.path().join("x");
    let files = [("docs/a.txt", 100_000), ("docs/b", 70_000), ("big", 3 * CHUNK), ("docs/empty", 0)];
    for ((path, length), seed) in files.into_iter().zip(1..) {
        content::write(&original.join(path), &content::bytes(length, seed));
    }
    let sharer = Sharer::start(dir.path(), "x");
    let get = |flags: &[&str]| sharer.start_get(dir.path(), "copy", flags).finished();
    let copy = || content::tree(&dir.path().join("copy/x"));
    assert_eq!(get(&["--files", "*.txt", "--files", "*/em?ty"]).code, Some(0));
    let mut chosen = content::tree(&original);
    chosen.retain(|(path, _, _)| ["docs/a.txt", "docs/empty"].contains(&path.as_str()));
    assert!(chosen.len() == 2 && copy() == chosen, "not exactly the files asked for");
    let all = get(&[]);
    assert_eq!(all.event("complete")["sources"]["local"], 100_000, "{all:#?}");
    assert!(copy() == content::tree(&original), "the copy differs");
    let nothing = get(&["--files", "*.mp3"]);
    assert_eq!((nothing.code, nothing.event("error")["kind"].as_str()), (Some(2), Some("usage")));
}

#[test]
fn a_second_get_finds_everything_at_home() {
    let dir = folder();
    content::write(&dir.path().join("f"), &content::bytes(CHUNK * 2, 5));
    let sharer = Sharer::start(dir.path(), "f");
    sharer.get(dir.path(), "copy");
    let again = sharer.get(dir.path(), "copy").event("complete");
    assert_eq!(again["sources"]["local"], CHUNK * 2, "{again}");
    assert_eq!(again["sources"]["seed"], 0, "{again}");
}

#[test]
fn a_file_in_the_way_is_left_alone() {
    let dir = folder();
    content::write(&dir.path().join("f"), &content::bytes(CHUNK, 6));
    content::write(&dir.path().join("copy/f"), b"somebody's");
    let sharer = Sharer::start(dir.path(), "f");
    let finished = sharer.get(dir.path(), "copy");
    assert_eq!(finished.code, Some(6), "{finished:#?}");
    assert_eq!(finished.event("error")["kind"], "in_the_way");
    assert_eq!(finished.stderr.matches("choose another folder").count(), 1, "{finished:#?}");
    assert!(finished.events("complete").is_empty());
    assert_eq!(content::tree(&dir.path().join("copy")), [("f".to_owned(), b"somebody's".to_vec(), false)]);
}

#[test]
fn a35_a_download_killed_half_way_goes_on_where_it_was() {
    let dir = folder();
    let size = 128 * CHUNK;
    content::write(&dir.path().join("f"), &content::bytes(size, 7));
    let sharer = Sharer::start(dir.path(), "f");
    let mut leecher = sharer.start_get(dir.path(), "copy", &["--limit-down", "2M"]);
    while leecher.event("progress")["bytes"] == 0 {}
    // By now its header is written: whatever comes next names chunks that are durable.
    let journal = dir.path().join("copy/.f.http-torrent");
    let length = || journal.metadata().unwrap().len();
    let before = length();
    wait_for("a group in the journal", || (length() > before).then_some(()));
    leecher.kill();
    assert!(!dir.path().join("copy/f").exists(), "no unfinished file under the final name");
    let finished = sharer.get(dir.path(), "copy");
    let complete = finished.event("complete");
    let local = complete["sources"]["local"].as_u64().unwrap();
    assert!(local > 0 && local < size as u64, "{complete}");
    assert_eq!(local + complete["sources"]["seed"].as_u64().unwrap(), size as u64);
    assert!(fs::read(dir.path().join("copy/f")).unwrap() == fs::read(dir.path().join("f")).unwrap());
}

#[test]
fn a_download_that_is_interrupted_says_so_and_keeps_what_it_has() {
    let dir = folder();
    content::write(&dir.path().join("f"), &content::bytes(128 * CHUNK, 8));
    let sharer = Sharer::start(dir.path(), "f");
    let mut leecher = sharer.start_get(dir.path(), "copy", &["--limit-down", "2M"]);
    while leecher.event("progress")["bytes"] == 0 {}
    let finished = leecher.stop();
    assert_eq!((finished.code, finished.event("error")["kind"].as_str()), (Some(1), Some("interrupted")));
    let complete = sharer.get(dir.path(), "copy").event("complete");
    assert!(complete["sources"]["local"].as_u64().unwrap() > 0, "{complete}");
}

#[test]
fn a_second_leecher_is_helped_by_the_first() {
    let dir = folder();
    let size = 128 * CHUNK as u64;
    content::write(&dir.path().join("f"), &content::bytes(128 * CHUNK, 9));
    let sharer = Sharer::start_with(dir.path(), "f", &["--limit-up", "4M"]);
    let stay = ["--seed-time", "60s"];
    let mut first = sharer.start_get(dir.path(), "first", &stay);
    // It is known to the tracker, and has something to give.
    while first.event("progress")["bytes"] == 0 {}
    let mut second = sharer.start_get(dir.path(), "second", &stay);
    let sources = [&mut first, &mut second].map(|leecher| leecher.event("complete")["sources"].clone());
    let sum = |key: &str| sources.iter().map(|of_one| of_one[key].as_u64().unwrap()).sum::<u64>();
    assert_eq!(sum("seed") + sum("peer"), 2 * size, "{sources:?}");
    assert!(sum("peer") > 0, "{sources:?}");
    for into in ["first", "second"] {
        assert!(
            fs::read(dir.path().join(into).join("f")).unwrap() == fs::read(dir.path().join("f")).unwrap()
        );
    }
}

#[test]
fn a_ratio_reached_ends_the_seeding() {
    let dir = folder();
    content::write(&dir.path().join("f"), &content::bytes(4 * CHUNK, 10));
    let sharer = Sharer::start(dir.path(), "f");
    let mut seed = sharer.start_get(dir.path(), "one", &["--seed-ratio", "1"]);
    let url = seed.url("client");
    seed.event("complete");
    assert!(seed.runs());
    let whole = http::get(&format!("{url}/file/{}", sharer.torrent_id));
    assert_eq!(whole.body.len(), 4 * CHUNK);
    assert_eq!(seed.finished().code, Some(0));
}

#[test]
fn ports_that_are_taken_are_named() {
    let dir = folder();
    content::write(&dir.path().join("f"), b"x");
    let sharer = Sharer::start(dir.path(), "f");
    let port = |url: &str| url.rsplit(':').next().unwrap().to_owned();
    let (tracker, peer) = (port(&sharer.tracker), port(&sharer.peer));
    for line in [
        vec!["share", "f", "--port", &tracker],
        vec!["share", "f", "--port", "0", "--peer-port", &peer],
        vec!["tracker", &tracker],
        vec!["get", &sharer.link, "--port", &peer],
    ] {
        let finished = run(dir.path(), line.iter().chain(&LOCAL[..2]).chain(&["--json"]));
        assert_eq!(
            (finished.code, finished.event("error")["kind"].as_str()),
            (Some(1), Some("listen")),
            "{line:?}"
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn who_shares_declines_huge_pages() {
    let dir = folder();
    content::write(&dir.path().join("x"), &content::bytes(CHUNK, 1));
    let sharer = Sharer::start(dir.path(), "x");
    let status = fs::read_to_string(format!("/proc/{}/status", sharer.process.id())).unwrap();
    // Kernels before 5.0 do not say.
    let said = status.lines().find(|line| line.starts_with("THP_enabled:"));
    assert!(said.is_none_or(|line| line.ends_with('0')), "{said:?}");
}
