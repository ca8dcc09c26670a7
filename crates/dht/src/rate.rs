//! At most so many packets in any second: in all, and for each address.
//!
//! A window over the last sends, not a bucket: "no more than five in a second, or you are banned" is meant literally.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use protocol::Time;

/// The length of the window.
const SECOND: Duration = Duration::from_secs(1);
/// Addresses remembered at a time. One that sent nothing for a second is forgotten when room is needed; a node sends to
/// 50 a second, and answers 500.
const ADDRESSES_MOST: usize = 4_096;

/// The sends of the last second.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    most: usize,
    sent: VecDeque<Time>,
}

impl Window {
    pub(crate) const fn new(most: usize) -> Self {
        Window { most, sent: VecDeque::new() }
    }

    /// Until when to wait before the next send, which leaves room for `reserve` others; `None` when it may be sent now.
    pub(crate) fn wait(&self, now: Time, reserve: usize) -> Option<Time> {
        let usable = self.most.saturating_sub(reserve).max(1);
        // Of the last so many, the first: when its second is over there is room again.
        let oldest = self.sent.get(self.sent.len().checked_sub(usable)?)?;
        Some(*oldest + SECOND).filter(|until| *until > now)
    }

    /// Something is sent now.
    pub(crate) fn take(&mut self, now: Time) {
        if self.sent.len() >= self.most {
            self.sent.pop_front();
        }
        self.sent.push_back(now);
    }

    fn is_idle(&self, now: Time) -> bool {
        self.sent.back().is_none_or(|last| *last + SECOND <= now)
    }
}

/// A window for each of many.
#[derive(Clone, Debug)]
pub(crate) struct Windows<K> {
    most: usize,
    of: BTreeMap<K, Window>,
}

impl<K: Ord + Copy> Windows<K> {
    pub(crate) const fn new(most: usize) -> Self {
        Windows { most, of: BTreeMap::new() }
    }

    /// Until when to wait before the next send to `whom`. When more are sent to than can be remembered, a newcomer
    /// waits for a second.
    pub(crate) fn wait(&mut self, now: Time, whom: K, reserve: usize) -> Option<Time> {
        if let Some(window) = self.of.get(&whom) {
            return window.wait(now, reserve);
        }
        if self.of.len() >= ADDRESSES_MOST {
            self.of.retain(|_, window| !window.is_idle(now));
        }
        (self.of.len() >= ADDRESSES_MOST).then(|| now + SECOND)
    }

    /// Something is sent to `whom` now.
    pub(crate) fn take(&mut self, now: Time, whom: K) {
        self.of.entry(whom).or_insert_with(|| Window::new(self.most)).take(now);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn millis(millis: u64) -> Time {
        Time::ZERO + Duration::from_millis(millis)
    }

    proptest! {
        #[test]
        fn no_second_holds_more_than_its_share(gaps in proptest::collection::vec(0u64..400, 1..200), most in 1usize..8) {
            let mut window = Window::new(most);
            let (mut now, mut sent) = (0, Vec::new());
            for gap in gaps {
                now += gap;
                if window.wait(millis(now), 0).is_none() {
                    window.take(millis(now));
                    sent.push(now);
                }
            }
            for start in &sent {
                prop_assert!(sent.iter().filter(|at| (*start..start + 1_000).contains(*at)).count() <= most);
            }
        }
    }

    #[test]
    fn who_must_wait_is_told_until_when() {
        let mut windows = Windows::new(2);
        for at in [0, 300] {
            assert_eq!(windows.wait(millis(at), 'a', 0), None);
            windows.take(millis(at), 'a');
        }
        assert_eq!(windows.wait(millis(400), 'a', 0), Some(millis(1_000)));
        assert_eq!(windows.wait(millis(400), 'b', 0), None);
        assert_eq!(windows.wait(millis(1_000), 'a', 0), None);
        assert_eq!(windows.wait(millis(1_000), 'a', 1), Some(millis(1_300)), "one place is somebody else's");
    }

    #[test]
    fn a06_so_many_addresses_are_remembered_and_no_more() {
        let mut windows = Windows::new(1);
        for whom in 0..ADDRESSES_MOST {
            assert_eq!(windows.wait(millis(0), whom, 0), None);
            windows.take(millis(0), whom);
        }
        assert_eq!(windows.wait(millis(999), ADDRESSES_MOST, 0), Some(millis(1_999)));
        assert_eq!(windows.wait(millis(1_000), ADDRESSES_MOST, 0), None);
        assert!(windows.of.is_empty());
    }
}
