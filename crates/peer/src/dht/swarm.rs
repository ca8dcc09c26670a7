//! One torrent in the DHT: that we share it is announced, and who else does is looked for while something is missing.
//!
//! The torrent's own key comes first and is enough to be found. The keys of its chunks follow, for programs that know
//! nothing but a chunk's hash: a download announces them in the order in which they come, which is rarest first; a
//! seed, which cannot know what is rare, in random order, so that of many seeds each tells another part first. As many
//! as can be refreshed before they are forgotten, and no more.

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use ::dht::{Config, Key, Urgency};
use protocol::{BaseUrl, ChunkIndex, ChunkSet};
use rand::seq::SliceRandom;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Dht;
use crate::context::Context;
use crate::fact::{Fact, Sighting};
use crate::holding::Holding;
use crate::hurry::Hurry;

/// How often peers are looked for while nobody asks for more.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// Two look-ups are never closer than this, however often they are asked for. The first ones may be: a swarm that begins
/// looks before anybody had the time to announce.
const LOOK_GAP: Duration = Duration::from_secs(3);
const LOOK_GAP_FIRST: Duration = Duration::from_millis(500);
/// New chunks are announced together, so often.
const GATHER: Duration = Duration::from_secs(5);

/// One torrent's part in the DHT.
pub(crate) struct InDht {
    pub(crate) dht: Dht,
    pub(crate) context: Arc<Context>,
    pub(crate) holding: Arc<Holding>,
    pub(crate) facts: mpsc::Sender<Fact>,
    pub(crate) hurry: Hurry,
}

impl InDht {
    /// Announces and looks until the process ends.
    pub(crate) async fn run(self) {
        let stop = self.context.stop.clone();
        let work = async { tokio::join!(self.announce(), self.look()) };
        stop.run_until_cancelled(work).await;
    }

    async fn announce(&self) {
        // Behind a path or https there is no address that a DHT could name.
        let url = self.context.identity.url.as_described();
        let Some(port) = url.and_then(|address| NonZeroU16::new(address.port())) else { return };
        let torrent = self.holding.torrent();
        self.dht.announce(Key::of_torrent(&torrent.id()), port, Urgency::Torrent).await;
        if self.dht.public {
            // Thousands of keys a swarm are nothing to ask of strangers.
            return;
        }
        let mut told = ChunkSet::empty(torrent.chunk_count());
        while (told.count() as usize) < Config::default().announcements_most {
            let (held, seq) = self.holding.held();
            let mut new: Vec<ChunkIndex> = held.difference(&told).collect();
            self.context.chance.with(|rng| new.shuffle(rng));
            new.truncate(Config::default().announcements_most - told.count() as usize);
            for chunk in new {
                told.insert(chunk);
                self.dht.announce(Key::of_hash(&torrent.chunk_hash(chunk)), port, Urgency::Chunk).await;
            }
            if told.is_full() {
                return;
            }
            self.holding.gains_after(seq).await;
            tokio::time::sleep(GATHER).await;
        }
    }

    async fn look(&self) {
        let key = Key::of_torrent(&self.holding.torrent().id());
        let mut hurry = self.hurry.watch();
        tokio::select! {
            biased;
            () = self.facts.closed() => return,
            () = self.dht.joined() => {}
        }
        let mut gap = LOOK_GAP_FIRST;
        // A seed has no download that listens.
        while !self.facts.is_closed() {
            let again_at = Instant::now() + gap;
            gap = (gap * 2).min(LOOK_GAP);
            let mut found = self.dht.find(key).await;
            while let Some(addresses) = found.recv().await {
                let sightings = addresses.into_iter().map(sighting).collect();
                if self.facts.send(Fact::Sighted(sightings)).await.is_err() {
                    return;
                }
            }
            let hurried = async {
                hurry.asked().await;
                tokio::time::sleep_until(again_at).await;
            };
            tokio::select! {
                biased;
                () = self.facts.closed() => return,
                () = hurried => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }
}

/// Hearsay of the least kind: it is asked itself before anything is believed.
fn sighting(address: SocketAddr) -> Sighting {
    Sighting { url: BaseUrl::http(address.into()), peer: None, held: None }
}
