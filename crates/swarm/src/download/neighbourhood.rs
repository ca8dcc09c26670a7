//! The neighbours by their keys, in two arrays side by side.
//!
//! A place that becomes free is given to the best of sixty neighbours, so all of them are looked at some times a second:
//! they lie one after the other, in the order of their keys. A tree of nodes of eleven cost a large simulation a tenth.

use super::neighbour::Neighbour;
use crate::PeerKey;

/// A bounded number of neighbours: [`crate::Config::neighbours_most`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Neighbourhood {
    keys: Vec<PeerKey>,
    neighbours: Vec<Neighbour>,
}

impl Neighbourhood {
    pub(crate) const fn len(&self) -> usize {
        self.keys.len()
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub(crate) fn get(&self, key: PeerKey) -> Option<&Neighbour> {
        let at = self.keys.binary_search(&key).ok()?;
        Some(&self.neighbours[at])
    }

    pub(crate) fn get_mut(&mut self, key: PeerKey) -> Option<&mut Neighbour> {
        let at = self.keys.binary_search(&key).ok()?;
        Some(&mut self.neighbours[at])
    }

    /// Takes in a neighbour that is not there yet.
    pub(crate) fn insert_new(&mut self, key: PeerKey, new: impl FnOnce() -> Neighbour) {
        if let Err(at) = self.keys.binary_search(&key) {
            self.keys.insert(at, key);
            self.neighbours.insert(at, new());
        }
    }

    pub(crate) fn remove(&mut self, key: PeerKey) -> Option<Neighbour> {
        let at = self.keys.binary_search(&key).ok()?;
        self.keys.remove(at);
        Some(self.neighbours.remove(at))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (PeerKey, &Neighbour)> {
        self.keys.iter().copied().zip(&self.neighbours)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (PeerKey, &mut Neighbour)> {
        self.keys.iter().copied().zip(&mut self.neighbours)
    }
}
