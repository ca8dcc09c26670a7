//! Processes that others depend on: started, and started again while their port is taken, until they listen.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use protocol::BaseUrl;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::failed::{Failed, cannot};
use crate::guard::Line;
use crate::process::{self, Process};

/// Longest time from a process's start until it listens. On a machine that does nothing else it takes 20 ms.
pub(crate) const START: Duration = Duration::from_secs(60);
/// A port may be taken for a moment by somebody's outgoing connection; so often is it tried again.
pub(crate) const TRIES: u32 = 40;
/// Between two looks at a process that starts or ends.
pub(crate) const LOOK: Duration = Duration::from_millis(20);

/// Starts what `command` gives for the first try, the second and so on.
pub(crate) async fn start(
    logs: &Path,
    name: &str,
    guard: &Line,
    command: impl Fn(u32) -> Command,
) -> Result<(Process, BaseUrl), Failed> {
    let spawn =
        |attempt| Process::start(command(attempt), logs, name, guard).map_err(cannot("start a process"));
    let (mut attempt, deadline) = (1, Instant::now() + START);
    let mut process = spawn(attempt)?;
    loop {
        let status = process.status();
        let events = process.events();
        if let Some(url) = events.iter().find_map(listening) {
            return Ok((process, url));
        }
        let why = match status {
            Some(_) if attempt < TRIES && events.iter().any(port_is_taken) => {
                attempt += 1;
                process = spawn(attempt)?;
                None
            }
            Some(status) => Some(process::in_words(status)),
            None => (Instant::now() > deadline).then(|| format!("it does not listen after {START:?}")),
        };
        if let Some(why) = why {
            let log = process::log_of(logs, name).display().to_string();
            return Err(Failed::NotUp { name: name.to_owned(), why, log });
        }
        sleep(LOOK).await;
    }
}

/// The URL of a `listening` event of an HTTP role.
pub(crate) fn listening(event: &Value) -> Option<BaseUrl> {
    if event["event"] != "listening" {
        return None;
    }
    event["url"].as_str()?.parse().ok()
}

/// The address of a `listening` event of a node of the DHT.
pub(crate) fn dht_node(event: &Value) -> Option<String> {
    let url = (event["event"] == "listening").then(|| event["url"].as_str()).flatten()?;
    url.strip_prefix("udp://").map(str::to_owned)
}

/// The event of a process that ended because its port was taken.
pub(crate) fn port_is_taken(event: &Value) -> bool {
    event["event"] == "error" && event["kind"] == "listen"
}
