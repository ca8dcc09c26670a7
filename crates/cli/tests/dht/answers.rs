//! What the DHT answers to people and programs, what is kept for the next start, and what liars in it can do.

use std::fs;
use std::net::{SocketAddr, TcpListener};

use dht::Id;
use dht::message::{Answer, Body, Message, Query};

use crate::node::answer_with;
use crate::support::{LOCAL, Running, Sharer, content, folder, http, run, run_well, wait_for};

fn dht_address(process: &mut Running) -> String {
    process.url("dht").strip_prefix("udp://").unwrap().to_owned()
}

/// `dht get`, which must find these.
fn providers(dir: &std::path::Path, key: &str, way_in: &str) -> Vec<String> {
    let args = ["dht", "get", key, "--dht-bootstrap", way_in, "--bind", "127.0.0.1"];
    let found = run(dir, args);
    match found.code {
        Some(0) => serde_json::from_str(found.stdout.trim()).unwrap(),
        Some(3) => Vec::new(),
        _ => panic!("{found:#?}"),
    }
}

#[test]
fn dht_get_prints_who_provides_a_torrent_and_a_chunk() {
    let dir = folder();
    content::write(&dir.path().join("movie"), &content::bytes(300_000, 1));
    let mut sharer = Sharer::start_with(dir.path(), "movie", &["--dht-port", "0"]);
    let mut other = sharer.start_get(dir.path(), "got", &["--seed-time", "1h"]);
    let way_in = dht_address(&mut other);
    other.event("complete");
    let peer = sharer.peer.strip_prefix("http://").unwrap().to_owned();
    let torrent = sharer.torrent_id.clone();
    wait_for("the sharer in the DHT", || {
        providers(dir.path(), &torrent, &way_in).contains(&peer).then_some(())
    });
    let answer = http::get(&format!("{}/torrent/{torrent}", sharer.tracker)).json();
    let chunk = answer["chunks"][0]["hash"].as_str().unwrap().to_owned();
    wait_for("its first chunk in the DHT", || {
        providers(dir.path(), &chunk, &way_in).contains(&peer).then_some(())
    });
    assert!(sharer.process.runs());

    let nobody = run(dir.path(), ["dht", "get", &"0".repeat(40), "--dht-bootstrap", &way_in, "--json"]);
    assert_eq!((nobody.code, nobody.event("error")["kind"].as_str()), (Some(3), Some("no_source")));
    let usage = run(dir.path(), ["dht", "get", "xyz", "--dht-bootstrap", &way_in]);
    assert_eq!(usage.code, Some(2));
    assert_eq!(run(dir.path(), ["dht", "get", &torrent]).code, Some(2), "it needs a way in");
}

#[test]
fn nodes_that_answered_are_kept_for_a_start_without_any_way_in() {
    let dir = folder();
    content::write(&dir.path().join("movie"), &content::bytes(300_000, 2));
    let mut sharer = Sharer::start_with(dir.path(), "movie", &["--dht-port", "0"]);
    let first = run_well(
        dir.path(),
        ["get", &sharer.link, "-o", "a", "--dht-nodes", "nodes", "--seed-time", "2s"]
            .iter()
            .copied()
            .chain(LOCAL),
    );
    assert!(first.stderr.contains("DHT node at"));
    let saved = fs::read_to_string(dir.path().join("nodes")).unwrap();
    let addresses: Vec<SocketAddr> = saved.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(addresses.len(), 1);
    // No tracker, no peer, no way in but the file.
    let torrent = http::get(&format!("{}/torrent/{}", sharer.tracker, sharer.torrent_id));
    let nowhere = torrent.text().replace(sharer.tracker.strip_prefix("http://").unwrap(), "127.0.0.1:1");
    fs::write(dir.path().join("torrent.json"), nowhere).unwrap();
    run_well(
        dir.path(),
        ["get", "torrent.json", "-o", "b", "--dht-nodes", "nodes"].iter().copied().chain(LOCAL),
    );
    assert!(sharer.process.runs());
    assert_eq!(fs::read(dir.path().join("b/movie")).unwrap(), content::bytes(300_000, 2));
}

#[test]
fn a20_a_dht_that_only_lies_does_not_disturb_a_download() {
    let dir = folder();
    content::write(&dir.path().join("movie"), &content::bytes(4 << 20, 3));
    let sharer = Sharer::start(dir.path(), "movie");
    // Nobody answers at the one, somebody who says nothing at the other, and the tracker is no peer either.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let tracker: SocketAddr = sharer.tracker.strip_prefix("http://").unwrap().parse().unwrap();
    let mut lies = vec![closed, mute.local_addr().unwrap(), tracker, "127.0.0.9:1".parse().unwrap()];
    lies.extend((2..40).map(|host| SocketAddr::from(([127, 0, 0, host], 9))));
    let liar = answer_with(move |query| {
        let mut answer = Answer::from(Id::from_bytes([0x42; 20]));
        if matches!(query, Query::GetPeers { .. }) {
            answer.values.clone_from(&lies);
            answer.token = Some(vec![1]);
        }
        Body::Answer(answer)
    });
    let link = format!("{}?dht={}", sharer.link, liar.address);
    let got = run_well(
        dir.path(),
        ["get", &link, "-o", "got", "--limit-down", "2M", "--json"].iter().copied().chain(LOCAL),
    );
    assert_eq!(got.event("complete")["sources"]["seed"], 4 << 20);
    assert!(liar.heard().iter().any(|message| {
        matches!(
            Message::decode(message).map(|message| message.body),
            Ok(Body::Query { query: Query::GetPeers { .. }, .. })
        )
    }));
}

#[test]
fn a_node_joins_its_trackers_list_and_leaves_it_at_the_end() {
    let dir = folder();
    content::write(&dir.path().join("movie"), &content::bytes(100_000, 4));
    let sharer = Sharer::start(dir.path(), "movie");
    let listed = || http::get(&format!("{}/dht", sharer.tracker)).text();
    assert_eq!(listed(), "[]", "who was not asked to takes no part");
    let torrent = http::get(&format!("{}/torrent/{}", sharer.tracker, sharer.torrent_id)).text();
    fs::write(dir.path().join("torrent.json"), torrent).unwrap();
    let client = |to| Running::start(dir.path(), ["client", "dht_enabled", "--dir", to].iter().chain(&LOCAL));
    let (mut one, mut other) = (client("one"), client("other"));
    let nodes = [dht_address(&mut one), dht_address(&mut other)];
    let port = |node: &String| node.rsplit(':').next().unwrap().to_owned();
    wait_for("both in the list", || nodes.iter().all(|node| listed().contains(&port(node))).then_some(()));
    // Two that only know the tracker know each other: what one announced, the other finds.
    let peer =
        one.said().lines().find_map(|line| line.strip_prefix("peer at http://").map(str::to_owned)).unwrap();
    wait_for("one, through the other", || {
        providers(dir.path(), &sharer.torrent_id, &nodes[1]).contains(&peer).then_some(())
    });
    assert_eq!((one.stop().code, other.stop().code), (Some(0), Some(0)));
    assert_eq!(listed(), "[]");
}

#[test]
fn a39_a_peer_that_the_dht_names_cannot_pass_off_another_torrent() {
    let dir = folder();
    content::write(&dir.path().join("movie"), &content::bytes(100_000, 5));
    content::write(&dir.path().join("other"), &content::bytes(100_000, 6));
    let (movie, other) = (Sharer::start(dir.path(), "movie"), Sharer::start(dir.path(), "other"));
    let fake = http::get(&format!("{}/torrent/{}", other.tracker, other.torrent_id)).text();
    let server = http::answering("200 OK", &fake);
    let address: SocketAddr = server.strip_prefix("http://").unwrap().parse().unwrap();
    let liar = answer_with(move |query| {
        let mut answer = Answer::from(Id::from_bytes([0x42; 20]));
        if matches!(query, Query::GetPeers { .. }) {
            answer.values.push(address);
        }
        Body::Answer(answer)
    });
    // A tracker that is not there: only the liar is left.
    let link = format!("http://127.0.0.1:1/torrent/{}?dht={}", movie.torrent_id, liar.address);
    let got = run(dir.path(), ["get", &link, "-o", "got", "--json"].iter().copied().chain(LOCAL));
    assert_eq!((got.code, got.event("error")["kind"].as_str()), (Some(3), Some("no_source")), "{got:#?}");
    assert!(got.event("error")["cause"].as_str().unwrap().contains("none of the 1 peers"), "{got:#?}");
    assert!(!dir.path().join("got").exists());
}
