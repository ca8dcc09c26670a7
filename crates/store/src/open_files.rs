//! A bounded set of open files: a folder may have a million, a process may open a thousand.

use std::sync::{Arc, Mutex, TryLockError};

use crate::locked;

/// Files are kept in so many parts, each behind a lock of its own: to open a file takes longer than anything else that is done under
/// it, and where there are fifty thousand small ones, a dozen threads open them at a time.
const PARTS: usize = 16;
/// So many of a part stay open, 64 of one torrent in all. A read that finds its file closed costs one more open, 10 µs.
const MAX_OPEN_OF_A_PART: usize = 4;

/// Open files by their position in the torrent; of a part, the one unused for longest is closed first.
///
/// Files are opened under the lock, so that no two threads make the same one.
#[derive(Debug)]
pub(crate) struct OpenFiles<F> {
    /// On the heap: this is part of values that are moved about.
    parts: Box<[Mutex<Used<F>>; PARTS]>,
}

#[derive(Debug)]
struct Used<F> {
    /// The one used last is the last.
    files: Vec<(usize, Arc<F>)>,
}

impl<F> OpenFiles<F> {
    pub(crate) fn new() -> Self {
        OpenFiles { parts: Box::new(std::array::from_fn(|_| Mutex::new(Used { files: Vec::new() }))) }
    }

    /// File number `file`, opened with `open` when it is not open.
    pub(crate) fn get<E>(&self, file: usize, open: impl FnOnce() -> Result<F, E>) -> Result<Arc<F>, E> {
        let mut used = locked(self.part_of(file));
        let handle = match used.files.iter().position(|(other, _)| *other == file) {
            Some(at) => used.files.remove(at).1,
            None => Arc::new(open()?),
        };
        if used.files.len() >= MAX_OPEN_OF_A_PART {
            used.files.remove(0);
        }
        used.files.push((file, Arc::clone(&handle)));
        Ok(handle)
    }

    /// File number `file` if it is open. Waits for nothing: none while another of its part is just being opened.
    pub(crate) fn get_open(&self, file: usize) -> Option<Arc<F>> {
        let mut used = match self.part_of(file).try_lock() {
            Ok(used) => used,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        let at = used.files.iter().position(|(other, _)| *other == file)?;
        // It is the one used last from now on.
        used.files[at..].rotate_left(1);
        used.files.last().map(|(_, handle)| Arc::clone(handle))
    }

    /// Closes file number `file`, once nobody uses it any more.
    pub(crate) fn forget(&self, file: usize) {
        locked(self.part_of(file)).files.retain(|(other, _)| *other != file);
    }

    fn part_of(&self, file: usize) -> &Mutex<Used<F>> {
        &self.parts[file % PARTS]
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    const MAX_OPEN: usize = PARTS * MAX_OPEN_OF_A_PART;

    #[test]
    fn the_file_unused_for_longest_is_closed_first() {
        let files = OpenFiles::new();
        let open = |file| files.get(file, || Ok::<_, Infallible>(file)).unwrap();
        for file in 0..MAX_OPEN {
            open(file);
        }
        open(0);
        // Of the same part as 0.
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
        assert!(!reopened(0) && !reopened(MAX_OPEN) && !reopened(1), "those of other parts stay");
        assert!(reopened(PARTS), "the one of its part that was unused for longest");
        files.forget(0);
        assert!(files.get_open(0).is_none() && reopened(0));
    }

    #[test]
    fn an_open_file_is_got_without_waiting_and_is_the_one_used_last() {
        let files = OpenFiles::new();
        let of_one_part = |nth: usize| nth * PARTS;
        let open = |nth| drop(files.get(of_one_part(nth), || Ok::<_, Infallible>(nth)));
        (0..MAX_OPEN_OF_A_PART).for_each(open);
        assert_eq!(files.get_open(of_one_part(0)).as_deref(), Some(&0));
        open(MAX_OPEN_OF_A_PART);
        assert!(files.get_open(of_one_part(1)).is_none(), "it was unused for longest");
        assert!(files.get_open(of_one_part(0)).is_some());
        files
            .get(of_one_part(9), || {
                assert!(files.get_open(of_one_part(0)).is_none(), "whoever opens one may wait for the disk");
                Ok::<_, Infallible>(9)
            })
            .unwrap();
    }
}
