//! The same door before either network.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use net::{BoxFuture, Datagrams, Incoming, Net, Network, Pipe, Stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::{Mutex as AsyncMutex, mpsc};
use tower::Service;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Where [`Room`] lets nobody connect.
const CLOSED: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
/// Where it lets everybody wait.
const SILENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
const OPEN: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 3));

type Caller = (DuplexStream, SocketAddr);

/// A network of one room: whoever connects anywhere is heard by the one listener there.
#[derive(Clone, Default)]
struct Room(Arc<Mutex<BTreeMap<SocketAddr, mpsc::UnboundedSender<Caller>>>>);

struct Ear(AsyncMutex<mpsc::UnboundedReceiver<Caller>>, SocketAddr);

impl Incoming for Ear {
    fn accept(&self) -> BoxFuture<'_, io::Result<(Box<dyn Pipe>, SocketAddr)>> {
        Box::pin(async {
            let (stream, from) = self.0.lock().await.recv().await.ok_or(io::ErrorKind::BrokenPipe)?;
            Ok((Box::new(stream) as Box<dyn Pipe>, from))
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.1)
    }
}

impl Network for Room {
    fn listen(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn Incoming>>> {
        #[expect(clippy::disallowed_methods, reason = "a room of one test")]
        let (tell, ear) = mpsc::unbounded_channel();
        self.0.lock().unwrap().insert(address, tell);
        Box::pin(async move { Ok(Box::new(Ear(AsyncMutex::new(ear), address)) as Box<dyn Incoming>) })
    }

    fn connect(
        &self,
        address: SocketAddr,
        source: Option<IpAddr>,
    ) -> BoxFuture<'_, io::Result<Box<dyn Pipe>>> {
        Box::pin(async move {
            if address.ip() == SILENT {
                return std::future::pending().await;
            }
            let listener = self.0.lock().unwrap().get(&address).cloned();
            let (ours, theirs) = duplex(1 << 10);
            let from = SocketAddr::new(source.unwrap_or(HERE), 9);
            let heard = listener.is_some_and(|listener| listener.send((theirs, from)).is_ok());
            if heard {
                Ok(Box::new(ours) as Box<dyn Pipe>)
            } else {
                Err(io::ErrorKind::ConnectionRefused.into())
            }
        })
    }

    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        let found = match name {
            "both.example" => Ok(vec![CLOSED, OPEN]),
            "silent.example" => Ok(vec![SILENT]),
            _ => Err(io::ErrorKind::NotFound.into()),
        };
        Box::pin(async { found })
    }

    fn udp(&self, _: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn Datagrams>>> {
        Box::pin(async { Err(io::ErrorKind::Unsupported.into()) })
    }
}

/// Both sides hear each other.
async fn talk(mut one: Stream, mut other: Stream) {
    one.write_all(b"question").await.unwrap();
    let mut heard = [0; 8];
    other.read_exact(&mut heard).await.unwrap();
    other.write_all(b"answer").await.unwrap();
    drop(other);
    let mut answer = Vec::new();
    one.read_to_end(&mut answer).await.unwrap();
    assert_eq!((&heard, &answer[..]), (b"question", &b"answer"[..]));
}

#[tokio::test]
async fn the_systems_streams_go_out_from_the_address_asked_for() {
    let net = Net::default();
    let listener = net.listen(SocketAddr::new(HERE, 0)).await.unwrap();
    let source = IpAddr::from([127, 0, 0, 2]);
    let stream = net.connect(listener.local_addr().unwrap(), Some(source)).await.unwrap();
    let (accepted, from) = listener.accept().await.unwrap();
    assert_eq!(from.ip(), source);
    assert!(matches!(&accepted, Stream::Tcp(tcp) if tcp.nodelay().unwrap()));
    assert!(matches!(&stream, Stream::Tcp(tcp) if tcp.nodelay().unwrap()));
    talk(stream, accepted).await;
    // An address of the other family is no source here, and no reason to fail.
    let from_afar = net.connect(listener.local_addr().unwrap(), Some("::1".parse().unwrap())).await;
    assert!(from_afar.is_ok());
}

#[tokio::test]
async fn the_systems_connector_brings_the_same_streams() {
    let net = Net::default();
    let listener = net.listen(SocketAddr::new(HERE, 0)).await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let mut connector = net.connector(Some(IpAddr::from([127, 0, 0, 3])), Duration::from_secs(3));
    let stream = connector.call(url).await.unwrap().into_inner();
    let (accepted, from) = listener.accept().await.unwrap();
    assert_eq!(from.ip(), IpAddr::from([127, 0, 0, 3]));
    assert!(matches!(&stream, Stream::Tcp(tcp) if tcp.nodelay().unwrap()));
    talk(stream, accepted).await;
}

#[tokio::test]
async fn the_systems_datagrams_arrive_and_have_the_room_asked_for() {
    let net = Net::default();
    let one = net.udp(SocketAddr::new(HERE, 0), 64 << 10).await.unwrap();
    let other = net.udp(SocketAddr::new(HERE, 0), 64 << 10).await.unwrap();
    let net::Udp::Socket(socket) = &other else { panic!("the system's") };
    // Linux grants twice what is asked, for its own notes.
    assert!(rustix::net::sockopt::socket_recv_buffer_size(socket).unwrap() >= 64 << 10);
    one.send_to(b"ping", other.local_addr().unwrap()).await.unwrap();
    let mut buffer = [0; 16];
    let (length, from) = other.recv_from(&mut buffer).await.unwrap();
    assert_eq!((&buffer[..length], from), (&b"ping"[..], one.local_addr().unwrap()));
}

#[tokio::test]
async fn another_network_is_asked_for_everything() {
    let net = Net::other(Room::default());
    let listener = net.listen(SocketAddr::new(OPEN, 80)).await.unwrap();
    // No test may reach the system's network by way of the connector: the name exists nowhere else.
    let mut connector = net.connector(Some(CLOSED), Duration::from_secs(3));
    let stream = connector.call("http://both.example/path".parse().unwrap()).await.unwrap().into_inner();
    let (accepted, from) = listener.accept().await.unwrap();
    assert_eq!(from.ip(), CLOSED, "the source that was asked for");
    talk(stream, accepted).await;
    assert!(connector.call("http://nowhere.example/".parse().unwrap()).await.is_err());
    assert!(connector.call("http://192.0.2.3:81/".parse().unwrap()).await.is_err(), "nobody listens there");
}

#[tokio::test(start_paused = true)]
async fn connecting_over_another_network_ends_in_time() {
    let mut connector = Net::other(Room::default()).connector(None, Duration::from_secs(3));
    let started = tokio::time::Instant::now();
    let error = connector.call("http://silent.example/".parse().unwrap()).await.err().unwrap();
    let error = error.downcast::<io::Error>().unwrap();
    assert_eq!((error.kind(), started.elapsed().as_secs()), (io::ErrorKind::TimedOut, 3));
}
