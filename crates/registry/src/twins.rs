//! Where content repeats within a torrent: chunks with the same hash.
//!
//! A torrent may be one chunk a million times over, and every holder of that chunk has them all. So what many chunks
//! share is kept as a set, which is added to a holder's by whole words; what few share is a list.

use std::collections::HashMap;

use protocol::{ChunkIndex, ChunkSet, Hash, Torrent};

/// Twins listed one by one; beyond, a word of a set holds more than one of them on average.
const LISTED_PER_CHUNKS: usize = 64;
/// So many are always listed, and are what is looked for: who has one of a thousand equal chunks soon has the first.
pub(crate) const MAX_TWINS: usize = 16;

/// The chunks of a torrent whose hash stands earlier in it already.
#[derive(Debug)]
pub(crate) struct Twins {
    alike: HashMap<Hash, Alike>,
    repeats: ChunkSet,
}

/// The chunks with one hash, but for the first.
#[derive(Debug)]
struct Alike {
    /// All of them, or the first [`MAX_TWINS`] if there is a set.
    list: Vec<ChunkIndex>,
    all: Option<ChunkSet>,
}

impl Twins {
    /// Finds them: a sort of the hashes.
    pub(crate) fn of(torrent: &Torrent) -> Self {
        let chunks = torrent.chunk_count();
        let mut order: Vec<ChunkIndex> = (0..chunks).map(ChunkIndex::new).collect();
        order.sort_unstable_by_key(|chunk| (torrent.chunk_hash(*chunk), *chunk));
        let mut twins = Twins { alike: HashMap::new(), repeats: ChunkSet::empty(chunks) };
        for same in order.chunk_by(|one, other| torrent.chunk_hash(*one) == torrent.chunk_hash(*other)) {
            if let [first, rest @ ..] = same
                && !rest.is_empty()
            {
                twins.add(torrent.chunk_hash(*first), rest, chunks);
            }
        }
        twins
    }

    fn add(&mut self, hash: Hash, rest: &[ChunkIndex], chunks: u32) {
        for chunk in rest {
            self.repeats.insert(*chunk);
        }
        let is_list = rest.len() <= MAX_TWINS.max(chunks as usize / LISTED_PER_CHUNKS);
        let alike = if is_list {
            Alike { list: rest.to_vec(), all: None }
        } else {
            let mut all = ChunkSet::empty(chunks);
            for chunk in rest {
                all.insert(*chunk);
            }
            Alike { list: rest[..MAX_TWINS].to_vec(), all: Some(all) }
        };
        self.alike.insert(hash, alike);
    }

    /// Whether the hash of this chunk stands earlier in the torrent.
    pub(crate) fn is_repeat(&self, chunk: ChunkIndex) -> bool {
        self.repeats.contains(chunk)
    }

    /// Some chunks with this hash besides the first.
    pub(crate) fn some(&self, hash: &Hash) -> impl Iterator<Item = ChunkIndex> + '_ {
        self.alike.get(hash).into_iter().flat_map(|alike| alike.list.iter().take(MAX_TWINS).copied())
    }

    /// Adds every chunk with this hash, but for the first, to `set`. Returns about how many steps that took.
    pub(crate) fn add_to(&self, hash: &Hash, set: &mut ChunkSet) -> usize {
        match self.alike.get(hash) {
            None => 0,
            Some(Alike { all: Some(all), .. }) => {
                set.insert_all(all);
                all.len() as usize / LISTED_PER_CHUNKS
            }
            Some(Alike { list, all: None }) => {
                for chunk in list {
                    set.insert(*chunk);
                }
                list.len()
            }
        }
    }
}
