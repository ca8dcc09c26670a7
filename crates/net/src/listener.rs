//! Connections coming in, over either network.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

use crate::network::Incoming;
use crate::stream::{self, Stream};

/// Connections that may wait to be accepted; the system may allow fewer (`net.core.somaxconn`). The library's own
/// listeners have room for 128: past that the system drops who comes, and who was dropped asks again a second later.
/// Thousands of peers come at once to a tracker at the start of a rollout, and hundreds to a seed.
const BACKLOG: u32 = 4096;

/// Listens on `address` of the system's network; port 0 is any that is free.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A process that is started again takes its port again. Elsewhere the option lets another process take it.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

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

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpStream};
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn hundreds_come_at_once_before_one_is_accepted() {
        let listener = listen((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let address = listener.local_addr().unwrap();
        // As many as the system allows; where it does not say, the fewest that one does.
        let allowed = std::fs::read_to_string("/proc/sys/net/core/somaxconn");
        let allowed = allowed.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(128);
        // On the thread that would accept: none of them waits for that. Who is dropped finds no room however long it asks.
        let connects = |_| TcpStream::connect_timeout(&address, Duration::from_secs(60)).unwrap();
        let came: Vec<TcpStream> = (0..allowed.min(400)).map(connects).collect();
        for one in &came {
            let (_, from) = listener.accept().await.unwrap();
            assert_eq!(from, one.local_addr().unwrap());
        }
    }
}
