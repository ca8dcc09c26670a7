//! `metric-server`: the page where clients report. `share` runs one, too.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::Args;
use metrics::{Config, MetricsServer, StateError};
use net::{Listener, Net};
use protocol::{BaseUrl, Host};
use tokio_util::sync::CancellationToken;

use crate::addresses::{self, Advertise};
use crate::args::Global;
use crate::event::{Event, Role};
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::Output;
use crate::signals::stop_on_signals;

/// Run the metrics server: clients report to it, and its page shows them
#[derive(Debug, Args)]
pub(crate) struct MetricServer {
    /// Port to listen on; 0 for any that is free
    #[arg(default_value_t = protocol::api::metrics::DEFAULT_PORT, env = "HTTP_TORRENT_PORT", hide_env = true)]
    port: u16,
    /// Remember clients here, across restarts
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// How others reach it: a host, or a whole URL (behind a reverse proxy)
    #[arg(long, value_name = "URL")]
    advertise: Option<Advertise>,
    /// Let everybody look and report who reaches the address given with --bind: there is no password
    #[arg(long)]
    open: bool,
}

impl MetricServer {
    pub(super) async fn run(self, global: &Global, output: &Output) -> Result<ExitCode, Failure> {
        let stop = stop_on_signals(output)?;
        let bind = global.bind.unwrap_or(LOOPBACK);
        if !bind.is_loopback() && !self.open {
            return Err(Failure::usage(
                format!(
                    "whoever reaches {bind} could look at the page and report anything: it has no password"
                ),
                "add --open if that is meant; without --bind only this machine reaches it",
            ));
        }
        let page = Page::listen(bind, self.port, self.advertise.as_ref(), self.state).await?;
        page.start(output, stop).await.map_err(Failure::failed)??;
        Ok(ExitCode::Ok)
    }
}

/// Where the page is unless told otherwise: nobody else sees what is shared, or by whom.
pub(super) const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A metrics server that has its port and does not answer yet.
pub(super) struct Page {
    server: MetricsServer,
    listener: Listener,
    url: BaseUrl,
}

impl Page {
    pub(super) async fn listen(
        bind: IpAddr,
        port: u16,
        advertise: Option<&Advertise>,
        state: Option<PathBuf>,
    ) -> Result<Self, Failure> {
        let names = advertise.map(Advertise::host).filter(|host| matches!(host, Host::Name(_)));
        let names = names.cloned().into_iter().collect();
        let server = MetricsServer::open(Config { names, state, ..Config::default() }).map_err(no_state)?;
        let address = SocketAddr::new(bind, port);
        let cannot = |error: std::io::Error| Failure::cannot_listen("metrics server", address, &error);
        let listener = Net::default().listen(address).await.map_err(cannot)?;
        let port = listener.local_addr().map_err(cannot)?.port();
        // What listens on loopback is reached there, whatever else is advertised.
        let advertise = advertise.filter(|_| !bind.is_loopback());
        let here = addresses::base_url(addresses::named_host(Some(bind), advertise), port);
        let url = advertise.and_then(Advertise::url).cloned();
        Ok(Page { server, listener, url: url.map_or(here.map_err(Failure::failed), Ok)? })
    }

    /// Where it is.
    pub(super) const fn url(&self) -> &BaseUrl {
        &self.url
    }

    /// Lets it answer from now on, in the background, and says so.
    pub(super) fn start(self, output: &Output, stop: CancellationToken) -> Serving {
        let Page { server, listener, url } = self;
        let serving = tokio::spawn(async move { server.serve(listener, stop).await.map_err(no_state) });
        output.event(&Event::Listening { role: Role::MetricServer, url: &url });
        output.remark(&format!("page at {url}"));
        serving
    }
}

/// The metrics server, answering in the background.
pub(super) type Serving = tokio::task::JoinHandle<Result<(), Failure>>;

fn no_state(error: StateError) -> Failure {
    match error {
        StateError::Foreign { path } => Failure::in_the_way(
            format!("'{}' is not a metrics server's state", path.display()),
            "move it away, or name another file with --state; it was not touched",
        ),
        error => {
            Failure::disk(error, "check the file's folder and its permissions, or name another with --state")
        }
    }
}
