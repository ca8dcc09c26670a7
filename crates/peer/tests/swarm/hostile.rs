//! Peers that lie, drown, or send elsewhere: every download completes from the honest one.

use peer::Peer;

use crate::kit::{Leecher, Source, bytes};
use crate::stranger::{Pace, Stranger, answer, claims_everything, claims_everything_at};

/// Chunks of the file in these stories.
const CHUNKS: usize = 40;

fn source() -> Source {
    Source::file(&bytes(CHUNKS * (16 << 10)))
}

/// An honest seed, slow enough that there is something left to ask others for.
async fn slow_seed(source: &Source) -> Peer {
    source.seed_with(Some(1 << 20)).await.0
}

/// Gets the file although the stranger is the first to be met, and so the first to be asked.
async fn gets_it_all_the_same(source: &Source, stranger: &Stranger) {
    let leecher = Leecher::start_with(source, vec![stranger.url.clone()]).await;
    let completed = leecher.completed().await.unwrap();
    assert_eq!(std::fs::read(&completed.path).unwrap(), std::fs::read(&source.path).unwrap());
    assert!(
        stranger.count("GET /chunk/") + stranger.count("POST /chunk") > 0,
        "the story needs it to be asked"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a08_a_liar_is_banned_at_its_first_wrong_bytes() {
    let source = source();
    let seed = slow_seed(&source).await;
    let liar = claims_everything(&source, Some(&seed), |_, _| answer("200 OK", "", &[0; 16 << 10])).await;
    gets_it_all_the_same(&source, &liar).await;
    let asked = liar.count("GET /chunk/") + liar.count("POST /chunk");
    // What was under way until its first lie was found out, and then nothing: without the ban it would be asked again
    // and again, hundreds of times, while the slow seed sends the rest.
    assert!(asked <= CHUNKS, "banned, not asked again: {asked}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a10_what_one_of_three_drips_is_asked_for_elsewhere_too() {
    let source = source();
    let (one, other) = (source.seed_with(Some(1 << 20)).await, source.seed_with(Some(1 << 20)).await);
    let right = source.asked();
    // Every byte that comes is right, but a chunk takes hours.
    let dripper = claims_everything_at(Pace::Drips, &source, None, move |line, _| {
        answer("200 OK", "", &right(line).unwrap())
    })
    .await;
    let known = vec![dripper.url.clone(), one.0.url().clone(), other.0.url().clone()];
    let leecher = Leecher::start_with(&source, known).await;
    let completed = leecher.completed().await.unwrap();
    assert_eq!(std::fs::read(&completed.path).unwrap(), std::fs::read(&source.path).unwrap());
    let asked = dripper.count("GET /chunk/");
    assert!(asked > 0, "the story needs it to be asked");
    assert!(asked <= CHUNKS / 3 + 1, "its share at first, and nothing more while that is stuck: {asked}");
    // Not one of its chunks can have become whole: the honest two sent those, too.
    let mut progress = [one.1.progress(), other.1.progress()];
    let all_sent = async {
        while progress.iter().map(|progress| progress.borrow().uploaded).sum::<u64>() < source.torrent.size()
        {
            let _ = progress[0].changed().await;
        }
    };
    crate::kit::within(all_sent).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a08_a_chunk_of_the_wrong_length_is_dropped() {
    let source = source();
    let seed = slow_seed(&source).await;
    let liar =
        claims_everything(&source, Some(&seed), |_, _| answer("200 OK", "", &[0; (16 << 10) - 1])).await;
    gets_it_all_the_same(&source, &liar).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a08_wrong_bytes_from_a_cache_are_fetched_once_more_past_it() {
    let source = source();
    let right = source.asked();
    let cache = claims_everything(&source, None, move |line, head| {
        let asked_fresh = head.to_ascii_lowercase().contains("cache-control: no-cache");
        match right(line) {
            Some(chunk) if asked_fresh => answer("200 OK", "Age: 0\r\n", &chunk),
            Some(_) => answer("200 OK", "Age: 7\r\n", &[0; 16 << 10]),
            None => answer("404 Not Found", "", b""),
        }
    })
    .await;
    let leecher = Leecher::start_with(&source, vec![cache.url.clone()]).await;
    let completed = leecher.completed().await.unwrap();
    assert_eq!(completed.sources.cache, source.torrent.size(), "honest behind its cache, so never banned");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a09_a_body_without_end_is_cut_at_the_chunks_size() {
    let source = source();
    let seed = slow_seed(&source).await;
    let drowner = claims_everything(&source, Some(&seed), |_, _| {
        let mut bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        for _ in 0..64 {
            bytes.extend_from_slice(b"10000\r\n");
            bytes.resize(bytes.len() + 0x10000, b'x');
            bytes.extend_from_slice(b"\r\n");
        }
        bytes
    })
    .await;
    gets_it_all_the_same(&source, &drowner).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a09_a_compressed_answer_is_not_unpacked() {
    let source = source();
    let seed = slow_seed(&source).await;
    let bomber = claims_everything(&source, Some(&seed), |_, _| {
        answer("200 OK", "Content-Encoding: gzip\r\n", &[0x1f, 0x8b, 8])
    })
    .await;
    gets_it_all_the_same(&source, &bomber).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a07_a_redirect_is_not_followed() {
    let source = source();
    let seed = slow_seed(&source).await;
    let canary = Stranger::start(|_, _| answer("200 OK", "", b"")).await;
    let elsewhere = format!("Location: {}/x\r\n", canary.url);
    let redirector =
        claims_everything(&source, Some(&seed), move |_, _| answer("302 Found", &elsewhere, b"")).await;
    gets_it_all_the_same(&source, &redirector).await;
    assert_eq!(canary.count(""), 0, "nobody was sent there");
}
