//! What the kernel holds of the bytes that were written to a connection.
//!
//! The one place of this program with `unsafe` code: no library gives a safe way to ask.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use crate::stream::Stream;

/// The bytes of one connection that its other side has not acknowledged. Clone is cheap. It keeps a file descriptor of its own, so
/// the connection's number is never somebody else's. A connection that is shut down ends all the same; one that is only closed does when
/// the last of these is dropped.
#[derive(Clone, Debug, Default)]
pub struct SendQueue(Option<Arc<Connection>>);

#[derive(Debug)]
struct Connection {
    socket: socket2::Socket,
    /// Bodies that were begun.
    bodies: AtomicU64,
}

impl SendQueue {
    /// The queue of a connection; of one that cannot be asked (another network's, another system's) nothing is known.
    pub fn of(stream: &Stream) -> Self {
        let socket = match stream {
            Stream::Tcp(stream) if cfg!(any(target_os = "linux", target_os = "android")) => {
                socket2::SockRef::from(stream).try_clone().ok()
            }
            Stream::Tcp(_) | Stream::Other(_) => None,
        };
        SendQueue(socket.map(|socket| Arc::new(Connection { socket, bodies: AtomicU64::new(0) })))
    }

    /// A body is begun. Whoever asks for the next one on a connection has the one before, as a rule: of several parts that are
    /// sent together, and for whoever asks ahead, only the last one is looked after, which is the one in whose way the others are.
    pub fn begin(&self) -> Departing {
        let number = self.0.as_ref().map_or(0, |connection| connection.bodies.fetch_add(1, Relaxed) + 1);
        Departing { queue: self.clone(), number }
    }

    fn bytes(&self) -> usize {
        let Some(connection) = &self.0 else { return 0 };
        // A connection that was reset keeps its count, and has no other side.
        if connection.socket.peer_addr().is_err() {
            return 0;
        }
        unacknowledged(&connection.socket).unwrap_or(0)
    }
}

/// A body on its way.
#[derive(Debug)]
pub struct Departing {
    queue: SendQueue,
    number: u64,
}

impl Departing {
    /// Bytes of what was written of it, or of what was written before it, that the other side has not acknowledged. 0 where
    /// nothing is known, when the next body was begun, and when the connection is gone: then nothing will be sent any more.
    pub fn bytes(&self) -> usize {
        let bodies = self.queue.0.as_ref().map_or(0, |connection| connection.bodies.load(Relaxed));
        if bodies == self.number { self.queue.bytes() } else { 0 }
    }
}

/// `SIOCOUTQ` of tcp(7), which is the same number as `TIOCOUTQ`.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[expect(unsafe_code, reason = "no safe call exists")]
fn unacknowledged(socket: &socket2::Socket) -> io::Result<usize> {
    use std::os::fd::AsRawFd;
    let mut bytes: libc::c_int = 0;
    // SAFETY: the descriptor is open as long as `socket` is borrowed, and the kernel writes one `int` to a place that lives.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    if result == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(usize::try_from(bytes).unwrap_or(0))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn unacknowledged(_: &socket2::Socket) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
#[cfg(any(target_os = "linux", target_os = "android"))]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// Both ends of a connection, and the queue of the first.
    async fn connected() -> (Stream, SendQueue, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let other = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let stream = Stream::Tcp(listener.accept().await.unwrap().0);
        let queue = SendQueue::of(&stream);
        (stream, queue, other)
    }

    /// Writes until the buffers of both sides are full, which is more than the other side acknowledges; how many bytes.
    async fn fill(stream: &mut Stream) -> usize {
        let mut written = 0;
        while let Ok(more) = tokio::time::timeout(Duration::ZERO, stream.write(&[7; 8192])).await {
            written += more.unwrap();
        }
        written
    }

    #[tokio::test]
    async fn what_the_other_side_does_not_take_is_counted_until_it_does() {
        let (mut stream, queue, mut other) = connected().await;
        let body = queue.begin();
        assert_eq!(body.bytes(), 0);
        let written = fill(&mut stream).await;
        assert!((1..=written).contains(&body.bytes()), "{} of {written}", body.bytes());
        other.read_exact(&mut vec![0; written]).await.unwrap();
        while body.bytes() > 0 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_body_is_through_when_the_next_one_is_begun() {
        let (mut stream, queue, _other) = connected().await;
        let first = queue.begin();
        fill(&mut stream).await;
        assert!(first.bytes() > 0);
        let second = queue.begin();
        assert_eq!(first.bytes(), 0, "it was asked for by somebody who has the first");
        assert!(second.bytes() > 0);
    }

    #[tokio::test]
    async fn a_connection_that_was_reset_holds_nothing_back() {
        let (mut stream, queue, other) = connected().await;
        let body = queue.begin();
        fill(&mut stream).await;
        socket2::SockRef::from(&other).set_linger(Some(Duration::ZERO)).unwrap();
        drop(other);
        while body.bytes() > 0 {
            tokio::task::yield_now().await;
        }
    }
}
