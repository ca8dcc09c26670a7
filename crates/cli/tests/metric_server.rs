//! The metrics server as a program: who may reach it, what real clients report to it, what it remembers.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fs;

use serde_json::{Value, json};
use support::{Running, content, folder, http, run, run_well, wait_for};

const HERE: [&str; 2] = ["--bind", "127.0.0.1"];

fn list(server: &str) -> Vec<Value> {
    let answer = http::get(&format!("{server}/metrics"));
    assert_eq!(answer.status, 200);
    answer.json().as_array().unwrap().clone()
}

#[test]
fn a28_only_this_machine_reaches_it_unless_its_owner_says_open() {
    let dir = folder();
    let mut server = Running::start(dir.path(), ["metric-server", "0"]);
    assert!(server.url("metric-server").starts_with("http://127.0.0.1:"));
    server.stop();

    let refused = run(dir.path(), ["metric-server", "0", "--bind", "0.0.0.0"]);
    assert_eq!(refused.code, Some(2), "{refused:#?}");
    assert!(
        refused.stderr.contains("no password") && refused.stderr.contains("--open"),
        "{}",
        refused.stderr
    );

    let mut server = Running::start(dir.path(), ["metric-server", "0", "--bind", "0.0.0.0", "--open"]);
    server.url("metric-server");
    server.says("open to everybody who reaches it: it has no password");
    server.stop();
}

#[test]
fn a_client_reports_what_is_true_also_of_its_tracker() {
    let dir = folder();
    let mut server = Running::start(dir.path(), ["metric-server", "0"].iter().chain(&HERE));
    let page = server.url("metric-server");
    let mut tracker = Running::start(dir.path(), ["tracker", "0"].iter().chain(&HERE));
    let tracker_url = tracker.url("tracker");
    let port = tracker_url.rsplit_once(':').unwrap().1.to_owned();
    content::write(&dir.path().join("f"), &content::bytes(200_000, 1));
    run_well(dir.path(), ["torrentify", "f", &format!("127.0.0.1:{port}")]);
    let words = ["client", "has_file", "--metrics", &page];
    let mut client = Running::start(dir.path(), words.iter().chain(&HERE));
    let url = client.url("client");

    let told = |up: bool| {
        wait_for(&format!("a report with tracker_status_up {up}"), || {
            let clients = list(&page);
            clients.into_iter().find(|client| client["tracker_status_up"] == up)
        })
    };
    let mut expected = json!({
        "client": url.trim_start_matches("http://"), "downloaded_chunks": 4, "uploaded_chunks": 0, "total_chunks": 4,
        "chunk_size": 65536, "dht_peers": 0, "dht_enabled": false, "tracker_status_up": true,
    });
    assert_eq!(told(true), expected);
    tracker.kill();
    expected["tracker_status_up"] = json!(false);
    assert_eq!(told(false), expected);
    let _tracker = Running::start(dir.path(), ["tracker", &port].iter().chain(&HERE));
    told(true);
}

#[test]
fn a_download_never_minds_that_nobody_listens_to_its_reports() {
    let dir = folder();
    content::write(&dir.path().join("f"), &content::bytes(300_000, 1));
    let share = ["share", "f", "--port", "0", "--page-port", "0", "--metrics", "http://127.0.0.1:1"];
    let mut sharer = Running::start(dir.path(), share.iter().chain(&HERE));
    let link = sharer.event("link")["link"].as_str().unwrap().to_owned();
    // Its tracker names the same dead server.
    let got = run_well(dir.path(), ["get", &link, "-o", "into"].iter().chain(&HERE));
    assert!(!got.stderr.contains("metrics"), "{}", got.stderr);
    assert_eq!(fs::read(dir.path().join("into/f")).unwrap(), content::bytes(300_000, 1));
}

#[test]
fn it_remembers_its_clients_and_never_writes_over_somebody_elses_file() {
    let dir = folder();
    let start = || {
        let words = ["metric-server", "0", "--state", "state.json"];
        let mut server = Running::start(dir.path(), words.iter().chain(&HERE));
        let page = server.url("metric-server");
        (server, page)
    };
    let (server, page) = start();
    let report = json!({
        "client_host": "127.0.0.1", "client_port": "8000", "downloaded_chunks": 1, "uploaded_chunks": 2,
        "total_chunks": 3, "chunk_size": 4, "dht_peers": 5, "dht_enabled": true, "tracker_status_up": true,
    });
    assert_eq!(http::post(&format!("{page}/metrics"), &report.to_string()).text(), "Ok");
    let before = list(&page);
    assert_eq!(server.stop().code, Some(0));
    let (server, page) = start();
    assert_eq!(list(&page), before);
    server.stop();

    fs::write(dir.path().join("thesis"), "all my work").unwrap();
    let refused = run(dir.path(), ["metric-server", "0", "--state", "thesis"].iter().chain(&HERE));
    assert_eq!(refused.code, Some(6), "{refused:#?}");
    assert_eq!(fs::read_to_string(dir.path().join("thesis")).unwrap(), "all my work");
}
