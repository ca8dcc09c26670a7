//! The tracker: the real registry, and the names under which it knows simulated peers.

use std::sync::Arc;
use std::time::Duration;

use protocol::api::tracker::{Have, Token};
use protocol::torrent::{ChunkHashes, ChunkSize, Layout};
use protocol::{
    BaseUrl, ChunkSet, FilePath, HashAlgorithm, Host, HostPort, PeerId, Time, Torrent, TorrentId,
};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use registry::{Announced, Held, Limits, NewAnnounce, Registry, Target};

use crate::node::NodeId;

/// The port every simulated peer listens on.
const PORT: u16 = 8000;

/// What a peer hears when it announces.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) interval: Duration,
    pub(crate) token: Token,
    /// Others, and what each held when it last announced.
    pub(crate) peers: Vec<(NodeId, ChunkSet)>,
}

#[derive(Debug)]
pub(crate) struct Tracker {
    registry: Registry,
    torrent: TorrentId,
    rng: SmallRng,
    /// Bytes of torrent.json.
    pub(crate) torrent_bytes: u64,
}

impl Tracker {
    /// A tracker that knows a torrent of so many bytes and chunks.
    ///
    /// # Panics
    /// When there is no such torrent.
    pub(crate) fn new(file_bytes: u64, chunk_bytes: u32, seed: u64) -> Self {
        let torrent = torrent(file_bytes, chunk_bytes)
            .unwrap_or_else(|| panic!("no torrent has {file_bytes} bytes in chunks of {chunk_bytes}"));
        let (id, torrent_bytes) = (torrent.id(), torrent.json_length() as u64);
        let registry = Registry::new(Limits::default());
        let published = registry.publish(Time::ZERO, &Arc::new(torrent));
        assert!(published.is_ok(), "an empty registry takes one torrent");
        Tracker { registry, torrent: id, rng: SmallRng::seed_from_u64(seed), torrent_bytes }
    }

    /// A peer announces what it holds. `None` where the registry refuses it.
    pub(crate) fn announce(
        &mut self,
        now: Time,
        node: NodeId,
        held: &ChunkSet,
        shown: Option<Token>,
    ) -> Option<Answer> {
        let new = NewAnnounce {
            peer: peer_id(node),
            url: url(node),
            target: Target::of(ip(node)),
            have: Have::of(held),
            // Nobody here writes lists.
            entry: None,
            shown,
            instead_of: None,
            fresh: Token::new(node.get().to_string()),
        };
        let taken = |told: Announced<'_>| {
            let named = told.peers.iter().filter_map(|handed| {
                let set = match handed.held {
                    Held::Complete => ChunkSet::full(held.len()),
                    Held::Part(set) => set.clone(),
                };
                handed.peer.map(|peer| (node_of(peer), set))
            });
            Answer { interval: told.interval, token: told.token, peers: named.collect() }
        };
        self.registry.announce(now, &mut self.rng, self.torrent, &new, taken).ok()
    }

    /// A peer says goodbye.
    pub(crate) fn leave(&mut self, now: Time, node: NodeId, token: &Token) {
        // One whose lease ran out is gone already.
        let _ = self.registry.leave(now, self.torrent, peer_id(node), token);
    }
}

/// Every chunk has another content, one byte of which is hashed.
fn torrent(file_bytes: u64, chunk_bytes: u32) -> Option<Torrent> {
    let size = ChunkSize::new(chunk_bytes.into()).ok()?;
    let layout = Layout::file(FilePath::name("file").ok()?, file_bytes, false, size).ok()?;
    let mut hashes = ChunkHashes::new(HashAlgorithm::Blake3);
    for chunk in 0..layout.chunk_count() {
        hashes.push(&HashAlgorithm::Blake3.digest(&chunk.to_be_bytes())).ok()?;
    }
    let combined = hashes.combined();
    Torrent::new(layout, hashes, combined, None).ok()
}

fn peer_id(node: NodeId) -> PeerId {
    PeerId::from_bytes(u128::from(node.get()).to_be_bytes())
}

/// The simulated peer that the registry names.
fn node_of(peer: PeerId) -> NodeId {
    let [.., a, b, c, d] = *peer.as_bytes();
    NodeId::new(u32::from_be_bytes([a, b, c, d]))
}

/// Everyone has an address of its own.
fn url(node: NodeId) -> BaseUrl {
    let address =
        HostPort::new(Host::ip(ip(node)), PORT).unwrap_or_else(|_| unreachable!("the port is not 0"));
    BaseUrl::http(address)
}

fn ip(node: NodeId) -> std::net::IpAddr {
    let [_, a, b, c] = node.get().to_be_bytes();
    [10, a, b, c].into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_announces_is_handed_out_under_its_number() {
        let mut tracker = Tracker::new(1000, 100, 1);
        let held = ChunkSet::full(10);
        let first = tracker.announce(Time::ZERO, NodeId::new(70_000), &held, None);
        assert!(first.is_some_and(|answer| answer.peers.is_empty()));
        let second = tracker.announce(Time::ZERO, NodeId::new(1), &ChunkSet::empty(10), None);
        assert_eq!(second.unwrap().peers, [(NodeId::new(70_000), held)]);
    }
}
