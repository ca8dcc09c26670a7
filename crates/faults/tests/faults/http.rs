//! The plainest HTTP client: one request a connection, for those who look at the swarm from outside.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use turmoil::net::TcpStream;

/// Longest wait for an answer.
const ANSWER: Duration = Duration::from_secs(2);

/// Status and body; `None` when no whole answer came in time.
pub(crate) async fn get(to: SocketAddr, path: &str) -> Option<(u16, Vec<u8>)> {
    tokio::time::timeout(ANSWER, exchange(to, path)).await.ok().flatten()
}

async fn exchange(to: SocketAddr, path: &str) -> Option<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect(to).await.ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    let head_ends = answer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let body = answer.split_off(head_ends);
    let head = String::from_utf8(answer).ok()?.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    // Cut short by a crash: no answer.
    if length.is_some_and(|length| length != body.len()) {
        return None;
    }
    Some((head.get(9..12)?.parse().ok()?, body))
}
