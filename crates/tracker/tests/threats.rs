//! Rows of the threat table that a tracker must stand. Each test starts with its row.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use net::{BoxFuture, Datagrams, Incoming, Net, Network, Pipe};
use protocol::ChunkIndex;
use serde_json::json;
use support::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tower::ServiceExt;
use tracker::{Tracker, TrackerConfig};

const ONE: &str = "11111111111111111111111111111111";
const TWO: &str = "22222222222222222222222222222222";

/// A request that comes from somewhere else than this machine.
async fn from_afar(tracker: &Tracker, method: &str, path: &str, body: String) -> http::StatusCode {
    let far: SocketAddr = "203.0.113.9:40000".parse().unwrap();
    let request = http::Request::builder().method(method).uri(path).extension(ConnectInfo(far));
    tracker.router().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap().status()
}

#[tokio::test]
async fn a03_metadata_bombs_are_refused_with_the_field_named() {
    let server = Server::start(TrackerConfig::default()).await;
    let good = torrent("data.bin", b"abc");
    let path = format!("/torrent/{}", good.id());
    let json = String::from_utf8(good.to_json()).unwrap();
    let changed = |from: &str, to: &str| {
        assert!(json.contains(from), "{from}");
        json.replace(from, to)
    };
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for (bomb, field) in [
        (changed("\"fileSize\":3", "\"fileSize\":1099511627776"), "chunks"),
        (changed("\"chunkSize\":1", "\"chunkSize\":0"), "chunkSize"),
        (changed("\"chunkSize\":1", "\"chunkSize\":-1"), "invalid value"),
        (changed("\"chunkSize\":1", "\"chunkSize\":9223372036854775808"), "chunkSize"),
        (changed("\"orderNumber\":2", "\"orderNumber\":1000000000"), "orderNumber"),
        (changed("\"chunkSize\":1", "\"chunkSize\":1,\"chunkSize\":1"), "chunkSize"),
        (changed("\"fileName\":\"data.bin\"", "\"fileName\":\"../data.bin\""), "fileName"),
        (changed("\"data.bin\"", &deep), "expected a string"),
    ] {
        let answer = server.put(&path, &bomb).await;
        assert_eq!(answer.status, 422, "{field}: {answer:?}");
        assert!(answer.json()["detail"].as_str().unwrap().contains(field), "{field}: {}", answer.body);
    }
    // A body that only claims its size costs what came of it.
    let claim = format!("PUT {path} HTTP/1.1\r\nHost: t\r\nContent-Length: 1099511627776\r\n\r\n{{");
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(claim.as_bytes()).await.unwrap();
    assert_eq!(server.get(&path).await.status, 404, "nothing was published, and others are served meanwhile");
    let unknown = json.replacen('{', &format!("{{\"deep\":{deep},"), 1);
    assert_eq!(server.put(&path, &unknown).await.status, 204, "what nobody here reads is no harm");
    assert!(!server.get(&path).await.body.contains("deep"), "and is not passed on");
}

#[tokio::test]
async fn a05_tracker_dials_only_who_asked() {
    let server = Server::start(often_pinged()).await;
    // Both are loopback, as the canaries on a real machine's other services would be.
    let canaries = [
        Responder::start("127.0.0.1", "pong".to_owned()).await,
        Responder::start("127.0.0.2", "pong".to_owned()).await,
    ];
    let port = canaries[0].address.port();
    let hosts = [
        "127.0.0.1",
        "127.0.0.2",
        "10.255.255.1",
        "169.254.169.254",
        "localhost",
        "::1",
        "[::1]",
        "::ffff:127.0.0.1",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
        "0x7f.1",
        "0x7f000001",
        "2130706433",
        "017700000001",
        "127.1",
        "127.0.0.1:80/latest/meta-data/?x=",
        "127.0.0.1/",
        "127.0.0.1#",
        "user@127.0.0.1",
        "127.0.0.1%20",
        "127.0.0.1\r\nX: y",
        "",
    ];
    let torrent = torrent("data.bin", b"abc");
    server.publish(&torrent).await;
    let peers = format!("/torrent/{}/peers", torrent.id());
    for host in hosts {
        for canary in &canaries {
            let port = canary.address.port();
            let chunks = json!({"client_host": host, "client_port": port, "hashes": ["bait"]}).to_string();
            assert_eq!(from_afar(&server.tracker, "PUT", "/chunk", chunks).await, 400, "{host}");
            let node = json!({"host": host, "port": port}).to_string();
            assert_eq!(from_afar(&server.tracker, "POST", "/dht", node).await, 400, "{host}");
            let announce =
                json!({"peer": ONE, "url": format!("http://{host}:{port}"), "have": "complete"}).to_string();
            assert_eq!(from_afar(&server.tracker, "PUT", &peers, announce).await, 400, "{host}");
        }
    }
    // One who may be announced, and who is asked again and again while nobody else is.
    let control = Responder::start("127.0.0.1", "pong".to_owned()).await;
    let announce =
        json!({"client_host": "127.0.0.1", "client_port": control.address.port(), "hashes": ["a"]});
    let asked = until("the control was asked", || async { control.asked() >= 4 });
    announced_until(&server, &announce.to_string(), asked).await;
    assert_eq!(canaries.map(|canary| canary.asked()), [0, 0], "nobody asked for them to be dialled");
    assert_eq!(server.post("/chunk", r#"["bait"]"#).await.status, 400, "nothing was kept");
    assert_eq!(
        (server.get("/dht").await.body, server.get(&peers).await.body),
        ("[]".into(), r#"{"peers":[]}"#.into())
    );
    // The refusal tells an honest operator what to do, on both doors.
    let announce = format!(r#"{{"client_host":"10.255.255.1","client_port":{port},"hashes":["a"]}}"#);
    assert!(server.put("/chunk", &announce).await.body.contains("--allow-announce"));
    let announce = json!({"peer": ONE, "url": "http://10.255.255.1:1", "have": "complete"}).to_string();
    assert!(server.put(&peers, &announce).await.body.contains("--allow-announce"));
}

#[tokio::test]
async fn a05_the_operator_can_allow_a_network() {
    let config =
        TrackerConfig { allow_announce: vec!["10.0.0.0/8".parse().unwrap()], ..TrackerConfig::default() };
    let server = Server::start(config).await;
    let announce = |host: &str| json!({"client_host": host, "client_port": 1, "hashes": ["a"]}).to_string();
    assert_eq!(server.put("/chunk", &announce("10.255.255.1")).await.status, 200);
    assert_eq!(server.put("/chunk", &announce("11.0.0.1")).await.status, 400);
}

#[tokio::test]
async fn a05_an_answer_that_redirects_leads_nowhere() {
    let server = Server::start(often_pinged()).await;
    let canary = Responder::start("127.0.0.1", "pong".to_owned()).await;
    let redirecting = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = redirecting.local_addr().unwrap().port();
    let announce = json!({"client_host": "127.0.0.1", "client_port": port, "hashes": ["a"]});
    for _ in 0..2 {
        let asked = announced_until(&server, &announce.to_string(), redirecting.accept()).await;
        let (mut stream, _) = asked.unwrap();
        let mut request = [0; 1024];
        let length = stream.read(&mut request).await.unwrap();
        assert!(request[..length].starts_with(b"GET /ping HTTP/1.1\r\n"));
        let answer = format!(
            "HTTP/1.1 302 Found\r\nLocation: http://{}/ping\r\nContent-Length: 0\r\n\r\n",
            canary.address
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
    let server = &server;
    until("it is gone", || async { server.post("/chunk", r#"["a"]"#).await.status == 400 }).await;
    assert_eq!(canary.asked(), 0);
}

/// A network on which every name is this machine: what wildcard DNS makes of one address.
struct Wildcard;

impl Network for Wildcard {
    fn listen(&self, _: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn Incoming>>> {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }

    fn connect(&self, _: SocketAddr, _: Option<IpAddr>) -> BoxFuture<'_, io::Result<Box<dyn Pipe>>> {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }

    fn resolve<'a>(&'a self, _: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async { Ok(vec![[127, 0, 0, 1].into()]) })
    }

    fn udp(&self, _: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn Datagrams>>> {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }
}

#[tokio::test]
async fn a06_a_victim_is_listed_so_often_and_no_more_whatever_it_is_called() {
    let registry = registry::Limits {
        holders_per_target: 3,
        announcers_per_target: 3,
        dht_nodes_per_target: 3,
        ..registry::Limits::default()
    };
    let config = TrackerConfig { registry, net: Net::other(Wildcard), ..TrackerConfig::default() };
    let server = Server::start(config).await;
    let torrent = torrent("data.bin", b"abc");
    server.publish(&torrent).await;
    let peers = format!("/torrent/{}/peers", torrent.id());
    for number in 1..=6u16 {
        let expected = if number <= 3 { 200 } else { 429 };
        // By its address on several ports, and by a new name each time.
        let host = if number % 2 == 0 { "127.0.0.1".to_owned() } else { format!("n{number}.evil.example") };
        let url = format!("http://{host}:{number}");
        let announce = json!({"peer": format!("{number:032x}"), "url": url, "have": "complete"});
        assert_eq!(server.put(&peers, &announce.to_string()).await.status, expected, "{url}");
        let announce = json!({"client_host": host, "client_port": number, "hashes": ["a"]});
        assert_eq!(server.put("/chunk", &announce.to_string()).await.status, expected, "{url}");
        let node = json!({"host": host, "port": number});
        assert_eq!(server.post("/dht", &node.to_string()).await.status, expected, "{url}");
    }
    assert_eq!(server.get(&peers).await.json()["peers"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a11_hundreds_of_half_open_connections_keep_nobody_waiting() {
    const PER_ADDRESS: usize = 40;
    const FROM_EACH: usize = 50;
    let listen = listen::Limits { per_address: PER_ADDRESS, ..listen::Limits::default() };
    let server = Server::start(TrackerConfig { listen, ..TrackerConfig::default() }).await;
    let mut half_open = Vec::new();
    for number in 0..8 * FROM_EACH {
        let socket = TcpSocket::new_v4().unwrap();
        let low = u8::try_from(number % 8 + 3).unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, low], 0))).unwrap();
        let mut stream = socket.connect(server.address).await.unwrap();
        // Those over their address's share are closed at once; writing to them may fail.
        let _ = stream.write_all(b"PUT /chunk HTTP/1.1\r\nHost: t\r\nContent-Le").await;
        half_open.push(stream);
    }
    for _ in 0..20 {
        assert_eq!(server.get("/ping").await.golden(), (200, "pong"));
    }
    // Nobody answers a request that is not whole: a connection that can be read from has been closed.
    let closed = || {
        let is_closed = |stream: &&TcpStream| !matches!(stream.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock);
        half_open.iter().filter(is_closed).count()
    };
    let expected = 8 * (FROM_EACH - PER_ADDRESS);
    until("those over their share were closed", || async { closed() >= expected }).await;
    assert_eq!(closed(), expected, "and no others");
}

#[tokio::test]
async fn a11_a_head_and_a_body_that_do_not_come_are_given_up() {
    let listen = listen::Limits { head: Duration::from_millis(200), ..listen::Limits::default() };
    let body_grace = Duration::from_millis(200);
    let server = Server::start(TrackerConfig { listen, body_grace, ..TrackerConfig::default() }).await;
    for (sent, status) in [
        ("", 0),
        ("GET /ping HTTP/1.1\r\nHo", 0),
        ("PUT /chunk HTTP/1.1\r\nHost: t\r\nContent-Length: 100\r\n\r\n{", 408),
    ] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        // Without a limit this would wait until the test's own deadline, and fail there.
        assert_eq!(read_answer(&mut stream).await.status, status, "{sent}");
    }
}

#[tokio::test]
async fn a13_requests_with_two_lengths_or_folded_heads_are_refused_and_closed() {
    let server = Server::start(TrackerConfig::default()).await;
    // What a smuggler hides behind a request that two servers read differently.
    let hidden =
        "POST /dht HTTP/1.1\r\nHost: t\r\nContent-Length: 31\r\n\r\n{\"host\":\"127.0.0.1\",\"port\":8468}";
    for head in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 4",
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked, identity",
        "Content-Length: 4\r\nContent-Length: 5",
        "Content-Length: 4, 5",
        "Content-Length: +4",
        "Content-Length: 0x4",
        "Content-Length: -4",
        "Content-Length : 4",
        "X: a\r\n folded: b\r\nContent-Length: 0",
        "X: a\r\n\tContent-Length: 4",
        "X: a\0b\r\nContent-Length: 0",
    ] {
        let request = format!("POST /chunk HTTP/1.1\r\nHost: t\r\n{head}\r\n\r\n0\r\n\r\n{hidden}");
        let answer = server.raw(request.as_bytes()).await;
        assert_eq!(answer.status, 400, "{head:?}: {answer:?}");
        assert!(!answer.body.contains("HTTP/1.1"), "{head:?}: one answer and the end: {answer:?}");
    }
    assert_eq!(server.get("/dht").await.body, "[]", "nothing was smuggled in");
    let node = r#"{"host":"127.0.0.1","port":8468}"#;
    assert_eq!(server.post("/dht", node).await.status, 200, "the same request alone is taken");
}

#[tokio::test]
async fn a14_floods_meet_type_checks_and_bounds() {
    let registry = registry::Limits {
        announcers: 3,
        hashes: 10,
        hashes_per_announcer: 8,
        described_share: 1,
        ..registry::Limits::default()
    };
    let server = Server::start(TrackerConfig { registry, ..TrackerConfig::default() }).await;
    let announce = |port: u16, hashes: serde_json::Value| {
        json!({"client_host": "127.0.0.1", "client_port": port, "hashes": hashes}).to_string()
    };
    let many = |count: usize| json!((0..count).map(|n| n.to_string()).collect::<Vec<_>>());
    for (status, body) in [
        (400, announce(1, json!("abc"))),
        (400, announce(1, json!(["x".repeat(1 << 20)]))),
        (400, announce(1, many(65_537))),
        (400, announce(1, many(9))),
        (413, announce(1, json!(["x".repeat(9 << 20)]))),
        (200, announce(1, many(8))),
        (200, announce(1, many(8))),
        (503, announce(2, json!(["a", "b", "c"]))),
        (200, announce(2, json!(["0", "a", "b"]))),
        (200, announce(3, json!(["0"]))),
        (503, announce(4, json!(["0"]))),
    ] {
        let answer = server.put("/chunk", &body).await;
        assert_eq!(answer.status, status, "{} of {}", answer.body, &body[..60]);
    }
    assert_eq!(server.post("/chunk", r#"["c"]"#).await.status, 400, "of a refused announce nothing is kept");
}

#[tokio::test]
async fn a14_nobody_announces_as_somebody_else() {
    let server = Server::start(TrackerConfig::default()).await;
    let torrent = torrent("data.bin", b"abc");
    server.publish(&torrent).await;
    let peers = format!("/torrent/{}/peers", torrent.id());
    let announce = |port: u16| json!({"peer": ONE, "port": port, "have": "complete"}).to_string();
    assert_eq!(server.put(&peers, &announce(8001)).await.status, 200);
    assert_eq!(server.put(&peers, &announce(8002)).await.status, 401);
    let wrong = ["Authorization: Bearer 0123"];
    assert_eq!(server.send("PUT", &peers, &wrong, &announce(8002)).await.status, 403);
    assert_eq!(server.get(&peers).await.json()["peers"][0]["url"], "http://127.0.0.1:8001");
}

#[tokio::test]
async fn a15_a_look_up_of_a_million_hashes_is_capped_and_one_of_a_megabyte_answered() {
    let server = Server::start(TrackerConfig::default()).await;
    let million = format!("[{}\"a\"]", "\"a\",".repeat(1_000_000));
    let answer = server.post("/chunk", &million).await;
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("65536"), "{}", answer.body);
    let hashes: Vec<String> = (0..15_000).map(|n| format!("{n:064x}")).collect();
    let announce = json!({"client_host": "127.0.0.1", "client_port": 1, "hashes": hashes});
    assert_eq!(server.put("/chunk", &announce.to_string()).await.status, 200);
    let found = server.post("/chunk", &json!(hashes).to_string()).await.json();
    let given: usize =
        found.as_array().unwrap().iter().map(|e| e["hash_list"].as_array().unwrap().len()).sum();
    assert_eq!((given, found.as_array().unwrap().len()), (15_000, 4), "one holder, in entries of a quarter");
}

#[tokio::test]
async fn a16_a_removal_needs_the_announcers_own_token() {
    let server = Server::start(TrackerConfig::default()).await;
    let torrent = torrent("data.bin", b"abc");
    server.publish(&torrent).await;
    let peers = format!("/torrent/{}/peers", torrent.id());
    let mut tokens = Vec::new();
    for (peer, port) in [(ONE, 8001), (TWO, 8002)] {
        let announce = json!({"peer": peer, "port": port, "have": "complete"});
        tokens.push(
            server.put(&peers, &announce.to_string()).await.json()["token"].as_str().unwrap().to_owned(),
        );
    }
    let leave = format!("{peers}/{ONE}");
    let bearer = |token: &str| format!("Authorization: Bearer {token}");
    let none = server.send("DELETE", &leave, &[], "").await;
    assert_eq!((none.status, none.header("www-authenticate")), (401, Some("Bearer")));
    for wrong in [bearer(&tokens[1]), bearer(&tokens[0][1..]), bearer(&format!("{}0", tokens[0]))] {
        assert_eq!(server.send("DELETE", &leave, &[&wrong], "").await.status, 403, "{wrong}");
    }
    for none in ["Authorization: Bearer", &format!("Authorization: Basic {}", tokens[0])] {
        assert_eq!(server.send("DELETE", &leave, &[none], "").await.status, 401, "{none}");
    }
    assert_eq!(server.get(&peers).await.json()["peers"].as_array().unwrap().len(), 2);
    assert_eq!(server.send("DELETE", &leave, &[&bearer(&tokens[0])], "").await.status, 204);
}

#[tokio::test]
async fn a39_a_torrent_is_published_under_its_own_id_only() {
    let server = Server::start(TrackerConfig::default()).await;
    let (right, other) = (torrent("data.bin", b"abc"), torrent("data.bin", b"abd"));
    let path = format!("/torrent/{}", right.id());
    let false_body = String::from_utf8(other.to_json()).unwrap();
    let refused = server.put(&path, &false_body).await;
    assert_eq!(refused.status, 422);
    assert!(refused.body.contains(&other.id().to_string()), "{}", refused.body);
    server.publish(&right).await;
    assert_eq!(server.put(&path, &false_body).await.status, 422, "nor is it replaced");
    // A changed hash, with everything else left as it was.
    let mut altered = String::from_utf8(right.to_json()).unwrap();
    let first = right.chunk_hash(ChunkIndex::new(0)).to_string();
    altered = altered.replacen(&first, &other.chunk_hash(ChunkIndex::new(2)).to_string(), 1);
    assert_eq!(server.put(&path, &altered).await.status, 422);
    let read = protocol::Torrent::from_json(server.get(&path).await.body.as_bytes()).unwrap();
    assert_eq!(read.id(), right.id());
}
