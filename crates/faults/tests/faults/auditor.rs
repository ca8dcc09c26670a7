//! One who looks from outside, once a second: the tracker's list is noted, and whoever claims to hold a chunk, each in
//! turn, must be able to send it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use protocol::api::peer::{chunk_path, have_path};
use protocol::api::tracker::{Peers, peers_path};
use protocol::{ChunkIndex, ChunkSet, Torrent, VerifiedChunk};
use rand::rngs::StdRng;
use rand::seq::IteratorRandom;

use crate::http;
use crate::record::{HostId, Record};

const EVERY: Duration = Duration::from_secs(1);

pub(crate) struct Auditor {
    pub(crate) record: Record,
    pub(crate) torrent: Arc<Torrent>,
    pub(crate) tracker: SocketAddr,
    /// Those whose claims are tried.
    pub(crate) peers: Vec<(HostId, SocketAddr)>,
    pub(crate) rng: StdRng,
}

impl Auditor {
    pub(crate) async fn run(mut self) {
        let mut ticks = tokio::time::interval(EVERY);
        for (host, address) in self.peers.clone().into_iter().cycle() {
            ticks.tick().await;
            self.list().await;
            // One at a time: whom it asks has others to serve.
            self.try_a_claim(host, address).await;
        }
    }

    async fn list(&self) {
        let Some((200, body)) = http::get(self.tracker, &peers_path(self.torrent.id())).await else { return };
        let Ok(list) = serde_json::from_slice::<Peers>(&body) else {
            return self.record.violation(format!("a list that is none: {}", String::from_utf8_lossy(&body)));
        };
        let urls = list.peers.iter().map(|entry| entry.url.to_string()).collect();
        self.record.with(|facts| facts.listed.push((facts.now, urls)));
    }

    /// Asks for its bitmap, and then for one chunk of it.
    async fn try_a_claim(&mut self, host: HostId, address: SocketAddr) {
        let life = self.record.life(host);
        let chunks = self.torrent.chunk_count();
        let Some((200, body)) = http::get(address, &have_path(self.torrent.id())).await else { return };
        let Ok(claimed) = ChunkSet::from_wire(chunks, &body) else {
            return self.record.violation(format!("{host:?}: a bitmap that is none"));
        };
        let Some(chunk) = claimed.iter().choose(&mut self.rng) else { return };
        let answer = http::get(address, &chunk_path(&self.torrent.chunk_hash(chunk))).await;
        // It may have been restarted in between, and lost what was not durable.
        if self.record.life(host) != life {
            return;
        }
        self.record.with(|facts| facts.claims_tried += 1);
        match answer {
            // Busy, or gone.
            Some((429 | 503, _)) | None => {}
            Some((200, body)) => self.check(host, chunk, body),
            Some((status, _)) => {
                self.record.violation(format!("{host:?} claims chunk {} and answers {status}", chunk.get()));
            }
        }
    }

    fn check(&self, host: HostId, chunk: ChunkIndex, body: Vec<u8>) {
        if VerifiedChunk::check(&self.torrent, chunk, body.into()).is_err() {
            self.record.violation(format!("{host:?} sends wrong bytes for chunk {}", chunk.get()));
        }
    }
}

/// Where a host listens.
pub(crate) fn at(address: IpAddr) -> SocketAddr {
    SocketAddr::new(address, crate::world::PORT)
}
