//! Keys that are due at some time: leases, lives and pings end here, none of them later than asked for.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

use protocol::Time;

/// A set of keys, each with one time. Every step costs the logarithm of their number.
#[derive(Debug)]
pub(crate) struct Deadlines<K> {
    by_time: BTreeSet<(Time, K)>,
    by_key: HashMap<K, Time>,
}

impl<K> Default for Deadlines<K> {
    fn default() -> Self {
        Deadlines { by_time: BTreeSet::new(), by_key: HashMap::new() }
    }
}

impl<K: Copy + Ord + Hash> Deadlines<K> {
    /// Sets or moves the time of `key`.
    pub(crate) fn set(&mut self, key: K, at: Time) {
        if let Some(before) = self.by_key.insert(key, at) {
            self.by_time.remove(&(before, key));
        }
        self.by_time.insert((at, key));
    }

    /// Forgets `key`.
    pub(crate) fn remove(&mut self, key: K) {
        if let Some(at) = self.by_key.remove(&key) {
            self.by_time.remove(&(at, key));
        }
    }

    /// Takes out one key whose time has come, the earliest first.
    pub(crate) fn pop_due(&mut self, now: Time) -> Option<K> {
        let &(at, key) = self.by_time.first()?;
        if at > now {
            return None;
        }
        self.remove(key);
        Some(key)
    }

    /// The earliest time.
    pub(crate) fn next(&self) -> Option<Time> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Whether `key` has a time.
    pub(crate) fn contains(&self, key: K) -> bool {
        self.by_key.contains_key(&key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moved_deadline_is_due_once_and_at_its_new_time() {
        let at = Time::from_nanos;
        let mut deadlines = Deadlines::default();
        deadlines.set('a', at(1));
        deadlines.set('b', at(2));
        deadlines.set('a', at(3));
        assert_eq!(deadlines.next(), Some(at(2)));
        assert_eq!(deadlines.pop_due(at(1)), None);
        assert_eq!(deadlines.pop_due(at(9)), Some('b'));
        assert_eq!(deadlines.pop_due(at(9)), Some('a'));
        assert_eq!((deadlines.pop_due(at(9)), deadlines.next()), (None, None));
    }
}
