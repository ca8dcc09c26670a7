//! Disks that take no more, under the real program.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::{LOCAL, Running, Sharer, content, folder, http, program, run, wait_for};

const CHUNK: usize = 65536;
const CHUNKS: usize = 32;
const SIZE: usize = CHUNKS * CHUNK;

/// Runs the program with a shell's preparations: `sh -c PREPARE sh FOLDER PROGRAM ARGS…`.
fn prepared(dir: &Path, folder: &Path, prepare: &str, by: &[&str], args: &[&str]) -> Running {
    let inner = program(dir, args);
    let mut command = Command::new(by[0]);
    command.args(&by[1..]).args(["sh", "-c", prepare, "sh"]).arg(folder);
    command.arg(inner.get_program()).args(inner.get_args()).current_dir(dir);
    // Its variables are removed there; here they are the test's own.
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    Running::spawn(command)
}

/// Whether this machine lets a test have a disk of its own.
#[expect(clippy::print_stderr, reason = "who reads the log is to know what was not tried")]
fn may_mount() -> bool {
    let probe = "mount -t tmpfs -o size=64k tmpfs /tmp";
    let status = Command::new("unshare").args(["-rm", "sh", "-c", probe]).output();
    let may = status.is_ok_and(|output| output.status.success());
    if !may {
        eprintln!(
            "skipped: no `unshare -rm` with a tmpfs here; store's own tests fill a disk at every operation"
        );
    }
    may
}

#[test]
fn a35_a_full_disk_is_waited_for_and_the_download_goes_on_when_there_is_room() {
    if !may_mount() {
        return;
    }
    let dir = folder();
    let bytes = content::bytes(SIZE, 35);
    content::write(&dir.path().join("f"), &bytes);
    let sharer = Sharer::start(dir.path(), "f");
    let small = dir.path().join("small");
    fs::create_dir(&small).unwrap();
    // Room for all of it, but for the ballast.
    let prepare = "mount -t tmpfs -o size=3m tmpfs \"$1\" && head -c 2000000 /dev/zero > \"$1/ballast\" && \
                   shift && exec \"$@\"";
    let small_text = small.to_str().unwrap();
    let args =
        [&["get", &sharer.link, "-o", small_text, "--seed-time", "60s", "--json"][..], &LOCAL].concat();
    let mut get = prepared(dir.path(), &small, prepare, &["unshare", "-rm"], &args);
    let peer = get.url("client");

    let waiting = get.event("waiting");
    let reason = waiting["reason"].as_str().unwrap();
    assert!(reason.contains("no space left") && reason.contains("make room"), "{waiting}");
    wait_for("people are told, too", || get.stderr().contains(reason).then_some(()));
    // What it has is served meanwhile.
    let torrent = http::get(&format!("{peer}/torrent/{}", sharer.torrent_id)).json();
    let hashes: Vec<&str> =
        torrent["chunks"].as_array().unwrap().iter().map(|chunk| chunk["hash"].as_str().unwrap()).collect();
    let served = |hash: &&str| http::get(&format!("{peer}/chunk/{hash}")).status == 200;
    let held = hashes.iter().copied().filter(served).count();
    assert!((1..CHUNKS).contains(&held), "{held} of {CHUNKS} chunks");

    // The folder as the process sees it.
    let inside: PathBuf = format!("/proc/{}/root{small_text}", get.id()).into();
    assert!(!inside.join("f").exists());
    fs::remove_file(inside.join("ballast")).unwrap();
    let complete = get.event("complete");
    assert_eq!(complete["bytes"], SIZE, "{complete}");
    assert!(fs::read(inside.join("f")).unwrap() == bytes, "the copy differs");
    // Nothing was fetched to find out whether there is room: what flew when the disk got full came twice at most.
    let metrics = http::get(&format!("{}/metrics", sharer.peer)).text();
    let uploaded = metrics.lines().find_map(|line| line.strip_prefix("http_torrent_uploaded_bytes_total "));
    let uploaded: usize = uploaded.unwrap().parse().unwrap();
    assert!((SIZE..=2 * SIZE).contains(&uploaded), "{uploaded} bytes for {SIZE}");
    let said = get.stderr().matches("no space left").count();
    assert_eq!(said, 1, "it is said once: {}", get.stderr());
    assert_eq!(get.stop().code, Some(0));
}

#[test]
fn a35_a_disk_that_fails_ends_it_with_a_clear_error_and_the_next_run_goes_on() {
    let dir = folder();
    let original = dir.path().join("x");
    for at in 0..8 {
        content::write(&original.join(format!("small-{at}")), &content::bytes(CHUNK, at));
    }
    content::write(&original.join("large"), &content::bytes(8 * CHUNK, 36));
    let sharer = Sharer::start(dir.path(), "x");
    // No file may grow past a chunk or two (the blocks of a shell are 512 or 1024 bytes): a failure that is not for
    // lack of room.
    let prepare = "trap '' XFSZ; ulimit -f 128; shift; exec \"$@\"";
    let args = [&["get", &sharer.link, "-o", "copy", "--json"][..], &LOCAL].concat();
    let failed = prepared(dir.path(), dir.path(), prepare, &["env"], &args).finished();
    assert_eq!(failed.code, Some(6), "{failed:#?}");
    let error = failed.event("error");
    assert!(error["cause"].as_str().unwrap().contains("large"), "the cause names the file: {error}");
    assert!(error["next"].as_str().unwrap().contains("run the same command again"), "{error}");
    let copy = dir.path().join("copy/x");
    assert!(!copy.exists(), "nothing unfinished has the final name");

    let finished = run(dir.path(), &args);
    assert_eq!(finished.code, Some(0), "{finished:#?}");
    assert!(content::tree(&original) == content::tree(&copy), "the copy differs");
}
