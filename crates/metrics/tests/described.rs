//! The described routes, as a program written against the description uses them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use metrics::Config;
use serde_json::json;
use support::*;

#[tokio::test]
async fn a_report_is_answered_ok_and_listed_with_the_described_fields() {
    let server = Server::start(Config::default()).await;
    assert_eq!(server.get("/metrics").await.body, "[]");
    server.report(&report(8001)).await;
    server
        .report(&report_with(8000, json!({"client_port": "8000", "version": "1", "waiting": "for a seed"})))
        .await;
    let answer = server.get("/metrics").await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let entry = |port: u16| {
        format!(
            r#"{{"client":"127.0.0.1:{port}","downloaded_chunks":3,"uploaded_chunks":6,"total_chunks":12,"chunk_size":65536,"dht_peers":4,"dht_enabled":true,"tracker_status_up":true}}"#
        )
    };
    assert_eq!(answer.body, format!("[{},{}]", entry(8000), entry(8001)));
}

#[tokio::test]
async fn the_next_report_replaces_the_last() {
    let server = Server::start(Config::default()).await;
    server.report(&report(8000)).await;
    server.report(&report_with(8000, json!({"downloaded_chunks": 12}))).await;
    let list = server.list().await;
    assert_eq!((list.len(), &list[0]["downloaded_chunks"]), (1, &json!(12)));
}

#[tokio::test]
async fn prometheus_scrapes_the_same_path() {
    let server = Server::start(Config::default()).await;
    server.report(&report(8000)).await;
    let accept =
        "Accept: application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    let answer = server.send("GET", "/metrics", &[accept], "").await;
    assert!(answer.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    assert!(answer.body.contains("\nhttp_torrent_clients_live 1\n"), "{}", answer.body);
    assert!(answer.body.contains("\nhttp_torrent_clients_downloaded_bytes 196608\n"));
    assert!(!answer.body.contains("127.0.0.1") && answer.header("vary") == Some("Accept"));
}

#[tokio::test]
async fn it_says_what_it_is_and_that_it_lives() {
    let server = Server::start(Config::default()).await;
    assert_eq!(server.get("/ping").await.body, "pong");
    let known = server.get("/.well-known/http-torrent").await.body;
    assert!(known.contains(r#""roles":["metrics"]"#), "{known}");
    assert_eq!(server.get("/chunk").await.status, 404);
}
