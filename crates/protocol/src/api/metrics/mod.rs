//! The metrics server's routes: a client's report, and the list of clients.
//!
//! A report is checked field by field while it is read (threat A27): what is missing, negative, not a number or beyond
//! what a browser can count is refused with the name of the field, so that no report can spoil the list for others.

mod fields;

use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::api::tracker::Port;
use crate::{Host, HostPort, PeerId, TorrentId};
use fields::Fields;

/// Described: `POST` a [`Report`], answered `Ok`; `GET` the clients as a list of [`ClientMetrics`].
pub const METRICS: &str = "/metrics";
/// Described: where a metrics server listens unless told otherwise.
pub const DEFAULT_PORT: u16 = 8080;
/// How often a client reports.
pub const REPORT_EVERY: Duration = Duration::from_secs(3);
/// A client silent for so long is left out of the list.
pub const SILENT_AFTER: Duration = Duration::from_secs(15);
/// Largest body of a report in bytes: [`MAX_REPORTED_TORRENTS`] with the longest names, escaped.
pub const MAX_REPORT: usize = 64 << 10;
/// Largest number in a report: what a browser's numbers hold exactly.
pub const MAX_COUNT: u64 = (1 << 53) - 1;
/// Most torrents that a report names; its sums speak of all.
pub const MAX_REPORTED_TORRENTS: usize = 32;
/// Longest version in bytes.
const MAX_VERSION: usize = 64;
/// Longest name of a torrent in bytes: a file name's.
const MAX_NAME: usize = crate::file_path::MAX_COMPONENT;
/// Longest reason for waiting in bytes.
pub const MAX_WAITING: usize = 512;

/// What a client says of itself: the described nine fields, and what our own add.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub struct Report {
    /// `client_host` and `client_port`: where it says it can be reached. A name on a page; never dialled.
    #[serde(flatten, serialize_with = "host_and_port")]
    pub client: HostPort,
    /// The described figures.
    #[serde(flatten)]
    pub figures: Figures,
    /// What only our own clients say.
    #[serde(flatten)]
    pub native: Native,
}

/// The seven figures of the described protocol; a client with several torrents reports sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// Chunks it holds of those it wants.
    pub downloaded_chunks: u64,
    /// Chunks it has sent.
    pub uploaded_chunks: u64,
    /// Chunks it wants in all.
    pub total_chunks: u64,
    /// Bytes of a whole chunk.
    pub chunk_size: u64,
    /// DHT nodes it knows.
    pub dht_peers: u64,
    /// Whether it takes part in a DHT.
    pub dht_enabled: bool,
    /// Whether its tracker answers.
    pub tracker_status_up: bool,
}

/// What only our own clients say. Everything is optional, and readers skip what they do not know.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Native {
    /// The process: another one may come back to the same host and port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<PeerId>,
    /// Its program's version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Bytes it holds of those it wants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub downloaded_bytes: Option<u64>,
    /// Payload bytes it has sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uploaded_bytes: Option<u64>,
    /// Bytes it wants in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_bytes: Option<u64>,
    /// Received a second, lately.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub down_bytes_per_s: Option<u64>,
    /// Sent a second, lately.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub up_bytes_per_s: Option<u64>,
    /// Peers it exchanges chunks with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peers: Option<u64>,
    /// Whether all it wants is verified, durable and in its final place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub complete: Option<bool>,
    /// Whether this is its last report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leaving: Option<bool>,
    /// Why nothing moves, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<String>,
    /// Its torrents, or the first of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub torrents: Vec<ReportedTorrent>,
}

/// One torrent of a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReportedTorrent {
    /// Which.
    pub torrent_id: TorrentId,
    /// Its name, as its maker chose it: text to show, and nothing else.
    pub name: String,
    /// Bytes held of those wanted.
    pub bytes: u64,
    /// Bytes wanted.
    pub total: u64,
}

/// Why a report is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadReport {
    /// No JSON object at all.
    #[error("a report is a JSON object: {0}")]
    NotAnObject(String),
    /// One of the nine fields is not there.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A field is not what it must be.
    #[error("{field} must be {expected}")]
    Wrong {
        /// Its name.
        field: &'static str,
        /// What it must be.
        expected: String,
    },
}

impl Report {
    /// Reads and checks a report.
    pub fn from_json(bytes: &[u8]) -> Result<Self, BadReport> {
        let object: Map<String, Value> =
            serde_json::from_slice(bytes).map_err(|error| BadReport::NotAnObject(error.to_string()))?;
        Report::try_from(object)
    }

    /// Bytes held of those wanted; without a native figure as many whole chunks.
    pub fn downloaded_bytes(&self) -> u64 {
        self.native.downloaded_bytes.unwrap_or_else(|| self.chunks_in_bytes(self.figures.downloaded_chunks))
    }

    /// Payload bytes sent; likewise.
    pub fn uploaded_bytes(&self) -> u64 {
        self.native.uploaded_bytes.unwrap_or_else(|| self.chunks_in_bytes(self.figures.uploaded_chunks))
    }

    /// Bytes wanted; likewise.
    pub fn total_bytes(&self) -> u64 {
        self.native.total_bytes.unwrap_or_else(|| self.chunks_in_bytes(self.figures.total_chunks))
    }

    /// Whether it holds all it wants.
    pub fn is_complete(&self) -> bool {
        let Figures { downloaded_chunks, total_chunks, .. } = self.figures;
        self.native.complete.unwrap_or(total_chunks > 0 && downloaded_chunks >= total_chunks)
    }

    fn chunks_in_bytes(&self, chunks: u64) -> u64 {
        chunks.saturating_mul(self.figures.chunk_size).min(MAX_COUNT)
    }
}

impl TryFrom<Map<String, Value>> for Report {
    type Error = BadReport;

    fn try_from(object: Map<String, Value>) -> Result<Self, BadReport> {
        let fields = Fields(&object);
        Ok(Report { client: fields.client()?, figures: fields.figures()?, native: fields.native()? })
    }
}

fn host_and_port<S: Serializer>(client: &HostPort, s: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Described<'a> {
        client_host: &'a Host,
        client_port: Port,
    }
    Described { client_host: client.host(), client_port: client.into() }.serialize(s)
}

/// One element of the answer to `GET /metrics`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientMetrics {
    /// `host:port`.
    pub client: HostPort,
    /// Its figures.
    #[serde(flatten)]
    pub figures: Figures,
}

impl From<&Report> for ClientMetrics {
    fn from(report: &Report) -> Self {
        ClientMetrics { client: report.client.clone(), figures: report.figures }
    }
}

#[cfg(test)]
mod tests;
