//! `stress-proxy`: the reverse proxy that `stress-test` puts before its clients. Hidden: nobody else needs it.

use std::net::SocketAddr;

use clap::Args;
use protocol::BaseUrl;
use stress::proxy::{self, Config};
use tokio::net::TcpListener;

use crate::addresses;
use crate::args::Global;
use crate::event::{Event, Role};
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::Output;
use crate::signals::stop_on_signals;

/// Pass requests on to one peer, for stress-test
#[derive(Debug, Args)]
pub(crate) struct StressProxy {
    /// The peer's base URL
    target: BaseUrl,
    /// Path under which the peer's paths are found
    #[arg(long, value_name = "PATH", default_value = "")]
    prefix: String,
    /// Make every chunk wrong
    #[arg(long)]
    lie: bool,
}

impl StressProxy {
    pub(super) async fn run(self, global: &Global, output: &Output) -> Result<ExitCode, Failure> {
        let stop = stop_on_signals(output)?;
        let address = SocketAddr::new(addresses::listen_address(global.bind), 0);
        let cannot = |error: std::io::Error| Failure::cannot_listen("proxy", address, &error);
        let listener = TcpListener::bind(address).await.map_err(cannot)?;
        let port = listener.local_addr().map_err(cannot)?.port();
        let outside =
            addresses::base_url(addresses::named_host(global.bind, None), port).map_err(Failure::failed)?;
        let url: BaseUrl = outside.join(&self.prefix).parse().map_err(Failure::failed)?;
        output.event(&Event::Listening { role: Role::Proxy, url: &url });
        let config = Config { target: self.target, prefix: self.prefix, lie: self.lie };
        let counts = proxy::serve(listener, config, stop).await;
        output.event(&Event::Proxied { requests: counts.requests, falsified: counts.falsified });
        Ok(ExitCode::Ok)
    }
}
