//! A bounded set of open files: a folder may have a million, a process may open a thousand.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::locked;

/// Most files of one torrent open at a time. A read that finds its file closed costs one more open, 10 µs.
pub(crate) const MAX_OPEN: usize = 64;

/// Open files by their position in the torrent; the one unused for longest is closed first.
///
/// Files are opened under the lock, so that no two threads make the same one.
#[derive(Debug)]
pub(crate) struct OpenFiles<F> {
    files: Mutex<Used<F>>,
}

#[derive(Debug)]
struct Used<F> {
    by_file: HashMap<usize, (Arc<F>, u64)>,
    /// Counts uses: the smallest number is the oldest use.
    clock: u64,
}

impl<F> OpenFiles<F> {
    pub(crate) fn new() -> Self {
        OpenFiles { files: Mutex::new(Used { by_file: HashMap::new(), clock: 0 }) }
    }

    /// File number `file`, opened with `open` when it is not open.
    pub(crate) fn get<E>(&self, file: usize, open: impl FnOnce() -> Result<F, E>) -> Result<Arc<F>, E> {
        let mut used = locked(&self.files);
        used.clock += 1;
        let now = used.clock;
        if let Some((handle, last_use)) = used.by_file.get_mut(&file) {
            *last_use = now;
            return Ok(Arc::clone(handle));
        }
        let handle = Arc::new(open()?);
        if used.by_file.len() >= MAX_OPEN {
            let oldest = used.by_file.iter().min_by_key(|(_, (_, last_use))| *last_use);
            if let Some(oldest) = oldest.map(|(file, _)| *file) {
                used.by_file.remove(&oldest);
            }
        }
        used.by_file.insert(file, (Arc::clone(&handle), now));
        Ok(handle)
    }

    /// Closes file number `file`, once nobody uses it any more.
    pub(crate) fn forget(&self, file: usize) {
        locked(&self.files).by_file.remove(&file);
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    #[test]
    fn the_file_unused_for_longest_is_closed_first() {
        let files = OpenFiles::new();
        let open = |file| files.get(file, || Ok::<_, Infallible>(file)).unwrap();
        for file in 0..MAX_OPEN {
            open(file);
        }
        open(0);
        open(MAX_OPEN);
        let reopened = |file| {
            let mut opened = false;
            files
                .get(file, || {
                    Ok::<_, Infallible>({
                        opened = true;
                        file
                    })
                })
                .unwrap();
            opened
        };
        assert!(!reopened(0) && !reopened(MAX_OPEN) && reopened(1));
        files.forget(0);
        assert!(reopened(0));
    }
}
