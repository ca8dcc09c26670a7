//! The only place that connects out: one `GET` of a path of ours, to an address that was checked, read to a small cap.
//!
//! No redirect is followed because none is looked at, and the connection goes to the address itself: what a name means
//! by then does not matter (threat A5).

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use net::Net;
use protocol::HostPort;
use tokio::time::Instant;

/// The whole of it, from connecting to the last byte, at all addresses.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(2);

/// Whether the 200 answer to `GET path` at one of these addresses, which `host` has, comes in time, is no longer than
/// `most` and is `right`. `localhost` has two addresses, and a program may listen on one of them: the addresses are
/// tried in turn, each for an equal share of the time that is left. `from`: the source address.
pub(crate) async fn answers(
    way_out: (&Net, Option<IpAddr>),
    addresses: &[IpAddr],
    host: &HostPort,
    path: &str,
    most: usize,
    right: impl Fn(&[u8]) -> bool,
) -> bool {
    let end = Instant::now() + TIMEOUT;
    for (at, address) in addresses.iter().enumerate() {
        let left = u32::try_from(addresses.len() - at).unwrap_or(u32::MAX);
        let share = end.saturating_duration_since(Instant::now()) / left;
        let address = SocketAddr::new(*address, host.port());
        let answer = tokio::time::timeout(share, exchange(way_out, address, host, path, most)).await;
        if answer.ok().flatten().is_some_and(|body| right(&body)) {
            return true;
        }
    }
    false
}

async fn exchange(
    (net, from): (&Net, Option<IpAddr>),
    address: SocketAddr,
    host: &HostPort,
    path: &str,
    most: usize,
) -> Option<Bytes> {
    let stream = net.connect(address, from).await.ok()?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
    let request = http::Request::get(path)
        .header(http::header::HOST, host.to_string())
        // The original serves one connection at a time; one kept open would block it.
        .header(http::header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .ok()?;
    let answer = async {
        let response = sender.send_request(request).await.ok()?;
        if response.status() != http::StatusCode::OK {
            return None;
        }
        Limited::new(response.into_body(), most).collect().await.ok().map(http_body_util::Collected::to_bytes)
    };
    // The connection does the work; the answer may be whole before or after it ends.
    let mut answer = std::pin::pin!(answer);
    tokio::select! {
        biased;
        bytes = &mut answer => bytes,
        _ = connection => answer.await,
    }
}
