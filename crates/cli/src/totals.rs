//! What all torrents of this process do together.

use peer::Progress;

use crate::event::Event;

/// Sums over torrents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Bytes held of those wanted.
    pub(crate) bytes: u64,
    /// Bytes wanted.
    pub(crate) total: u64,
    /// Neighbours; one who shares two torrents counts twice.
    pub(crate) peers: u32,
    /// Received lately.
    pub(crate) down_bytes_per_s: u64,
    /// Sent lately.
    pub(crate) up_bytes_per_s: u64,
    /// Sent in all.
    pub(crate) uploaded: u64,
}

impl Totals {
    /// Adds one torrent.
    pub(crate) fn add(&mut self, progress: &Progress) {
        self.bytes += progress.bytes;
        self.total += progress.total;
        self.peers += progress.peers;
        self.down_bytes_per_s += progress.down_bytes_per_s;
        self.up_bytes_per_s += progress.up_bytes_per_s;
        self.uploaded += progress.uploaded;
    }

    /// As an event.
    pub(crate) const fn event(&self) -> Event<'static> {
        Event::Progress {
            bytes: self.bytes,
            total: self.total,
            peers: self.peers,
            down_bytes_per_s: self.down_bytes_per_s,
            up_bytes_per_s: self.up_bytes_per_s,
        }
    }
}
