//! What the page is told, as JSON. The page is built from the same commit, so that the two may change together.

use std::collections::BTreeSet;

use protocol::api::metrics::{Figures, ReportedTorrent};
use protocol::{HostPort, PeerId, Printable, Time, TorrentId};
use serde::Serialize;

use crate::clock::millis;
use crate::collector::{Changes, Client, Collector, History, Sample, Status};

/// One client.
#[derive(Debug, Serialize)]
pub(crate) struct ClientView<'a> {
    client: &'a HostPort,
    status: Status,
    first_ms: u64,
    last_ms: u64,
    #[serde(flatten)]
    figures: Figures,
    downloaded_bytes: u64,
    uploaded_bytes: u64,
    total_bytes: u64,
    down_bytes_per_s: u64,
    up_bytes_per_s: u64,
    complete: bool,
    brought: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<PeerId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peers: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting: Option<String>,
    torrents: Vec<TorrentView>,
}

#[derive(Debug, Serialize)]
struct TorrentView {
    id: TorrentId,
    name: String,
    bytes: u64,
    total: u64,
}

impl<'a> ClientView<'a> {
    pub(crate) fn new(client: &'a Client, now: Time) -> Self {
        let (report, rates) = (client.report(), client.rates(now));
        let native = &report.native;
        ClientView {
            client: client.name(),
            status: client.status(now),
            first_ms: millis(client.first()),
            last_ms: millis(client.last()),
            figures: report.figures,
            downloaded_bytes: report.downloaded_bytes(),
            uploaded_bytes: report.uploaded_bytes(),
            total_bytes: report.total_bytes(),
            down_bytes_per_s: rates.down,
            up_bytes_per_s: rates.up,
            complete: report.is_complete(),
            brought: client.brought(),
            peer: native.peer,
            peers: native.peers,
            version: native.version.as_deref().map(harmless),
            waiting: native.waiting.as_deref().map(harmless),
            torrents: native.torrents.iter().map(TorrentView::from).collect(),
        }
    }
}

impl From<&ReportedTorrent> for TorrentView {
    fn from(torrent: &ReportedTorrent) -> Self {
        let ReportedTorrent { torrent_id, name, bytes, total } = torrent;
        TorrentView { id: *torrent_id, name: harmless(name), bytes: *bytes, total: *total }
    }
}

/// The page shows text as text; what would turn the direction of reading or hide is made visible here (threat A2).
fn harmless(text: &str) -> String {
    Printable(text).to_string()
}

/// Everything, for a page that begins.
#[derive(Debug, Serialize)]
pub(crate) struct Snapshot<'a> {
    now_ms: u64,
    clients: Vec<ClientView<'a>>,
    history: &'a History,
}

impl<'a> Snapshot<'a> {
    pub(crate) fn of(collector: &'a Collector, now: Time) -> Self {
        let clients = collector.clients().map(|client| ClientView::new(client, now)).collect();
        Snapshot { now_ms: millis(now), clients, history: collector.history() }
    }
}

/// What is new, for pages that are up to date.
#[derive(Debug, Serialize)]
pub(crate) struct News<'a> {
    now_ms: u64,
    clients: Vec<ClientView<'a>>,
    gone: BTreeSet<HostPort>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sample: Option<Sample>,
}

impl<'a> News<'a> {
    pub(crate) fn of(collector: &'a Collector, changes: Changes, now: Time) -> Self {
        let Changes { changed, gone, sample } = changes;
        let clients = changed.iter().filter_map(|name| collector.client(name));
        let clients = clients.map(|client| ClientView::new(client, now)).collect();
        News { now_ms: millis(now), clients, gone, sample }
    }
}
