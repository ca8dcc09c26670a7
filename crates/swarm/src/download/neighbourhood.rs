//! The neighbours by their keys, in two arrays side by side.
//!
//! A place that becomes free is given to the best of sixty neighbours, so all of them are looked at some times a second:
//! they lie one after the other, in the order of their keys. A tree of nodes of eleven cost a large simulation a tenth.
//! Most events are of one neighbour, and whoever simulates ten thousand downloads has none of it in a cache: a table
//! says where that one lies, so that nothing is searched.

use super::neighbour::Neighbour;
use crate::PeerKey;

/// A bounded number of neighbours: [`crate::Config::neighbours_most`].
#[derive(Clone, Debug)]
#[repr(C)]
pub(crate) struct Neighbourhood {
    keys: Vec<PeerKey>,
    neighbours: Vec<Neighbour>,
    /// For the last byte of a key, where one of those with such a key lies. The shell counts its neighbours, so that there are seldom two.
    places: [u8; 256],
}

impl Default for Neighbourhood {
    fn default() -> Self {
        Neighbourhood { keys: Vec::new(), neighbours: Vec::new(), places: [0; 256] }
    }
}

impl Neighbourhood {
    pub(crate) const fn len(&self) -> usize {
        self.keys.len()
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub(crate) fn get(&self, key: PeerKey) -> Option<&Neighbour> {
        self.neighbours.get(self.place_of(key)?)
    }

    pub(crate) fn get_mut(&mut self, key: PeerKey) -> Option<&mut Neighbour> {
        let at = self.place_of(key)?;
        self.neighbours.get_mut(at)
    }

    fn place_of(&self, key: PeerKey) -> Option<usize> {
        let place = usize::from(self.places[usize::from(last_byte(key))]);
        let is_there = self.neighbours.get(place).is_some_and(|neighbour| neighbour.key == key);
        if is_there { Some(place) } else { self.keys.binary_search(&key).ok() }
    }

    /// Takes in a neighbour that is not there yet.
    pub(crate) fn insert_new(&mut self, key: PeerKey, new: impl FnOnce() -> Neighbour) {
        if let Err(at) = self.keys.binary_search(&key) {
            self.keys.insert(at, key);
            self.neighbours.insert(at, new());
            self.number_from(at);
        }
    }

    pub(crate) fn remove(&mut self, key: PeerKey) -> Option<Neighbour> {
        let at = self.place_of(key)?;
        self.keys.remove(at);
        let neighbour = self.neighbours.remove(at);
        self.number_from(at);
        Some(neighbour)
    }

    /// Notes where those lie that come from this place on. Past what a byte holds they are searched for.
    fn number_from(&mut self, at: usize) {
        for (place, key) in (0u8..=u8::MAX).zip(&self.keys).skip(at) {
            self.places[usize::from(last_byte(*key))] = place;
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (PeerKey, &Neighbour)> {
        self.keys.iter().copied().zip(&self.neighbours)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (PeerKey, &mut Neighbour)> {
        self.keys.iter().copied().zip(&mut self.neighbours)
    }

    /// Asserts that each is found where it lies.
    pub(crate) fn check_invariants(&self) {
        assert!(self.keys.is_sorted(), "neighbours in the order of their keys");
        for (place, (key, neighbour)) in self.iter().enumerate() {
            assert_eq!((neighbour.key, self.place_of(key)), (key, Some(place)), "where {key:?} lies");
        }
    }
}

const fn last_byte(key: PeerKey) -> u8 {
    let [.., last] = key.get().to_be_bytes();
    last
}
