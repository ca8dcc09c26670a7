//! Small torrents and announces to tell stories with.
#![allow(dead_code, reason = "each test file uses its part")]

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use protocol::api::tracker::{Have, OpaqueHash, Token};
use protocol::torrent::{ChunkHashes, ChunkSize, Layout};
use protocol::{
    BaseUrl, ChunkIndex, ChunkSet, FilePath, HashAlgorithm, HostPort, PeerId, Time, Torrent, TorrentId,
};
use rand::SeedableRng;
use rand::rngs::StdRng;
use registry::{Announced, Client, Handed, Limits, NewAnnounce, Refusal, Registry, Target};

pub(crate) const SOURCE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

/// A torrent whose chunks have these contents, one a byte.
pub(crate) fn torrent(name: &str, contents: &[u8]) -> Arc<Torrent> {
    let mut hashes = ChunkHashes::new(HashAlgorithm::Blake3);
    for byte in contents {
        hashes.push(&HashAlgorithm::Blake3.digest(&[*byte])).unwrap();
    }
    let size = ChunkSize::new(1).unwrap();
    let layout = Layout::file(FilePath::name(name).unwrap(), contents.len() as u64, false, size).unwrap();
    let combined = hashes.combined();
    Arc::new(Torrent::new(layout, hashes, combined, None).unwrap())
}

pub(crate) fn at(seconds: u64) -> Time {
    Time::ZERO + Duration::from_secs(seconds)
}

pub(crate) fn peer(number: u8) -> PeerId {
    PeerId::from_bytes([number; 16])
}

pub(crate) fn token(number: u8) -> Token {
    Token::new(format!("token {number}"))
}

/// Peer `number` at its own address.
pub(crate) fn url(number: u8) -> BaseUrl {
    format!("http://10.0.0.{number}:8000").parse().unwrap()
}

pub(crate) fn have(torrent: &Torrent, chunks: &[u32]) -> Have {
    let mut set = ChunkSet::empty(torrent.chunk_count());
    for chunk in chunks {
        set.insert(ChunkIndex::new(*chunk));
    }
    Have::of(&set)
}

/// What stands for a peer's entry in lists here: as long as what it says, and told apart by it.
pub(crate) fn entry(have: &Have) -> Arc<[u8]> {
    format!("{have:?}").into_bytes().into()
}

/// Peer `number` says where it is and what it holds.
pub(crate) fn announce(number: u8, url: BaseUrl, have: Have, shown: Option<Token>) -> NewAnnounce {
    NewAnnounce {
        peer: peer(number),
        target: target(url.address()),
        url,
        entry: Some(entry(&have)),
        have,
        shown,
        instead_of: None,
        fresh: token(number),
    }
}

pub(crate) fn hash(torrent: &Torrent, chunk: u32) -> OpaqueHash {
    OpaqueHash::new(&torrent.chunk_hash(ChunkIndex::new(chunk)).to_string()).unwrap()
}

pub(crate) fn all_hashes(torrent: &Torrent) -> Vec<OpaqueHash> {
    (0..torrent.chunk_count()).map(|chunk| hash(torrent, chunk)).collect()
}

pub(crate) fn address(text: &str) -> HostPort {
    text.parse().unwrap()
}

/// Whom an address leads to; every name leads to [`SOURCE`].
pub(crate) fn target(address: &HostPort) -> Target {
    Target::of(address.host().as_ip().unwrap_or(SOURCE))
}

/// A described client.
pub(crate) fn client(address: &HostPort) -> Client {
    Client { address: address.clone(), source: SOURCE, target: target(address) }
}

/// What an announcer is told, kept.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) interval: Duration,
    pub(crate) peers: Vec<Listed>,
}

/// A peer handed out, kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) peer: Option<PeerId>,
    pub(crate) url: BaseUrl,
    pub(crate) have: Have,
    pub(crate) entry: Option<Arc<[u8]>>,
}

impl From<&Handed<'_>> for Listed {
    fn from(handed: &Handed<'_>) -> Self {
        let Handed { peer, url, held, entry } = *handed;
        Listed { peer, url: url.clone(), have: held.into(), entry: entry.cloned() }
    }
}

pub(crate) fn kept(peers: &[Handed<'_>]) -> Vec<Listed> {
    peers.iter().map(Listed::from).collect()
}

pub(crate) struct World {
    pub(crate) registry: Registry,
    pub(crate) rng: StdRng,
}

impl World {
    pub(crate) fn new(limits: Limits) -> Self {
        World { registry: Registry::new(limits), rng: StdRng::seed_from_u64(7) }
    }

    pub(crate) fn publish(&mut self, now: Time, torrent: &Arc<Torrent>) {
        self.registry.publish(now, torrent).unwrap();
    }

    /// Peer `number` announces at its own URL with its own token.
    pub(crate) fn announce(
        &mut self,
        now: Time,
        id: TorrentId,
        number: u8,
        have: Have,
    ) -> Result<Told, Refusal> {
        self.announce_as(now, id, number, url(number), have, Some(token(number)))
    }

    pub(crate) fn announce_as(
        &mut self,
        now: Time,
        id: TorrentId,
        number: u8,
        url: BaseUrl,
        have: Have,
        shown: Option<Token>,
    ) -> Result<Told, Refusal> {
        self.announce_new(now, id, &announce(number, url, have, shown))
    }

    pub(crate) fn announce_new(
        &mut self,
        now: Time,
        id: TorrentId,
        new: &NewAnnounce,
    ) -> Result<Told, Refusal> {
        let keep = |told: Announced<'_>| Told { interval: told.interval, peers: kept(&told.peers) };
        self.registry.announce(now, &mut self.rng, id, new, keep)
    }

    /// Some peers of a torrent.
    pub(crate) fn peers(&mut self, now: Time, id: TorrentId) -> Option<Vec<Listed>> {
        self.registry.peers(now, &mut self.rng, id, |peers| kept(&peers))
    }

    /// Who is listed, as peer numbers and, for described ones, addresses.
    pub(crate) fn listed(&mut self, now: Time, id: TorrentId) -> Vec<String> {
        let peers = self.peers(now, id).unwrap_or_default();
        let mut listed: Vec<String> = peers
            .into_iter()
            .map(|handed| handed.peer.map_or(handed.url.to_string(), |peer| peer.as_bytes()[0].to_string()))
            .collect();
        listed.sort();
        listed
    }
}
