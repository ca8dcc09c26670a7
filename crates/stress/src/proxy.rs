//! The reverse proxy of the scenarios: passes requests on to one peer, under a path if it has one, and may falsify.
//!
//! A real client stands behind it and never knows: so nobody has to write a second peer that lies. It is a process of
//! its own (the hidden command `stress-proxy`), because behind a proxy means over the network.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Incoming};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::uri::PathAndQuery;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use protocol::BaseUrl;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Largest body that is falsified, and so held in memory: several chunks in one answer.
const LARGEST_FALSIFIED: usize = 64 << 20;
/// Connections at once; more are closed at once. A whole scenario stays far below.
const MOST_CONNECTIONS: usize = 4096;
/// Headers of one connection, not of the request or answer (RFC 9110 §7.6.1).
const HOP_BY_HOP: [HeaderName; 6] = [
    header::CONNECTION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::PROXY_AUTHENTICATE,
];

/// Any failure on the way, which becomes a `502` or a cut connection.
type Broken = Box<dyn std::error::Error + Send + Sync>;
type AnyBody = BoxBody<Bytes, Broken>;

/// What a proxy does.
#[derive(Clone, Debug)]
pub struct Config {
    /// Whom requests are passed on to.
    pub target: BaseUrl,
    /// Path under which the target's paths are found here: empty, or `/a/b`.
    pub prefix: String,
    /// Make every chunk wrong.
    pub lie: bool,
}

/// What a proxy did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests passed on.
    pub requests: u64,
    /// Bodies made wrong.
    pub falsified: u64,
}

/// Passes on until `stop`; what is under way then is cut.
pub async fn serve(listener: TcpListener, config: Config, stop: CancellationToken) -> Counts {
    let client = Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector());
    let proxy = Arc::new(Proxy { config, client, requests: AtomicU64::new(0), falsified: AtomicU64::new(0) });
    let connections = TaskTracker::new();
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, _)) if connections.len() < MOST_CONNECTIONS => {
                let served = Arc::clone(&proxy).converse(stream);
                connections.spawn(stop.clone().run_until_cancelled_owned(served));
            }
            // Full, or out of files: those who are connected go on.
            _ => tokio::task::yield_now().await,
        }
    }
    connections.close();
    connections.wait().await;
    Counts {
        requests: proxy.requests.load(Ordering::Relaxed),
        falsified: proxy.falsified.load(Ordering::Relaxed),
    }
}

fn connector() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector
}

struct Proxy {
    config: Config,
    client: Client<HttpConnector, Incoming>,
    requests: AtomicU64,
    falsified: AtomicU64,
}

impl Proxy {
    async fn converse(self: Arc<Self>, stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let service = service_fn(|request| {
            let proxy = Arc::clone(&self);
            async move { Ok::<_, Infallible>(proxy.answer(request).await) }
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), service);
        // How a connection ends is its two ends' affair.
        let _ = connection.await;
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<AnyBody> {
        let Some(path) = self.inner_path(request.uri()) else {
            return plain(StatusCode::NOT_FOUND);
        };
        let is_chunk = path.path() == "/chunk" || path.path().starts_with("/chunk/");
        match self.passed_on(request, path).await {
            Ok(answer) if self.config.lie && is_chunk && answer.status().is_success() => {
                self.falsified(answer).await.unwrap_or_else(|_| plain(StatusCode::BAD_GATEWAY))
            }
            Ok(answer) => answer.map(|body| body.map_err(Broken::from).boxed()),
            Err(_) => plain(StatusCode::BAD_GATEWAY),
        }
    }

    /// The path on the target; `None` for what is not under the prefix.
    fn inner_path(&self, uri: &Uri) -> Option<PathAndQuery> {
        let inner = uri.path_and_query()?.as_str().strip_prefix(&self.config.prefix)?;
        inner.starts_with('/').then(|| inner.parse().ok()).flatten()
    }

    async fn passed_on(
        &self,
        mut request: Request<Incoming>,
        path: PathAndQuery,
    ) -> Result<Response<Incoming>, Broken> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        *request.uri_mut() = self.config.target.join(path.as_str()).parse()?;
        forget_the_hop(request.headers_mut());
        // The client writes the target's own.
        request.headers_mut().remove(header::HOST);
        let mut answer = self.client.request(request).await?;
        forget_the_hop(answer.headers_mut());
        if !self.config.lie {
            // RFC 9110 §7.6.3. A liar does not say that it could have been somebody else.
            answer.headers_mut().insert(header::VIA, HeaderValue::from_static("1.1 stress-proxy"));
        }
        Ok(answer)
    }

    /// The same answer with one byte changed: length and headers give nothing away.
    async fn falsified(&self, answer: Response<Incoming>) -> Result<Response<AnyBody>, Broken> {
        let (head, body) = answer.into_parts();
        if body.is_end_stream() {
            return Ok(Response::from_parts(head, body.map_err(Broken::from).boxed()));
        }
        let mut bytes = Limited::new(body, LARGEST_FALSIFIED).collect().await?.to_bytes().to_vec();
        if let Some(last) = bytes.last_mut() {
            *last ^= 1;
            self.falsified.fetch_add(1, Ordering::Relaxed);
        }
        Ok(Response::from_parts(head, whole(bytes.into())))
    }
}

fn forget_the_hop(headers: &mut HeaderMap) {
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

fn whole(bytes: Bytes) -> AnyBody {
    Full::new(bytes).map_err(|never| match never {}).boxed()
}

fn plain(status: StatusCode) -> Response<AnyBody> {
    let mut answer = Response::new(whole(Bytes::new()));
    *answer.status_mut() = status;
    answer
}
