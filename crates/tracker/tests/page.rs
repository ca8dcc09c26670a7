//! The link in a browser.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use serde_json::json;
use support::*;
use tracker::TrackerConfig;

const HTML: &str = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

#[tokio::test]
async fn a_browser_gets_a_page_and_programs_get_json() {
    let server = Server::start(TrackerConfig::default()).await;
    let torrent = torrent("<script>alert(1)</script>".replace('/', "").as_str(), b"abc");
    server.publish(&torrent).await;
    let path = format!("/torrent/{}", torrent.id());
    let page = server.send("GET", &path, &[HTML], "").await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
    assert_eq!(
        (page.header("x-content-type-options"), page.header("vary")),
        (Some("nosniff"), Some("Accept"))
    );
    assert!(page.body.contains(&format!("http-torrent get http://{}{path}", server.address)));
    assert!(page.body.contains("&lt;script&gt;") && !page.body.contains("<script"), "a26");
    assert!(page.body.contains("No peer known here has all of it"));
    for accept in [
        "Accept: */*",
        "Accept: application/json",
        "Accept: application/json, text/html;q=0.5",
        "Accept: text/html;q=0",
    ] {
        let answer = server.send("GET", &path, &[accept], "").await;
        assert_eq!(answer.header("content-type"), Some("application/json"), "{accept}");
    }
}

#[tokio::test]
async fn the_page_links_to_a_seed_for_the_plain_download() {
    let server = Server::start(TrackerConfig::default()).await;
    let torrent = torrent("data.bin", b"abc");
    server.publish(&torrent).await;
    let (path, id) = (format!("/torrent/{}", torrent.id()), torrent.id());
    for (peer, port, have) in [("1", 8001, "oA=="), ("2", 8002, "complete")] {
        let announce = json!({"peer": peer.repeat(32), "port": port, "have": have});
        assert_eq!(server.put(&format!("{path}/peers"), &announce.to_string()).await.status, 200);
    }
    let page = server.send("GET", &path, &[HTML], "").await.body;
    assert!(page.contains(&format!("href=\"http://127.0.0.1:8002/file/{id}?download\"")), "{page}");
    assert!(page.contains("<dt>Peers</dt><dd>2</dd>") && page.contains("<dt>With all of it</dt><dd>1</dd>"));
}

#[tokio::test]
async fn the_plain_download_is_the_publishers_and_the_page_says_whose_it_is() {
    let server = Server::start(TrackerConfig::default()).await;
    let torrent = torrent("data.bin", b"abc");
    server.publish_from([127, 0, 0, 2], &torrent).await;
    let path = format!("/torrent/{}", torrent.id());
    let peers = format!("{path}/peers");
    let announce = |from: u8| {
        let announce =
            json!({"peer": format!("{from:032x}"), "port": 8000 + u16::from(from), "have": "complete"});
        server.put_from([127, 0, 0, from], &peers, announce.to_string())
    };
    for stranger in 3..=9 {
        assert_eq!(announce(stranger).await.status, 200);
    }
    let page = server.send("GET", &path, &[HTML], "").await.body;
    assert!(
        page.contains("a peer that says it has all of it") && page.contains("nothing checks what arrives")
    );
    assert_eq!(announce(2).await.status, 200);
    for _ in 0..10 {
        let page = server.send("GET", &path, &[HTML], "").await.body;
        assert!(
            page.contains("href=\"http://127.0.0.2:8002/file/")
                && page.contains("the peer that published it")
        );
    }
    // In one process with a peer, as `share` runs it, the peer's URL is told.
    server.tracker.set_publisher(torrent.id(), "http://127.0.0.7:8007".parse().unwrap());
    assert!(server.send("GET", &path, &[HTML], "").await.body.contains("href=\"http://127.0.0.7:8007/file/"));
}

#[tokio::test]
async fn a38_what_the_page_needs_is_here() {
    let server = Server::start(TrackerConfig::default()).await;
    let css = server.get("/assets/link.css").await;
    assert_eq!((css.status, css.header("content-type")), (200, Some("text/css; charset=utf-8")));
    let tag = format!("If-None-Match: {}", css.header("etag").unwrap());
    assert_eq!(server.send("GET", "/assets/link.css", &[&tag], "").await.status, 304);
    for path in ["/assets/", "/assets/none", "/assets/..%2flink.css", "/assets/../assets/link.css"] {
        assert_eq!(server.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a24_the_page_is_shown_under_our_own_names_only() {
    let allow_announce = vec!["site.example".parse().unwrap()];
    let advertise = Some("http://tracker.example:80".parse().unwrap());
    let server = Server::start(TrackerConfig { allow_announce, advertise, ..TrackerConfig::default() }).await;
    let torrent = torrent("data.bin", b"abc");
    server.publish(&torrent).await;
    for (host, status) in [
        ("127.0.0.1:5000", 200),
        ("[::1]:5000", 200),
        ("localhost:5000", 200),
        ("tracker.example", 200),
        ("node.site.example:1", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("2130706433", 421),
        ("a b", 421),
    ] {
        let id = torrent.id();
        let request =
            format!("GET /torrent/{id} HTTP/1.1\r\nHost: {host}\r\n{HTML}\r\nConnection: close\r\n\r\n");
        assert_eq!(server.raw(request.as_bytes()).await.status, status, "{host}");
    }
}

#[tokio::test]
async fn a25_a_foreign_page_changes_nothing() {
    let server = Server::start(TrackerConfig::default()).await;
    let port = server.address.port();
    let send = |host: String, origin: &str| {
        let node = r#"{"host":"127.0.0.1","port":8468}"#;
        let head = format!("Host: {host}\r\n{origin}Content-Length: {}\r\nConnection: close", node.len());
        let request = format!("POST /dht HTTP/1.1\r\n{head}\r\n\r\n{node}");
        let server = &server;
        async move { server.raw(request.as_bytes()).await.status }
    };
    let own = format!("127.0.0.1:{port}");
    for origin in ["http://evil.example", "null", "http://127.0.0.1", "http://127.0.0.1:8080"] {
        assert_eq!(send(own.clone(), &format!("Origin: {origin}\r\n")).await, 403, "{origin}");
    }
    // A24: a stranger's name that means us by now, so that their page's origin is the host that it asks.
    let rebound = format!("evil.example:{port}");
    assert_eq!(send(rebound.clone(), &format!("Origin: http://{rebound}\r\n")).await, 403);
    assert_eq!(server.get("/dht").await.body, "[]");
    assert_eq!(send(own.clone(), &format!("Origin: http://{own}\r\n")).await, 200);
    assert_eq!(send(rebound, "").await, 200, "a program may know us by any name");
}
