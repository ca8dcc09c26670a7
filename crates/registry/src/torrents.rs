//! Published torrents, and how much room they take.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use protocol::{BaseUrl, ChunkIndex, ChunkSet, Hash, PeerId, Time, Torrent, TorrentId};

use crate::described::AnnouncerId;
use crate::hash_index::Spot;
use crate::shard::SHARDS;
use crate::swarm::Swarm;
use crate::target::Target;
use crate::twins::Twins;

/// Bytes that the index and the torrent's own table take for a chunk, about.
const INDEX_BYTES_PER_CHUNK: usize = 128;

/// A published torrent's number in this process, which says in which part it is. Used again only after a quarter of a
/// billion others of that part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Serial(u32);

impl Serial {
    fn new(number: u32, shard: u8) -> Self {
        Serial(number.wrapping_mul(u32::from(SHARDS)) + u32::from(shard))
    }

    /// The part that gave it.
    pub(crate) fn shard(self) -> u8 {
        let [.., low] = self.0.to_be_bytes();
        low % SHARDS
    }
}

/// A torrent to be published, with what that needs computed beforehand: the registry is not kept waiting for it.
#[derive(Debug)]
pub struct NewTorrent {
    pub(crate) torrent: Arc<Torrent>,
    twins: Twins,
    weight: usize,
}

impl NewTorrent {
    /// Costs a sort of the torrent's hashes.
    pub fn new(torrent: Arc<Torrent>) -> Self {
        let twins = Twins::of(&torrent);
        let weight = torrent.json_length() + torrent.chunk_count() as usize * INDEX_BYTES_PER_CHUNK;
        NewTorrent { torrent, twins, weight }
    }

    /// The room it takes, and somewhat more: as its torrent.json, of which nobody keeps the text, and the index.
    pub(crate) const fn weight(&self) -> usize {
        self.weight
    }
}

/// Who published a torrent: whoever wants the plain file is sent there first, for that one is asked for it anyway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Publisher {
    /// Who sent it came from there.
    Target(Target),
    /// The peer at this URL has it at first hand.
    Url(BaseUrl),
}

impl Publisher {
    /// Whether a peer at this URL, which leads to this target, is the publisher's.
    pub(crate) fn is(&self, url: &BaseUrl, target: Target) -> bool {
        match self {
            Publisher::Target(publisher) => *publisher == target,
            Publisher::Url(publisher) => publisher == url,
        }
    }
}

/// One published torrent with those who hold it.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) torrent: Arc<Torrent>,
    pub(crate) swarm: Swarm,
    /// Described announcers that hold some of its chunks.
    pub(crate) described: BTreeMap<AnnouncerId, DescribedHolder>,
    pub(crate) twins: Twins,
    pub(crate) publisher: Option<Publisher>,
    /// The publisher's peer, once one announced.
    pub(crate) origin: Option<PeerId>,
    touched: Time,
    weight: usize,
}

/// A described announcer, seen from one torrent.
#[derive(Debug)]
pub(crate) struct DescribedHolder {
    pub(crate) url: BaseUrl,
    pub(crate) set: ChunkSet,
}

impl Entry {
    /// Says that somebody still cares for this torrent.
    pub(crate) fn touch(&mut self, now: Time) {
        self.touched = now;
    }

    /// Nobody who is there has any of it.
    fn is_idle(&self) -> bool {
        self.swarm.is_empty() && self.described.is_empty()
    }

    /// Some chunks with this hash, which stands at `spot`, in file order.
    pub(crate) fn chunks_at(&self, spot: Spot, hash: &Hash) -> impl Iterator<Item = ChunkIndex> + '_ {
        std::iter::once(spot.chunk).chain(self.twins.some(hash))
    }
}

/// The published torrents of one part.
#[derive(Debug)]
pub(crate) struct Torrents {
    shard: u8,
    by_id: HashMap<TorrentId, Serial>,
    entries: BTreeMap<Serial, Entry>,
    bytes: usize,
    next: u32,
}

/// A torrent that nobody holds: when somebody last cared for it, its number, and what giving it up frees.
pub(crate) type Idle = (Time, Serial, usize);

impl Torrents {
    /// Those of this part: none yet.
    pub(crate) fn new(shard: u8) -> Self {
        Torrents { shard, by_id: HashMap::new(), entries: BTreeMap::new(), bytes: 0, next: 0 }
    }

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

    pub(crate) fn find_mut(&mut self, id: TorrentId) -> Option<&mut Entry> {
        self.serial(id).and_then(|serial| self.get_mut(serial))
    }

    /// Torrents that nobody holds.
    pub(crate) fn idle(&self) -> impl Iterator<Item = Idle> + '_ {
        let idle = self.entries.iter().filter(|(_, entry)| entry.is_idle());
        idle.map(|(serial, entry)| (entry.touched, *serial, entry.weight))
    }

    /// Adds a torrent that is not there yet.
    pub(crate) fn insert(&mut self, now: Time, new: NewTorrent, publisher: Option<Publisher>) -> Serial {
        let mut serial = Serial::new(self.next, self.shard);
        // After a wrap, those that are still there are passed over.
        while self.entries.contains_key(&serial) {
            self.next = self.next.wrapping_add(1);
            serial = Serial::new(self.next, self.shard);
        }
        self.next = self.next.wrapping_add(1);
        self.bytes += new.weight;
        self.by_id.insert(new.torrent.id(), serial);
        let NewTorrent { torrent, twins, weight } = new;
        let (swarm, described) = (Swarm::default(), BTreeMap::new());
        let entry = Entry { torrent, swarm, described, twins, publisher, origin: None, touched: now, weight };
        self.entries.insert(serial, entry);
        serial
    }

    /// Takes a torrent out.
    pub(crate) fn remove(&mut self, serial: Serial) -> Option<Entry> {
        let entry = self.entries.remove(&serial)?;
        self.bytes -= entry.weight;
        self.by_id.remove(&entry.torrent.id());
        Some(entry)
    }

    /// Published torrents, and the bytes they take; [`sum`] is that of several parts.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.entries.len(), self.bytes)
    }
}

/// Sizes of parts together.
pub(crate) fn sum(sizes: impl Iterator<Item = (usize, usize)>) -> (usize, usize) {
    sizes.fold((0, 0), |(torrents, bytes), (more, larger)| (torrents + more, bytes + larger))
}
