//! The described routes, by the bytes that the mission's document and its original's clients send.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use support::*;
use tracker::TrackerConfig;

#[tokio::test]
async fn a_described_program_announces_and_finds() {
    let server = Server::start(TrackerConfig::default()).await;
    // The document's own example hashes, an address that may announce, and a port as text as the original sends it.
    let announce = r#"{"client_host": "127.0.0.1", "client_port": "8000", "hashes": ["oc3kikx1o9x1oxo21k1x", "xyz123abc456def789"]}"#;
    assert_eq!(server.put("/chunk", announce).await.golden(), (200, "Ok"));
    assert_eq!(server.put("/chunk", announce).await.golden(), (200, "Ok"), "repeating adds nothing");
    let found = server.post("/chunk", r#"["oc3kikx1o9x1oxo21k1x"]"#).await;
    let expected = r#"[{"client_host":"127.0.0.1","client_port":8000,"hash_list":["oc3kikx1o9x1oxo21k1x"]}]"#;
    assert_eq!(found.golden(), (200, expected));
    assert_eq!(found.header("content-type"), Some("application/json"));
    let some = server.post("/chunk", r#"["unknown", "xyz123abc456def789"]"#).await;
    assert_eq!(some.status, 200);
    assert_eq!(some.json()[0]["hash_list"], serde_json::json!(["xyz123abc456def789"]));
    assert_eq!(server.post("/chunk", r#"["unknown"]"#).await.status, 400);
    assert_eq!(server.post("/chunk", "[]").await.golden(), (200, "[]"));
}

#[tokio::test]
async fn http_1_0_with_no_content_type_is_answered_and_closed() {
    let server = Server::start(TrackerConfig::default()).await;
    let body = r#"{"client_host":"localhost","client_port":8000,"hashes":["a"]}"#;
    let length = body.len();
    let put = format!("PUT /chunk HTTP/1.0\r\nContent-Length: {length}\r\n\r\n{body}");
    let answer = server.raw(put.as_bytes()).await;
    assert!(answer.head.starts_with("HTTP/1.0 200 OK"), "{}", answer.head);
    assert_eq!((answer.body.as_str(), answer.header("content-length")), ("Ok", Some("2")));
    let post = b"POST /chunk HTTP/1.0\r\nConnection: close\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\n[\"a\"]";
    assert_eq!(server.raw(post).await.json()[0]["client_host"], "localhost");
    assert_eq!(server.raw(b"GET /ping HTTP/1.0\r\n\r\n").await.golden(), (200, "pong"));
}

#[tokio::test]
async fn dht_nodes_register_and_are_listed_oldest_first() {
    let server = Server::start(TrackerConfig::default()).await;
    assert_eq!(server.get("/dht").await.golden(), (200, "[]"));
    for node in [r#"{"host": "127.0.0.1", "port": 8468}"#, r#"{"host":"127.0.0.2","port":"8469"}"#] {
        assert_eq!(server.post("/dht", node).await.golden(), (200, "Ok"));
    }
    let listed = r#"[{"host":"127.0.0.1","port":8468},{"host":"127.0.0.2","port":8469}]"#;
    assert_eq!(server.get("/dht").await.golden(), (200, listed));
    for wrong in [
        r#"{"host":"127.0.0.1"}"#,
        r#"{"host":"127.0.0.1","port":0}"#,
        "",
        "[",
        r#"{"host":"10.255.255.1","port":1}"#,
    ] {
        assert_eq!(server.post("/dht", wrong).await.status, 400, "{wrong}");
    }
    assert_eq!(server.get("/dht").await.golden(), (200, listed));
}

#[tokio::test]
async fn a16_a_dht_node_leaves_the_list_and_takes_nobody_else_out() {
    let server = Server::start(TrackerConfig::default()).await;
    let nodes = [r#"{"host":"127.0.0.1","port":8468}"#, r#"{"host":"127.0.0.2","port":8469}"#];
    for node in nodes {
        assert_eq!(server.post("/dht", node).await.golden(), (200, "Ok"));
    }
    assert_eq!(server.send("DELETE", "/dht", &[], nodes[1]).await.status, 403);
    assert_eq!(server.send("DELETE", "/dht", &[], r#"{"host":"localhost","port":8469}"#).await.status, 403);
    assert_eq!(server.send("DELETE", "/dht", &[], "[").await.status, 400);
    for _ in 0..2 {
        assert_eq!(server.send("DELETE", "/dht", &[], nodes[0]).await.golden(), (200, "Ok"));
    }
    assert_eq!(server.get("/dht").await.golden().1, format!("[{}]", nodes[1]));
}

#[tokio::test]
async fn a_wrong_shape_is_refused_with_the_reason_and_nothing_is_kept() {
    let server = Server::start(TrackerConfig::default()).await;
    for (wrong, reason) in [
        (r#"{"client_host":"127.0.0.1","client_port":1,"hashes":"abc"}"#, "expected a sequence"),
        (r#"{"client_host":"127.0.0.1","hashes":["abc"]}"#, "port"),
        (r#"{"client_host":"127.0.0.1","client_port":99999,"hashes":["abc"]}"#, "port"),
        (r#"{"client_host":"127.0.0.1","client_port":1,"hashes":["abc",7]}"#, "expected a string"),
        (r#"{"client_host":"no host","client_port":1,"hashes":["abc"]}"#, "neither an IP address"),
        (r#"["abc"]"#, ""),
        ("", ""),
    ] {
        let answer = server.put("/chunk", wrong).await;
        assert_eq!(answer.status, 400, "{wrong}");
        assert!(answer.body.contains(reason) && !answer.body.is_empty(), "{wrong}: {}", answer.body);
        assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("text/plain")));
    }
    for long in [
        r#"{"hashes":"LONG"}"#,
        r#"{"client_host":"127.0.0.1","client_port":"LONG","hashes":[]}"#,
        r#""LONG""#,
    ] {
        let answer = server.put("/chunk", &long.replace("LONG", &"\u{202e}".repeat(100_000))).await;
        assert_eq!(answer.status, 400);
        assert!(answer.body.len() < 16 << 10, "a reason is no copy of the request: {}", answer.body.len());
    }
    assert_eq!(server.post("/chunk", r#"["abc"]"#).await.status, 400, "nobody has it");
    for wrong in [r#"{"hashes":["abc"]}"#, r#""abc""#, "[1]", r#"[""]"#, "[[]]"] {
        assert_eq!(server.post("/chunk", wrong).await.status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn a_described_announcer_that_dies_disappears_and_one_that_lives_stays() {
    // Seven seconds without a pong are a death: a busy machine may well pause for one or two.
    let server = Server::start(pinged_every(Duration::from_millis(2500))).await;
    let living = Responder::start("127.0.0.1", "pong".to_owned()).await;
    let dying = Responder::start("127.0.0.1", "pong".to_owned()).await;
    for (responder, hash) in [(&living, "of the living"), (&dying, "of the dying")] {
        let port = responder.address.port();
        let announce = format!(r#"{{"client_host":"127.0.0.1","client_port":{port},"hashes":["{hash}"]}}"#);
        announced_until(&server, &announce, until("it was pinged", || async { responder.asked() > 0 })).await;
    }
    let server = &server;
    let knows = |hash: &'static str| async move {
        server.post("/chunk", &format!("[\"{hash}\"]")).await.status == 200
    };
    assert!(knows("of the living").await && knows("of the dying").await);
    dying.die();
    until("the dead are gone", || async { !knows("of the dying").await }).await;
    assert!(knows("of the living").await, "it announced first, so only its pongs can have kept it until now");
}

#[tokio::test]
async fn a_client_that_answers_something_else_is_not_alive() {
    let server = Server::start(often_pinged()).await;
    let endless = Responder::start("127.0.0.1", "pong".repeat(1000)).await;
    let port = endless.address.port();
    let announce = format!(r#"{{"client_host":"127.0.0.1","client_port":{port},"hashes":["a"]}}"#);
    announced_until(&server, &announce, until("it was asked", || async { endless.asked() > 0 })).await;
    let server = &server;
    until("it is gone", || async { server.post("/chunk", r#"["a"]"#).await.status == 400 }).await;
}
