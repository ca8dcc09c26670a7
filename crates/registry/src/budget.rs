//! What the parts of a registry hold together, counted without a lock round all of them.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::Limits;

/// A sum over all parts. What each part adds is changed under that part's lock; the sum itself needs no order.
#[derive(Debug, Default)]
pub(crate) struct Total(AtomicUsize);

impl Total {
    /// The sum now.
    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Adds, unless that makes it more than `most`. Two that want the last place do not both get it.
    pub(crate) fn take(&self, amount: usize, most: usize) -> bool {
        let more = |sum: usize| sum.checked_add(amount).filter(|sum| *sum <= most);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    /// Adds what has no bound here.
    pub(crate) fn add(&self, amount: usize) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    /// Takes away what was added before.
    pub(crate) fn sub(&self, amount: usize) {
        self.0.fetch_sub(amount, Ordering::Relaxed);
    }
}

/// The bounds of all parts, and how much of them is used.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    pub(crate) limits: Limits,
    /// Native holders in all torrents.
    pub(crate) holders: Total,
    /// Bytes of their bitmaps and entries.
    pub(crate) bitmap_bytes: Total,
}

impl Budget {
    /// Nothing is used yet.
    pub(crate) fn new(limits: Limits) -> Self {
        Budget { limits, ..Budget::default() }
    }

    /// Room for a holder's bitmap and entry, `now` bytes where there were `before`. Bitmaps crowd no seed out: its entry
    /// is short, and there are no more of them than holders. Nor do seeds crowd out who is listed and takes no more than
    /// before.
    pub(crate) fn exchange(&self, before: usize, now: usize, is_complete: bool) -> bool {
        match now.checked_sub(before) {
            Some(0) => true,
            None => {
                self.bitmap_bytes.sub(before - now);
                true
            }
            Some(more) if is_complete => {
                self.bitmap_bytes.add(more);
                true
            }
            Some(more) => self.bitmap_bytes.take(more, self.limits.bitmap_bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_place_is_one_ones() {
        let total = Total::default();
        assert!(total.take(2, 3) && !total.take(2, 3) && total.take(1, 3) && !total.take(1, 3));
        total.sub(1);
        assert!(!total.take(usize::MAX, usize::MAX), "no sum is more than can be counted");
        assert!(total.take(1, 3));
        assert_eq!(total.get(), 3);
    }

    #[test]
    fn bitmaps_have_a_bound_that_seeds_pass_and_nobody_else_who_takes_more() {
        let budget = Budget::new(Limits { bitmap_bytes: 10, ..Limits::default() });
        assert!(budget.exchange(0, 10, false) && !budget.exchange(0, 1, false));
        assert!(budget.exchange(0, 4, true), "a seed");
        assert!(budget.exchange(10, 10, false) && budget.exchange(10, 9, false), "no more than before");
        assert!(!budget.exchange(9, 10, false));
        assert_eq!(budget.bitmap_bytes.get(), 13);
    }
}
