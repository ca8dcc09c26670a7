//! A tracker that is started to be measured: this program's own, on a port of this machine that is free.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use stress::guard::{GUARD_COMMAND, Guard};

use crate::failure::Failure;

/// Longest time until it listens.
const START: Duration = Duration::from_secs(10);

/// The process; ended when dropped, and by its guard when this program cannot.
pub(super) struct OwnTracker {
    child: Child,
    guard: Guard,
    address: SocketAddr,
}

impl OwnTracker {
    /// Starts it, with room for so many peers at least.
    pub(super) async fn start(peers: u32) -> Result<Self, Failure> {
        let cannot = |error: std::io::Error| Failure::failed(format!("cannot start a tracker: {error}"));
        let room = peers.max(500_000).to_string();
        let guard = Guard::post(program([GUARD_COMMAND])?).map_err(cannot)?;
        let mut command = program(["tracker", "0", "--bind", "127.0.0.1", "--max-peers", &room, "--json"])?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(cannot)?;
        guard.line().started(child.id());
        let stdout = child.stdout.take();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut own = OwnTracker { child, guard, address };
        let listening = tokio::task::spawn_blocking(move || stdout.and_then(port_in));
        let port = tokio::time::timeout(START, listening).await.ok().and_then(Result::ok).flatten();
        own.address
            .set_port(port.ok_or_else(|| Failure::failed("the tracker that was started does not listen"))?);
        Ok(own)
    }

    /// Where it listens.
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its id.
    pub(super) fn process(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for OwnTracker {
    fn drop(&mut self) {
        // It keeps nothing, so nothing is lost. One that has ended cannot be killed, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.guard.line().reaped(self.child.id());
    }
}

/// This program with these words, deaf to the variables of whoever runs it.
fn program<const N: usize>(words: [&str; N]) -> Result<Command, Failure> {
    let path = std::env::current_exe()
        .map_err(|error| Failure::failed(format!("cannot find this program's own file: {error}")))?;
    let mut command = Command::new(path);
    let inherited = std::env::vars_os().map(|(name, _)| name);
    for name in inherited.filter(|name| name.to_string_lossy().starts_with("HTTP_TORRENT_")) {
        command.env_remove(name);
    }
    command.args(words);
    Ok(command)
}

/// The port in its first event, which says that it listens.
fn port_in(stdout: ChildStdout) -> Option<u16> {
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).ok()?;
    let event: serde_json::Value = serde_json::from_str(&line).ok()?;
    event.get("url")?.as_str()?.rsplit_once(':')?.1.parse().ok()
}
