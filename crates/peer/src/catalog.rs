//! All torrents of this process: from an id, or from a chunk's hash, to what is held.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use protocol::{ChunkIndex, Hash, ShortId, TorrentId};

use crate::holding::Holding;

/// Most torrents shared by one process: a request for an unknown hash looks into each.
pub(crate) const MAX_TORRENTS: usize = 1024;

/// Torrents by id.
#[derive(Default)]
pub(crate) struct Catalog(RwLock<BTreeMap<TorrentId, Arc<Holding>>>);

impl Catalog {
    /// Adds a torrent; false when it is there already or there are too many.
    pub(crate) fn add(&self, holding: &Arc<Holding>) -> bool {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let id = holding.torrent().id();
        if all.len() >= MAX_TORRENTS || all.contains_key(&id) {
            return false;
        }
        all.insert(id, holding.clone());
        true
    }

    pub(crate) fn get(&self, id: TorrentId) -> Option<Arc<Holding>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// The only torrent whose id begins like this.
    pub(crate) fn get_short(&self, short: ShortId) -> Option<Arc<Holding>> {
        let mut lowest = [0; 32];
        lowest[..8].copy_from_slice(short.as_bytes());
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut like_this =
            all.range(TorrentId::from_bytes(lowest)..).take_while(|(id, _)| id.short() == short);
        let found = like_this.next().map(|(_, holding)| holding.clone());
        found.filter(|_| like_this.next().is_none())
    }

    /// A held chunk with this hash: in whichever torrent, whichever of its twins.
    pub(crate) fn find(&self, hash: &Hash) -> Option<(Arc<Holding>, ChunkIndex)> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        all.values().find_map(|holding| {
            let mut chunks = holding.torrent().chunks_with(hash).iter();
            let chunk = chunks.find(|chunk| holding.holds(**chunk))?;
            Some((holding.clone(), *chunk))
        })
    }

    pub(crate) fn all(&self) -> Vec<Arc<Holding>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}
