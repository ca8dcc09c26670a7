//! `client`: shares torrents, downloading first what is not there.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use peer::{Content, Job, Order, Peer, Sharing};
use protocol::Torrent;
use tokio_util::sync::CancellationToken;

use crate::args::{Global, Network};
use crate::dht_flags::dht_config;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::following;
use crate::output::Output;
use crate::signals::{or_interrupted, stop_on_signals};
use crate::swarm_member::{self, each_once};
use crate::torrent_file;

/// Share what a torrent.json describes, downloading first what is not there
#[derive(Debug, Args)]
pub(crate) struct Client {
    #[arg(help = "has_file: the content is there already; dht_enabled: take part in the DHT")]
    #[arg(num_args = 0..=2, value_name = "WORD")]
    words: Vec<Word>,
    /// A description (can be repeated)
    #[arg(long, value_name = "FILE", default_value = "torrent.json")]
    torrent: Vec<PathBuf>,
    /// Where the files and folders are, or will be
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// End when everything is complete, instead of sharing on
    #[arg(long)]
    exit_when_complete: bool,
    /// Port to listen on; 0 for any that is free
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Network")]
    pub(crate) port: u16,
    #[command(flatten)]
    pub(crate) network: Network,
}

/// A word as the described program takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Word {
    /// The content is there already.
    HasFile,
    /// Take part in the DHT.
    DhtEnabled,
}

impl Client {
    pub(super) async fn run(self, global: &Global, output: &Output) -> Result<ExitCode, Failure> {
        let stop = stop_on_signals(output)?;
        let torrents =
            self.torrent.iter().map(|path| torrent_file::read(path)).collect::<Result<Vec<_>, _>>()?;
        if self.words.contains(&Word::HasFile) {
            torrents.iter().try_for_each(|torrent| must_be_there(torrent, &self.dir))?;
        }
        let dht = dht_config(global, &self.network, self.words.contains(&Word::DhtEnabled), &[]);
        let peer = swarm_member::start(output, global, &self.network, self.port, dht).await?;
        let ended = self.share(output, &peer, torrents, &stop).await;
        swarm_member::stop(output, &peer).await;
        ended
    }

    async fn share(
        &self,
        output: &Output,
        peer: &Peer,
        torrents: Vec<Torrent>,
        stop: &CancellationToken,
    ) -> Result<ExitCode, Failure> {
        let mut sharings: Vec<Sharing> = Vec::with_capacity(torrents.len());
        for torrent in torrents {
            sharings.push(or_interrupted(stop, peer.add(self.job(torrent))).await??);
        }
        let outcome =
            or_interrupted(stop, following::until_complete(output, &sharings, following::downloaded)).await?;
        if outcome.complete > 0 && !self.exit_when_complete {
            let seeding = following::while_seeding(output, &sharings, None, |_| false);
            let _ = or_interrupted(stop, seeding).await;
        }
        Ok(outcome.exit)
    }

    fn job(&self, torrent: Torrent) -> Job {
        Job {
            trackers: each_once(torrent.tracker().cloned(), &self.network.tracker),
            torrent: Arc::new(torrent),
            content: Content::Dir(self.dir.clone()),
            peers: self.network.peer.clone(),
            order: Order::RarestFirst,
            files: None,
        }
    }
}

/// `has_file` is a promise: without the file there is nothing to verify, and a silent download is not what was meant.
fn must_be_there(torrent: &Torrent, dir: &Path) -> Result<(), Failure> {
    let place = dir.join(torrent.name().as_str());
    place.symlink_metadata().map(drop).map_err(|error| {
        Failure::disk(
            format!("has_file: cannot find '{}': {error}", place.display()),
            "name its folder with --dir, or leave has_file out to download it",
        )
    })
}
