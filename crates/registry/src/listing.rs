//! The door between the protocols: described holders of a published torrent's hashes are listed among its peers.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use protocol::{BaseUrl, ChunkIndex, ChunkSet, Hash};

use crate::described::{AnnouncerId, Name};
use crate::directory::Directory;
use crate::shard::Shards;
use crate::swarm::bitmap_bytes;
use crate::target::Tally;
use crate::torrents::{self, DescribedHolder, Serial};

/// Memory of the bitmaps of described holders. Native ones have a budget of their own: a described client gets a whole
/// bitmap for a single hash.
#[derive(Debug, Default)]
pub(crate) struct DescribedBitmaps {
    pub(crate) bytes: usize,
    of_target: Tally,
}

impl Directory {
    /// Lists an announcer in every torrent that has one of these names.
    pub(crate) fn list_in_torrents(&mut self, shards: &Shards, id: AnnouncerId, names: &[Name]) {
        let mut spots: BTreeMap<Serial, Vec<(Hash, ChunkIndex)>> = BTreeMap::new();
        for name in names {
            let Name::Hash(hash) = *name else { continue };
            for spot in self.hashes.spots(&hash) {
                spots.entry(spot.serial).or_default().push((hash, spot.chunk));
            }
        }
        for (serial, spots) in spots {
            if let Some(entry) = shards.with(serial).torrents.get_mut(serial) {
                self.list_at(entry, serial, id, &spots);
            }
        }
    }

    /// Lists those in a torrent who announced one of its hashes before it was published. Returns about how many steps
    /// that took.
    pub(crate) fn list_holders(
        &mut self,
        entry: &mut torrents::Entry,
        serial: Serial,
        hash: &Hash,
        chunk: ChunkIndex,
    ) -> usize {
        let holders = self.described.holders(&Name::Hash(*hash)).to_vec();
        holders.into_iter().map(|id| self.list_at(entry, serial, id, &[(*hash, chunk)])).sum()
    }

    /// Adds the chunks with these hashes to what a torrent knows of an announcer. Beyond the bounds on bitmaps it is
    /// not listed there; assignments know it all the same. Returns about how many steps that took.
    fn list_at(
        &mut self,
        entry: &mut torrents::Entry,
        serial: Serial,
        id: AnnouncerId,
        spots: &[(Hash, ChunkIndex)],
    ) -> usize {
        let Some(announcer) = self.described.get_mut(id) else { return 1 };
        let count = entry.torrent.chunk_count();
        let holder = match entry.described.entry(id) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(free) => {
                let bytes = bitmap_bytes(count);
                let bitmaps = &mut self.bitmaps;
                let most = self.limits.described_bitmap_bytes;
                let of_target = bitmaps.of_target.of(announcer.target) + bytes;
                if bitmaps.bytes + bytes > most || of_target > self.limits.share_of(most) {
                    return 1;
                }
                bitmaps.bytes += bytes;
                bitmaps.of_target.add(announcer.target, bytes);
                announcer.listed_in.insert(serial);
                let url = BaseUrl::http(announcer.address.clone());
                free.insert(DescribedHolder { url, set: ChunkSet::empty(count) })
            }
        };
        let set = &mut holder.set;
        let mut steps = spots.len();
        for (hash, chunk) in spots {
            set.insert(*chunk);
            steps += entry.twins.add_to(hash, set);
        }
        steps
    }

    /// Takes an announcer off all lists.
    pub(crate) fn remove_announcer(&mut self, shards: &Shards, id: AnnouncerId) {
        let Some((listed_in, target)) = self.described.remove(id) else { return };
        for serial in listed_in {
            let mut shard = shards.with(serial);
            let Some(entry) = shard.torrents.get_mut(serial) else { continue };
            if entry.described.remove(&id).is_some() {
                let bytes = bitmap_bytes(entry.torrent.chunk_count());
                self.bitmaps.bytes -= bytes;
                self.bitmaps.of_target.sub(target, bytes);
            }
        }
    }
}
