//! From flags, words and links to a part in the DHT: taken only when one of them names a way in or asks for it.

use std::path::PathBuf;

use peer::{DhtConfig, Peer};
use protocol::{Host, HostPort};

use crate::args::{Global, Network};
use crate::event::Event;
use crate::output::Output;
use crate::places;

/// How this process takes part, if it does: a flag says so, `wanted` (the word `dht_enabled`), or a link's ways in.
pub(crate) fn dht_config(
    global: &Global,
    network: &Network,
    wanted: bool,
    ways_in: &[HostPort],
) -> Option<DhtConfig> {
    if !wanted && !network.asks_for_dht() && ways_in.is_empty() {
        return None;
    }
    // On loopback alone it is somebody's experiment, and nobody's nodes for tomorrow.
    let is_experiment = global.bind.is_some_and(|bind| bind.is_loopback());
    let usual = || (!is_experiment).then(|| usual_place(network.dht_public)).flatten();
    Some(DhtConfig {
        port: network.dht_port.unwrap_or(0),
        bootstrap: network.dht_bootstrap.iter().chain(ways_in).cloned().collect(),
        public: network.dht_public,
        saved: network.dht_nodes.clone().or_else(usual),
    })
}

/// One file for the worldwide network and one for others: a private network must not be led out by a file.
fn usual_place(public: bool) -> Option<PathBuf> {
    places::state(if public { "dht-nodes-public" } else { "dht-nodes" })
}

/// Where others reach this process's node.
pub(crate) fn address(peer: &Peer) -> Option<HostPort> {
    let host: &Host = peer.url().address().host();
    HostPort::new(host.clone(), peer.dht()?.address().port()).ok()
}

/// Says that the node answers.
pub(crate) fn tell(output: &Output, peer: &Peer) {
    if let Some(address) = address(peer) {
        let url = format!("udp://{address}");
        output.remark(&format!("DHT node at {url}"));
        output.event(&Event::listening_dht(&url));
    }
}
