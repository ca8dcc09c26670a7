//! The simulated network as the programs see it: each host has a [`Wire`], which notes the chunks it asks for, and may
//! lie in what it answers.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use net::{BoxFuture, Datagrams, Incoming, Network, Pipe};
use rand::RngExt;
use rand::rngs::StdRng;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use turmoil::net::{TcpListener, TcpStream, UdpSocket};

use crate::lines::{Line, Lines};
use crate::record::{HostId, Move, Record};

/// What a host does to the bodies it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manners {
    /// Nothing.
    Honest,
    /// Turns a byte of each large one (threat A8).
    Lies,
    /// Denies every chunk, whatever its bitmap says.
    Brags,
}

/// A body as large as this is one of chunks: lists and bitmaps of these small torrents are smaller.
const LARGE: usize = 4 << 10;

/// A host's way into the network.
#[derive(Clone)]
pub(crate) struct Wire {
    pub(crate) host: HostId,
    pub(crate) record: Record,
    pub(crate) manners: Manners,
    pub(crate) lines: Lines,
    /// The share of datagrams that is lost on the way out, and what decides which.
    pub(crate) loss: f64,
    pub(crate) dice: Arc<Mutex<StdRng>>,
}

impl Network for Wire {
    fn listen(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn Incoming>>> {
        Box::pin(async move {
            let listener = TcpListener::bind(address).await?;
            Ok(Box::new(Ear { listener, wire: self.clone() }) as Box<dyn Incoming>)
        })
    }

    fn connect(
        &self,
        address: SocketAddr,
        _source: Option<IpAddr>,
    ) -> BoxFuture<'_, io::Result<Box<dyn Pipe>>> {
        Box::pin(async move {
            self.lines.stall_at_the_end().await;
            self.record.moves(self.host, Move::Connects, Some(address.ip()));
            let line = self.lines.open(TcpStream::connect(address).await?);
            Ok(Box::new(Asking { line, wire: self.clone(), to: address.ip(), in_body: false })
                as Box<dyn Pipe>)
        })
    }

    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            Err(io::Error::new(io::ErrorKind::NotFound, format!("{name}: there are no names here")))
        })
    }

    fn udp(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn Datagrams>>> {
        Box::pin(async move {
            let socket = UdpSocket::bind(address).await?;
            Ok(Box::new(Udp { socket, wire: self.clone() }) as Box<dyn Datagrams>)
        })
    }
}

struct Ear {
    listener: TcpListener,
    wire: Wire,
}

impl Incoming for Ear {
    fn accept(&self) -> BoxFuture<'_, io::Result<(Box<dyn Pipe>, SocketAddr)>> {
        Box::pin(async {
            let (stream, from) = self.listener.accept().await?;
            let line = self.wire.lines.open(stream);
            let pipe = Answering { line, wire: self.wire.clone(), to: from.ip() };
            Ok((Box::new(pipe) as Box<dyn Pipe>, from))
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

struct Udp {
    socket: UdpSocket,
    wire: Wire,
}

impl Datagrams for Udp {
    fn send_to<'a>(&'a self, bytes: &'a [u8], to: SocketAddr) -> BoxFuture<'a, io::Result<usize>> {
        let lost = self.wire.dice.lock().unwrap().random_bool(self.wire.loss);
        self.wire.record.moves(self.wire.host, Move::Sends(bytes.len()), Some(to.ip()));
        if lost { Box::pin(async { Ok(bytes.len()) }) } else { Box::pin(self.socket.send_to(bytes, to)) }
    }

    fn recv_from<'a>(&'a self, buffer: &'a mut [u8]) -> BoxFuture<'a, io::Result<(usize, SocketAddr)>> {
        Box::pin(self.socket.recv_from(buffer))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

/// The asking end of a connection.
struct Asking {
    line: Line,
    wire: Wire,
    to: IpAddr,
    /// The list of chunks of the request before follows.
    in_body: bool,
}

impl Asking {
    /// Notes the chunks that a request is for; hyper writes a head, and mostly its body too, in one go.
    fn note(&mut self, written: &[u8]) {
        let starts = |with: &str| written.starts_with(with.as_bytes());
        if !(self.in_body || starts("GET /chunk/") || starts("POST /chunk")) {
            return;
        }
        let hashes: Vec<String> = hashes(written).collect();
        self.in_body = hashes.is_empty();
        let back = written.windows(b"no-cache".len()).any(|word| word == b"no-cache");
        for hash in hashes {
            self.wire.record.asked(self.wire.host, self.to, hash, back);
        }
    }
}

/// Runs of 64 hexadecimal digits.
fn hashes(bytes: &[u8]) -> impl Iterator<Item = String> + '_ {
    let words = bytes.split(|byte| !byte.is_ascii_hexdigit());
    words.filter(|word| word.len() == 64).map(|word| String::from_utf8_lossy(word).into_owned())
}

/// The answering end.
struct Answering {
    line: Line,
    wire: Wire,
    to: IpAddr,
}

impl Answering {
    /// What goes out instead of `bytes`, as long as they.
    fn changed(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut changed = bytes.to_vec();
        match self.wire.manners {
            Manners::Lies if bytes.len() >= LARGE => {
                *changed.last_mut()? ^= 1;
                self.wire.record.lied(self.to);
            }
            Manners::Brags if bytes.len() >= LARGE && bytes.starts_with(b"HTTP/1.1 200 OK") => {
                changed[..15].copy_from_slice(b"HTTP/1.1 404 No");
            }
            _ => return None,
        }
        Some(changed)
    }
}

impl AsyncRead for Asking {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.line).poll_read(cx, buf)
    }
}

impl AsyncWrite for Asking {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.line).poll_write(cx, buf))?;
        self.wire.record.moves(self.wire.host, Move::Asks(written), Some(self.to));
        self.note(&buf[..written]);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.line).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.line).poll_shutdown(cx)
    }
}

impl AsyncRead for Answering {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.line).poll_read(cx, buf)
    }
}

impl AsyncWrite for Answering {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let changed = self.changed(buf);
        let written = ready!(Pin::new(&mut self.line).poll_write(cx, changed.as_deref().unwrap_or(buf)))?;
        self.wire.record.moves(self.wire.host, Move::Answers(written), Some(self.to));
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.line).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.line).poll_shutdown(cx)
    }
}
