//! `share`: one command that makes a file or folder available, with a tracker of its own.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use ::tracker::{PublishRefusal, Tracker, TrackerConfig};
use clap::Args;
use net::Listener;
use peer::{Completed, Content, Job, MetricsTo, Order, Peer};
use protocol::torrent::Shape;
use protocol::{BaseUrl, Link, Torrent};
use store::{Memory, TorrentifyOptions};
use tokio_util::sync::CancellationToken;

use super::metric_server::{self, Page};
use super::tracker::{listen, start};
use crate::addresses::Advertise;
use crate::args::{Global, Network};
use crate::dht_flags::{self, dht_config};
use crate::event::Event;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::Output;
use crate::shell_quote::shell_quoted;
use crate::signals::{or_interrupted, stop_on_signals};
use crate::swarm_member::{self, each_once};
use crate::{addresses, following, hashing, places};

/// The tracker's port unless another is given: the described programs' default.
const DEFAULT_PORT: u16 = 5000;
/// Likewise the page's.
const DEFAULT_PAGE_PORT: u16 = protocol::api::metrics::DEFAULT_PORT;

/// Make a file or folder available: prints the link, and how to fetch it
#[derive(Debug, Args)]
pub(crate) struct Share {
    /// The file or folder
    path: PathBuf,
    /// The tracker's port, which stands in the link [default: 5000, or any if that is taken]
    #[arg(long, value_name = "N")]
    port: Option<u16>,
    /// The peer's port; 0 for any that is free
    #[arg(long, value_name = "N", default_value_t = 0)]
    peer_port: u16,
    /// The page's port [default: 8080, or any if that is taken]
    #[arg(long, value_name = "N")]
    page_port: Option<u16>,
    /// The page's address; on another than this machine's own everybody who reaches it can look and report
    #[arg(long, value_name = "ADDR", default_value_t = metric_server::LOOPBACK)]
    page_bind: IpAddr,
    /// Read and hash everything, also what was hashed before and did not change since
    #[arg(long)]
    rehash: bool,
    #[command(flatten)]
    network: Network,
}

impl Share {
    pub(super) async fn run(self, global: &Global, output: &Output) -> Result<ExitCode, Failure> {
        let stop = stop_on_signals(output)?;
        let (listener, url) = self.tracker_listener(global).await?;
        let described = self.describe(output, url.clone());
        let (torrent, content) = or_interrupted(&stop, described).await??;

        let page = self.page().await?;
        let source = addresses::source_address(global.bind);
        let tracker = Tracker::new(TrackerConfig {
            // What the link names is us, whatever our own addresses are.
            advertise: self.network.advertise.as_ref().map(|_| url.clone()),
            metrics: Some(self.metrics_url(&page)),
            source,
            seed: rand::random(),
            ..TrackerConfig::default()
        });
        tracker.publish(torrent.clone()).map_err(cannot_publish)?;
        // They end after the peer has left the one and told the other.
        let servers_stop = CancellationToken::new();
        let serving = start(output, tracker.clone(), listener, &url, servers_stop.clone());
        let showing = page.start(output, servers_stop.clone());
        let dht = dht_config(global, &self.network, false, &[]);
        let peer = swarm_member::start(output, global, &self.network, self.peer_port, dht).await?;
        tracker.set_publisher(torrent.id(), peer.url().clone());
        let shared = self.share(output, &peer, torrent, content, url, &stop).await;
        swarm_member::stop(output, &peer).await;
        servers_stop.cancel();
        serving.await.map_err(Failure::failed)??;
        showing.await.map_err(Failure::failed)??;
        shared
    }

    /// On the port asked for; without one, on the default port or any.
    async fn tracker_listener(&self, global: &Global) -> Result<(Listener, BaseUrl), Failure> {
        let advertise = self.network.advertise.as_ref();
        match self.port {
            Some(port) => listen(global, advertise, port).await,
            None => match listen(global, advertise, DEFAULT_PORT).await {
                Ok(listening) => Ok(listening),
                Err(_) => listen(global, advertise, 0).await,
            },
        }
    }

    /// The page's port, taken like the tracker's.
    async fn page(&self) -> Result<Page, Failure> {
        // A whole URL is the peer's.
        let advertise = self.network.advertise.as_ref().map(Advertise::beside);
        let listen = |port| Page::listen(self.page_bind, port, advertise.as_ref(), None);
        match self.page_port {
            Some(port) => listen(port).await,
            None => match listen(DEFAULT_PAGE_PORT).await {
                Ok(page) => Ok(page),
                Err(_) => listen(0).await,
            },
        }
    }

    /// Where this tracker's peers report: to our page, or where our own peer was told to.
    fn metrics_url(&self, page: &Page) -> BaseUrl {
        match self.network.metrics_to() {
            MetricsTo::Url(url) => url,
            MetricsTo::Learn | MetricsTo::Off => page.url().clone(),
        }
    }

    /// Reads and hashes the content, on a thread that may wait for the disk.
    async fn describe(
        &self,
        output: &Output,
        tracker: BaseUrl,
    ) -> Result<(Arc<Torrent>, store::Complete), Failure> {
        let (output, path) = (output.clone(), self.path.clone());
        let (folder, rehash) = (places::cache("shares"), self.rehash);
        let reading = tokio::task::spawn_blocking(move || {
            // Without the folder everything is read, as at the first time.
            let memory = folder.and_then(|folder| Memory::open(&folder).ok());
            let memory = if rehash { memory.map(Memory::reading_again) } else { memory };
            let options = TorrentifyOptions { tracker: Some(tracker), ..TorrentifyOptions::default() };
            let (torrent, source) = hashing::torrentify(&output, &path, options, memory.as_ref())?;
            let torrent = Arc::new(torrent);
            Ok((Arc::clone(&torrent), store::Complete::of_torrentified(torrent, source)))
        });
        reading.await.map_err(Failure::failed)?
    }

    async fn share(
        &self,
        output: &Output,
        peer: &Peer,
        torrent: Arc<Torrent>,
        content: store::Complete,
        tracker: BaseUrl,
        stop: &CancellationToken,
    ) -> Result<ExitCode, Failure> {
        let job = Job {
            torrent: Arc::clone(&torrent),
            content: Content::Source(content),
            trackers: each_once([tracker.clone()], &self.network.tracker),
            peers: self.network.peer.clone(),
            order: Order::RarestFirst,
            files: None,
        };
        let sharings = [or_interrupted(stop, peer.add(job)).await??];
        let mut link = Link::new(tracker, torrent.id());
        link.more_trackers.clone_from(&self.network.tracker);
        // Whoever has this link takes part as well, and goes on without the tracker.
        link.dht.extend(dht_flags::address(peer));
        tell(output, &link, &torrent, peer.url());
        // Nothing was downloaded: what it read, and how fast, was told while it read.
        let sharing = |_: &Completed| format!("sharing {}; Ctrl-C ends it", torrent.name());
        let outcome = or_interrupted(stop, following::until_complete(output, &sharings, sharing)).await?;
        let seeding = following::while_seeding(output, &sharings, None, |_| false);
        let _ = or_interrupted(stop, seeding).await;
        Ok(outcome.exit)
    }
}

fn cannot_publish(refusal: PublishRefusal) -> Failure {
    Failure::failed(format!("the tracker does not take the torrent: {refusal}"))
}

/// Three lines: the link, how to fetch it with this program, and without.
fn tell(output: &Output, link: &Link, torrent: &Torrent, peer: &BaseUrl) {
    let (file_url, without) = match torrent.layout().shape() {
        Shape::File => {
            let url = peer.join(&format!("/file/{}", torrent.id()));
            let curl = format!("curl -f -o {} {}", shell_quoted(torrent.name().as_str()), shell_word(&url));
            (url, curl)
        }
        Shape::Folder => {
            let url = peer.join(&format!("/file/{}/", torrent.id()));
            // One curl line cannot fetch a folder; the list names its files.
            let list = format!("list: {url}");
            (url, list)
        }
    };
    let link = link.to_string();
    output.event(&Event::Link { link: link.clone(), torrent_id: torrent.id(), file_url: Some(&file_url) });
    output.result(&link);
    output.result(&format!("http-torrent get {}", shell_word(&link)));
    output.result(&without);
}

/// A URL, quoted only where a shell would see more in it.
fn shell_word(url: &str) -> String {
    let plain = url.bytes().all(|c| c.is_ascii_alphanumeric() || b":/.-_~%=".contains(&c));
    if plain { url.to_owned() } else { shell_quoted(url) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_a_shell_would_take_apart_is_quoted() {
        assert_eq!(shell_word("http://127.0.0.1:5000/torrent/ab"), "http://127.0.0.1:5000/torrent/ab");
        assert_eq!(
            shell_word("http://[::1]:1/torrent/ab?tr=a:1&tr=b:2"),
            "'http://[::1]:1/torrent/ab?tr=a:1&tr=b:2'"
        );
    }
}
