//! A seed asks for what it gave away, and sees who passes it on.

use peer::Peer;
use protocol::ChunkIndex;
use protocol::api::peer::chunk_path;
use tokio::task::yield_now;

use crate::kit::{Answer, Source, bytes, exchange, within};
use crate::stranger::{Stranger, answer};

const CHUNK: usize = 16 << 10;
/// Enough that suggestions do not run out: each stands for some seconds.
const CHUNKS: usize = 400;
const STRANGER: &str = "000102030405060708090a0b0c0d0e0f";
const ANOTHER: &str = "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff";

/// A stranger asks the seed for a chunk under this name.
async fn asks(source: &Source, seed: &Peer, stranger: &Stranger, name: &str, chunk: u32) -> Answer {
    let path = chunk_path(&source.torrent.chunk_hash(ChunkIndex::new(chunk)));
    let (host, url) = (seed.url().address(), &stranger.url);
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nHT-Peer: {name}\r\nHT-Url: {url}\r\n\r\n"
    );
    exchange(seed.url(), request.as_bytes()).await
}

/// It got two first copies, and the seed has asked for one of them.
async fn was_asked(source: &Source, seed: &Peer, stranger: &Stranger) {
    for chunk in [0, 1] {
        let answer = asks(source, seed, stranger, STRANGER, chunk).await;
        assert_eq!((answer.status, answer.header("ht-next").is_empty()), (200, false));
    }
    let asked = async {
        while stranger.count("GET /chunk/") == 0 {
            yield_now().await;
        }
    };
    within(asked).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a08_who_lies_to_a_seed_that_asks_is_told_no_more_of_what_nobody_has() {
    let source = Source::file(&bytes(CHUNKS * CHUNK));
    let (seed, _) = source.seed().await;
    let liar = Stranger::start(|_, _| answer("200 OK", "", &[0; CHUNK])).await;
    was_asked(&source, &seed, &liar).await;
    let found_out = async {
        while !asks(&source, &seed, &liar, STRANGER, 0).await.header("ht-next").is_empty() {
            yield_now().await;
        }
    };
    within(found_out).await;
    let other = asks(&source, &seed, &liar, ANOTHER, 0).await;
    assert!(!other.header("ht-next").is_empty(), "others are");
    let served = asks(&source, &seed, &liar, STRANGER, 2).await;
    assert!(served.status == 200 && served.body.len() == CHUNK, "it is served as long as nobody else waits");
    assert_eq!(liar.count("GET /chunk/"), 1, "once is enough");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_gives_back_what_it_got_is_asked_once_and_goes_on_as_before() {
    let source = Source::file(&bytes(CHUNKS * CHUNK));
    let (seed, _) = source.seed().await;
    let right = source.asked();
    let honest = Stranger::start(move |line, _| match right(line) {
        Some(chunk) => answer("200 OK", "", &chunk),
        None => answer("404 Not Found", "", b""),
    })
    .await;
    was_asked(&source, &seed, &honest).await;
    for chunk in 2..40 {
        let answer = asks(&source, &seed, &honest, STRANGER, chunk).await;
        assert_eq!((answer.status, answer.header("ht-next").is_empty()), (200, false));
    }
    assert_eq!(honest.count("GET /chunk/"), 1);
}
