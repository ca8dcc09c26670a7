//! The native holders of one torrent.

use std::collections::HashMap;
use std::sync::Arc;

use protocol::api::tracker::{Have, Token};
use protocol::chunk::BadBitmap;
use protocol::{BaseUrl, ChunkIndex, ChunkSet, PeerId};

use crate::target::{Tally, Target};

/// What a holder holds. A complete one needs no bitmap: most of a large swarm's memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holding {
    /// Every chunk.
    Complete,
    /// These chunks; shared, so that answers are written without the registry waiting for it.
    Part(Arc<ChunkSet>),
}

impl Holding {
    /// The shortest form of this set.
    pub(crate) fn of(set: ChunkSet) -> Self {
        if set.is_full() { Holding::Complete } else { Holding::Part(Arc::new(set)) }
    }

    /// Reads what an announce says, for a torrent of so many chunks.
    pub(crate) fn read(have: &Have, chunks: u32) -> Result<Self, BadBitmap> {
        match have {
            Have::Complete => Ok(Holding::Complete),
            Have::Bitmap(bytes) => ChunkSet::from_wire(chunks, bytes).map(Holding::of),
        }
    }

    /// Whether it has every chunk.
    pub const fn is_complete(&self) -> bool {
        matches!(self, Holding::Complete)
    }

    /// Whether it has this chunk.
    pub(crate) fn has(&self, chunk: ChunkIndex) -> bool {
        match self {
            Holding::Complete => true,
            Holding::Part(set) => set.contains(chunk),
        }
    }

    /// Bytes of its bitmap.
    pub(crate) fn bitmap_bytes(&self) -> usize {
        match self {
            Holding::Complete => 0,
            Holding::Part(set) => bitmap_bytes(set.len()),
        }
    }
}

impl From<Holding> for Have {
    fn from(holding: Holding) -> Self {
        match holding {
            Holding::Complete => Have::Complete,
            Holding::Part(set) => Have::of(&set),
        }
    }
}

/// Memory of a bitmap of so many chunks.
pub(crate) const fn bitmap_bytes(chunks: u32) -> usize {
    size_of::<ChunkSet>() + ChunkSet::wire_length(chunks).next_multiple_of(8)
}

/// One native holder.
#[derive(Clone, Debug)]
pub(crate) struct Holder {
    pub(crate) peer: PeerId,
    pub(crate) url: BaseUrl,
    pub(crate) holding: Holding,
    pub(crate) token: Token,
    pub(crate) target: Target,
}

/// The native holders of one torrent: the complete ones and the others apart, each in a flat table, so that a random
/// one of either costs one step.
#[derive(Debug, Default)]
pub(crate) struct Swarm {
    seeds: Vec<Holder>,
    leechers: Vec<Holder>,
    places: HashMap<PeerId, Place>,
    by_url: HashMap<BaseUrl, PeerId>,
    per_target: Tally,
}

/// Where a holder stands: in which table, and where in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) complete: bool,
    pub(crate) at: usize,
}

impl Swarm {
    /// The complete holders.
    pub(crate) fn seeds(&self) -> &[Holder] {
        &self.seeds
    }

    /// The others.
    pub(crate) fn leechers(&self) -> &[Holder] {
        &self.leechers
    }

    /// There is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The holder with this peer id.
    pub(crate) fn get(&self, peer: PeerId) -> Option<&Holder> {
        self.places.get(&peer).map(|place| &self.table(place.complete)[place.at])
    }

    /// Where the holder with this peer id stands.
    pub(crate) fn place(&self, peer: PeerId) -> Option<Place> {
        self.places.get(&peer).copied()
    }

    /// Who is listed under this URL.
    pub(crate) fn at_url(&self, url: &BaseUrl) -> Option<PeerId> {
        self.by_url.get(url).copied()
    }

    /// How many holders this target is.
    pub(crate) fn of_target(&self, target: Target) -> usize {
        self.per_target.of(target)
    }

    /// Adds a holder. Neither its peer id nor its URL may be there.
    pub(crate) fn insert(&mut self, holder: Holder) {
        debug_assert!(!self.places.contains_key(&holder.peer) && !self.by_url.contains_key(&holder.url));
        let complete = holder.holding.is_complete();
        let at = self.table(complete).len();
        self.places.insert(holder.peer, Place { complete, at });
        self.by_url.insert(holder.url.clone(), holder.peer);
        self.per_target.add(holder.target, 1);
        self.table_mut(complete).push(holder);
    }

    /// Takes a holder out.
    pub(crate) fn remove(&mut self, peer: PeerId) -> Option<Holder> {
        let Place { complete, at } = self.places.remove(&peer)?;
        let table = self.table_mut(complete);
        let holder = table.swap_remove(at);
        if let Some(moved) = table.get(at).map(|moved| moved.peer) {
            self.places.insert(moved, Place { complete, at });
        }
        self.by_url.remove(&holder.url);
        self.per_target.sub(holder.target, 1);
        Some(holder)
    }

    fn table(&self, complete: bool) -> &Vec<Holder> {
        if complete { &self.seeds } else { &self.leechers }
    }

    fn table_mut(&mut self, complete: bool) -> &mut Vec<Holder> {
        if complete { &mut self.seeds } else { &mut self.leechers }
    }
}
