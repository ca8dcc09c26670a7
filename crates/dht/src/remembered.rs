//! Things that are true for a while: addresses that did not answer, addresses that proved to receive what is sent there.

use std::collections::{BTreeMap, BTreeSet};

use protocol::Time;

/// A bounded set whose members expire; when it is full, who expires first gives way.
#[derive(Clone, Debug)]
pub(crate) struct Remembered<K> {
    most: usize,
    until: BTreeMap<K, Time>,
    by_end: BTreeSet<(Time, K)>,
}

impl<K: Ord + Copy> Remembered<K> {
    pub(crate) const fn new(most: usize) -> Self {
        Remembered { most, until: BTreeMap::new(), by_end: BTreeSet::new() }
    }

    /// Remembers `key` until then, and no longer.
    pub(crate) fn remember(&mut self, now: Time, key: K, until: Time) {
        self.forget(&key);
        while let Some(&(end, first)) = self.by_end.first()
            && (end <= now || self.until.len() >= self.most)
        {
            self.forget(&first);
        }
        self.until.insert(key, until);
        self.by_end.insert((until, key));
    }

    pub(crate) fn forget(&mut self, key: &K) {
        if let Some(end) = self.until.remove(key) {
            self.by_end.remove(&(end, *key));
        }
    }

    pub(crate) fn holds(&self, now: Time, key: &K) -> bool {
        self.until.get(key).is_some_and(|end| *end > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_ends_and_is_bounded() {
        let at = Time::from_nanos;
        let mut set = Remembered::new(2);
        set.remember(at(0), 'a', at(10));
        set.remember(at(0), 'b', at(20));
        assert!(set.holds(at(9), &'a') && !set.holds(at(10), &'a'));
        set.remember(at(1), 'c', at(30));
        assert!(!set.holds(at(1), &'a') && set.holds(at(1), &'b') && set.holds(at(1), &'c'));
        set.remember(at(1), 'b', at(40));
        set.forget(&'c');
        assert!(set.holds(at(39), &'b') && !set.holds(at(1), &'c'));
        assert_eq!(set.until.len(), set.by_end.len());
    }
}
