//! A metrics server on a port of its own, and raw bytes to send it.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::time::Duration;

use metrics::{Config, MetricsServer};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Longest wait for anything: a test that takes longer has failed.
pub(crate) const DEADLINE: Duration = Duration::from_secs(200);

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    stop: CancellationToken,
    serving: JoinHandle<Result<(), metrics::StateError>>,
}

impl Server {
    pub(crate) async fn start(config: Config) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (server, stop) = (MetricsServer::open(config).unwrap(), CancellationToken::new());
        let serving = tokio::spawn(server.serve(listener, stop.clone()));
        Server { address, stop, serving }
    }

    /// Ends it in good order.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(DEADLINE, self.serving).await.unwrap().unwrap().unwrap();
    }

    /// Sends these bytes on a connection of their own and reads until the other side closes.
    pub(crate) async fn raw(&self, request: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // A server that refuses early may close before all is sent: what it answered still counts.
        let _ = stream.write_all(request).await;
        let mut bytes = Vec::new();
        let _ = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut bytes)).await.unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }

    pub(crate) async fn send(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
        let host = format!("Host: {}", self.address);
        let named = headers.iter().any(|header| header.starts_with("Host:"));
        let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        for header in headers.iter().copied().chain((!named).then_some(host.as_str())) {
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

    pub(crate) async fn post(&self, body: &str) -> Answer {
        self.send("POST", "/metrics", &[], body).await
    }

    /// Takes a good report.
    pub(crate) async fn report(&self, report: &Value) {
        let answer = self.post(&report.to_string()).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "Ok"), "{report}");
    }

    /// The described list.
    pub(crate) async fn list(&self) -> Vec<Value> {
        let answer = self.get("/metrics").await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        serde_json::from_str(&answer.body).unwrap()
    }

    /// Opens the page's stream.
    pub(crate) async fn watch(&self) -> Watching {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("GET /events HTTP/1.1\r\nHost: {}\r\n\r\n", self.address);
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut watching = Watching { lines: BufReader::new(stream), head: String::new() };
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let read = watching.lines.read_line(&mut head);
            tokio::time::timeout(DEADLINE, read).await.unwrap().unwrap();
        }
        watching.head = head;
        watching
    }
}

pub(crate) struct Watching {
    lines: BufReader<TcpStream>,
    pub(crate) head: String,
}

impl Watching {
    /// The next event, its name and data; `None` at the end of the stream.
    pub(crate) async fn event(&mut self) -> Option<(String, Value)> {
        let mut name = None;
        loop {
            let mut line = String::new();
            let read = self.lines.read_line(&mut line);
            // However it ends: the server has closed it.
            if tokio::time::timeout(DEADLINE, read).await.unwrap().unwrap_or(0) == 0 {
                return None;
            }
            if let Some(event) = line.strip_prefix("event: ") {
                name = Some(event.trim().to_owned());
            } else if let Some(data) = line.strip_prefix("data: ") {
                return Some((name?, serde_json::from_str(data).unwrap()));
            }
        }
    }

    /// The first event with `found` in it.
    pub(crate) async fn until(&mut self, found: impl Fn(&str, &Value) -> bool) -> Value {
        loop {
            let (name, data) = self.event().await.unwrap();
            if found(&name, &data) {
                return data;
            }
        }
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
}

/// A described report of the client on this port of 127.0.0.1.
pub(crate) fn report(port: u16) -> Value {
    json!({
        "client_host": "127.0.0.1", "client_port": port, "downloaded_chunks": 3, "uploaded_chunks": 6,
        "total_chunks": 12, "chunk_size": 65536, "dht_peers": 4, "dht_enabled": true, "tracker_status_up": true,
    })
}

/// The same with other fields.
#[allow(clippy::needless_pass_by_value, reason = "it is written down where it is passed")]
pub(crate) fn report_with(port: u16, more: Value) -> Value {
    let mut report = report(port);
    for (key, value) in more.as_object().unwrap() {
        report[key] = value.clone();
    }
    report
}
