//! Published torrents, and which of them a hash belongs to.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use protocol::{ChunkIndex, ChunkSet, Hash, HostPort, Time, Torrent, TorrentId};

use crate::described::AnnouncerId;
use crate::swarm::Swarm;

/// Bytes that the index and the torrent's own table take for a chunk, about.
const INDEX_BYTES_PER_CHUNK: usize = 128;
/// Torrents that one hash is looked up in: the same file in several versions, not a flood of copies.
const MAX_TORRENTS_PER_HASH: usize = 16;

/// A published torrent's number in this process; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Serial(u32);

/// One published torrent with those who hold it.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) torrent: Arc<Torrent>,
    pub(crate) json: Bytes,
    pub(crate) swarm: Swarm,
    /// Described announcers that hold some of its chunks.
    pub(crate) described: BTreeMap<AnnouncerId, DescribedHolder>,
    /// Where content repeats: the chunks with a hash, but for the first.
    twins: HashMap<Hash, Vec<ChunkIndex>>,
    touched: Time,
}

/// A described announcer, seen from one torrent.
#[derive(Debug)]
pub(crate) struct DescribedHolder {
    pub(crate) address: HostPort,
    pub(crate) set: Arc<ChunkSet>,
}

impl Entry {
    fn weight(&self) -> usize {
        weight(&self.torrent, &self.json)
    }

    /// The chunks with this hash, which stands at `spot`, in file order.
    pub(crate) fn chunks_at(&self, spot: Spot, hash: &Hash) -> impl Iterator<Item = ChunkIndex> + '_ {
        std::iter::once(spot.chunk).chain(self.twins.get(hash).into_iter().flatten().copied())
    }
}

fn weight(torrent: &Torrent, json: &Bytes) -> usize {
    json.len() + torrent.chunk_count() as usize * INDEX_BYTES_PER_CHUNK
}

/// Where a hash stands: a torrent, and the first of its chunks that has it; [`Entry::chunks_at`] knows the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) serial: Serial,
    pub(crate) chunk: ChunkIndex,
}

/// All published torrents.
#[derive(Debug, Default)]
pub(crate) struct Torrents {
    by_id: HashMap<TorrentId, Serial>,
    entries: BTreeMap<Serial, Entry>,
    /// Most hashes stand in one torrent only; the others' further spots are in `more`.
    first: HashMap<Hash, Spot>,
    more: HashMap<Hash, Vec<Spot>>,
    bytes: usize,
    next: u32,
}

impl Torrents {
    pub(crate) fn serial(&self, id: TorrentId) -> Option<Serial> {
        self.by_id.get(&id).copied()
    }

    pub(crate) fn get(&self, serial: Serial) -> Option<&Entry> {
        self.entries.get(&serial)
    }

    pub(crate) fn get_mut(&mut self, serial: Serial) -> Option<&mut Entry> {
        self.entries.get_mut(&serial)
    }

    pub(crate) fn find(&self, id: TorrentId) -> Option<&Entry> {
        self.serial(id).and_then(|serial| self.get(serial))
    }

    /// Where this hash stands.
    pub(crate) fn spots(&self, hash: &Hash) -> impl Iterator<Item = Spot> + '_ {
        let more = self.more.get(hash).into_iter().flatten();
        self.first.get(hash).into_iter().chain(more).copied()
    }

    /// Says that somebody still cares for this torrent.
    pub(crate) fn touch(&mut self, serial: Serial, now: Time) {
        if let Some(entry) = self.entries.get_mut(&serial) {
            entry.touched = now;
        }
    }

    /// Whether there is room for one more of this weight.
    pub(crate) fn fits(&self, torrent: &Torrent, json: &Bytes, most: usize, most_bytes: usize) -> bool {
        self.entries.len() < most && self.bytes + weight(torrent, json) <= most_bytes
    }

    /// The torrent to give up first: of those that nobody holds a lease on, the one longest not touched.
    pub(crate) fn idlest(&self) -> Option<Serial> {
        let idle = self.entries.iter().filter(|(_, entry)| entry.swarm.is_empty());
        idle.min_by_key(|(serial, entry)| (entry.touched, **serial)).map(|(serial, _)| *serial)
    }

    /// Adds a torrent that is not there yet.
    pub(crate) fn insert(&mut self, now: Time, torrent: Arc<Torrent>, json: Bytes) -> Serial {
        let serial = Serial(self.next);
        self.next += 1;
        self.bytes += weight(&torrent, &json);
        self.by_id.insert(torrent.id(), serial);
        let mut twins: HashMap<Hash, Vec<ChunkIndex>> = HashMap::new();
        for (chunk, hash) in (0..).map(ChunkIndex::new).zip(torrent.hashes().iter()) {
            if !self.index(hash, Spot { serial, chunk }) {
                twins.entry(hash).or_default().push(chunk);
            }
        }
        let described = BTreeMap::new();
        let entry = Entry { torrent, json, swarm: Swarm::default(), described, twins, touched: now };
        self.entries.insert(serial, entry);
        serial
    }

    /// Notes where a hash stands; false when its torrent is noted for this hash already.
    fn index(&mut self, hash: Hash, spot: Spot) -> bool {
        let Some(first) = self.first.get(&hash) else {
            self.first.insert(hash, spot);
            return true;
        };
        let more = self.more.get(&hash);
        let last = more.and_then(|more| more.last()).unwrap_or(first);
        if last.serial == spot.serial {
            return false;
        }
        if more.map_or(0, Vec::len) + 1 < MAX_TORRENTS_PER_HASH {
            self.more.entry(hash).or_default().push(spot);
        }
        true
    }

    /// Takes a torrent out.
    pub(crate) fn remove(&mut self, serial: Serial) -> Option<Entry> {
        let entry = self.entries.remove(&serial)?;
        self.bytes -= entry.weight();
        self.by_id.remove(&entry.torrent.id());
        for hash in entry.torrent.hashes().iter() {
            self.unindex(&hash, serial);
        }
        Some(entry)
    }

    fn unindex(&mut self, hash: &Hash, serial: Serial) {
        if let Some(more) = self.more.get_mut(hash) {
            more.retain(|spot| spot.serial != serial);
        }
        if self.first.get(hash).is_some_and(|spot| spot.serial == serial) {
            match self.more.get_mut(hash).filter(|more| !more.is_empty()).map(|more| more.remove(0)) {
                Some(spot) => self.first.insert(*hash, spot),
                None => self.first.remove(hash),
            };
        }
        if self.more.get(hash).is_some_and(Vec::is_empty) {
            self.more.remove(hash);
        }
    }

    /// Published torrents, and the bytes they take.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.entries.len(), self.bytes)
    }
}
