//! Behind a proxy that sends in parts, without a length, what was asked for with a body: what no cache keeps.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use protocol::BaseUrl;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::kit::{Leecher, Source, bytes};

/// Bytes of a part.
const PART: usize = 7000;

/// One request that goes by.
struct Passing {
    line: String,
    head: String,
    body: Vec<u8>,
}

async fn next(stream: &mut TcpStream) -> Option<Passing> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let length =
        head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    Some(Passing { line: head.lines().next()?.to_owned(), head, body })
}

/// What `seed` answers, head and body.
async fn answered(seed: &str, request: &Passing) -> Option<(String, Vec<u8>)> {
    let mut stream = TcpStream::connect(seed).await.ok()?;
    let head = request.head.replacen("\r\n", "\r\nconnection: close\r\n", 1);
    stream.write_all(head.as_bytes()).await.ok()?;
    stream.write_all(&request.body).await.ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    let end = answer.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    Some((String::from_utf8(answer[..end].to_vec()).ok()?, answer[end..].to_vec()))
}

fn in_parts(head: &str, body: &[u8]) -> Vec<u8> {
    let kept =
        head.lines().filter(|line| !line.is_empty() && !line.to_lowercase().starts_with("content-length"));
    let mut answer: Vec<u8> = kept.flat_map(|line| [line.as_bytes(), b"\r\n"].concat()).collect();
    answer.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n");
    for part in body.chunks(PART) {
        answer.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
        answer.extend_from_slice(part);
        answer.extend_from_slice(b"\r\n");
    }
    answer.extend_from_slice(b"0\r\n\r\n");
    answer
}

/// One connection: a request, and its answer.
async fn pass(mut stream: TcpStream, seed: String, asked: Arc<AtomicUsize>) -> Option<()> {
    let request = next(&mut stream).await?;
    if request.line.contains("/peers") {
        // Nobody is to find the seed itself.
        return stream
            .write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            .await
            .ok();
    }
    let (head, body) = answered(&seed, &request).await?;
    let answer = if request.line.starts_with("POST /chunk") {
        asked.fetch_add(1, Ordering::Relaxed);
        in_parts(&head, &body)
    } else {
        [head.as_bytes(), &body].concat()
    };
    stream.write_all(&answer).await.ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_chunks_that_come_in_parts_are_taken_all_the_same() {
    let source = Source::file(&bytes(40 * (16 << 10)));
    let (seed, _) = source.seed_with(None).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = BaseUrl::http(listener.local_addr().unwrap().into());
    let asked = Arc::new(AtomicUsize::new(0));
    let (to, counter) = (seed.url().to_string().replace("http://", ""), asked.clone());
    let proxy = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(pass(stream, to.clone(), counter.clone()));
        }
    });
    let leecher = Leecher::start_with(&source, vec![url]).await;
    let completed = leecher.completed().await.unwrap();
    assert_eq!(std::fs::read(&completed.path).unwrap(), std::fs::read(&source.path).unwrap());
    assert!(
        asked.load(Ordering::Relaxed) > 1,
        "asked for several at a time, and once more by the other client"
    );
    proxy.abort();
}
