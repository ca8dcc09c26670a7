//! Outgoing HTTP: one pool of kept-alive connections for the whole process.
//!
//! No redirect is followed (threat A7), nothing is decompressed (A9), every body has a cap and every wait a limit.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::http::{self, HeaderMap, Method, Request, Response, StatusCode, header};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::Connect;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use net::{Connector, Net};
use protocol::BaseUrl;
use protocol::base_url::Scheme;

use crate::gathered::Gathered;

/// Longest time to open a connection.
const CONNECT: Duration = Duration::from_secs(3);
/// Longest silence in a body before it counts as broken.
pub(crate) const SILENCE: Duration = Duration::from_secs(30);
/// Kept-alive connections are given up before the listeners' head limit (10 s) would close them under a request.
pub(crate) const POOL_IDLE: Duration = Duration::from_secs(8);
/// Kept-alive connections to one peer.
pub(crate) const POOL_PER_HOST: usize = 16;

/// Why a request brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// No connection, or it broke.
    #[error("{0}")]
    Connection(String),
    /// No answer within the limit.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The body is larger than it may be.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// The body has no declared length; only [`Straight`](crate::straight::Straight) minds.
    #[error("the answer does not say how long it is")]
    Unframed,
    /// The TLS setup of this machine does not work.
    #[error("https: {0}")]
    Tls(String),
    /// The request could not be made of these parts.
    #[error("request: {0}")]
    Request(#[from] http::Error),
}

/// Bytes read from a connection at a time. hyper's own adapts up to 400 KiB for each connection, which a leecher with
/// dozens of them feels; more than this did not make reading cheaper.
const READ: usize = 128 << 10;

type PlainClient = Client<Connector, Full<Bytes>>;
type TlsClient = Client<HttpsConnector<Connector>, Full<Bytes>>;

/// The client. Clone is cheap.
#[derive(Clone)]
pub struct HttpClient {
    plain: PlainClient,
    /// Made at the first https URL: reading the system's certificates takes longer than a small download.
    tls: Arc<OnceLock<Result<TlsClient, String>>>,
    connector: Connector,
    net: Net,
}

/// A whole answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// The answer of a proxy whose server is away, or of a server with too much to do: it says nothing about what the
    /// other side speaks, no more than a time-out does. (501 does: Python's own server says it for what it lacks.)
    pub(crate) fn decides_nothing(&self) -> bool {
        matches!(self.status.as_u16(), 429 | 500 | 502..=504)
    }
}

impl HttpClient {
    /// A client whose connections come from `source`, or from wherever the routing table says.
    pub fn new(net: &Net, source: Option<IpAddr>) -> Self {
        let connector = net.connector(source, CONNECT);
        HttpClient { plain: pooled(connector.clone()), tls: Arc::default(), connector, net: net.clone() }
    }

    /// Sends a request; returns when the head of the answer is there.
    pub(crate) async fn send(
        &self,
        base: &BaseUrl,
        request: Request<Full<Bytes>>,
        limit: Duration,
    ) -> Result<Response<Incoming>, HttpError> {
        let answer = async {
            let sent = match base.scheme() {
                Scheme::Http => self.plain.request(request).await,
                Scheme::Https => self.tls()?.request(request).await,
            };
            sent.map_err(|error| HttpError::Connection(root_cause(&error)))
        };
        tokio::time::timeout(limit, answer).await.map_err(|_| HttpError::Timeout(limit))?
    }

    /// Sends a request and reads the whole answer, of at most `cap` bytes, within `limit`.
    pub(crate) async fn exchange(
        &self,
        base: &BaseUrl,
        request: Request<Full<Bytes>>,
        cap: usize,
        limit: Duration,
    ) -> Result<Answer, HttpError> {
        let whole = async {
            let (head, body) = self.send(base, request, limit).await?.into_parts();
            let body = read_capped(body, cap).await?;
            Ok(Answer { status: head.status, headers: head.headers, body })
        };
        tokio::time::timeout(limit, whole).await.map_err(|_| HttpError::Timeout(limit))?
    }

    /// `GET` of a path relative to `base`.
    pub(crate) async fn get(
        &self,
        base: &BaseUrl,
        path: &str,
        cap: usize,
        limit: Duration,
    ) -> Result<Answer, HttpError> {
        let request = Request::builder().uri(base.join(path)).body(Full::default())?;
        self.exchange(base, request, cap, limit).await
    }

    /// What its connections are made by.
    pub(crate) const fn connector(&self) -> &Connector {
        &self.connector
    }

    pub(crate) const fn net(&self) -> &Net {
        &self.net
    }

    fn tls(&self) -> Result<&TlsClient, HttpError> {
        let made = self.tls.get_or_init(|| tls_client(self.connector.clone()));
        made.as_ref().map_err(|reason| HttpError::Tls(reason.clone()))
    }
}

fn pooled<C>(connector: C) -> Client<C, Full<Bytes>>
where
    C: Connect + Clone,
{
    Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        // Without its own timer the pool never drops an idle connection.
        .pool_timer(TokioTimer::new())
        .http1_read_buf_exact_size(READ)
        .pool_idle_timeout(POOL_IDLE)
        .pool_max_idle_per_host(POOL_PER_HOST)
        .build(connector)
}

fn tls_client(connector: Connector) -> Result<TlsClient, String> {
    // A second default in one process is no error: somebody else installed the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let tls = hyper_rustls::HttpsConnectorBuilder::new()
        .with_native_roots()
        .map_err(|error| format!("cannot read this system's certificates: {error}"))?;
    Ok(pooled(tls.https_or_http().enable_http1().wrap_connector(connector)))
}

/// Reads a body of at most `cap` bytes, never silent for longer than [`SILENCE`].
pub(crate) async fn read_capped(mut body: Incoming, cap: usize) -> Result<Bytes, HttpError> {
    let mut read = Gathered::with_room(usize::try_from(body.size_hint().lower()).unwrap_or(cap).min(cap));
    while let Some(frame) = next_frame(&mut body).await? {
        if read.len() + frame.len() > cap {
            return Err(HttpError::TooLarge(cap));
        }
        read.add(&frame);
    }
    Ok(read.whole())
}

/// The next bytes of a body; `None` at its end.
pub(crate) async fn next_frame(body: &mut Incoming) -> Result<Option<Bytes>, HttpError> {
    loop {
        let frame = tokio::time::timeout(SILENCE, body.frame()).await;
        match frame.map_err(|_| HttpError::Timeout(SILENCE))? {
            None => return Ok(None),
            Some(Err(error)) => return Err(HttpError::Connection(root_cause(&error))),
            // Trailers say nothing that we need.
            Some(Ok(frame)) => {
                if let Ok(bytes) = frame.into_data() {
                    return Ok(Some(bytes));
                }
            }
        }
    }
}

/// The innermost reason: `connection refused`, not "client error (Connect)".
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// A request with a JSON body of known length: the described originals read strictly by Content-Length.
pub(crate) fn json_request(
    method: Method,
    url: String,
    body: Vec<u8>,
) -> Result<Request<Full<Bytes>>, HttpError> {
    let request = Request::builder()
        .method(method)
        .uri(url)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::from(body))?;
    Ok(request)
}
