//! What the tracker's memory may hold: every table has its bound here, with the reason (threats A6, A14).

use std::time::Duration;

/// Bounds of a [`crate::Registry`]. The defaults hold a busy public tracker within about two gigabytes at the very
/// worst; an ordinary one needs a few megabytes, for all memory belongs to torrents and peers that are there.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Published torrents.
    pub torrents: usize,
    /// Bytes of published torrents: as their torrent.json, which is more than they take, and what the index of their
    /// hashes takes.
    pub torrent_bytes: usize,
    /// Native holders in all torrents.
    pub holders: usize,
    /// Holders of one torrent that one [`crate::Target`] may be: whoever announces in a victim's name sends it this
    /// many at most.
    pub holders_per_target: usize,
    /// Bytes of the bitmaps of all native holders, and of their entries in lists. Past it only complete ones are taken,
    /// which have no bitmap and an entry as long as their URL.
    pub bitmap_bytes: usize,
    /// Bytes of the bitmaps of all described holders, one for each torrent that has one of their hashes.
    pub described_bitmap_bytes: usize,
    /// Described announcers.
    pub announcers: usize,
    /// Described announcers of one target.
    pub announcers_per_target: usize,
    /// Hashes one described announcer may hold.
    pub hashes_per_announcer: usize,
    /// Different hashes that described announcers hold.
    pub hashes: usize,
    /// Pairs of announcer and hash.
    pub pairs: usize,
    /// One target may take one part in so many of `hashes`, `pairs` and `described_bitmap_bytes`.
    pub described_share: usize,
    /// DHT nodes in the list.
    pub dht_nodes: usize,
    /// DHT nodes of one target.
    pub dht_nodes_per_target: usize,
    /// How often a described announcer is pinged; it lives for 2.8 of these after its last sign of life.
    pub ping_every: Duration,
}

impl Limits {
    /// How much of a table of `most` for described announcers one target may take.
    pub(crate) fn share_of(&self, most: usize) -> usize {
        (most / self.described_share.max(1)).max(1)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            torrents: 10_000,
            torrent_bytes: 512 << 20,
            holders: 500_000,
            // A stress test runs some hundred clients on one machine; a flood needs thousands.
            holders_per_target: 512,
            bitmap_bytes: 512 << 20,
            described_bitmap_bytes: 64 << 20,
            // What a tracker can ping in an interval when nobody answers: 1,024 at once for two seconds each.
            announcers: 2_500,
            announcers_per_target: 512,
            // Twice the largest single announce.
            hashes_per_announcer: 2 * protocol::api::tracker::MAX_HASHES,
            hashes: 1 << 20,
            pairs: 4 << 20,
            // One machine can be 500 clients with a thousand hashes each, or one with the most that one may have.
            described_share: 8,
            dht_nodes: 1_000,
            dht_nodes_per_target: 64,
            ping_every: Duration::from_secs(5),
        }
    }
}
