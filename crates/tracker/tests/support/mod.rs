//! A tracker on a port of its own, and raw bytes to send it.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::time::Duration;

use protocol::torrent::{ChunkHashes, ChunkSize, Layout};
use protocol::{BaseUrl, FilePath, HashAlgorithm, Torrent};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracker::{Tracker, TrackerConfig};

/// Longest wait for anything: a test that takes longer has failed.
pub(crate) const DEADLINE: Duration = Duration::from_secs(200);

/// A tracker that pings often enough for a test, and whose announcers live for 1.4 seconds: long enough to be asked in.
pub(crate) fn often_pinged() -> TrackerConfig {
    pinged_every(Duration::from_millis(500))
}

/// A tracker that pings so often; who does not answer is dead after 2.8 times as long.
pub(crate) fn pinged_every(ping_every: Duration) -> TrackerConfig {
    TrackerConfig {
        registry: registry::Limits { ping_every, ..registry::Limits::default() },
        ..TrackerConfig::default()
    }
}

pub(crate) struct Server {
    pub(crate) tracker: Tracker,
    pub(crate) address: SocketAddr,
    _stop: DropGuard,
}

impl Server {
    pub(crate) async fn start(config: TrackerConfig) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tracker, stop) = (Tracker::new(config), CancellationToken::new());
        tokio::spawn(tracker.clone().serve(listener, stop.clone()));
        Server { tracker, address, _stop: stop.drop_guard() }
    }

    /// Sends these bytes on a connection of their own and reads until the other side closes.
    pub(crate) async fn raw(&self, request: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // A server that refuses early may close before all is sent: what it answered still counts.
        let _ = stream.write_all(request).await;
        read_answer(&mut stream).await
    }

    /// A request as our own programs send it.
    pub(crate) async fn send(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
        let mut request =
            format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.address);
        for header in headers {
            request.extend([header, "\r\n"]);
        }
        if !body.is_empty() {
            request.extend(["Content-Length: ", &body.len().to_string(), "\r\n"]);
        }
        self.raw(format!("{request}\r\n{body}").as_bytes()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await
    }

    pub(crate) async fn put(&self, path: &str, body: &str) -> Answer {
        self.send("PUT", path, &[], body).await
    }

    /// The same from another address of this machine.
    pub(crate) async fn put_from(&self, from: [u8; 4], path: &str, body: String) -> Answer {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from((from, 0))).unwrap();
        let mut stream = socket.connect(self.address).await.unwrap();
        let (host, length) = (self.address, body.len());
        let head = format!("Host: {host}\r\nConnection: close\r\nContent-Length: {length}");
        let request = format!("PUT {path} HTTP/1.1\r\n{head}\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).await.unwrap();
        read_answer(&mut stream).await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        self.send("POST", path, &[], body).await
    }

    pub(crate) async fn publish_from(&self, from: [u8; 4], torrent: &Torrent) {
        let json = String::from_utf8(torrent.to_json()).unwrap();
        let published = self.put_from(from, &format!("/torrent/{}", torrent.id()), json).await;
        assert_eq!(published.status, 204);
    }

    /// Publishes over the wire.
    pub(crate) async fn publish(&self, torrent: &Torrent) {
        let json = String::from_utf8(torrent.to_json()).unwrap();
        assert_eq!(self.put(&format!("/torrent/{}", torrent.id()), &json).await.status, 204);
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// The value of a header, named in lowercase.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Status and body: what a golden answer is about.
    pub(crate) fn golden(&self) -> (u16, &str) {
        (self.status, &self.body)
    }
}

/// Reads an answer to its end.
pub(crate) async fn read_answer(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    // A reset after the answer is the other side's way to stop reading what we still send.
    let _ = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut bytes)).await.unwrap();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

/// A torrent whose chunks have these contents, one a byte.
pub(crate) fn torrent(name: &str, contents: &[u8]) -> Torrent {
    let mut hashes = ChunkHashes::new(HashAlgorithm::Blake3);
    for byte in contents {
        hashes.push(&HashAlgorithm::Blake3.digest(&[*byte])).unwrap();
    }
    let size = ChunkSize::new(1).unwrap();
    let layout = Layout::file(FilePath::name(name).unwrap(), contents.len() as u64, false, size).unwrap();
    let combined = hashes.combined();
    Torrent::new(layout, hashes, combined, None).unwrap()
}

/// The chunk hashes as a JSON list.
pub(crate) fn hashes(torrent: &Torrent) -> String {
    serde_json::to_string(&torrent.hashes().iter().collect::<Vec<_>>()).unwrap()
}

pub(crate) fn base(address: SocketAddr) -> BaseUrl {
    BaseUrl::http(address.into())
}

/// Answers every request on a port of its own with this text, and counts connections.
pub(crate) struct Responder {
    pub(crate) address: SocketAddr,
    pub(crate) asked: std::sync::Arc<std::sync::atomic::AtomicUsize>,
    stop: DropGuard,
}

impl Responder {
    /// Like the original's server: HTTP/1.0, no length, and the end of the connection is the end of the body.
    pub(crate) async fn start(host: &str, body: String) -> Self {
        let listener = TcpListener::bind((host, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, stop) =
            (std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0)), CancellationToken::new());
        let (count, stopped) = (asked.clone(), stop.clone());
        tokio::spawn(async move {
            loop {
                let accepted = tokio::select! {
                    () = stopped.cancelled() => return,
                    accepted = listener.accept() => accepted,
                };
                let (mut stream, _) = accepted.unwrap();
                count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                let mut request = [0; 1024];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(format!("HTTP/1.0 200 OK\r\n\r\n{body}").as_bytes()).await;
            }
        });
        Responder { address, asked, stop: stop.drop_guard() }
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(std::sync::atomic::Ordering::SeqCst)
    }

    /// Dies: from now on nobody listens there.
    pub(crate) fn die(self) {
        drop(self.stop);
    }
}

/// Asks again and again until the answer is yes, or the deadline passed.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let deadline = tokio::time::Instant::now() + DEADLINE;
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    while !condition().await {
        assert!(tokio::time::Instant::now() < deadline, "never came true: {what}");
        ticks.tick().await;
    }
}

/// Announces chunks again and again until `asked` is over: on a machine that is busy with other things, one that is
/// announced once may be dead before its ping is out.
pub(crate) async fn announced_until<T>(server: &Server, announce: &str, asked: impl Future<Output = T>) -> T {
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    let again = async {
        loop {
            ticks.tick().await;
            assert_eq!(server.put("/chunk", announce).await.status, 200);
        }
    };
    tokio::select! {
        asked = tokio::time::timeout(DEADLINE, asked) => asked.unwrap(),
        never = again => never,
    }
}
