//! The page's stream, and what survives a restart.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use metrics::{Config, MetricsServer, StateError};
use serde_json::json;
use support::*;

#[tokio::test]
async fn a_page_gets_everything_and_then_what_is_new() {
    let server = Server::start(Config::default()).await;
    server.report(&report(8000)).await;
    let mut page = server.watch().await;
    let (name, snapshot) = page.event().await.unwrap();
    assert_eq!((name.as_str(), &snapshot["clients"][0]["client"]), ("snapshot", &json!("127.0.0.1:8000")));
    let native =
        json!({"downloaded_bytes": 200_000, "total_bytes": 786_000, "down_bytes_per_s": 7, "leaving": true});
    server.report(&report_with(8001, native)).await;
    let news = page
        .until(|name, data| {
            name == "news"
                && data["clients"].as_array().unwrap().iter().any(|c| c["client"] == "127.0.0.1:8001")
        })
        .await;
    let client =
        news["clients"].as_array().unwrap().iter().find(|c| c["client"] == "127.0.0.1:8001").unwrap();
    assert_eq!((&client["status"], &client["complete"]), (&json!("left"), &json!(false)));
    assert_eq!(
        (&client["downloaded_bytes"], &client["uploaded_bytes"]),
        (&json!(200_000), &json!(6 * 65536))
    );
    assert!(news["now_ms"].as_u64() >= snapshot["now_ms"].as_u64());
    // Also when nothing happens: silence means a lost connection.
    page.until(|name, data| name == "news" && data["clients"].as_array().unwrap().is_empty()).await;
}

#[tokio::test]
async fn watchers_are_bounded_and_their_places_come_back() {
    let server = Server::start(Config::default()).await;
    let mut pages = Vec::new();
    for _ in 0..64 {
        pages.push(server.watch().await);
    }
    assert!(pages.iter().all(|page| page.head.contains("200 OK")));
    assert!(server.watch().await.head.contains("503"));
    pages.truncate(60);
    loop {
        // A place comes back when the server notices that the page is gone: with the next news.
        let page = server.watch().await;
        if page.head.contains("200 OK") {
            break;
        }
        pages[0].event().await.unwrap();
    }
}

#[tokio::test]
async fn a_stop_ends_every_stream_at_once() {
    let server = Server::start(Config::default()).await;
    let mut page = server.watch().await;
    page.event().await.unwrap();
    let began = std::time::Instant::now();
    server.stop().await;
    while page.event().await.is_some() {}
    assert!(began.elapsed() < listen::Limits::default().grace, "it did not wait for the page to close");
}

#[tokio::test]
async fn the_state_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metrics.json");
    let config = Config { state: Some(path.clone()), ..Config::default() };
    let server = Server::start(config.clone()).await;
    server.report(&report(8000)).await;
    let torrents = json!([{"torrent_id": "ab".repeat(32), "name": "a.iso", "bytes": 1, "total": 2}]);
    server.report(&report_with(8001, json!({"torrents": torrents, "leaving": true}))).await;
    let before = server.list().await;
    server.watch().await.until(|_, data| data.get("sample").is_some() || data["history"] != json!([])).await;
    server.stop().await;

    let server = Server::start(config).await;
    assert_eq!(server.list().await, before);
    let (_, snapshot) = server.watch().await.event().await.unwrap();
    assert_eq!(snapshot["clients"][1]["torrents"][0]["name"], "a.iso");
    assert!(!snapshot["history"].as_array().unwrap().is_empty());
    // While it runs it may be writing the next one.
    server.stop().await;
    let files: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files, [path], "nothing else is left lying about");
}

#[tokio::test]
async fn a_file_that_is_not_ours_is_not_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("thesis.txt");
    for content in
        ["all my work", "{}", r#"{"format":"http-torrent metrics 1","clients":[{"report":{}}],"history":[]}"#]
    {
        std::fs::write(&path, content).unwrap();
        let opened = MetricsServer::open(Config { state: Some(path.clone()), ..Config::default() });
        assert!(matches!(opened, Err(StateError::Foreign { .. })), "{content}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
    }
    let in_the_way = MetricsServer::open(Config { state: Some(folder.path().into()), ..Config::default() });
    assert!(matches!(in_the_way, Err(StateError::Read { .. })));
}
