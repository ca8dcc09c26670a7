//! `bench`: what a tracker can bear, measured by load from this machine.

mod own_tracker;
mod table;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use load::{Announced, Announces, Burst, DescribedHashes, Failed, Figures, LoadedTracker, LookUps};
use net::Net;
use protocol::{BaseUrl, Host};

use self::own_tracker::OwnTracker;
use crate::event::Event;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::Output;
use crate::signals::{or_interrupted, stop_on_any_signal};

/// Chunks of every torrent here: what the goals are about.
const CHUNKS: u32 = 256;
/// Peers in a torrent of the cases with many: enough to fill an answer many times over.
const PEERS_PER_TORRENT: usize = 1000;

/// Put a tracker under load and say what it bears: requests a second, time to an answer, CPU time, memory
///
/// Without --url each case has a tracker of its own, started on this machine for it. The load is one thread, so that
/// the tracker has the other cores. 'a CPU second' is what one core does that does nothing else: the figure to set
/// beside another tracker's. Never aim it at a tracker that is not yours.
#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// What is put under load
    #[arg(value_enum, value_name = "WHAT")]
    what: What,
    /// A tracker that runs already [default: one that is started for each case]
    #[arg(long, value_name = "URL", value_parser = BaseUrl::from_url_or_host_port)]
    url: Option<BaseUrl>,
    /// The process id of that tracker, when it is on this machine: its CPU time and memory are measured, too
    #[arg(long, value_name = "PID", requires = "url")]
    process: Option<u32>,
    /// Only these cases (can be repeated) [default: all]
    #[arg(long, value_enum, value_name = "CASE", value_delimiter = ',')]
    case: Vec<Case>,
    /// How long the clock of announces and look-ups runs
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=10))]
    seconds: u64,
    /// Peers of 'announced'
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=2_000_000))]
    peers: u32,
    /// Connections at once, each with one request under way
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1024))]
    connections: u16,
    /// A hundredth of everything: says whether it works, not what it bears
    #[arg(long)]
    small: bool,
}

/// What can be put under load.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    /// A tracker
    Tracker,
}

/// One measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Case {
    /// 20,000 peers in 100 torrents of 256 chunks announce again and again (native protocol)
    Announces,
    /// POST /chunk with 100 of 1,000 hashes that 50 clients hold (described protocol)
    LookUps,
    /// Memory of 1,000 clients with the same 1,000 hashes (described protocol)
    DescribedHashes,
    /// Memory of --peers announced peers (native protocol)
    Announced,
    /// 5,000 new peers announce within one second, each over a connection of its own (native protocol)
    Burst,
}

impl Bench {
    pub(super) async fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let What::Tracker = self.what;
        let stop = stop_on_any_signal(output)?;
        or_interrupted(&stop, self.measure(output)).await?
    }

    async fn measure(&self, output: &Output) -> Result<ExitCode, Failure> {
        let cases = if self.case.is_empty() { Case::value_variants() } else { &self.case[..] };
        let mut refused = 0;
        for case in cases {
            let (tracker, own) = self.tracker().await?;
            output.remark(&table::about(*case, self.peers_of_announced()));
            let figures = self.figures(*case, &tracker).await.map_err(|error| failure(&error))?;
            drop(own);
            for line in table::lines(&figures) {
                output.result(&line);
            }
            output.event(&Event::Load(&figures));
            refused += figures.refused;
        }
        if refused == 0 {
            return Ok(ExitCode::Ok);
        }
        Err(Failure::new(
            ExitCode::Refused,
            "refused",
            format!("{refused} requests were refused: the figures are of something else"),
            "give it a tracker of its own (no --url), or look into that tracker's log",
        ))
    }

    /// The tracker to be measured, and its process if it is ours.
    async fn tracker(&self) -> Result<(Arc<LoadedTracker>, Option<OwnTracker>), Failure> {
        let net = Net::default();
        let Some(url) = &self.url else {
            let own = OwnTracker::start(self.peers_of_announced()).await?;
            let (address, host) = (own.address(), own.address().to_string());
            let process = Some(own.process());
            return Ok((Arc::new(LoadedTracker { address, host, process, net }), Some(own)));
        };
        let cannot = |cause: String| Failure::no_source(cause, "check the URL, and that the tracker runs");
        if url.prefix() != "" || url.as_described().is_none() {
            return Err(Failure::usage(
                "--url: expected http://host:port",
                "put no proxy before the tracker",
            ));
        }
        let ip = match url.address().host() {
            Host::Ip(ip) => *ip,
            Host::Name(name) => {
                let found = net.resolve(name.as_str()).await.map_err(|error| cannot(error.to_string()))?;
                // A program that listens on one address of `localhost` mostly means the older.
                let first = found.iter().find(|ip| ip.is_ipv4()).or(found.first()).copied();
                first.ok_or_else(|| cannot(format!("{} has no address", name.as_str())))?
            }
        };
        let address = SocketAddr::new(ip, url.address().port());
        let host = url.address().to_string();
        Ok((Arc::new(LoadedTracker { address, host, process: self.process, net }), None))
    }

    async fn figures(&self, case: Case, tracker: &Arc<LoadedTracker>) -> Result<Figures, Failed> {
        let part = |of: usize| if self.small { (of / 100).max(1) } else { of };
        let connections = usize::from(self.connections);
        let time = if self.small { Duration::from_millis(200) } else { Duration::from_secs(self.seconds) };
        match case {
            Case::Announces => {
                let (peers, torrents) = (part(20_000), part(100));
                load::announces(tracker, Announces { peers, torrents, chunks: CHUNKS, connections, time })
                    .await
            }
            Case::LookUps => {
                let (clients, hashes, per_request) = (part(50), 1000, 100);
                load::look_ups(tracker, LookUps { clients, hashes, per_request, connections, time }).await
            }
            Case::DescribedHashes => {
                let clients = part(1000);
                let plan = DescribedHashes { clients, hashes: 1000, connections };
                load::described_hashes(tracker, plan).await
            }
            Case::Announced => {
                let peers = usize::try_from(self.peers_of_announced()).unwrap_or(usize::MAX);
                let torrents = peers.div_ceil(PEERS_PER_TORRENT);
                load::announced(tracker, Announced { peers, torrents, chunks: CHUNKS, connections }).await
            }
            Case::Burst => {
                let (peers, torrents) = (part(5000), part(10));
                let within = Duration::from_secs(1);
                load::burst(tracker, Burst { peers, torrents, chunks: CHUNKS, within }).await
            }
        }
    }

    fn peers_of_announced(&self) -> u32 {
        if self.small { (self.peers / 100).max(1) } else { self.peers }
    }
}

fn failure(error: &Failed) -> Failure {
    match error {
        Failed::Connection { .. } => {
            Failure::no_source(error, "check that the tracker runs and lets this machine connect so often")
        }
        Failed::Refused { .. } => Failure::new(
            ExitCode::Refused,
            "refused",
            error,
            "give it a tracker of its own (no --url); a tracker elsewhere lists few peers of one address",
        ),
        _ => Failure::failed(error),
    }
}
