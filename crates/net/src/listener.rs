//! Connections coming in, over either network.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::network::Incoming;
use crate::stream::{self, Stream};

/// A listener of either network.
#[non_exhaustive]
pub enum Listener {
    /// The system's.
    Tcp(TcpListener),
    /// Another network's.
    Other(Box<dyn Incoming>),
}

impl Listener {
    /// The next connection and where it comes from. Dropping the future loses none.
    pub async fn accept(&self) -> io::Result<(Stream, SocketAddr)> {
        match self {
            Listener::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                stream::no_delay(&stream);
                stream::little_unsent(&stream);
                Ok((Stream::Tcp(stream), address))
            }
            Listener::Other(listener) => {
                let (stream, address) = listener.accept().await?;
                Ok((Stream::Other(stream), address))
            }
        }
    }

    /// Where it listens.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Listener::Tcp(listener) => listener.local_addr(),
            Listener::Other(listener) => listener.local_addr(),
        }
    }
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        Listener::Tcp(listener)
    }
}
