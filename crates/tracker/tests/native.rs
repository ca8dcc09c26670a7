//! The native routes: publish, announce, list, leave; and the door between the two protocols.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::net::SocketAddr;

use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use protocol::Torrent;
use protocol::api::tracker::{AnnounceAnswer, Have, Peers};
use protocol::api::well_known::WellKnown;
use serde_json::json;
use support::*;
use tower::ServiceExt;
use tracker::TrackerConfig;

const ONE: &str = "11111111111111111111111111111111";
const TWO: &str = "22222222222222222222222222222222";

#[tokio::test]
async fn a_peer_announces_is_listed_and_leaves() {
    let server = Server::start(TrackerConfig::default()).await;
    let torrent = torrent("data.bin", b"abc");
    server.publish(&torrent).await;
    let peers = format!("/torrent/{}/peers", torrent.id());
    let announce =
        json!({"peer": ONE, "port": 8001, "have": "complete", "downloaded": 0, "uploaded": 5, "left": 0});
    let answer = server.put(&peers, &announce.to_string()).await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")));
    let first: AnnounceAnswer = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((first.interval, first.peers.len(), first.metrics), (5, 0, None));
    assert_eq!(first.observed.host().to_string(), "127.0.0.1");
    let second_url = "http://127.0.0.1:8002/p".parse().unwrap();
    let announce = json!({"peer": TWO, "url": "http://127.0.0.1:8002/p", "have": "QA=="});
    let second: AnnounceAnswer =
        serde_json::from_str(&server.put(&peers, &announce.to_string()).await.body).unwrap();
    assert_eq!(second.peers.len(), 1);
    assert_eq!(
        (second.peers[0].url.to_string().as_str(), &second.peers[0].have),
        ("http://127.0.0.1:8001", &Have::Complete)
    );
    assert_ne!(first.token, second.token);
    let more = json!({"peer": TWO, "url": "http://127.0.0.1:8002/p", "have": "YA=="}).to_string();
    let bearer = format!("Authorization: Bearer {}", second.token.as_str());
    assert_eq!(server.send("PUT", &peers, &[&bearer], &more).await.status, 200);
    let listed: Peers = serde_json::from_str(&server.get(&peers).await.body).unwrap();
    assert_eq!(listed.peers.len(), 2);
    let has = listed.peers.iter().find(|entry| entry.url == second_url).map(|entry| entry.have.clone());
    assert_eq!(has, Some(Have::Bitmap(vec![0x60])), "what it announced last");
    let leave = format!("{peers}/{ONE}");
    let bearer = format!("Authorization: Bearer {}", first.token.as_str());
    assert_eq!(server.send("DELETE", &leave, &[&bearer], "").await.status, 204);
    let listed: Peers = serde_json::from_str(&server.get(&peers).await.body).unwrap();
    assert_eq!(listed.peers.iter().map(|entry| entry.peer.unwrap().to_string()).collect::<Vec<_>>(), [TWO]);
}

/// What the routes answer by themselves to a `PUT` from this machine: its status, media type and body.
async fn by_routes_alone(server: &Server, path: &str, header: &str, body: String) -> (u16, String, String) {
    let from = SocketAddr::from(([127, 0, 0, 1], 40_000));
    let (name, value) = header.split_once(": ").unwrap();
    let request = http::Request::put(path).header("Host", server.address.to_string()).header(name, value);
    let request = request.extension(ConnectInfo(from)).body(Body::from(body)).unwrap();
    let answer = server.tracker.router().oneshot(request).await.unwrap();
    let (status, media_type) = (answer.status().as_u16(), answer.headers()["content-type"].clone());
    let body = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    (status, media_type.to_str().unwrap().to_owned(), String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn announces_past_the_routes_are_answered_as_the_routes_would() {
    let server = Server::start(TrackerConfig::default()).await;
    let torrent = torrent("data.bin", b"abc");
    server.publish(&torrent).await;
    let id = torrent.id().to_string();
    let (first, rest) = id.split_at(1);
    let escaped = format!("%{:02X}{rest}", first.as_bytes()[0]);
    let usual = "Accept: */*";
    let own_page = format!("Origin: http://{}", server.address);
    let foreign_page = "Origin: http://elsewhere.example";
    let tries = [
        (format!("/torrent/{id}/peers"), usual, 200),
        (format!("/torrent/{id}/peers?key=value"), usual, 200),
        (format!("/torrent/{escaped}/peers"), usual, 200),
        (format!("/torrent/{id}/peers"), &own_page, 200),
        (format!("/torrent/{id}/peers"), foreign_page, 403),
        (format!("/torrent/{}/peers", id.to_uppercase()), usual, 404),
        (format!("/torrent/g{rest}/peers"), usual, 404),
        (format!("/torrent/{}/peers", "0".repeat(id.len())), usual, 404),
        (format!("/torrent/{id}/peers/"), usual, 404),
        (format!("/torrent/{id}/{id}/peers"), usual, 404),
    ];
    for (number, (path, header, status)) in (1..).zip(tries) {
        // Each way hears from a peer of its own: the second would have to show the first one's token.
        let announce =
            |peer: u16| json!({"peer": format!("{peer:032x}"), "port": peer, "have": "QA=="}).to_string();
        let answer = server.send("PUT", &path, &[header], &announce(number)).await;
        let alone = by_routes_alone(&server, &path, header, announce(1000 + number)).await;
        assert_eq!((answer.status, alone.0), (status, status), "{path} {header}: {answer:?} {alone:?}");
        assert_eq!(answer.header("content-type"), Some(alone.1.as_str()), "{path} {header}");
        assert!(status == 200 || answer.body == alone.2, "{path} {header}: {answer:?} {alone:?}");
    }
}

#[tokio::test]
async fn an_announce_says_where_to_send_metrics_once_that_is_known() {
    let server = Server::start(TrackerConfig::default()).await;
    let torrent = torrent("data.bin", b"abc");
    server.tracker.publish(torrent.clone().into()).unwrap();
    let peers = format!("/torrent/{}/peers", torrent.id());
    let metrics = |number: u8| {
        let announce =
            json!({"peer": format!("{number:032x}"), "port": 8000 + u16::from(number), "have": "complete"});
        let (server, peers) = (&server, &peers);
        async move { server.put(peers, &announce.to_string()).await.json().get("metrics").cloned() }
    };
    assert_eq!(metrics(1).await, None);
    server.tracker.set_metrics(Some("http://127.0.0.1:8080".parse().unwrap()));
    assert_eq!(metrics(2).await, Some("http://127.0.0.1:8080".into()));
}

#[tokio::test]
async fn torrent_json_names_the_tracker_by_which_it_was_reached() {
    let server = Server::start(TrackerConfig::default()).await;
    let original = torrent("na\",\"trackerUrl\":\"\"me", b"abc")
        .with_tracker(Some("http://evil.example:1".parse().unwrap()));
    server.publish(&original).await;
    let path = format!("/torrent/{}", original.id());
    let answer = server.get(&path).await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("content-length").unwrap().parse::<usize>().unwrap(), answer.body.len());
    let read = Torrent::from_json(answer.body.as_bytes()).unwrap();
    assert_eq!(read, original.clone().with_tracker(Some(base(server.address))));
    let by_name = format!("GET {path} HTTP/1.1\r\nHost: tracker.example:99\r\nConnection: close\r\n\r\n");
    let read = Torrent::from_json(server.raw(by_name.as_bytes()).await.body.as_bytes()).unwrap();
    assert_eq!(read.tracker().unwrap().to_tracker_url(), "tracker.example:99");
    // A Host that is no host is not believed; one that is missing is the address itself.
    for host in ["Host: a/b@c\"\r\n", ""] {
        let request = format!("GET {path} HTTP/1.0\r\n{host}\r\n");
        let read = Torrent::from_json(server.raw(request.as_bytes()).await.body.as_bytes()).unwrap();
        assert_eq!(read.tracker(), Some(&base(server.address)), "{host}");
    }
    let tag = answer.header("etag").unwrap();
    assert_eq!(server.send("GET", &path, &[&format!("If-None-Match: {tag}")], "").await.golden(), (304, ""));
    let head = server.send("HEAD", &path, &[], "").await;
    assert_eq!(
        (head.status, head.body.as_str(), head.header("content-length")),
        (200, "", answer.header("content-length"))
    );
}

#[tokio::test]
async fn an_advertised_address_wins() {
    let advertise = Some("https://site.example/p2p".parse().unwrap());
    let server = Server::start(TrackerConfig { advertise, ..TrackerConfig::default() }).await;
    let torrent = torrent("data.bin", b"abc");
    server.publish(&torrent).await;
    let read = server.get(&format!("/torrent/{}", torrent.id())).await.json();
    assert_eq!(read["trackerUrl"], "https://site.example/p2p");
}

#[tokio::test]
async fn one_registry_has_two_doors() {
    let server = Server::start(TrackerConfig::default()).await;
    let torrent = torrent("data.bin", b"abc");
    server.publish(&torrent).await;
    let announce = json!({"client_host": "127.0.0.1", "client_port": 8009, "hashes": [torrent.chunk_hash(protocol::ChunkIndex::new(1))]});
    assert_eq!(server.put("/chunk", &announce.to_string()).await.status, 200);
    let peers = format!("/torrent/{}/peers", torrent.id());
    let listed = server.get(&peers).await.json();
    assert_eq!(listed, json!({"peers": [{"url": "http://127.0.0.1:8009", "have": "QA=="}]}));
    let announce = json!({"peer": ONE, "port": 8001, "have": "oA=="});
    assert_eq!(server.put(&peers, &announce.to_string()).await.status, 200);
    let assigned = server.post("/chunk", &hashes(&torrent)).await.json();
    let given: Vec<(u64, usize)> = assigned
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["client_port"].as_u64().unwrap(), entry["hash_list"].as_array().unwrap().len()))
        .collect();
    assert_eq!(given.iter().map(|(_, count)| count).sum::<usize>(), 3, "every chunk is somewhere");
    assert!(given.iter().all(|(port, _)| [8001, 8009].contains(port)));
}

#[tokio::test]
async fn a_restarted_peer_takes_its_place_and_a_living_one_keeps_it() {
    let server = Server::start(TrackerConfig::default()).await;
    let torrent = torrent("data.bin", b"abc");
    server.publish(&torrent).await;
    let peers = format!("/torrent/{}/peers", torrent.id());
    let well_known = json!({"version": 1, "peer": ONE, "roles": ["peer"]}).to_string();
    let living = Responder::start("127.0.0.1", well_known).await;
    let announce =
        |peer: &str| json!({"peer": peer, "port": living.address.port(), "have": "complete"}).to_string();
    assert_eq!(server.put(&peers, &announce(ONE)).await.status, 200);
    let taken = server.put(&peers, &announce(TWO)).await;
    assert_eq!((taken.status, taken.header("retry-after"), living.asked()), (409, Some("15"), 1));
    let (first, second) = (announce(ONE), announce(TWO));
    living.die();
    // Nobody answers there now, or somebody else does: the old one is gone.
    until("the place is free", || async { server.put(&peers, &second).await.status == 200 }).await;
    assert_eq!(server.get(&peers).await.json()["peers"][0]["peer"], TWO);
    assert_eq!(server.put(&peers, &first).await.status, 200, "nobody answers for the second either");
}

#[tokio::test]
async fn what_is_wrong_is_told_as_a_problem() {
    let server = Server::start(TrackerConfig::default()).await;
    let torrent = torrent("data.bin", b"abc");
    let peers = format!("/torrent/{}/peers", torrent.id());
    let announce = json!({"peer": ONE, "port": 8001, "have": "complete"}).to_string();
    for (status, answer) in [
        (404, server.put(&peers, &announce).await),
        (404, server.get(&peers).await),
        (404, server.get(&format!("/torrent/{}", torrent.id())).await),
        (404, server.get("/torrent/0123").await),
        (404, server.get("/nothing/here").await),
        (400, server.put(&peers, "{}").await),
        (400, server.put(&peers, &announce.replace("8001", "0")).await),
        (422, server.put(&format!("/torrent/{}", torrent.id()), "{}").await),
    ] {
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{answer:?}");
        let problem = answer.json();
        assert_eq!(problem["status"], status);
        assert!(problem["detail"].is_string() && problem["title"].is_string());
    }
    server.publish(&torrent).await;
    let other = announce.replace("\"complete\"", "\"AAAA\"");
    assert_eq!(server.put(&peers, &other).await.status, 400, "a bitmap of another torrent");
}

#[tokio::test]
async fn it_says_what_it_is() {
    let server = Server::start(TrackerConfig::default()).await;
    let said: WellKnown = serde_json::from_str(&server.get("/.well-known/http-torrent").await.body).unwrap();
    assert!(said.is("tracker") && !said.is("peer"));
}
