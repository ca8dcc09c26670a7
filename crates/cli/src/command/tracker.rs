//! `tracker`: the coordinator that remembers who has what.

use std::net::SocketAddr;

use ::tracker::{AllowRule, TrackerConfig};
use clap::Args;
use net::{Listener, Net};
use protocol::BaseUrl;
use tokio_util::sync::CancellationToken;

use crate::addresses::{self, Advertise};
use crate::args::Global;
use crate::event::{Event, Role};
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::Output;
use crate::signals::stop_on_signals;

/// Run a tracker
#[derive(Debug, Args)]
pub(crate) struct Tracker {
    /// Port to listen on; 0 for any that is free
    #[arg(default_value_t = 5000, env = "HTTP_TORRENT_PORT", hide_env = true)]
    pub(crate) port: u16,
    /// How others reach it: a host, or a whole URL (behind a reverse proxy)
    #[arg(long, value_name = "URL")]
    advertise: Option<Advertise>,
    /// Accept announces for these addresses or names although they come from elsewhere (can be repeated)
    #[arg(long, value_name = "CIDR|SUFFIX", value_delimiter = ',')]
    allow_announce: Vec<AllowRule>,
    /// List at most so many peers of our own protocol: about half a kilobyte of memory each [default: 500000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=MOST_PEERS))]
    max_peers: Option<u32>,
}

/// What `--max-peers` may be: their bitmaps and their leases still have bounds of their own.
const MOST_PEERS: i64 = 4_000_000;

impl Tracker {
    pub(super) async fn run(self, global: &Global, output: &Output) -> Result<ExitCode, Failure> {
        let stop = stop_on_signals(output)?;
        let (listener, here) = listen(global, self.advertise.as_ref(), self.port).await?;
        // A host is completed by the port listened on, which may have been any.
        let advertise =
            self.advertise.map(|advertise| advertise.url().cloned().unwrap_or_else(|| here.clone()));
        let url = advertise.clone().unwrap_or(here);
        let mut limits = TrackerConfig::default().registry;
        if let Some(most) = self.max_peers {
            limits.holders = usize::try_from(most).unwrap_or(limits.holders);
        }
        let config = TrackerConfig {
            registry: limits,
            allow_announce: self.allow_announce,
            advertise,
            source: addresses::source_address(global.bind),
            seed: rand::random(),
            ..TrackerConfig::default()
        };
        let serving = start(output, ::tracker::Tracker::new(config), listener, &url, stop);
        serving.await.map_err(Failure::failed)??;
        Ok(ExitCode::Ok)
    }
}

/// Opens the tracker's port.
pub(super) async fn listen(
    global: &Global,
    advertise: Option<&Advertise>,
    port: u16,
) -> Result<(Listener, BaseUrl), Failure> {
    let address = SocketAddr::new(addresses::listen_address(global.bind), port);
    let cannot = |error: std::io::Error| Failure::cannot_listen("tracker", address, &error);
    let listener = Net::default().listen(address).await.map_err(cannot)?;
    let port = listener.local_addr().map_err(cannot)?.port();
    let host = addresses::named_host(global.bind, advertise);
    Ok((listener, addresses::base_url(host, port).map_err(Failure::failed)?))
}

/// The tracker, answering in the background.
pub(super) type Serving = tokio::task::JoinHandle<Result<(), Failure>>;

/// Lets the tracker answer from now on, and says so.
pub(super) fn start(
    output: &Output,
    tracker: ::tracker::Tracker,
    listener: Listener,
    url: &BaseUrl,
    stop: CancellationToken,
) -> Serving {
    let serving = tokio::spawn(async move {
        tracker
            .serve(listener, stop)
            .await
            .map_err(|error| Failure::failed(format!("the tracker ended: {error}")))
    });
    output.event(&Event::Listening { role: Role::Tracker, url });
    output.remark(&format!("tracker at {url}"));
    serving
}
