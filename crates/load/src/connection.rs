//! One connection to the tracker, kept open as long as the tracker keeps it.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use net::Stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::answer::Head;
use crate::{Failed, LoadedTracker};

/// Largest answer read.
const MAX_ANSWER: usize = 16 << 20;
/// Bytes of a refusal that are shown.
const SHOWN: usize = 300;

/// A connection, with the buffers of its one request.
pub(crate) struct Connection {
    tracker: Arc<LoadedTracker>,
    source: Option<IpAddr>,
    stream: Option<Stream>,
    /// The next request, written by whoever sends it.
    pub(crate) request: Vec<u8>,
    answer: Vec<u8>,
}

/// An answer, as long as the connection is not used again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
}

impl Connection {
    /// Not open yet: it opens with its first request.
    pub(crate) fn new(tracker: Arc<LoadedTracker>, source: Option<IpAddr>) -> Self {
        Connection { tracker, source, stream: None, request: Vec::new(), answer: Vec::new() }
    }

    /// What the tracker is called.
    pub(crate) fn tracker(&self) -> &Arc<LoadedTracker> {
        &self.tracker
    }

    /// Sends the request and reads the whole answer.
    pub(crate) async fn exchange(&mut self) -> Result<Answer<'_>, Failed> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => open(&self.tracker, self.source).await?,
        };
        stream.write_all(&self.request).await.map_err(while_doing("sending a request"))?;
        self.answer.clear();
        let head = loop {
            if let Some(head) = Head::read(&self.answer)? {
                break head;
            }
            if self.read_some(&mut stream).await? == 0 {
                return Err(while_doing("reading an answer")(io::ErrorKind::UnexpectedEof.into()));
            }
        };
        let end = head.body.map(|body| head.length.saturating_add(body));
        while end.is_none_or(|end| self.answer.len() < end) {
            if self.read_some(&mut stream).await? == 0 {
                break;
            }
        }
        if end.is_some_and(|end| self.answer.len() != end) {
            return Err(Failed::NotHttp);
        }
        if !head.closes {
            self.stream = Some(stream);
        }
        Ok(Answer { status: head.status, body: &self.answer[head.length..] })
    }

    /// The address that the tracker sees this connection come from.
    pub(crate) async fn local_ip(&mut self) -> Result<IpAddr, Failed> {
        let stream = match self.stream.take() {
            Some(stream) => stream,
            None => open(&self.tracker, self.source).await?,
        };
        let address = match &stream {
            Stream::Tcp(stream) => stream.local_addr(),
            _ => Err(io::ErrorKind::Unsupported.into()),
        };
        self.stream = Some(stream);
        address.map(|address| address.ip()).map_err(while_doing("asking for an own address"))
    }

    async fn read_some(&mut self, stream: &mut Stream) -> Result<usize, Failed> {
        if self.answer.len() > MAX_ANSWER {
            return Err(Failed::NotHttp);
        }
        // One read takes the usual answer whole.
        self.answer.reserve(16 << 10);
        stream.read_buf(&mut self.answer).await.map_err(while_doing("reading an answer"))
    }
}

impl Answer<'_> {
    /// Fails unless it is a good one.
    pub(crate) fn accepted(self, what: &'static str) -> Result<Self, Failed> {
        if (200..300).contains(&self.status) { Ok(self) } else { Err(self.refused(what)) }
    }

    /// The failure that this answer is.
    pub(crate) fn refused(self, what: &'static str) -> Failed {
        let said = String::from_utf8_lossy(&self.body[..self.body.len().min(SHOWN)]).into_owned();
        Failed::Refused { what, status: self.status, said }
    }
}

async fn open(tracker: &LoadedTracker, source: Option<IpAddr>) -> Result<Stream, Failed> {
    tracker.net.connect(tracker.address, source).await.map_err(while_doing("connecting to the tracker"))
}

fn while_doing(what: &'static str) -> impl Fn(io::Error) -> Failed {
    move |error| Failed::Connection { what, error }
}
