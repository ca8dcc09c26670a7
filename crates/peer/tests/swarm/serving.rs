//! What a peer answers to curl, caches, players and programs written from the described protocol.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine;
use peer::Peer;
use protocol::ChunkIndex;
use protocol::api::peer::{CHUNKS_MEDIA_TYPE, FrameHeader, Gains, chunk_path, have_path, news_path};
use swarm::UploadConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::kit::{Answer, Leecher, Source, bytes, exchange, get, within};
use crate::stranger::{Stranger, answer, claims_everything, native};

const CHUNK: usize = 16 << 10;

async fn seeded(length: usize) -> (Source, Peer, Vec<u8>) {
    let content = bytes(length);
    let source = Source::file(&content);
    let (seed, _) = source.seed().await;
    (source, seed, content)
}

async fn with(peer: &Peer, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
    let mut head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{headers}",
        peer.url().address()
    );
    if !body.is_empty() {
        let _ = write!(head, "Content-Length: {}\r\n", body.len());
    }
    head.push_str("\r\n");
    exchange(peer.url(), &[head.as_bytes(), body].concat()).await
}

#[tokio::test]
async fn a_chunk_is_an_immutable_resource() {
    let (source, seed, content) = seeded(CHUNK + 100).await;
    let hash = source.torrent.chunk_hash(ChunkIndex::new(0));
    let path = chunk_path(&hash);
    let whole = with(&seed, "GET", &path, "", b"").await;
    assert_eq!((whole.status, whole.body.as_slice()), (200, &content[..CHUNK]));
    assert_eq!(whole.header("content-type"), "application/octet-stream");
    assert_eq!(whole.header("content-length"), CHUNK.to_string());
    assert_eq!(whole.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(whole.header("etag"), format!("\"{hash}\""));
    let head = with(&seed, "HEAD", &path, "", b"").await;
    assert_eq!((head.status, head.body.len(), head.header("content-length")), (200, 0, CHUNK.to_string()));
    let part = with(&seed, "GET", &path, "Range: bytes=10-19\r\n", b"").await;
    assert_eq!((part.status, part.body.as_slice()), (206, &content[10..20]));
    assert_eq!(part.header("content-range"), format!("bytes 10-19/{CHUNK}"));
    let beyond = with(&seed, "GET", &path, "Range: bytes=999999-\r\n", b"").await;
    assert_eq!((beyond.status, beyond.header("content-range")), (416, format!("bytes */{CHUNK}")));
    let known = with(&seed, "GET", &path, &format!("If-None-Match: \"{hash}\"\r\n"), b"").await;
    assert_eq!((known.status, known.body.len()), (304, 0));
}

#[tokio::test]
async fn large_chunks_come_from_their_file_as_small_ones_come_from_memory() {
    const LARGE: usize = 1 << 20;
    let content = bytes(2 * LARGE + 100);
    let source = Source::file_in_chunks(&content, LARGE as u64);
    let (seed, _) = source.seed().await;
    let path = |at| chunk_path(&source.torrent.chunk_hash(ChunkIndex::new(at)));
    for (at, wanted) in (0..).zip(content.chunks(LARGE)) {
        let whole = with(&seed, "GET", &path(at), "", b"").await;
        assert!(whole.status == 200 && whole.body == wanted, "chunk {at}");
    }
    let part = with(&seed, "GET", &path(1), "Range: bytes=700000-700099\r\n", b"").await;
    assert_eq!((part.status, part.body.as_slice()), (206, &content[LARGE + 700_000..LARGE + 700_100]));
    let file = format!("/file/{}", source.torrent.id());
    assert!(get(seed.url(), &file).await.body == content, "over three chunks");
    let across = with(&seed, "GET", &file, "Range: bytes=1000000-1100000\r\n", b"").await;
    assert!(across.body == content[1_000_000..=1_100_000]);
    // Asked for at once on one connection, they come one after the other.
    let host = seed.url().address();
    let mut asked = String::new();
    for at in 0..3 {
        let _ = write!(asked, "GET {} HTTP/1.1\r\nHost: {host}\r\n\r\n", path(at));
    }
    let _ = write!(asked, "HEAD {} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n", path(0));
    let answers = exchange(seed.url(), asked.as_bytes()).await.body;
    let starts = |at: usize| answers[..at].windows(4).rposition(|end| end == b"\r\n\r\n").is_some();
    let found = |part: &[u8]| answers.windows(32).position(|bytes| bytes == &part[..32]);
    let (second, third) = (found(&content[LARGE..]).unwrap(), found(&content[2 * LARGE..]).unwrap());
    assert!(starts(second) && answers[second..].starts_with(&content[LARGE..2 * LARGE]));
    assert!(second < third && answers[third..].starts_with(&content[2 * LARGE..]));
}

#[tokio::test]
async fn chunks_from_their_file_come_under_a_limit_and_to_the_programs_of_http_1_0() {
    const LARGE: usize = 256 << 10;
    let content = bytes(LARGE + 70_000);
    let source = Source::file_in_chunks(&content, LARGE as u64);
    // In slices of 64 KiB, each of which waits for the bucket.
    let (seed, _) = source.seed_with(Some(1 << 20)).await;
    for (at, wanted) in (0..).zip(content.chunks(LARGE)) {
        let path = chunk_path(&source.torrent.chunk_hash(ChunkIndex::new(at)));
        let limited = get(seed.url(), &path).await;
        assert!(limited.status == 200 && limited.body == wanted, "chunk {at}");
        // Its answer ends with the connection, which nobody asked for.
        let old = exchange(seed.url(), format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await;
        assert!(old.status == 200 && old.body == wanted, "chunk {at}");
    }
}

#[tokio::test]
async fn a_seed_that_nobody_asked_for_long_shows_what_it_sends() {
    let content = bytes(2 * CHUNK);
    let source = Source::file(&content);
    let (seed, sharing) = source.seed().await;
    let mut progress = sharing.progress();
    for (sent, chunk) in [(1, 0), (2, 1)] {
        let path = chunk_path(&source.torrent.chunk_hash(ChunkIndex::new(chunk)));
        assert_eq!(get(seed.url(), &path).await.status, 200);
        let shown = within(progress.wait_for(|progress| progress.uploaded == sent * CHUNK as u64)).await;
        assert!(shown.is_ok(), "it is gone");
    }
}

#[tokio::test]
async fn a34_a_file_that_is_written_to_while_it_is_sent_ends_the_answer() {
    const LARGE: usize = 16 << 20;
    let source = Source::file_in_chunks(&bytes(LARGE), LARGE as u64);
    let (seed, _) = source.seed().await;
    let mut stream = TcpStream::connect(seed.url().address().to_string()).await.unwrap();
    let path = chunk_path(&source.torrent.chunk_hash(ChunkIndex::new(0)));
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: t\r\n\r\n").as_bytes()).await.unwrap();
    // More than the buffers of both sides hold is not sent before it is read here.
    stream.read_exact(&mut [0; 100]).await.unwrap();
    let file = std::fs::File::options().write(true).open(&source.path).unwrap();
    let before = file.metadata().unwrap().modified().unwrap();
    while file.metadata().unwrap().modified().unwrap() == before {
        std::os::unix::fs::FileExt::write_all_at(&file, b"!", LARGE as u64 - 1).unwrap();
    }
    let mut rest = Vec::new();
    let ended = within(stream.read_to_end(&mut rest)).await;
    assert!(ended.is_err() || rest.len() < LARGE, "the end of it is another than it says");
}

#[tokio::test]
async fn a04_a_hash_in_another_form_is_refused_and_an_unknown_one_not_found() {
    let (source, seed, _) = seeded(CHUNK).await;
    let hash = source.torrent.chunk_hash(ChunkIndex::new(0)).to_string();
    for path in
        [format!("/chunk/{}", hash.to_uppercase()), format!("/chunk/{}", &hash[1..]), "/chunk/..".to_owned()]
    {
        let answer = with(&seed, "GET", &path, "", b"").await;
        assert_eq!(
            (answer.status, answer.header("content-type").as_str()),
            (400, "application/problem+json"),
            "{path}"
        );
    }
    assert_eq!(get(seed.url(), &format!("/chunk/{}", "0".repeat(64))).await.status, 404);
}

#[tokio::test]
async fn the_described_post_answers_in_request_order_with_what_it_has() {
    let (source, seed, content) = seeded(2 * CHUNK + 1).await;
    let hash = |at| source.torrent.chunk_hash(ChunkIndex::new(at)).to_string();
    let asked = format!(r#"["{}","unknown","{}"]"#, hash(2), hash(0));
    let answer = with(&seed, "POST", "/chunk", "", asked.as_bytes()).await;
    let encode = |part: &[u8]| base64::engine::general_purpose::STANDARD.encode(part);
    let wanted = format!(
        r#"[{{"hash":"{}","content":"{}"}},{{"hash":"{}","content":"{}"}}]"#,
        hash(2),
        encode(&content[2 * CHUNK..]),
        hash(0),
        encode(&content[..CHUNK])
    );
    assert_eq!((answer.status, String::from_utf8(answer.body).unwrap()), (200, wanted));
    for (body, status) in [("[\"unknown\"]", 400), ("{}", 400), ("[1]", 400), ("nonsense", 400), ("[]", 200)]
    {
        assert_eq!(with(&seed, "POST", "/chunk", "", body.as_bytes()).await.status, status, "{body}");
    }
    let many = serde_json::to_vec(&vec!["x"; 1025]).unwrap();
    assert_eq!(with(&seed, "POST", "/chunk", "", &many).await.status, 400);
    assert_eq!(get(seed.url(), "/ping").await.body, b"pong");
}

#[tokio::test]
async fn several_chunks_come_in_frames() {
    let (source, seed, content) = seeded(2 * CHUNK + 5).await;
    let hash = |at| source.torrent.chunk_hash(ChunkIndex::new(at)).to_string();
    let asked = format!(r#"["{}","{}","{}"]"#, hash(1), "0".repeat(64), hash(2));
    let accept = format!("Accept: {CHUNKS_MEDIA_TYPE}\r\n");
    let answer = with(&seed, "POST", "/chunk", &accept, asked.as_bytes()).await;
    let mut wanted = FrameHeader { position: 0, length: 16 << 10 }.to_bytes().to_vec();
    wanted.extend_from_slice(&content[CHUNK..2 * CHUNK]);
    wanted.extend_from_slice(&FrameHeader { position: 2, length: 5 }.to_bytes());
    wanted.extend_from_slice(&content[2 * CHUNK..]);
    assert_eq!((answer.status, answer.header("content-type")), (200, CHUNKS_MEDIA_TYPE.to_owned()));
    assert_eq!(answer.body, wanted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_peer_has_is_a_bitmap_and_then_news() {
    let source = Source::file(&bytes(3 * CHUNK));
    let path = have_path(source.torrent.id());
    // Busy until somebody looked, and saw that the leecher has nothing.
    let looked = Arc::new(AtomicBool::new(false));
    let (chunk, free) = (source.asked(), looked.clone());
    let seed = claims_everything(&source, None, move |line, _| match chunk(line) {
        Some(chunk) if free.load(Ordering::Relaxed) => answer("200 OK", "", &chunk),
        _ => answer("503 Service Unavailable", "HT-Retry: 50\r\n", b""),
    })
    .await;
    let leecher = Leecher::start_with(&source, vec![seed.url.clone()]).await;
    let url = leecher.peer.url();
    let nothing = get(url, &path).await;
    assert_eq!(nothing.body, [0]);
    let start: u64 = nothing.header("ht-have-seq").parse().unwrap();
    looked.store(true, Ordering::Relaxed);
    let news = get(url, &format!("{path}?since={start}&wait=30")).await;
    let news: Gains = serde_json::from_slice(&news.body).unwrap();
    assert!(news.seq > start && !news.gained.is_empty(), "{news:?}");
    leecher.completed().await.unwrap();
    assert_eq!(get(url, &path).await.body, [0b1110_0000]);
    let told = get(url, &format!("{path}?since={start}")).await;
    let wanted = format!(r#"{{"seq":{},"gained":[[0,2]]}}"#, start + 3);
    assert_eq!(String::from_utf8(told.body).unwrap(), wanted);
    let short = get(url, &news_path(source.torrent.id().short(), start, 0)).await;
    assert_eq!((short.status, String::from_utf8(short.body).unwrap()), (200, wanted), "half a line shorter");
    assert_eq!(get(url, &news_path("0000000000000000", start, 0)).await.status, 400, "another torrent");
    // A number from before a restart, or of somebody else.
    for since in [start + 4, start.wrapping_sub(1), u64::MAX] {
        assert_eq!(get(url, &format!("{path}?since={since}&wait=30")).await.status, 410, "{since}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_neighbour_that_knows_torrents_by_whole_ids_only_is_asked_by_them() {
    let source = Source::file(&bytes(3 * CHUNK));
    let (id, chunk) = (source.torrent.id(), source.asked());
    // Has nothing at first, and gains everything when it is asked for news by the whole id.
    let seed = Stranger::start(move |line, _| {
        if line.contains("/.well-known/") {
            native()
        } else if line.contains("since=0&") && line.contains(&id.to_string()) {
            answer("200 OK", "", br#"{"seq":3,"gained":[[0,2]]}"#)
        } else if line.contains("since=") {
            answer("400 Bad Request", "", b"a torrent id is 64 lowercase hexadecimal digits")
        } else if line.contains("/have") {
            answer("200 OK", "HT-Have-Seq: 0\r\n", &[0])
        } else {
            chunk(line).map_or_else(|| answer("404 Not Found", "", b""), |chunk| answer("200 OK", "", &chunk))
        }
    })
    .await;
    let leecher = Leecher::start_with(&source, vec![seed.url.clone()]).await;
    leecher.completed().await.unwrap();
    let short = format!("GET {}", news_path(id.short(), 0, 25));
    assert_eq!(seed.count(&short), 1, "once, and then it is known");
}

#[tokio::test]
async fn a_file_is_there_for_curl_and_players() {
    let (source, seed, content) = seeded(3 * CHUNK + 7).await;
    let path = format!("/file/{}", source.torrent.id());
    let whole = get(seed.url(), &path).await;
    assert_eq!((whole.status, whole.body == content), (200, true));
    assert_eq!(whole.header("accept-ranges"), "bytes");
    assert_eq!(whole.header("content-disposition"), "inline; filename*=UTF-8''data%2Ebin");
    let saved = get(seed.url(), &format!("{path}?download")).await;
    assert!(saved.header("content-disposition").starts_with("attachment;") && saved.body == content);
    let (first, last) = (CHUNK - 3, 2 * CHUNK + 3);
    let part = with(&seed, "GET", &path, &format!("Range: bytes={first}-{last}\r\n"), b"").await;
    assert_eq!((part.status, part.body == content[first..=last]), (206, true));
    let many = format!("Range: bytes={}\r\n", vec!["0-1"; 1000].join(","));
    let a30 = with(&seed, "GET", &path, &many, b"").await;
    assert_eq!((a30.status, a30.body.len()), (200, content.len()));
}

#[tokio::test]
async fn a31_a_folder_serves_its_listed_files_and_nothing_else() {
    let source = Source::made(|folder| {
        std::fs::write(folder.join("secret"), "outside").unwrap();
        let top = folder.join("top");
        std::fs::create_dir_all(top.join("a")).unwrap();
        std::fs::write(top.join("a/<b> &c"), "inside").unwrap();
        top
    });
    let (seed, _) = source.seed().await;
    let root = format!("/file/{}", source.torrent.id());
    let list = String::from_utf8(get(seed.url(), &root).await.body).unwrap();
    assert!(list.contains("a/&lt;b&gt; &amp;c") && !list.contains("<b>"), "{list}");
    assert_eq!(get(seed.url(), &format!("{root}/a/%3Cb%3E%20%26c")).await.body, b"inside");
    for path in [
        "/../secret",
        "/a/../../secret",
        "/%2e%2e/secret",
        "/%2e%2e%2fsecret",
        "/%252e%252e/secret",
        "//etc/passwd",
        "/a",
        "/a/",
        "/a//%3Cb%3E%20%26c",
        "/./a/%3Cb%3E%20%26c",
        "/..%5csecret",
        "/%00",
        "/a/%3Cb%3E%20%26c/",
        "/etc/passwd",
    ] {
        let answer = get(seed.url(), &format!("{root}{path}")).await;
        assert!(answer.status == 404 || answer.status == 400, "{path}: {}", answer.status);
        assert!(!answer.body.windows(7).any(|part| part == b"outside"), "{path}");
    }
    for path in ["/file/../../etc/passwd", "/file/x/../../etc/passwd", "/etc/passwd", "/torrent/../secret"] {
        assert_ne!(get(seed.url(), path).await.status, 200, "{path}");
    }
}

/// `GET path`, of whose answer nothing but the head is read.
async fn head_only(peer: &Peer, path: &str) -> TcpStream {
    let mut stream = within(TcpStream::connect(peer.url().address().to_string())).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", peer.url().address());
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(within(stream.read_u8()).await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&head));
    stream
}

#[tokio::test]
async fn a_body_that_is_not_taken_keeps_its_slot() {
    // More than a kernel takes for somebody who does not read; and as many as fill the slots are not too much for memory.
    const LARGE: usize = 4 << 20;
    let content = bytes(LARGE);
    let source = Source::file_in_chunks(&content, LARGE as u64);
    let (seed, _) = source.seed().await;
    let path = chunk_path(&source.torrent.chunk_hash(ChunkIndex::new(0)));
    let mut idle = Vec::new();
    for _ in 0..UploadConfig::default().slots_per_requester {
        idle.push(head_only(&seed, &path).await);
    }
    let next = get(seed.url(), &path);
    let queue = async {
        loop {
            let metrics = String::from_utf8(get(seed.url(), "/metrics").await.body).unwrap();
            if metrics.lines().any(|line| line == "http_torrent_upload_queue 1") {
                break idle.clear();
            }
        }
    };
    let (next, ()) = tokio::join!(next, within(queue));
    assert!(next.status == 200 && next.body == content);
}
