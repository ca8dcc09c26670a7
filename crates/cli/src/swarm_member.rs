//! Starting and ending this process's peer, the same way for every command that has one.

use std::time::Duration;

use peer::{Config, DhtConfig, Peer, StartError};
use protocol::BaseUrl;

use crate::addresses;
use crate::args::{Global, Network};
use crate::dht_flags;
use crate::event::{Event, Role};
use crate::failure::Failure;
use crate::output::Output;

/// Longest time that leaving the trackers and writing what arrived may take.
const LEAVE: Duration = Duration::from_secs(10);

/// Starts the peer and says so once it answers.
pub(crate) async fn start(
    output: &Output,
    global: &Global,
    network: &Network,
    port: u16,
    dht: Option<DhtConfig>,
) -> Result<Peer, Failure> {
    let config = Config {
        bind: addresses::listen_address(global.bind),
        port,
        source: addresses::source_address(global.bind),
        advertise: match &network.advertise {
            None => peer::Advertise::Observed,
            Some(addresses::Advertise::Host(_)) => peer::Advertise::Host,
            Some(addresses::Advertise::Url(url)) => peer::Advertise::Url(url.clone()),
        },
        host: addresses::named_host(global.bind, network.advertise.as_ref()),
        limit_up: network.limit_up.map(scenario::units::Rate::bytes_per_second),
        limit_down: network.limit_down.map(scenario::units::Rate::bytes_per_second),
        metrics: network.metrics_to(),
        dht,
        net: peer::Net::default(),
        seed: rand::random(),
    };
    let peer = Peer::start(config)
        .await
        .map_err(|StartError::Listen { address, source }| Failure::cannot_listen("peer", address, &source))?;
    output.event(&Event::Listening { role: Role::Client, url: peer.url() });
    output.remark(&format!("peer at {}", peer.url()));
    dht_flags::tell(output, &peer);
    Ok(peer)
}

/// Leaves the trackers, makes durable what arrived, closes.
pub(crate) async fn stop(output: &Output, peer: &Peer) {
    if tokio::time::timeout(LEAVE, peer.stop()).await.is_err() {
        output.remark("gave up waiting for the trackers and the disk");
    }
}

/// `first` and then the others, each once.
pub(crate) fn each_once(first: impl IntoIterator<Item = BaseUrl>, more: &[BaseUrl]) -> Vec<BaseUrl> {
    let mut all: Vec<BaseUrl> = Vec::new();
    for url in first.into_iter().chain(more.iter().cloned()) {
        if !all.contains(&url) {
            all.push(url);
        }
    }
    all
}
