//! Who asks a seed says how it gets on, and a seed whose swarm carries itself sends it to others for what they have.

use std::sync::{Arc, Mutex};

use peer::Peer;
use protocol::ChunkIndex;
use protocol::api::peer::chunk_path;
use tokio::task::JoinSet;

use crate::kit::{Answer, Leecher, Source, bytes, exchange, within};
use crate::stranger::{answer, claims_everything};

const CHUNK: usize = 64 << 10;
const CHUNKS: u32 = 48;

fn source() -> Source {
    Source::file_in_chunks(&bytes(CHUNKS as usize * CHUNK), CHUNK as u64)
}

/// Asks for a chunk as the peer with this number, which says this of itself.
async fn ask(source: &Source, seed: &Peer, name: u32, chunk: u32, says: &str) -> Answer {
    let path = chunk_path(&source.torrent.chunk_hash(ChunkIndex::new(chunk)));
    let host = seed.url().address();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nHT-Peer: {name:032x}\r\n{says}\r\n"
    );
    exchange(seed.url(), request.as_bytes()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_holds_everything_is_told_how_much_comes_and_that_nobody_else_has_the_chunk() {
    let source = source();
    let (right, heads) = (source.asked(), Arc::new(Mutex::new(Vec::new())));
    let log = heads.clone();
    let wants_to_know = claims_everything(&source, None, move |line, head| {
        log.lock().unwrap().push(head.to_ascii_lowercase());
        // Until it hears how much comes, it sends nothing.
        match right(line).filter(|_| head.to_ascii_lowercase().contains("\r\nht-rate: ")) {
            Some(chunk) => answer("200 OK", "", &chunk),
            None => answer("429 Too Many Requests", "HT-Retry: 50\r\n", b""),
        }
    })
    .await;
    let alone = Leecher::start_with(&source, vec![wants_to_know.url.clone()]).await;
    within(alone.completed()).await.unwrap();
    let others = |head: &String| head.lines().find(|line| line.starts_with("ht-others: ")).map(str::to_owned);
    let told: Vec<_> = heads.lock().unwrap().drain(..).map(|head| others(&head)).collect();
    assert!(told.iter().all(|told| told.as_deref() == Some("ht-others: 0")), "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seed_whose_swarm_carries_itself_sends_again_to_those_only_who_get_little() {
    let source = Arc::new(source());
    let (seed, _) = source.seed_with(Some(4 << 20)).await;
    let seed = Arc::new(seed);
    let mut all = JoinSet::new();
    for chunk in 0..CHUNKS {
        let (source, seed) = (source.clone(), seed.clone());
        all.spawn(async move { ask(&source, &seed, 100 + chunk, chunk, "").await.status });
    }
    assert!(within(all.join_all()).await.iter().all(|&status| status == 200), "first copies");
    let gets_much = "HT-Others: 1\r\nHT-Rate: 1000000000\r\n";
    let sent_away = async {
        let mut served = 0;
        loop {
            let answer = ask(&source, &seed, served % 8, 0, gets_much).await;
            match answer.status {
                200 => served += 1,
                _ => return (answer, served),
            }
        }
    };
    let (answer, served) = within(sent_away).await;
    assert_eq!((answer.status, answer.header("ht-elsewhere").as_str()), (429, "250"));
    assert!(served >= 1, "nobody is a swarm alone, whatever it says");
    for says in ["", "HT-Others: 1\r\nHT-Rate: 0\r\n"] {
        assert_eq!(ask(&source, &seed, 99, 0, says).await.status, 200, "{says}");
    }
}
