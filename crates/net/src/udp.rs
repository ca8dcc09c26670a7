//! Datagrams of either network: what a DHT node sends and receives by, so that a test can lose some.

use std::io;
use std::net::SocketAddr;

use tokio::net::UdpSocket;

use crate::network::Datagrams;

/// A socket for datagrams of either network.
#[non_exhaustive]
pub enum Udp {
    /// The system's.
    Socket(UdpSocket),
    /// Another network's.
    Other(Box<dyn Datagrams>),
}

/// The system's socket. A kernel that grants less room than asked says nothing, and that is as it should be: more
/// datagrams are lost under load, no more.
pub(crate) async fn bind(address: SocketAddr, buffer: usize) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address).await?;
    rustix::net::sockopt::set_socket_recv_buffer_size(&socket, buffer)?;
    Ok(socket)
}

impl Udp {
    /// Sends one datagram.
    pub async fn send_to(&self, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
        match self {
            Udp::Socket(socket) => socket.send_to(bytes, to).await,
            Udp::Other(socket) => socket.send_to(bytes, to).await,
        }
    }

    /// Receives one datagram: its length, as much of it as fits, and its sender. Dropping the future loses none.
    pub async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        match self {
            Udp::Socket(socket) => socket.recv_from(buffer).await,
            Udp::Other(socket) => socket.recv_from(buffer).await,
        }
    }

    /// Where it receives.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Udp::Socket(socket) => socket.local_addr(),
            Udp::Other(socket) => socket.local_addr(),
        }
    }
}

impl From<UdpSocket> for Udp {
    fn from(socket: UdpSocket) -> Self {
        Udp::Socket(socket)
    }
}
