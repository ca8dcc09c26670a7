//! One connection with one request on it at a time; it goes back to the idle ones when the answer is read to its end.

use std::io;
use std::io::Write as _;
use std::sync::Weak;
use std::time::Duration;

use axum::http::{HeaderMap, Request, StatusCode, header};
use bytes::Bytes;
use futures_util::FutureExt;
use net::Stream;
use protocol::BaseUrl;
use store::Buffer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::head::{self, Head, Malformed};
use super::idle::Idle;
use crate::http_client::{HttpError, SILENCE};

/// Bytes read at a time while a head is looked for: what of the body comes with it is copied.
const FIRST_READ: usize = 2 << 10;
/// Bytes of a body read at a time at most: the brain is told how it goes.
const READ: usize = 256 << 10;
/// Bytes of a body that are handed on at a time, where it is not one chunk: up to 1 MiB is asked for together, and what came of it is
/// verified while the rest comes.
const PART: usize = 128 << 10;
/// An answer that brings no chunk is read to its end when it is no longer than this; otherwise the connection is closed.
const SMALL: u64 = 16 << 10;
/// … and all of it comes within this time: the failure is told after that.
const SKIP: Duration = Duration::from_secs(1);

/// A connection on which nothing is under way.
pub(super) struct Connection {
    stream: Stream,
    base: BaseUrl,
    /// Where it waits; gone when the client is.
    idle: Weak<Idle>,
}

/// An answer, its body unread.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
}

/// The rest of an answer.
pub(crate) struct Body {
    connection: Connection,
    /// What of it came with the head.
    begun: Vec<u8>,
    /// Bytes to come, with those of `begun`.
    left: u64,
    keeps_alive: bool,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Broken {
    /// The connection broke before a byte of it came: on one that was idle, this says nothing about the other side.
    Unanswered(io::Error),
    Head(Malformed),
    Unframed,
    Other(io::Error),
}

impl From<Broken> for HttpError {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Unanswered(error) | Broken::Other(error) => HttpError::Connection(error.to_string()),
            Broken::Head(Malformed) => HttpError::Connection("the answer is not HTTP/1.1".to_owned()),
            Broken::Unframed => HttpError::Unframed,
        }
    }
}

impl Connection {
    pub(super) const fn new(stream: Stream, base: BaseUrl, idle: Weak<Idle>) -> Self {
        Connection { stream, base, idle }
    }

    /// Whom it leads to.
    pub(super) const fn base(&self) -> &BaseUrl {
        &self.base
    }

    /// Neither closed by the other side nor spoken on while nobody asked.
    pub(super) fn is_open(&mut self) -> bool {
        self.stream.read(&mut [0]).now_or_never().is_none()
    }

    /// Sends the request and reads the head of the answer.
    pub(super) async fn ask(mut self, request: &Request<Bytes>) -> Result<Answer, Broken> {
        self.stream.write_all(&written(request)).await.map_err(Broken::Unanswered)?;
        let mut read = Vec::with_capacity(FIRST_READ);
        let head = self.read_head(&mut read).await?;
        let Some(left) = head.length else { return Err(Broken::Unframed) };
        read.drain(..head.bytes);
        let Head { status, headers, keeps_alive, .. } = head;
        Ok(Answer { status, headers, body: Body { connection: self, begun: read, left, keeps_alive } })
    }

    /// Reads until a head is whole, past those that only announce another (RFC 9110 §15.2).
    async fn read_head(&mut self, read: &mut Vec<u8>) -> Result<Head, Broken> {
        loop {
            match head::parse(read).map_err(Broken::Head)? {
                Some(head) if head.status.is_informational() => drop(read.drain(..head.bytes)),
                Some(head) => return Ok(head),
                None => {
                    let before = read.len();
                    let more = (&mut self.stream).take(FIRST_READ as u64).read_buf(read).await;
                    let end = || io::Error::from(io::ErrorKind::UnexpectedEof);
                    let more = more.and_then(|more| if more == 0 { Err(end()) } else { Ok(more) });
                    more.map_err(if before == 0 { Broken::Unanswered } else { Broken::Other })?;
                }
            }
        }
    }
}

/// A request as it goes over the wire. What of it came from outside was checked when it became part of a URL or header.
fn written(request: &Request<Bytes>) -> Vec<u8> {
    let uri = request.uri();
    let (path, host) = (uri.path_and_query().map_or("/", |path| path.as_str()), uri.authority());
    let body = request.body();
    let mut bytes = Vec::with_capacity(512 + body.len());
    let _ = write!(bytes, "{} {path} HTTP/1.1\r\n", request.method());
    let _ = write!(bytes, "{}: {}\r\n", header::HOST, host.map_or("", |host| host.as_str()));
    for (name, value) in request.headers() {
        let _ = write!(bytes, "{name}: ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    if !body.is_empty() {
        let _ = write!(bytes, "{}: {}\r\n", header::CONTENT_LENGTH, body.len());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    bytes
}

impl Body {
    /// Bytes to come.
    pub(crate) const fn left(&self) -> u64 {
        self.left
    }

    /// Reads some more of it into `buffer`, and says how many bytes; 0 when it is at its end. An error when the connection
    /// ends before, or is silent for too long.
    pub(crate) async fn read_into(&mut self, buffer: &mut Buffer) -> Result<usize, HttpError> {
        self.read_some(buffer, READ).await
    }

    /// The same, and no more than `most` from the socket.
    async fn read_some(&mut self, buffer: &mut Buffer, most: usize) -> Result<usize, HttpError> {
        let read = if self.left == 0 {
            0
        } else if self.begun.is_empty() {
            let most = usize::try_from(self.left).unwrap_or(most).min(most);
            let read = self.connection.stream.read(buffer.room(most));
            let read = tokio::time::timeout(SILENCE, read).await.map_err(|_| HttpError::Timeout(SILENCE))?;
            let read = read.map_err(|error| HttpError::Connection(error.to_string()))?;
            if read == 0 {
                return Err(HttpError::Connection("the connection ended in the middle of a body".to_owned()));
            }
            buffer.grew(read);
            read
        } else {
            // What the other side sent behind the body belongs to no request of ours.
            let begun = std::mem::take(&mut self.begun);
            let ours = begun.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
            self.keeps_alive &= ours == begun.len();
            buffer.extend_from_slice(&begun[..ours]);
            ours
        };
        self.left -= read as u64;
        Ok(read)
    }

    /// What of it has come: waits for some, and takes what is there besides, up to [`PART`] bytes. `None` at its end. Each request for
    /// several chunks has a buffer while it waits, and there are no more of them than small chunks in flight.
    pub(crate) async fn next_part(&mut self) -> Result<Option<Bytes>, HttpError> {
        let mut part = Buffer::with_capacity(usize::try_from(self.left).unwrap_or(PART).min(PART));
        let mut came = self.read_some(&mut part, PART).await?;
        while came > 0 && part.len() < PART {
            let room = PART - part.len();
            // What breaks now breaks again at the next call.
            let more = self.read_some(&mut part, room).now_or_never();
            came = more.and_then(Result::ok).unwrap_or(0);
        }
        Ok((!part.is_empty()).then(|| part.freeze()))
    }

    /// The body is at its end: the connection waits for the next request.
    pub(crate) fn finish(self) {
        let is_free = self.keeps_alive && self.left == 0 && self.begun.is_empty();
        if let Some(idle) = self.connection.idle.upgrade().filter(|_| is_free) {
            idle.put(self.connection);
        }
    }

    /// Reads past what is of no interest, if it is little and comes soon.
    pub(crate) async fn skip(mut self) {
        if self.left > SMALL {
            return;
        }
        let mut buffer = Buffer::default();
        let reading = async { while let Ok(1..) = self.read_into(&mut buffer).await {} };
        if tokio::time::timeout(SKIP, reading).await.is_ok() {
            self.finish();
        }
    }
}
