//! A peer that is not ours: answers each request with whatever bytes its story wants, and counts what it was asked.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use peer::Peer;
use protocol::api::tracker::{Have, PeerEntry, Peers};
use protocol::{BaseUrl, ChunkSet, HostPort};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::kit::Source;

/// A whole HTTP answer.
pub(crate) fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes =
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// What a native peer says of itself.
pub(crate) fn native() -> Vec<u8> {
    let about =
        r#"{"version":1,"peer":"000102030405060708090a0b0c0d0e0f","roles":["peer"],"caps":[],"limits":{}}"#;
    answer("200 OK", "", about.as_bytes())
}

/// How a stranger sends chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// In one go.
    Full,
    /// The last bytes one a second (threat A10).
    Drips,
}

/// So many bytes drip: days for a few chunks.
const DRIPPED: usize = 16_000;

/// A running stranger.
pub(crate) struct Stranger {
    pub(crate) url: BaseUrl,
    asked: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Stranger {
    /// Answers the request line (`GET /path`) and head with what `reply` gives.
    pub(crate) async fn start(reply: impl Fn(&str, &str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::start_at(Pace::Full, reply).await
    }

    /// The same, at a pace.
    pub(crate) async fn start_at(
        pace: Pace,
        reply: impl Fn(&str, &str) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = BaseUrl::http(HostPort::from(listener.local_addr().unwrap()));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (reply, log) = (Arc::new(reply), asked.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (reply, log) = (reply.clone(), log.clone());
                tokio::spawn(async move { serve(stream, &*reply, &log, pace).await });
            }
        });
        Stranger { url, asked, task }
    }

    /// Requests whose line starts with this.
    pub(crate) fn count(&self, start: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|line| line.starts_with(start)).count()
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A stranger that claims to hold everything, answers requests for chunks with `chunk`, and knows the seed.
pub(crate) async fn claims_everything(
    source: &Source,
    seed: Option<&Peer>,
    chunk: impl Fn(&str, &str) -> Vec<u8> + Send + Sync + 'static,
) -> Stranger {
    claims_everything_at(Pace::Full, source, seed, chunk).await
}

/// The same, at a pace.
pub(crate) async fn claims_everything_at(
    pace: Pace,
    source: &Source,
    seed: Option<&Peer>,
    chunk: impl Fn(&str, &str) -> Vec<u8> + Send + Sync + 'static,
) -> Stranger {
    let have = ChunkSet::full(source.torrent.chunk_count()).to_wire();
    let nothing = Have::of(&ChunkSet::empty(source.torrent.chunk_count()));
    let known = seed.map(|seed| PeerEntry { peer: None, url: seed.url().clone(), have: nothing });
    let peers = serde_json::to_vec(&Peers { peers: known.into_iter().collect() }).unwrap();
    Stranger::start_at(pace, move |line, head| {
        if line.contains("/.well-known/") {
            native()
        } else if line.contains("/have") {
            answer("200 OK", "HT-Have-Seq: 0\r\n", &have)
        } else if line.contains("/peers") {
            answer("200 OK", "", &peers)
        } else {
            chunk(line, head)
        }
    })
    .await
}

async fn serve(
    mut stream: TcpStream,
    reply: &(impl Fn(&str, &str) -> Vec<u8> + ?Sized),
    log: &Mutex<Vec<String>>,
    pace: Pace,
) {
    let mut read = Vec::new();
    loop {
        while let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..end]).into_owned();
            let body = body_length(&head);
            while read.len() < end + 4 + body {
                let Ok(1..) = stream.read_buf(&mut read).await else { return };
            }
            read.drain(..end + 4 + body);
            let line = head.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1").to_owned();
            log.lock().unwrap().push(line.clone());
            let answer = reply(&line, &head);
            let (at_once, drips) = match pace {
                Pace::Drips if line.contains("/chunk") => {
                    answer.split_at(answer.len() - DRIPPED.min(answer.len()))
                }
                _ => (&answer[..], &[][..]),
            };
            let sent = stream.write_all(at_once).await;
            if sent.is_err() || drip(&mut stream, drips).await.is_err() {
                return;
            }
        }
        match stream.read_buf(&mut read).await {
            Ok(1..) => {}
            _ => return,
        }
    }
}

/// Bytes of the request's body, which no story looks at.
fn body_length(head: &str) -> usize {
    let fields = head.lines().filter_map(|line| line.split_once(": "));
    let mut lengths = fields.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    lengths.next().map_or(0, |(_, length)| length.parse().unwrap())
}

async fn drip(stream: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    for byte in bytes {
        ticks.tick().await;
        stream.write_all(&[*byte]).await?;
    }
    Ok(())
}
