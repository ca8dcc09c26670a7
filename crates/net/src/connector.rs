//! What hyper's client connects with: names, several addresses and a time limit, over either network.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tower::Service;

use crate::names::Within;
use crate::network::BoxFuture;
use crate::{Net, Stream};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Takes a URL's host and port and brings a connection, within the time given.
#[derive(Clone)]
pub struct Connector(Way);

#[derive(Clone)]
enum Way {
    /// hyper's own, which tries the addresses of both families at once.
    System(HttpConnector<Within>),
    Other {
        net: Net,
        source: Option<IpAddr>,
        limit: Duration,
    },
}

impl Connector {
    pub(crate) fn system(source: Option<IpAddr>, limit: Duration) -> Self {
        let mut connector = HttpConnector::new_with_resolver(Within(limit));
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(limit));
        connector.set_local_address(source);
        // https as well: TLS goes on top.
        connector.enforce_http(false);
        Connector(Way::System(connector))
    }

    pub(crate) fn other(net: Net, source: Option<IpAddr>, limit: Duration) -> Self {
        Connector(Way::Other { net, source, limit })
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = Failure;
    type Future = BoxFuture<'static, Result<Self::Response, Failure>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        match &mut self.0 {
            Way::System(connector) => connector.poll_ready(cx).map_err(Failure::from),
            Way::Other { .. } => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        match &mut self.0 {
            Way::System(connector) => {
                let connecting = connector.call(to);
                Box::pin(async { Ok(TokioIo::new(Stream::Tcp(connecting.await?.into_inner()))) })
            }
            Way::Other { net, source, limit } => {
                let (net, source, limit) = (net.clone(), *source, *limit);
                Box::pin(async move {
                    let connecting = tokio::time::timeout(limit, connect(&net, source, &to));
                    let timed_out = |_| io::Error::from(io::ErrorKind::TimedOut);
                    Ok(TokioIo::new(connecting.await.map_err(timed_out)??))
                })
            }
        }
    }
}

/// Tries the addresses of the URL's host in turn.
async fn connect(net: &Net, source: Option<IpAddr>, to: &Uri) -> io::Result<Stream> {
    let bad = || io::Error::new(io::ErrorKind::InvalidInput, "a URL without a host");
    let host = to.host().ok_or_else(bad)?;
    let port = to.port_u16().unwrap_or(if to.scheme_str() == Some("https") { 443 } else { 80 });
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let addresses = match bare.parse() {
        Ok(address) => vec![address],
        Err(_) => net.resolve(host).await?,
    };
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match net.connect(SocketAddr::new(address, port), source).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}
