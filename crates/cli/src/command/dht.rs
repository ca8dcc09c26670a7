//! `dht get`: who provides a hash, asked of the DHT alone.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use clap::{Args, Subcommand};
use peer::{Dht as Node, DhtConfig, DhtError};
use protocol::{Hash, Host, HostPort};

use crate::addresses;
use crate::args::Global;
use crate::event::Event;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::Output;
use crate::signals::{or_interrupted, stop_on_signals};

/// How long is asked for the first provider: a way in may lose a packet, and a name takes time to resolve.
const PATIENCE: Duration = Duration::from_secs(8);

/// Ask the DHT
#[derive(Debug, Args)]
pub(crate) struct Dht {
    #[command(subcommand)]
    ask: Ask,
}

#[derive(Debug, Subcommand)]
enum Ask {
    Get(Get),
}

/// Who provides a chunk or a torrent: ["ip:port", …]
///
/// Prints what the DHT says, which is what somebody once claimed: ask there before you believe it. Exit code 3 when
/// nobody provides it.
#[derive(Debug, Args)]
struct Get {
    /// A chunk's hash or a torrent's id
    #[arg(value_name = "HASH|ID")]
    hash: Hash,
    /// A way into the DHT (can be repeated); needed without --dht-public
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',')]
    dht_bootstrap: Vec<HostPort>,
    /// Ask the worldwide DHT
    #[arg(long)]
    dht_public: bool,
}

impl Dht {
    pub(super) async fn run(self, global: &Global, output: &Output) -> Result<ExitCode, Failure> {
        let Ask::Get(get) = self.ask;
        let stop = stop_on_signals(output)?;
        or_interrupted(&stop, get.run(global, output)).await?
    }
}

impl Get {
    async fn run(self, global: &Global, output: &Output) -> Result<ExitCode, Failure> {
        // Not left to clap: to it a way in that the configuration names does not count as given.
        if self.dht_bootstrap.is_empty() && !self.dht_public {
            let next = "name a way in with --dht-bootstrap, or ask the worldwide DHT with --dht-public";
            return Err(Failure::usage("no way into the DHT is named", next));
        }
        let bind = global.bind.unwrap_or_else(|| self.any_address());
        let config =
            DhtConfig { bootstrap: self.dht_bootstrap, public: self.dht_public, ..DhtConfig::default() };
        let hash = self.hash;
        let asked = Node::with_guest(config, bind, async move |node| {
            let providers = node.providers(&hash, PATIENCE).await;
            (providers, node.nodes())
        });
        let (providers, nodes) = asked
            .await
            .map_err(|DhtError { address, source }| Failure::cannot_listen("DHT node", address, &source))?;
        if providers.is_empty() {
            return Err(nobody(nodes));
        }
        output.event(&Event::Providers { hash, providers: &providers });
        output.result(&serde_json::to_string(&providers).map_err(Failure::failed)?);
        Ok(ExitCode::Ok)
    }

    /// IPv4 when every way in is an IPv4 address: then the system need not know the other.
    fn any_address(&self) -> IpAddr {
        let is_v4 = |node: &HostPort| matches!(node.host(), Host::Ip(IpAddr::V4(_)));
        if !self.dht_public && self.dht_bootstrap.iter().all(is_v4) {
            return Ipv4Addr::UNSPECIFIED.into();
        }
        let all = addresses::listen_address(None);
        if all.is_ipv6() { Ipv6Addr::UNSPECIFIED.into() } else { all }
    }
}

fn nobody(nodes: usize) -> Failure {
    if nodes == 0 {
        let next =
            "check the address given with --dht-bootstrap: a running peer prints it as 'DHT node at udp://…'";
        return Failure::no_source("no node of the DHT answers", next);
    }
    Failure::no_source(
        format!("nobody provides it, say the {nodes} nodes that were reached"),
        "a provider announces itself within a minute of its start; try again then",
    )
}
