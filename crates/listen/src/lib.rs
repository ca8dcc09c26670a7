//! The one bounded HTTP listener: tracker, peer and metrics server stand on it, so that a limit holds everywhere.
//!
//! What it bounds (threat A11): connections in all and from one address, the time for a request's head, the time
//! without a single byte moving either way. hyper's own header timeout does nothing until a timer is set, and an
//! idle connection blocked the original programs for good.
//!
//! What it refuses (threat A13): heads that two servers could read differently.

mod idle;
mod places;
mod strict_head;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use hyper_util::rt::{TokioIo, TokioTimer};
use net::{Listener, Outlet, Stream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::{Service, ServiceExt};

use crate::idle::IdleTimeout;
use crate::places::{Place, Places};
use crate::strict_head::StrictHead;

/// What one listener allows.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections open at once.
    pub connections: usize,
    /// Connections open at once from one IP address (IPv6: from one /64). Generous: a whole site may stand behind one.
    pub per_address: usize,
    /// From the first wait for a request until its head is whole; a kept-alive connection idles no longer either.
    pub head: Duration,
    /// Longest time in which no byte moves although somebody waits for one.
    pub idle: Duration,
    /// How long a stop waits for requests under way.
    pub grace: Duration,
    /// The [`net::Outlet`] that handlers find in an extension knows what has not left, for one more file descriptor each.
    pub send_queues: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections: 8192,
            per_address: 512,
            head: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            grace: Duration::from_secs(3),
            send_queues: false,
        }
    }
}

/// What answers requests: an axum `Router`, or what stands before one. It is cloned for each request.
pub trait Answering:
    Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static
{
}

impl<S> Answering for S where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static
{
}

/// Bytes buffered for one connection: the largest request head, and what of a body is on its way to the kernel. Large
/// enough for long writes, small enough for a thousand connections.
const MAX_BUFFERED: usize = 192 << 10;
/// After a failed accept (out of file descriptors, most likely) this long passes before the next.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Answers requests on `listener` with `answering` until `stop`, then finishes what is under way within the grace time.
///
/// Handlers find the other side's address in `ConnectInfo<SocketAddr>`.
pub async fn listen(
    listener: impl Into<Listener>,
    answering: impl Answering,
    limits: Limits,
    stop: CancellationToken,
) {
    let listener = listener.into();
    let places = Places::new(limits.connections, limits.per_address);
    let connections = TaskTracker::new();
    let cut = CancellationToken::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, address)) => {
                // Without a place the connection is closed at once: its sender learns more from that than from waiting.
                if let Some(place) = places.take(address.ip()) {
                    let served = serve(stream, address, place, answering.clone(), limits, stop.clone());
                    connections.spawn(cut.clone().run_until_cancelled_owned(served));
                }
            }
            Err(error) => pause_after(&error).await,
        }
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(limits.grace, connections.wait()).await.is_err() {
        tracing::debug!("requests still under way when the grace time was over are cut");
        cut.cancel();
        connections.wait().await;
    }
}

async fn pause_after(error: &io::Error) {
    let gone = matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset);
    if !gone {
        tracing::warn!(%error, "cannot accept connections for the moment");
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }
}

async fn serve(
    stream: Stream,
    address: SocketAddr,
    place: Place,
    answering: impl Answering,
    limits: Limits,
    stop: CancellationToken,
) {
    let (outlet, stream) = Outlet::of(stream, limits.send_queues);
    let service = hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(address));
        request.extensions_mut().insert(outlet.clone());
        answering.clone().oneshot(request)
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(MAX_BUFFERED)
        .serve_connection(TokioIo::new(StrictHead::new(IdleTimeout::new(stream, limits.idle))), service);
    let mut connection = std::pin::pin!(connection);
    let result = tokio::select! {
            biased;
        result = &mut connection => result,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%address, %error, "connection ended");
    }
    drop(place);
}
