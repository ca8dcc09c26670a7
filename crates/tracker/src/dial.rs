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

/// The whole of it, from connecting to the last byte.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(2);

/// The body of a 200 answer to `GET path`, if it comes in time and is no longer than `most`. `from`: the source address.
pub(crate) async fn get(
    (net, from): (&Net, Option<IpAddr>),
    address: SocketAddr,
    host: &HostPort,
    path: &str,
    most: usize,
) -> Option<Bytes> {
    tokio::time::timeout(TIMEOUT, exchange((net, from), address, host, path, most)).await.ok().flatten()
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
        bytes = &mut answer => bytes,
        _ = connection => answer.await,
    }
}
