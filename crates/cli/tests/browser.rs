//! Our pages in a real Chromium: the metrics server's while two clients download, and the link page's download button.
//!
//! What is looked at stands in `dashboard/tests/pages.mjs`. `scripts/setup-test` installs the browser and its driver.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use support::{Running, content, folder};

/// As hostile as a file's name can be: no slash fits into one.
const NAME: &str = "<img src=x onerror=\"globalThis.ran=1\"> & <b>photos<b>.bin";
/// Slow enough that some reports tell of it on its way: eight seconds at [`RATE`].
const SIZE: usize = 4_000_000;
const RATE: &str = "500K";

/// The browser's program, under one of the names that it has.
fn chromium() -> PathBuf {
    let folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH").unwrap()).collect();
    let places = ["chromium", "chromium-browser", "google-chrome"];
    let mut found = places.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    found.find(|place| place.is_file()).expect("no chromium: run scripts/setup-test")
}

#[test]
fn a26_a38_our_pages_in_a_browser_are_live_show_text_as_text_and_load_nothing_from_elsewhere() {
    let (dir, tests) = (folder(), Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dashboard/tests"));
    assert!(tests.join("node_modules/playwright-core").is_dir(), "no driver: run scripts/setup-test");
    let file = dir.path().join(NAME);
    content::write(&file, &content::bytes(SIZE, 1));
    let local = ["--bind", "127.0.0.1", "--port", "0"];
    let share = ["share", NAME, "--peer-port", "0", "--page-port", "0"];
    let mut sharer = Running::start(dir.path(), share.iter().chain(&local));
    let (page, peer) = (sharer.url("metric-server"), sharer.url("client"));
    let link = sharer.event("link")["link"].as_str().unwrap().to_owned();
    let told = json!({
        "page": page, "link": link, "name": NAME, "file": file, "chromium": chromium(),
        "seed": peer.trim_start_matches("http://"), "downloads": 2,
    });
    let mut node = Command::new("node");
    node.current_dir(&tests).arg("pages.mjs").arg(told.to_string());
    let mut browser = Running::spawn(node);
    while browser.line() != "open" {}
    // Nobody tells them where to report: the tracker's answer does.
    let flags = ["--limit-down", RATE];
    let get =
        |into| Running::start(dir.path(), ["get", &link, "-o", into].iter().chain(&flags).chain(&local));
    let gets = [get("a"), get("b")];
    while browser.line() != "watching" {}
    for get in gets {
        assert_eq!(get.finished().code, Some(0));
    }
    sharer.stop();
    let finished = browser.finished();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
}
