//! What another network than the system's must be able to do.

use std::io;
use std::net::{IpAddr, SocketAddr};

pub use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};

/// A network that a test hands in.
pub trait Network: Send + Sync {
    /// Listens; port 0 is any that is free.
    fn listen(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn Incoming>>>;

    /// Connects, from `source` if one is given.
    fn connect(
        &self,
        address: SocketAddr,
        source: Option<IpAddr>,
    ) -> BoxFuture<'_, io::Result<Box<dyn Pipe>>>;

    /// The addresses of a name.
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>>;

    /// A socket for datagrams.
    fn udp(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn Datagrams>>>;
}

/// A stream of such a network.
pub trait Pipe: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Pipe for T {}

/// A listener of such a network.
pub trait Incoming: Send + Sync {
    /// The next connection and where it comes from. Dropping the future loses none.
    fn accept(&self) -> BoxFuture<'_, io::Result<(Box<dyn Pipe>, SocketAddr)>>;

    /// Where it listens.
    fn local_addr(&self) -> io::Result<SocketAddr>;
}

/// A socket for datagrams of such a network.
pub trait Datagrams: Send + Sync {
    /// Sends one datagram.
    fn send_to<'a>(&'a self, bytes: &'a [u8], to: SocketAddr) -> BoxFuture<'a, io::Result<usize>>;

    /// Receives one datagram: its length, as much as fits, and its sender. Dropping the future loses none.
    fn recv_from<'a>(&'a self, buffer: &'a mut [u8]) -> BoxFuture<'a, io::Result<(usize, SocketAddr)>>;

    /// Where it receives.
    fn local_addr(&self) -> io::Result<SocketAddr>;
}
