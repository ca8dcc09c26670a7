//! The report itself: sums over the torrents of this process.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use protocol::api::metrics::{
    Figures, MAX_COUNT, MAX_REPORTED_TORRENTS, MAX_WAITING, Native, Report, ReportedTorrent,
};

use crate::dht::Dht;
use crate::holding::Holding;
use crate::identity::Identity;
use crate::progress::Progress;
use crate::sharing::Sharing;

/// What is summed up.
#[derive(Default)]
struct Sums {
    figures: Figures,
    held: u64,
    uploaded: u64,
    wanted: u64,
    down: u64,
    up: u64,
    peers: u64,
    waiting: Option<String>,
}

pub(super) fn of(
    identity: &Identity,
    dht: Option<&Dht>,
    torrents: &[(Arc<Holding>, Sharing)],
    tracker_status_up: bool,
    leaving: bool,
) -> Report {
    let mut sums = Sums::default();
    let mut named = Vec::new();
    for (holding, sharing) in torrents {
        let progress = sharing.progress().borrow().clone();
        if named.len() < MAX_REPORTED_TORRENTS {
            named.push(ReportedTorrent {
                torrent_id: holding.torrent().id(),
                name: holding.torrent().name().as_str().to_owned(),
                bytes: progress.bytes,
                total: progress.total,
            });
        }
        sums.add(holding, progress);
    }
    let bounded = |number: u64| Some(number.min(MAX_COUNT));
    Report {
        client: identity.url.address().clone(),
        figures: Figures {
            tracker_status_up,
            dht_enabled: dht.is_some(),
            dht_peers: dht.map_or(0, |dht| dht.nodes() as u64),
            ..sums.figures
        },
        native: Native {
            peer: Some(identity.peer),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            downloaded_bytes: bounded(sums.held),
            uploaded_bytes: bounded(sums.uploaded),
            total_bytes: bounded(sums.wanted),
            down_bytes_per_s: bounded(sums.down),
            up_bytes_per_s: bounded(sums.up),
            peers: bounded(sums.peers),
            complete: Some(torrents.iter().all(|(_, sharing)| sharing.is_complete())),
            leaving: leaving.then_some(true),
            waiting: sums.waiting.map(shortened),
            torrents: named,
        },
    }
}

impl Sums {
    fn add(&mut self, holding: &Holding, progress: Progress) {
        let wanted = holding.wanted();
        let held = wanted.intersection(&holding.held().0).count() as u64;
        let (chunks, uploaded) = (u64::from(wanted.count()), holding.uploaded.load(Ordering::Relaxed));
        let figures = &mut self.figures;
        figures.downloaded_chunks += held;
        figures.total_chunks += chunks;
        figures.uploaded_chunks += in_chunks(uploaded, holding);
        figures.chunk_size = figures.chunk_size.max(holding.torrent().layout().chunk_size().get().into());
        self.held += progress.bytes;
        self.wanted += progress.total;
        self.uploaded += uploaded;
        self.down += progress.down_bytes_per_s;
        self.up += progress.up_bytes_per_s;
        self.peers += u64::from(progress.peers);
        self.waiting = self.waiting.take().or(progress.waiting);
    }
}

/// Bytes sent as chunks of this torrent's average length: parts of chunks count as such.
fn in_chunks(bytes: u64, holding: &Holding) -> u64 {
    let (chunks, size) = (holding.torrent().chunk_count(), holding.torrent().size());
    let sent = (u128::from(bytes) * u128::from(chunks) + u128::from(size / 2)) / u128::from(size.max(1));
    u64::try_from(sent).unwrap_or(MAX_COUNT)
}

/// At most as long as a report may say.
fn shortened(mut text: String) -> String {
    let end = (0..=MAX_WAITING.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or(0));
    text
}
