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
}

impl<S> IdleTimeout<S> {
    pub(crate) fn new(stream: S, limit: Duration) -> Self {
        IdleTimeout { stream, deadline: Box::pin(tokio::time::sleep(limit)), limit }
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
        self.watch(polled, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.watch(polled, cx)
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
}
