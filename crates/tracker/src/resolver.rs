//! Names to addresses, within a time and with so many under way.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use net::Net;
use protocol::address::DnsName;
use tokio::sync::Semaphore;

/// Longest wait for a name.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Names being looked up at once. The system's resolver blocks a thread for each and cannot be cancelled.
const MAX_LOOKUPS: usize = 32;
/// Most addresses of one name that are looked at; a name with more is not taken.
const MAX_ADDRESSES: usize = 16;

type Lookup = dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync;

/// Looks names up. Tests put another lookup in to see what happens when a name changes.
#[derive(Clone)]
pub(crate) struct Resolver {
    lookup: Arc<Lookup>,
    places: Arc<Semaphore>,
}

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
        Resolver { lookup: Arc::new(lookup), places: Arc::new(Semaphore::new(MAX_LOOKUPS)) }
    }

    /// All addresses of `name`; none when it has too many, does not exist or takes too long.
    pub(crate) async fn addresses(&self, name: &DnsName) -> Vec<IpAddr> {
        let (lookup, places, name) = (self.lookup.clone(), self.places.clone(), name.as_str().to_owned());
        // A task of its own: a lookup that nobody waits for any longer still blocks its thread, so it keeps its place.
        let task = tokio::spawn(async move {
            let _place = places.acquire_owned().await.ok()?;
            lookup(name).await.ok()
        });
        let found = tokio::time::timeout(TIMEOUT, task).await.ok().and_then(Result::ok).flatten();
        found.filter(|addresses| addresses.len() <= MAX_ADDRESSES).unwrap_or_default()
    }
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Resolver")
    }
}
