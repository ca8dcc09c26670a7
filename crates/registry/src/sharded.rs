//! A hash table that never pauses for long: it grows a part at a time.
//!
//! One table of a million names moves all of them when it grows, half a second in which the tracker answers nobody.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::hash::{BuildHasher, Hash};

/// Parts: each of a million entries' moves in a few milliseconds.
const SHARDS: usize = 64;

/// A map of many entries. Which part has a key is nobody's to choose: the hasher has a random key.
#[derive(Debug)]
pub(crate) struct Sharded<K, V> {
    shards: Vec<HashMap<K, V>>,
    chooser: RandomState,
}

impl<K, V> Default for Sharded<K, V> {
    fn default() -> Self {
        Sharded { shards: (0..SHARDS).map(|_| HashMap::new()).collect(), chooser: RandomState::new() }
    }
}

impl<K: Eq + Hash, V> Sharded<K, V> {
    fn place(&self, key: &(impl Hash + ?Sized)) -> usize {
        #[expect(clippy::cast_possible_truncation, reason = "the low bits are enough")]
        let hash = self.chooser.hash_one(key) as usize;
        hash % SHARDS
    }

    pub(crate) fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.shards[self.place(key)].get(key)
    }

    pub(crate) fn entry(&mut self, key: K) -> Entry<'_, K, V> {
        let place = self.place(&key);
        self.shards[place].entry(key)
    }

    pub(crate) fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let place = self.place(key);
        self.shards[place].remove(key)
    }

    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(HashMap::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_map_and_no_part_has_much_more_than_its_share() {
        let mut map = Sharded::default();
        for key in 0..64_000 {
            map.entry(key).or_insert(key + 1);
        }
        assert_eq!((map.len(), map.get(&7), map.get(&64_000)), (64_000, Some(&8), None));
        assert!(map.shards.iter().all(|shard| (500..2000).contains(&shard.len())));
        assert_eq!((map.remove(&7), map.get(&7).is_some(), map.len()), (Some(8), false, 63_999));
    }
}
