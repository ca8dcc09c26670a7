//! A stream that fails when somebody waits on it and nothing moves for too long.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// Wraps a stream. Reads and writes share one deadline, moved on by every byte either way: a long poll that is
/// waited for on our side ends by its own limit before this one strikes.
pub(crate) struct IdleTimeout<S> {
    stream: S,
    /// Boxed, so that the whole is `Unpin`, as hyper wants its streams.
    deadline: Pin<Box<Sleep>>,
    limit: Duration,
    /// Bytes written since `waited` was last zero.
    written: usize,
    /// How long the other side has been waited for: time in which there was nothing to send does not count.
    waited: Duration,
    waiting_since: Option<Instant>,
}

/// Whoever takes an answer must take this many bytes in every [`WINDOW`] of waiting for it: 0.5 KiB/s, less
/// than a modem. Otherwise it holds an upload slot from those who would use it (threat A11).
const LEAST: usize = 16 << 10;
const WINDOW: Duration = Duration::from_secs(30);

impl<S> IdleTimeout<S> {
    pub(crate) fn new(stream: S, limit: Duration) -> Self {
        let deadline = Box::pin(tokio::time::sleep(limit));
        IdleTimeout { stream, deadline, limit, written: 0, waited: Duration::ZERO, waiting_since: None }
    }

    /// Counts what is written and how long the other side was waited for; an error for whoever takes too little.
    fn watch_write(
        &mut self,
        polled: Poll<io::Result<usize>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if let Some(since) = self.waiting_since.take() {
            self.waited += since.elapsed();
        }
        match &polled {
            Poll::Ready(Ok(bytes)) => self.written += bytes,
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.waiting_since = Some(Instant::now()),
        }
        if self.waited >= WINDOW {
            if self.written < LEAST {
                return Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "the answer is taken too slowly",
                )));
            }
            (self.written, self.waited) = (0, Duration::ZERO);
        }
        self.watch(polled, cx)
    }

    /// Moves the deadline on when bytes moved; turns waiting past it into an error.
    fn watch<T>(&mut self, polled: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        match polled {
            Poll::Ready(result) => {
                self.deadline.as_mut().reset(Instant::now() + self.limit);
                Poll::Ready(result)
            }
            Poll::Pending if self.deadline.as_mut().poll(cx).is_ready() => {
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "no byte moved for too long")))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for IdleTimeout<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.watch(polled, cx)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for IdleTimeout<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.watch_write(polled, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.watch_write(polled, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a11_waiting_ends_when_nothing_moves() {
        let (ours, mut theirs) = duplex(64);
        let mut ours = std::pin::pin!(IdleTimeout::new(ours, Duration::from_secs(60)));
        let mut byte = [0];
        for _ in 0..3 {
            tokio::time::advance(Duration::from_secs(59)).await;
            theirs.write_all(b"x").await.unwrap();
            ours.read_exact(&mut byte).await.unwrap();
        }
        let started = Instant::now();
        let error = ours.read_exact(&mut byte).await.unwrap_err();
        assert_eq!((error.kind(), started.elapsed().as_secs()), (io::ErrorKind::TimedOut, 60));
    }

    #[tokio::test(start_paused = true)]
    async fn a11_who_takes_an_answer_byte_by_byte_is_cut() {
        let (ours, mut theirs) = duplex(1);
        let mut ours = IdleTimeout::new(ours, Duration::from_secs(60));
        let dripping = tokio::spawn(async move {
            let mut byte = [0];
            while let Ok(1..) = theirs.read(&mut byte).await {
                tokio::time::advance(Duration::from_secs(1)).await;
            }
        });
        let started = Instant::now();
        let error = ours.write_all(&vec![0; 1 << 20]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!((30..62).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
        drop(ours);
        dripping.await.unwrap();
    }
}
