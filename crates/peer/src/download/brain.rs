//! What the brain of a download is made with: the chunks it is to bring, and how much may fly.

use protocol::{ChunkIndex, ChunkSet, Torrent};
use swarm::{Config, Download, Order};

use super::roster::MOST;
use crate::context::Context;
use crate::holding::Holding;

/// Bytes in flight of one download: ten chunks of 1 MiB fill 800 Mbit/s over 100 ms, and they are the largest share of
/// a leecher's memory.
const IN_FLIGHT: u64 = 10 << 20;
/// Under `--limit-down`, what comes in this many seconds may be in flight: more would only wait for our own limit, and
/// look like the neighbours' slowness.
const IN_FLIGHT_S: u64 = 5;

/// A brain for what is missing.
pub(super) fn brain(context: &Context, holding: &Holding, order: Order, seed: u64) -> Download {
    let torrent = holding.torrent();
    let chunk_bytes = largest_chunk(torrent);
    let config = Config {
        chunk_bytes,
        order,
        in_flight_bytes: IN_FLIGHT,
        in_flight_most: in_flight_most(context.down.rate(), chunk_bytes),
        neighbours_most: MOST,
        ..Config::default()
    };
    Download::new(config, torrent.chunk_count(), missing(holding), seed)
}

/// Bytes of the largest chunk that there is: less than the chunk size where all files are small. Nothing smaller would do, for what
/// is in flight is bounded by it, and all of that may be large ones.
fn largest_chunk(torrent: &Torrent) -> u32 {
    let size = torrent.layout().chunk_size().get();
    let lengths =
        torrent.layout().files().iter().map(|file| u32::try_from(file.size).unwrap_or(size).min(size));
    lengths.max().unwrap_or(size).max(1)
}

/// Chunks in flight of one download.
fn in_flight_most(limit_down: Option<u64>, chunk_bytes: u32) -> usize {
    let usual = Config::default().in_flight_most;
    limit_down.map_or(usual, |rate| {
        let chunks = rate.saturating_mul(IN_FLIGHT_S) / u64::from(chunk_bytes.max(1));
        usize::try_from(chunks).unwrap_or(usual).clamp(1, usual)
    })
}

/// The chunks that the brain is to bring: of those wanted and missing, one for each set of twins.
fn missing(holding: &Holding) -> ChunkSet {
    let torrent = holding.torrent();
    let held = holding.held().0;
    let mut missing = ChunkSet::empty(torrent.chunk_count());
    for chunk in holding.wanted().difference(&held) {
        missing.insert(first_wanted_twin(holding, chunk));
    }
    missing
}

/// The chunk that stands for all its wanted twins.
pub(super) fn first_wanted_twin(holding: &Holding, chunk: ChunkIndex) -> ChunkIndex {
    let mut twins = holding.torrent().twins(chunk);
    twins.find(|twin| holding.wanted().contains(*twin)).unwrap_or(chunk)
}
