//! One member of a plan as processes: the client, its proxy if it has one, and what they said.

use std::path::{Path, PathBuf};

use protocol::BaseUrl;
use scenario::{Exit, SourceBytes};
use serde_json::Value;

use crate::process::{Process, in_words};
use crate::service::{dht_node, listening, port_is_taken};

/// A member.
pub(crate) struct Player {
    pub(crate) name: String,
    /// Where its file is, or is to be.
    pub(crate) dir: PathBuf,
    process: Option<Process>,
    /// How often it was started.
    pub(crate) starts: u32,
    /// What it calls itself, once it listens.
    pub(crate) url: Option<BaseUrl>,
    /// Its node of the DHT as `host:port`, once it answers.
    pub(crate) dht_node: Option<String>,
    /// It said that it is complete, in its present life.
    pub(crate) sources: Option<SourceBytes>,
    /// It ended although nobody told it to.
    pub(crate) early: Option<String>,
    /// It ended because its port was taken, and may be started again.
    pub(crate) port_was_taken: bool,
    killed: bool,
    exit: Option<Exit>,
    pub(crate) proxied: Option<Proxied>,
}

impl Player {
    pub(crate) fn new(name: &str, data: &Path) -> Self {
        Player {
            name: name.to_owned(),
            dir: data.join(name),
            process: None,
            starts: 0,
            url: None,
            dht_node: None,
            sources: None,
            early: None,
            port_was_taken: false,
            killed: false,
            exit: None,
            proxied: None,
        }
    }

    /// A life begins.
    pub(crate) fn begin(&mut self, process: Process) {
        self.process = Some(process);
        self.starts += 1;
        (self.url, self.dht_node, self.sources) = (None, None, None);
        (self.killed, self.port_was_taken) = (false, false);
    }

    /// Killed without warning; it is gone when this returns.
    pub(crate) fn kill(&mut self) {
        self.look();
        if let Some(mut process) = self.process.take() {
            process.reap();
            (self.url, self.dht_node, self.sources, self.killed) = (None, None, None, true);
        }
    }

    /// Whether it runs.
    pub(crate) fn lives(&self) -> bool {
        self.process.is_some()
    }

    /// Where it can be asked, past any proxy.
    pub(crate) fn direct(&self) -> Option<String> {
        let url = self.url.as_ref()?;
        Some(match &self.proxied {
            Some(proxied) => format!("http://127.0.0.1:{}", proxied.port),
            None => url.to_string(),
        })
    }

    /// Hears what it said, and whether it has ended.
    pub(crate) fn look(&mut self) {
        let Some(process) = &mut self.process else { return };
        // In this order: what it said before it ended is heard, too.
        let status = process.status();
        let events = process.events();
        for event in &events {
            if self.url.is_none() {
                self.url = listening(event);
            }
            if self.dht_node.is_none() {
                self.dht_node = dht_node(event);
            }
            if event["event"] == "complete" {
                self.sources = serde_json::from_value(event["sources"].clone()).ok();
            }
        }
        if let Some(status) = status {
            (self.process, self.url, self.dht_node) = (None, None, None);
            self.port_was_taken = events.iter().any(port_is_taken);
            if !self.port_was_taken {
                self.early = Some(last_words(&in_words(status), &events));
            }
        }
        if let Some(proxied) = &mut self.proxied {
            proxied.look();
        }
    }

    /// Asks it to end in good order.
    pub(crate) fn ask_to_end(&mut self) {
        self.look();
        if let Some(process) = &mut self.process {
            process.ask_to_end();
        }
    }

    /// Whether it was asked to end and still runs.
    pub(crate) fn is_ending(&mut self) -> bool {
        let Some(process) = &mut self.process else { return false };
        let Some(status) = process.status() else { return true };
        self.exit = Some(match status.code() {
            Some(0) => Exit::Orderly,
            _ => Exit::Disorderly(last_words(&in_words(status), &process.events())),
        });
        self.process = None;
        false
    }

    /// Kills it if it still runs.
    pub(crate) fn give_up(&mut self) {
        if self.is_ending() {
            self.process = None;
            self.exit = Some(Exit::Hanging);
        }
    }

    /// How its last life ended; to be asked when nothing runs any more.
    pub(crate) fn exit(&self) -> Exit {
        match (&self.early, &self.exit) {
            (Some(how), _) => Exit::Early(how.clone()),
            (None, Some(exit)) => exit.clone(),
            (None, None) if self.killed => Exit::Killed,
            (None, None) => Exit::NeverStarted,
        }
    }

    pub(crate) fn processes(&mut self) -> impl Iterator<Item = &mut Process> {
        self.process.iter_mut().chain(self.proxied.iter_mut().filter_map(|proxied| proxied.process.as_mut()))
    }
}

/// How it ended, and its own words on it.
fn last_words(how: &str, events: &[Value]) -> String {
    let error = events.iter().rev().find(|event| event["event"] == "error");
    match error.and_then(|event| event["cause"].as_str()) {
        Some(cause) => format!("{how}: {cause}"),
        None => how.to_owned(),
    }
}

/// The proxy before a member.
pub(crate) struct Proxied {
    process: Option<Process>,
    /// What the member calls itself.
    pub(crate) url: BaseUrl,
    /// Where the member itself listens.
    pub(crate) port: u16,
    /// Requests passed on.
    pub(crate) requests: u64,
    /// Bodies made wrong.
    pub(crate) falsified: u64,
}

impl Proxied {
    pub(crate) const fn new(process: Process, url: BaseUrl, port: u16) -> Self {
        Proxied { process: Some(process), url, port, requests: 0, falsified: 0 }
    }

    fn look(&mut self) {
        for event in self.process.iter_mut().flat_map(Process::events) {
            if event["event"] == "proxied" {
                self.requests = event["requests"].as_u64().unwrap_or_default();
                self.falsified = event["falsified"].as_u64().unwrap_or_default();
            }
        }
    }

    pub(crate) fn ask_to_end(&mut self) {
        self.process.iter_mut().for_each(Process::ask_to_end);
    }

    pub(crate) fn is_ending(&mut self) -> bool {
        self.process.as_mut().is_some_and(|process| process.status().is_none())
    }

    /// Hears its last figures; gone when this returns.
    pub(crate) fn give_up(&mut self) {
        self.look();
        self.process = None;
    }
}
