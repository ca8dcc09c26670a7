//! A tracker that gave the description is announced to at once, and asked what it speaks only where that fails.

use peer::Peer;
use protocol::api::tracker::{AnnounceAnswer, Have, PeerEntry, Token};
use protocol::{ChunkSet, HostPort};

use crate::kit::{Leecher, Source, bytes};
use crate::stranger::{Stranger, answer, native};

/// Gives the description, and answers announces with `announced`.
async fn tracker(source: &Source, announced: Vec<u8>) -> Stranger {
    let description = source.torrent.to_json();
    Stranger::start(move |line, _| match line {
        _ if line.starts_with("PUT ") => announced.clone(),
        _ if line.contains("/.well-known/") => native(),
        _ => answer("200 OK", "", &description),
    })
    .await
}

/// An announce's answer that names `seed`.
fn names(source: &Source, seed: &Peer) -> Vec<u8> {
    let have = Have::of(&ChunkSet::full(source.torrent.chunk_count()));
    let told = AnnounceAnswer {
        interval: 60,
        token: Token::new("t".repeat(22)),
        observed: HostPort::from(std::net::SocketAddr::from(([127, 0, 0, 1], 1))),
        metrics: None,
        peers: vec![PeerEntry { peer: None, url: seed.url().clone(), have }],
    };
    answer("200 OK", "", &serde_json::to_vec(&told).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tracker_that_gave_the_description_is_not_asked_what_it_speaks() {
    let source = Source::file(&bytes(100_000));
    let (seed, _sharing) = source.seed().await;
    let tracker = tracker(&source, names(&source, &seed)).await;
    let leecher = Leecher::start_link(&source, &tracker.url).await;
    let completed = leecher.completed().await.unwrap();
    assert_eq!(std::fs::read(completed.path).unwrap(), std::fs::read(&source.path).unwrap());
    assert_eq!((tracker.count("GET /.well-known/"), tracker.count("GET /torrent/")), (0, 1));
    assert!(tracker.count("PUT /torrent/") > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_is_given_as_tracker_is_found_to_be_one_and_gives_everything() {
    let source = Source::file(&bytes(100_000));
    let (seed, _sharing) = source.seed().await;
    let leecher = Leecher::start_link(&source, seed.url()).await;
    let completed = leecher.completed().await.unwrap();
    assert_eq!(std::fs::read(completed.path).unwrap(), std::fs::read(&source.path).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_gave_the_description_and_takes_no_announce_is_asked_what_it_speaks() {
    let source = Source::file(&bytes(100_000));
    let tracker = tracker(&source, answer("405 Method Not Allowed", "", b"")).await;
    let leecher = Leecher::start_link(&source, &tracker.url).await;
    crate::kit::within(async {
        while tracker.count("GET /.well-known/") == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(tracker.count("PUT /torrent/"), 1, "once is enough");
    drop(leecher);
}
