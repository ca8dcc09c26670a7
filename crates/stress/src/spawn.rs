//! The command lines of what is started: the program's own commands, as a person would type them.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use protocol::BaseUrl;
use scenario::{Conduct, Pace, Traits};

/// Name of the hidden command that is [`crate::proxy`].
pub const PROXY_COMMAND: &str = "stress-proxy";
/// Slowest limit: below it a chunk takes longer than a peer's patience.
const SLOWEST: u64 = 16 << 10;
/// Chunks that a file has at least, so that things can happen in the middle of it.
const FEWEST_CHUNKS: u64 = 64;
/// The chunk sizes that are chosen for small files.
const SMALL_CHUNK: u64 = 16 << 10;
/// What the program chooses by itself for small files.
const USUAL_CHUNK: u64 = 64 << 10;

/// The program that is started again and again.
#[derive(Clone, Debug)]
pub(crate) struct Program(pub(crate) PathBuf);

impl Program {
    /// The program with these words, on this machine only, deaf to the variables of whoever runs it.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(&self.0);
        let inherited = std::env::vars_os().map(|(name, _)| name);
        for name in inherited.filter(|name| name.to_string_lossy().starts_with("HTTP_TORRENT_")) {
            command.env_remove(name);
        }
        command.args(words).args(["--json", "-v", "--bind", "127.0.0.1"]);
        command
    }

    /// `tracker`, at any port or at this one.
    pub(crate) fn tracker(&self, port: u16) -> Command {
        self.command(["tracker", &port.to_string()])
    }

    /// `metric-server`.
    pub(crate) fn metric_server(&self, port: u16) -> Command {
        self.command(["metric-server", &port.to_string()])
    }

    /// `torrentify`; the tracker it names is replaced later.
    pub(crate) fn torrentify(&self, content: &Path, size: u64, to: &Path) -> Command {
        let mut command = self.command(["torrentify"]);
        command.arg(content).arg("127.0.0.1:5000").arg("-o").arg(to);
        if size < FEWEST_CHUNKS * USUAL_CHUNK {
            command.args(["--chunk-size", &SMALL_CHUNK.to_string()]);
        }
        command
    }

    /// The reverse proxy before `target`.
    pub(crate) fn proxy(&self, traits: &Traits, target: &str, prefix: &str) -> Command {
        let mut command = self.command([PROXY_COMMAND, target]);
        if traits.proxy {
            command.args(["--prefix", prefix]);
        }
        if traits.conduct == Conduct::Liar {
            command.arg("--lie");
        }
        command
    }

    /// `client`.
    pub(crate) fn client(&self, client: &Client<'_>) -> Command {
        let mut command = self.command(["client"]);
        if client.has_file {
            command.arg("has_file");
        }
        if client.traits.dht {
            command.arg("dht_enabled");
        }
        command.arg("--torrent").arg(client.torrent).arg("--dir").arg(client.dir);
        for (flag, limit) in limits(client.traits.pace, client.size) {
            command.args([flag, &limit.to_string()]);
        }
        if let Some((advertised, port)) = client.behind {
            command.args(["--advertise", &advertised.to_string(), "--port", &port.to_string()]);
        }
        for peer in client.peers {
            command.args(["--peer", &peer.to_string()]);
        }
        if client.traits.dht {
            // Its own: what another scenario left in the usual place would be a way in that nobody gave it.
            command.arg("--dht-nodes").arg(client.dir.with_extension("dht-nodes"));
        }
        for node in client.dht_nodes {
            command.args(["--dht-bootstrap", node]);
        }
        command.args(["--metrics", &client.metrics.map(ToString::to_string).unwrap_or_default()]);
        command
    }
}

/// What a client is started with.
pub(crate) struct Client<'a> {
    pub(crate) traits: &'a Traits,
    pub(crate) has_file: bool,
    pub(crate) torrent: &'a Path,
    pub(crate) dir: &'a Path,
    /// Of the file.
    pub(crate) size: u64,
    /// The proxy's URL, and the port that it passes requests on to.
    pub(crate) behind: Option<(&'a BaseUrl, u16)>,
    pub(crate) peers: &'a [BaseUrl],
    pub(crate) dht_nodes: &'a [String],
    pub(crate) metrics: Option<&'a BaseUrl>,
}

/// The limits of a link, in bytes a second.
fn limits(pace: Pace, size: u64) -> impl Iterator<Item = (&'static str, u64)> {
    let rate = move |copy: Duration| {
        let rate = u128::from(size) * 1000 / copy.as_millis().max(1);
        u64::try_from(rate).unwrap_or(u64::MAX).max(SLOWEST)
    };
    let flags = [("--limit-up", pace.up), ("--limit-down", pace.down)];
    flags.into_iter().filter_map(move |(flag, copy)| Some((flag, rate(copy?))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_becomes_bytes_a_second() {
        let of = |pace, size| limits(pace, size).collect::<Vec<_>>();
        let copy = Duration::from_secs(4);
        assert_eq!(of(Pace::up(copy), 16 << 20), [("--limit-up", 4 << 20)]);
        assert_eq!(of(Pace::both(copy), 4), [("--limit-up", SLOWEST), ("--limit-down", SLOWEST)]);
        assert_eq!(of(Pace { up: None, down: None }, 4), []);
    }
}
