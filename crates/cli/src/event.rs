//! What `--json` prints on stdout: one object a line, for programs.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use peer::{Completed, Sources};
use protocol::{BaseUrl, Hash, TorrentId};
use scenario::rollout::Figures;
use scenario::{Complaint, Permille};
use serde::Serialize;

/// Which part of the process answers at a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Role {
    /// A tracker.
    Tracker,
    /// A peer (the described protocol's word).
    Client,
    /// The metrics server and its page.
    MetricServer,
    /// A reverse proxy of the stress test.
    Proxy,
    /// A node of the DHT.
    Dht,
}

/// One line.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(crate) enum Event<'a> {
    /// From now on requests are answered at `url`.
    Listening {
        /// Who answers.
        role: Role,
        /// Where; for all addresses the one that a link would name.
        url: &'a BaseUrl,
    },
    /// From now on datagrams are answered at `url`.
    #[serde(rename = "listening")]
    ListeningUdp {
        /// Who answers.
        role: Role,
        /// `udp://host:port`.
        url: &'a str,
    },
    /// Who claims to provide a hash.
    Providers {
        /// What was asked for.
        hash: Hash,
        /// Where they serve.
        providers: &'a [SocketAddr],
    },
    /// A torrent can be fetched with this.
    Link {
        /// With its secret, if it has one: this line is how it is handed on.
        link: String,
        /// Lowercase hex.
        torrent_id: TorrentId,
        /// The plain file, where one is served.
        #[serde(skip_serializing_if = "Option::is_none")]
        file_url: Option<&'a str>,
    },
    /// How far the downloads of this process are, together; at most twice a second.
    Progress {
        /// Bytes held of those wanted.
        bytes: u64,
        /// Bytes wanted.
        total: u64,
        /// Neighbours.
        peers: u32,
        /// Received lately.
        down_bytes_per_s: u64,
        /// Sent lately.
        up_bytes_per_s: u64,
    },
    /// A download moves no further for now; it goes on by itself when the reason passes.
    Waiting {
        /// The torrent's name.
        name: &'a str,
        /// What it waits for, and what would help.
        reason: &'a str,
    },
    /// One torrent is verified and durable in its final place.
    Complete {
        /// Absolute, so that no other line has the event's name in quotes, whatever a file is called.
        path: PathBuf,
        /// Of content.
        bytes: u64,
        /// From the start of the job.
        seconds: f64,
        /// Where the bytes came from.
        sources: SourceBytes,
    },
    /// What `verify` found.
    Verified {
        /// Chunks of the torrent.
        chunks: u32,
        /// Runs of chunks that are missing or wrong, first and last.
        bad: Vec<(u32, u32)>,
        /// Files that are incomplete, wrong, or not there: `./` and the path.
        files: Vec<String>,
    },
    /// A stress test begins one scenario.
    Scenario {
        /// Its name.
        name: &'a str,
        /// Clients that want the file.
        clients: usize,
        /// Of the file.
        bytes: u64,
        /// Of the plan of faults.
        seed: u64,
    },
    /// What the clients of a scenario hold, in thousandths; at most twice a second.
    Swarm {
        /// Its name.
        scenario: &'a str,
        /// From its start.
        seconds: f64,
        /// Together.
        permille: Permille,
        /// Each, in the order of their names.
        clients: Vec<Permille>,
    },
    /// Something went wrong as planned.
    Fault {
        /// In this scenario.
        scenario: &'a str,
        /// From its start.
        seconds: f64,
        /// What the clients held together.
        permille: Permille,
        /// In words.
        what: &'a str,
    },
    /// A scenario ended.
    Verdict {
        /// Its name.
        scenario: &'a str,
        /// Whether it was right.
        ok: bool,
        /// Until the last client was complete.
        seconds: f64,
        /// What was wrong.
        failures: &'a [Complaint],
    },
    /// What a simulated rollout came to.
    Result(&'a Figures),
    /// What one case of a benchmark came to.
    Load(&'a load::Figures),
    /// What a reverse proxy of the stress test did.
    Proxied {
        /// Requests passed on.
        requests: u64,
        /// Bodies made wrong.
        falsified: u64,
    },
    /// The run, or one torrent of it, failed.
    Error {
        /// The exit code that it stands for.
        code: u8,
        /// One word for programs.
        kind: &'a str,
        /// What went wrong.
        cause: &'a str,
        /// What to do about it.
        next: &'a str,
    },
}

/// Bytes of a finished download by where they came from.
#[derive(Debug, Serialize)]
pub(crate) struct SourceBytes {
    seed: u64,
    peer: u64,
    cache: u64,
    local: u64,
}

impl From<Sources> for SourceBytes {
    fn from(Sources { seed, peer, cache, local }: Sources) -> Self {
        SourceBytes { seed, peer, cache, local }
    }
}

impl<'a> Event<'a> {
    /// The event of a node of the DHT that answers.
    pub(crate) const fn listening_dht(url: &'a str) -> Self {
        Event::ListeningUdp { role: Role::Dht, url }
    }

    /// The event of a finished download.
    pub(crate) fn complete(done: &Completed) -> Self {
        Event::Complete {
            path: absolute(&done.path),
            bytes: done.bytes,
            seconds: (done.elapsed.as_secs_f64() * 1000.0).round() / 1000.0,
            sources: done.sources.into(),
        }
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn line(event: &Event<'_>) -> String {
        serde_json::to_string(event).unwrap()
    }

    #[test]
    fn events_stand_as_they_are_documented() {
        let url = "http://127.0.0.1:5000".parse().unwrap();
        assert_eq!(
            line(&Event::Listening { role: Role::Tracker, url: &url }),
            r#"{"event":"listening","role":"tracker","url":"http://127.0.0.1:5000"}"#
        );
        assert_eq!(
            line(&Event::listening_dht("udp://127.0.0.1:6881")),
            r#"{"event":"listening","role":"dht","url":"udp://127.0.0.1:6881"}"#
        );
        let done = Completed {
            path: "/x/complete".into(),
            bytes: 7,
            elapsed: Duration::from_micros(1_234_567),
            sources: Sources { seed: 1, peer: 2, cache: 3, local: 1 },
        };
        assert_eq!(
            line(&Event::complete(&done)),
            r#"{"event":"complete","path":"/x/complete","bytes":7,"seconds":1.235,"sources":{"seed":1,"peer":2,"cache":3,"local":1}}"#
        );
        assert_eq!(
            line(&Event::Progress { bytes: 1, total: 2, peers: 3, down_bytes_per_s: 4, up_bytes_per_s: 5 }),
            r#"{"event":"progress","bytes":1,"total":2,"peers":3,"down_bytes_per_s":4,"up_bytes_per_s":5}"#
        );
        assert_eq!(
            line(&Event::Error { code: 6, kind: "in_the_way", cause: "a", next: "b" }),
            r#"{"event":"error","code":6,"kind":"in_the_way","cause":"a","next":"b"}"#
        );
    }

    #[test]
    fn only_the_event_itself_has_that_word_in_quotes() {
        let done = Completed {
            path: "complete".into(),
            bytes: 0,
            elapsed: Duration::ZERO,
            sources: Sources::default(),
        };
        assert_eq!(line(&Event::complete(&done)).matches(r#""complete""#).count(), 1);
        let error = Event::Error { code: 1, kind: "x", cause: r#"not "complete" yet"#, next: "" };
        assert!(!line(&error).contains(r#""complete""#));
    }
}
