//! The native holders of one torrent.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use hashbrown::HashTable;
use protocol::api::tracker::{Have, Token};
use protocol::chunk::BadBitmap;
use protocol::{BaseUrl, ChunkIndex, ChunkSet, PeerId};

use crate::lease::Lease;
use crate::target::{Tally, Target};

/// What a holder holds. A complete one needs no bitmap: most of a large swarm's memory.
#[derive(Clone, Debug)]
pub(crate) enum Holding {
    /// Every chunk.
    Complete,
    /// These chunks.
    Part(Box<ChunkSet>),
}

impl Holding {
    /// The shortest form of this set.
    pub(crate) fn of(set: ChunkSet) -> Self {
        if set.is_full() { Holding::Complete } else { Holding::Part(Box::new(set)) }
    }

    /// Reads what an announce says, for a torrent of so many chunks.
    pub(crate) fn read(have: &Have, chunks: u32) -> Result<Self, BadBitmap> {
        match have {
            Have::Complete => Ok(Holding::Complete),
            Have::Bitmap(bytes) => ChunkSet::from_wire(chunks, bytes).map(Holding::of),
        }
    }

    /// Whether it has every chunk.
    pub(crate) const fn is_complete(&self) -> bool {
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

/// Memory of a bitmap of so many chunks.
pub(crate) const fn bitmap_bytes(chunks: u32) -> usize {
    size_of::<ChunkSet>() + ChunkSet::wire_length(chunks).next_multiple_of(8)
}

/// One native holder.
#[derive(Debug)]
pub(crate) struct Holder {
    pub(crate) peer: PeerId,
    pub(crate) url: BaseUrl,
    pub(crate) holding: Holding,
    pub(crate) entry: Option<Arc<[u8]>>,
    pub(crate) token: Token,
    pub(crate) target: Target,
    pub(crate) lease: Lease,
}

impl Holder {
    /// Bytes that depend on the torrent and on what it said.
    pub(crate) fn bytes(&self) -> usize {
        self.holding.bitmap_bytes() + self.entry.as_ref().map_or(0, |entry| entry.len())
    }
}

/// The native holders of one torrent: the complete ones and the others apart, each in a flat table, so that a random
/// one of either costs one step. They are found by their peer id and their URL through tables of places, which repeat
/// neither: with them a large swarm would take half as much memory again.
#[derive(Debug, Default)]
pub(crate) struct Swarm {
    seeds: Vec<Holder>,
    leechers: Vec<Holder>,
    by_peer: HashTable<Place>,
    by_url: HashTable<Place>,
    hasher: RandomState,
    per_target: Tally,
}

/// Where a holder stands: in which table, and where in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) complete: bool,
    pub(crate) at: u32,
}

impl Place {
    fn new(complete: bool, at: usize) -> Self {
        // Tables are bounded far below this (`Limits::holders`).
        Place { complete, at: u32::try_from(at).unwrap_or(u32::MAX) }
    }
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
        self.by_peer.is_empty()
    }

    /// The holder with this peer id.
    pub(crate) fn get(&self, peer: PeerId) -> Option<&Holder> {
        self.place(peer).map(|place| self.at(place))
    }

    /// The same, its lease to be changed.
    pub(crate) fn get_mut(&mut self, peer: PeerId) -> Option<&mut Holder> {
        let Place { complete, at } = self.place(peer)?;
        self.table_mut(complete).get_mut(at as usize)
    }

    /// Where the holder with this peer id stands.
    pub(crate) fn place(&self, peer: PeerId) -> Option<Place> {
        self.by_peer.find(self.hasher.hash_one(peer), |place| self.at(*place).peer == peer).copied()
    }

    /// Who is listed under this URL.
    pub(crate) fn at_url(&self, url: &BaseUrl) -> Option<PeerId> {
        let found = self.by_url.find(self.hasher.hash_one(url), |place| self.at(*place).url == *url);
        found.map(|place| self.at(*place).peer)
    }

    /// How many holders this target is.
    pub(crate) fn of_target(&self, target: Target) -> usize {
        self.per_target.of(target)
    }

    /// Adds a holder. Neither its peer id nor its URL may be there.
    pub(crate) fn insert(&mut self, holder: Holder) {
        debug_assert!(self.place(holder.peer).is_none() && self.at_url(&holder.url).is_none());
        let complete = holder.holding.is_complete();
        let place = Place::new(complete, self.table(complete).len());
        let (of_peer, of_url) = (self.hasher.hash_one(holder.peer), self.hasher.hash_one(&holder.url));
        self.per_target.add(holder.target, 1);
        self.table_mut(complete).push(holder);
        let Swarm { seeds, leechers, by_peer, by_url, hasher, .. } = self;
        let at = |place: &Place| {
            if place.complete { &seeds[place.at as usize] } else { &leechers[place.at as usize] }
        };
        by_peer.insert_unique(of_peer, place, |place| hasher.hash_one(at(place).peer));
        by_url.insert_unique(of_url, place, |place| hasher.hash_one(&at(place).url));
    }

    /// Takes a holder out.
    pub(crate) fn remove(&mut self, peer: PeerId) -> Option<Holder> {
        let place = self.place(peer)?;
        self.move_to_end(place);
        let last = Place::new(place.complete, self.table(place.complete).len() - 1);
        let holder = self.at(last);
        let (of_peer, of_url) = (self.hasher.hash_one(holder.peer), self.hasher.hash_one(&holder.url));
        for (table, hash) in [(&mut self.by_peer, of_peer), (&mut self.by_url, of_url)] {
            if let Ok(entry) = table.find_entry(hash, |place| *place == last) {
                entry.remove();
            }
        }
        let holder = self.table_mut(place.complete).pop()?;
        self.per_target.sub(holder.target, 1);
        Some(holder)
    }

    /// A holder whose news change: it is moved to where a holder stands that is taken out and added again, the end of its
    /// table. `None` for one that is not in this table, for which that is done.
    pub(crate) fn renew(&mut self, peer: PeerId, complete: bool) -> Option<&mut Holder> {
        let place = self.place(peer).filter(|place| place.complete == complete)?;
        self.move_to_end(place);
        self.table_mut(complete).last_mut()
    }

    /// Lets a holder and the last of its table change places.
    fn move_to_end(&mut self, place: Place) {
        let table = self.table_mut(place.complete);
        let last = Place::new(place.complete, table.len() - 1);
        if place == last {
            return;
        }
        table.swap(place.at as usize, last.at as usize);
        // The tables do not know that yet: each of the two is still noted where the other is now. Both are found before
        // either is noted anew, or one could be taken for the other.
        let hashes = [last, place].map(|now| {
            let holder = self.at(now);
            (self.hasher.hash_one(holder.peer), self.hasher.hash_one(&holder.url))
        });
        let [(moved_peer, moved_url), (other_peer, other_url)] = hashes;
        note_swap(&mut self.by_peer, [(moved_peer, place), (other_peer, last)]);
        note_swap(&mut self.by_url, [(moved_url, place), (other_url, last)]);
    }

    fn at(&self, place: Place) -> &Holder {
        &self.table(place.complete)[place.at as usize]
    }

    fn table(&self, complete: bool) -> &Vec<Holder> {
        if complete { &self.seeds } else { &self.leechers }
    }

    fn table_mut(&mut self, complete: bool) -> &mut Vec<Holder> {
        if complete { &mut self.seeds } else { &mut self.leechers }
    }
}

/// Lets two entries, each given by its hash and its place, change places.
fn note_swap(table: &mut HashTable<Place>, [(one_hash, one), (other_hash, other)]: [(u64, Place); 2]) {
    let first = table.find_bucket_index(one_hash, |place| *place == one);
    let second = table.find_bucket_index(other_hash, |place| *place == other);
    for (bucket, now) in [(first, other), (second, one)] {
        if let Some(place) = bucket.and_then(|bucket| table.get_bucket_mut(bucket)) {
            *place = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(number: u8, complete: bool) -> Holder {
        let set = ChunkSet::empty(9);
        Holder {
            peer: PeerId::from_bytes([number; 16]),
            url: format!("http://10.0.0.1:{}", 1000 + u16::from(number)).parse().unwrap(),
            holding: if complete { Holding::Complete } else { Holding::of(set) },
            entry: None,
            token: Token::new(String::new()),
            target: Target::of([10, 0, 0, number / 8].into()),
            lease: Lease::default(),
        }
    }

    #[test]
    fn everybody_is_found_wherever_others_moved_to() {
        let mut swarm = Swarm::default();
        let mut there: Vec<u8> = Vec::new();
        // Adds, renews and takes out in an order without pattern.
        for step in 0..2000_u32 {
            let number = u8::try_from(step.wrapping_mul(2_654_435_761) >> 26).unwrap();
            let peer = PeerId::from_bytes([number; 16]);
            match there.iter().position(|one| *one == number) {
                None => {
                    swarm.insert(holder(number, number % 3 == 0));
                    there.push(number);
                }
                Some(at) if step % 3 == 0 => {
                    there.remove(at);
                    assert_eq!(swarm.remove(peer).unwrap().peer, peer);
                }
                Some(_) => {
                    let complete = number % 3 == 0;
                    assert_eq!(swarm.renew(peer, complete).unwrap().peer, peer);
                    let table = if complete { swarm.seeds() } else { swarm.leechers() };
                    assert_eq!(table.last().unwrap().peer, peer);
                    assert!(swarm.renew(peer, !complete).is_none());
                }
            }
            assert_eq!(swarm.seeds().len() + swarm.leechers().len(), there.len());
            for number in 0..64 {
                let here = holder(number, false);
                let listed = there.contains(&number);
                assert_eq!(swarm.get(here.peer).map(|holder| holder.peer), listed.then_some(here.peer));
                assert_eq!(swarm.at_url(&here.url), listed.then_some(here.peer));
            }
        }
        assert!(!swarm.is_empty() && swarm.of_target(Target::of([10, 0, 0, 1].into())) <= 8);
    }
}
