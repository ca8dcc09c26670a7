//! The one door to sockets for listeners, tracker and peer: the system's network, or one that a test hands in.
//!
//! A value and no cargo feature: features of one workspace are unified, and a simulated network must never come into a
//! test that means the real one. The real streams stay what tokio made them, behind one `match` a call; only streams of
//! another network are boxed.

mod blocking;
mod connector;
mod few;
mod from_files;
mod listener;
mod names;
mod network;
mod outlet;
mod send_queue;
mod stream;
mod udp;

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::net::TcpSocket;

pub use connector::Connector;
pub use few::Few;
pub use from_files::{FileToSend, FromFiles, LONGEST_STAND_IN, OpenFile};
pub use listener::Listener;
pub use network::{BoxFuture, Datagrams, Incoming, Network, Pipe};
pub use outlet::Outlet;
pub use send_queue::{Departing, SendQueue};
pub use stream::Stream;
pub use udp::Udp;

/// A network. Clone is cheap; the default is the system's.
#[derive(Clone, Default)]
pub struct Net(Option<Arc<dyn Network>>);

impl Net {
    /// Another network than the system's, for tests.
    pub fn other(network: impl Network + 'static) -> Self {
        Net(Some(Arc::new(network)))
    }

    /// Listens on `address`; port 0 is any that is free.
    pub async fn listen(&self, address: SocketAddr) -> io::Result<Listener> {
        match &self.0 {
            None => listener::listen(address).map(Listener::Tcp),
            Some(network) => network.listen(address).await.map(Listener::Other),
        }
    }

    /// Connects to `address`, from `source` if that is an address of the same family. No limit on the time it takes.
    pub async fn connect(&self, address: SocketAddr, source: Option<IpAddr>) -> io::Result<Stream> {
        let source = source.filter(|source| source.is_ipv4() == address.is_ipv4());
        let Some(network) = &self.0 else {
            let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
            if let Some(source) = source {
                socket.bind(SocketAddr::new(source, 0))?;
            }
            let stream = socket.connect(address).await?;
            stream::no_delay(&stream);
            return Ok(Stream::Tcp(stream));
        };
        network.connect(address, source).await.map(Stream::Other)
    }

    /// The addresses of a name, as the system's resolver tells them: a few names at once, the others wait for their
    /// turn. No limit on the time it takes, nor on how many addresses there are.
    pub async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        match &self.0 {
            None => names::SYSTEM.resolve(name).await,
            Some(network) => network.resolve(name).await,
        }
    }

    /// A socket for datagrams on `address`, with room for `buffer` bytes of datagrams that wait to be received, or as
    /// many as the system allows.
    pub async fn udp(&self, address: SocketAddr, buffer: usize) -> io::Result<Udp> {
        match &self.0 {
            None => udp::bind(address, buffer).await.map(Udp::Socket),
            Some(network) => network.udp(address).await.map(Udp::Other),
        }
    }

    /// What hyper's client connects with: by name, to several addresses in turn.
    pub fn connector(&self, source: Option<IpAddr>, limit: std::time::Duration) -> Connector {
        match &self.0 {
            None => Connector::system(source, limit),
            Some(_) => Connector::other(self.clone(), source, limit),
        }
    }
}

impl fmt::Debug for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_none() { "Net(system)" } else { "Net(other)" })
    }
}
