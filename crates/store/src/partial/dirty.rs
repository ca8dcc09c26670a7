//! Files with content that is not synced.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::group::MAX_SINGLE_SYNCS;

/// Some of a torrent's files. While they are few, with their handles.
pub(super) struct Dirty<F> {
    /// Of each file, whether it is one of them.
    which: Vec<bool>,
    count: usize,
    handles: BTreeMap<usize, Arc<F>>,
}

impl<F> Dirty<F> {
    /// None of so many.
    pub(super) fn none_of(files: usize) -> Self {
        Dirty { which: vec![false; files], count: 0, handles: BTreeMap::new() }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) const fn len(&self) -> usize {
        self.count
    }

    pub(super) fn contains(&self, file: usize) -> bool {
        self.which[file]
    }

    /// Was written to.
    pub(super) fn insert(&mut self, file: usize, handle: Arc<F>) {
        if self.count < MAX_SINGLE_SYNCS || self.handles.contains_key(&file) {
            self.handles.insert(file, handle);
        }
        self.count += usize::from(!std::mem::replace(&mut self.which[file], true));
    }

    /// Is removed.
    pub(super) fn remove(&mut self, file: usize) {
        self.handles.remove(&file);
        self.count -= usize::from(std::mem::replace(&mut self.which[file], false));
    }

    /// Takes all of them out.
    pub(super) fn take(&mut self) -> Self {
        let none = Dirty::none_of(self.which.len());
        std::mem::replace(self, none)
    }

    /// Those that could not be synced are still to be.
    pub(super) fn put_back(&mut self, mut others: Self) {
        for (file, was) in others.which.into_iter().enumerate() {
            let is = &mut self.which[file];
            if was && !*is {
                *is = true;
                self.count += 1;
                if self.handles.len() < MAX_SINGLE_SYNCS
                    && let Some(handle) = others.handles.remove(&file)
                {
                    self.handles.insert(file, handle);
                }
            }
        }
    }

    /// They, with their handles where there are some, in the torrent's order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, Option<&Arc<F>>)> {
        let those = self.which.iter().enumerate().filter(|(_, is)| **is);
        those.map(|(file, _)| (file, self.handles.get(&file)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The files, and their handles.
    fn of(dirty: &Dirty<char>) -> Vec<(usize, Option<char>)> {
        dirty.iter().map(|(file, handle)| (file, handle.map(|handle| **handle))).collect()
    }

    #[test]
    fn what_could_not_be_synced_comes_back_beside_what_was_written_meanwhile() {
        let mut dirty = Dirty::none_of(4);
        for (file, handle) in [(2, 'a'), (0, 'b'), (2, 'c'), (3, 'd')] {
            dirty.insert(file, Arc::new(handle));
        }
        let taken = dirty.take();
        assert!(dirty.is_empty() && taken.len() == 3 && taken.contains(0) && !taken.contains(1));
        dirty.insert(0, Arc::new('e'));
        dirty.put_back(taken);
        assert_eq!(of(&dirty), [(0, Some('e')), (2, Some('c')), (3, Some('d'))]);
        dirty.remove(2);
        dirty.remove(1);
        assert_eq!((of(&dirty), dirty.len()), (vec![(0, Some('e')), (3, Some('d'))], 2));
    }

    #[test]
    fn of_many_the_handles_are_not_kept() {
        let mut dirty = Dirty::none_of(2 * MAX_SINGLE_SYNCS);
        for file in 0..2 * MAX_SINGLE_SYNCS {
            dirty.insert(file, Arc::new('x'));
        }
        assert_eq!(dirty.len(), 2 * MAX_SINGLE_SYNCS);
        let handles = |dirty: &Dirty<char>| dirty.iter().filter(|(_, handle)| handle.is_some()).count();
        assert_eq!(handles(&dirty), MAX_SINGLE_SYNCS);
        let taken = dirty.take();
        for file in (0..2 * MAX_SINGLE_SYNCS).rev() {
            dirty.insert(file, Arc::new('y'));
        }
        dirty.put_back(taken);
        assert_eq!(handles(&dirty), MAX_SINGLE_SYNCS, "nor do they add up when syncs fail");
    }
}
