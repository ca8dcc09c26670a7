//! A process's open connections, so that those it closes together are closed in the order in which it opened them.
//!
//! Each closed connection is a message that takes a random time, so the order must be the same in two runs; and it is
//! not, where a pool drops those that idled too long, or a runtime that ends drops all its tasks.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use turmoil::net::TcpStream;

use crate::record::{HostId, Move, Record};

/// What is given up within this time is closed together.
const MOMENT: Duration = Duration::from_millis(1);

/// All of one process's connections.
#[derive(Clone)]
pub(crate) struct Lines(Arc<Inner>);

struct Inner {
    host: HostId,
    record: Record,
    open: Mutex<Open>,
    ends: Notify,
    closes: Notify,
}

#[derive(Default)]
struct Open {
    opened: u64,
    streams: BTreeMap<u64, TcpStream>,
    /// Given up, and about to be closed.
    closing: BTreeMap<u64, TcpStream>,
    /// Nothing moves any more.
    ended: bool,
}

impl Lines {
    pub(crate) fn new(host: HostId, record: Record) -> Self {
        Lines(Arc::new(Inner {
            host,
            record,
            open: Mutex::default(),
            ends: Notify::new(),
            closes: Notify::new(),
        }))
    }

    /// A new connection of this process.
    pub(crate) fn open(&self, stream: TcpStream) -> Line {
        let mut open = self.lock();
        let number = open.opened;
        open.opened += 1;
        if !open.ended {
            open.streams.insert(number, stream);
        }
        Line { lines: self.clone(), number }
    }

    /// The process is to end.
    pub(crate) fn end(&self) {
        self.0.ends.notify_one();
    }

    /// Closes what is given up, and everything at the end. To be called on the process's own host.
    pub(crate) async fn close(&self) {
        let mut moment = tokio::time::interval(MOMENT);
        loop {
            let ended = tokio::select! {
                biased;
                () = self.0.ends.notified() => true,
                () = self.0.closes.notified() => {
                    // What else is given up now.
                    moment.reset();
                    moment.tick().await;
                    false
                }
            };
            let streams = {
                let mut open = self.lock();
                open.ended = ended;
                let mut streams = std::mem::take(&mut open.closing);
                if ended {
                    streams.append(&mut open.streams);
                }
                streams
            };
            for (number, stream) in streams {
                self.0.record.moves(self.0.host, Move::Closes(number), None);
                drop(stream);
            }
            if ended {
                return;
            }
        }
    }

    /// Waits as long as the process lives once it is to end.
    pub(crate) async fn stall_at_the_end(&self) {
        if self.lock().ended {
            std::future::pending::<()>().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection. Once the process ends it neither moves nor fails: nobody reacts to his own death.
pub(crate) struct Line {
    lines: Lines,
    number: u64,
}

impl Line {
    fn with<T>(&self, poll: impl FnOnce(Pin<&mut TcpStream>) -> Poll<T>) -> Poll<T> {
        self.lines.lock().streams.get_mut(&self.number).map_or(Poll::Pending, |stream| poll(Pin::new(stream)))
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let mut open = self.lines.lock();
        if let Some(stream) = open.streams.remove(&self.number) {
            open.closing.insert(self.number, stream);
            self.lines.0.closes.notify_one();
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_read(cx, buf))
    }
}

impl AsyncWrite for Line {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.with(|stream| stream.poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_flush(cx))
    }

    /// Who shuts a connection down drops it, and that closes it.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
