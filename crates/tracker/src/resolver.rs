//! Names to addresses, within a time. How many are looked up at once is bounded in `net`.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use net::Net;
use protocol::address::DnsName;

/// Longest wait for a name.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Most addresses of one name that are looked at; a name with more is not taken.
const MAX_ADDRESSES: usize = 16;

type Lookup = dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync;

/// Looks names up. Tests put another lookup in to see what happens when a name changes.
#[derive(Clone)]
pub(crate) struct Resolver(Arc<Lookup>);

impl Resolver {
    /// This network's.
    pub(crate) fn of(net: &Net) -> Self {
        let net = net.clone();
        Resolver::new(move |name| {
            let net = net.clone();
            Box::pin(async move {
                Ok(net.resolve(&name).await?.into_iter().map(|address| address.to_canonical()).collect())
            })
        })
    }

    pub(crate) fn new(
        lookup: impl Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync + 'static,
    ) -> Self {
        Resolver(Arc::new(lookup))
    }

    /// All addresses of `name`; none when it has too many, does not exist or takes too long.
    pub(crate) async fn addresses(&self, name: &DnsName) -> Vec<IpAddr> {
        let found = tokio::time::timeout(TIMEOUT, (self.0)(name.as_str().to_owned())).await;
        let found = found.ok().and_then(Result::ok);
        found.filter(|addresses| addresses.len() <= MAX_ADDRESSES).unwrap_or_default()
    }
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Resolver")
    }
}
