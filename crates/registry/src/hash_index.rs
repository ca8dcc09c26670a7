//! Which torrents a hash belongs to.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use protocol::{ChunkIndex, Hash};

use crate::sharded::Sharded;
use crate::torrents::Serial;

/// Torrents that one hash is looked up in: the same file in several versions, not a flood of copies.
const MAX_TORRENTS_PER_HASH: usize = 16;

/// Where a hash stands: a torrent, and the first of its chunks that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) serial: Serial,
    pub(crate) chunk: ChunkIndex,
}

/// All spots of all hashes. It may lag behind the torrents: a spot may name one that is gone, and a torrent may have
/// hashes that are not noted yet.
#[derive(Debug, Default)]
pub(crate) struct HashIndex {
    /// Most hashes stand in one torrent only; the others' further spots are in `more`.
    first: Sharded<Hash, Spot>,
    more: HashMap<Hash, Vec<Spot>>,
}

impl HashIndex {
    /// Where this hash stands.
    pub(crate) fn spots(&self, hash: &Hash) -> impl Iterator<Item = Spot> + '_ {
        let more = self.more.get(hash).into_iter().flatten();
        self.first.get(hash).into_iter().chain(more).copied()
    }

    /// Notes where a hash stands, once for a torrent. False when it stands in enough others.
    pub(crate) fn note(&mut self, hash: Hash, spot: Spot) -> bool {
        match self.first.entry(hash) {
            Entry::Vacant(free) => {
                free.insert(spot);
                true
            }
            Entry::Occupied(_) => {
                let more = self.more.entry(hash).or_default();
                let is_room = more.len() + 1 < MAX_TORRENTS_PER_HASH;
                if is_room {
                    more.push(spot);
                }
                is_room
            }
        }
    }

    /// Forgets that a hash stands in this torrent, if that was noted.
    pub(crate) fn forget(&mut self, hash: &Hash, serial: Serial) {
        if let Some(more) = self.more.get_mut(hash) {
            more.retain(|spot| spot.serial != serial);
        }
        if self.first.get(hash).is_some_and(|spot| spot.serial == serial) {
            match self.more.get_mut(hash).filter(|more| !more.is_empty()).map(|more| more.remove(0)) {
                Some(spot) => *self.first.entry(*hash).or_insert(spot) = spot,
                None => {
                    self.first.remove(hash);
                }
            }
        }
        if self.more.get(hash).is_some_and(Vec::is_empty) {
            self.more.remove(hash);
        }
    }
}
