//! What the tracker's memory may hold: every table has its bound here, with the reason (threats A6, A14).

use std::time::Duration;

/// Bounds of a [`crate::Registry`]. The defaults hold a busy public tracker within about two gigabytes at the very
/// worst; an ordinary one needs a few megabytes, for all memory belongs to torrents and peers that are there.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Published torrents.
    pub torrents: usize,
    /// Bytes of published torrents: their torrent.json, and what the index of their hashes takes.
    pub torrent_bytes: usize,
    /// Native holders in all torrents.
    pub holders: usize,
    /// Holders of one torrent that one host may be: whoever announces in a victim's name sends it this many at most.
    pub holders_per_host: usize,
    /// Bytes of the bitmaps of all holders, native and described.
    pub bitmap_bytes: usize,
    /// Described announcers.
    pub announcers: usize,
    /// Described announcers on one host.
    pub announcers_per_host: usize,
    /// Hashes one described announcer may hold.
    pub hashes_per_announcer: usize,
    /// Different hashes that described announcers hold.
    pub hashes: usize,
    /// Pairs of announcer and hash.
    pub pairs: usize,
    /// DHT nodes in the list.
    pub dht_nodes: usize,
    /// DHT nodes on one host.
    pub dht_nodes_per_host: usize,
    /// How often a described announcer is pinged; it lives for 2.8 of these after its last sign of life.
    pub ping_every: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            torrents: 10_000,
            torrent_bytes: 512 << 20,
            holders: 500_000,
            // A stress test runs some hundred clients on one machine; a flood needs thousands.
            holders_per_host: 512,
            bitmap_bytes: 256 << 20,
            // What a tracker can ping in an interval when nobody answers: 1,024 at once for two seconds each.
            announcers: 2_500,
            announcers_per_host: 512,
            // Twice the largest single announce.
            hashes_per_announcer: 2 * protocol::api::tracker::MAX_HASHES,
            hashes: 1 << 20,
            pairs: 4 << 20,
            dht_nodes: 1_000,
            dht_nodes_per_host: 64,
            ping_every: Duration::from_secs(5),
        }
    }
}
