//! Nodes to begin with: those that were given, those of the last run, and on demand the worldwide network's.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use net::Net;
use protocol::{Host, HostPort};

use super::{Dht, DhtConfig, saved};

/// Ways into the worldwide network; each is run by the makers of a client.
const PUBLIC: [&str; 4] = [
    "router.bittorrent.com:6881",
    "dht.transmissionbt.com:6881",
    "dht.libtorrent.org:25401",
    "router.utorrent.com:6881",
];
/// Longest wait for a name's addresses.
const RESOLVE: Duration = Duration::from_secs(10);
/// Addresses of one name that are used.
const ADDRESSES_MOST: usize = 8;
/// Names are looked up again after this while nobody answers: one may have moved.
const ALONE: Duration = Duration::from_secs(30);
/// And after this when somebody does.
const JOINED: Duration = Duration::from_secs(15 * 60);

/// What is needed to find them.
pub(super) struct WaysIn {
    pub(super) dht: Dht,
    pub(super) net: Net,
    pub(super) config: DhtConfig,
}

impl WaysIn {
    pub(super) async fn run(self) {
        if let Some(path) = self.config.saved.clone() {
            let read = self.net.blocking(move || saved::read(&path)).await;
            self.dht.add_nodes(read.unwrap_or_default()).await;
        }
        let public = PUBLIC.iter().filter(|_| self.config.public).filter_map(|node| node.parse().ok());
        let given: Vec<HostPort> = self.config.bootstrap.iter().cloned().chain(public).collect();
        loop {
            add(&self.dht, &self.net, &given).await;
            let pause = if self.dht.nodes() == 0 { ALONE } else { JOINED };
            tokio::time::sleep(pause).await;
        }
    }
}

/// Makes nodes known to ours: addresses at once, names as they are resolved, so that one that stalls holds up nobody.
pub(super) async fn add(dht: &Dht, net: &Net, nodes: &[HostPort]) {
    let (known, named): (Vec<_>, Vec<_>) = nodes.iter().partition(|node| node.host().as_ip().is_some());
    for node in known {
        dht.add_nodes(addresses(net, node).await).await;
    }
    let mut resolved: FuturesUnordered<_> = named.into_iter().map(|node| addresses(net, node)).collect();
    while let Some(addresses) = resolved.next().await {
        dht.add_nodes(addresses).await;
    }
}

/// Where a node that was named can be.
async fn addresses(net: &Net, node: &HostPort) -> Vec<SocketAddr> {
    let ips = match node.host() {
        Host::Ip(ip) => vec![*ip],
        Host::Name(name) => match tokio::time::timeout(RESOLVE, net.resolve(name.as_str())).await {
            Ok(Ok(ips)) => ips,
            Ok(Err(error)) => {
                tracing::debug!(%node, %error, "a way into the DHT has no address");
                Vec::new()
            }
            Err(_) => Vec::new(),
        },
    };
    let to_address = |ip: std::net::IpAddr| SocketAddr::new(ip.to_canonical(), node.port());
    ips.into_iter().take(ADDRESSES_MOST).map(to_address).collect()
}
