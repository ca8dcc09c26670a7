//! Threads for what blocks and can be divided: as many as there are cores.

use std::num::NonZeroUsize;
use std::thread::{ScopedJoinHandle, available_parallelism};

/// Cores that this process may use; one where the system does not tell.
pub(crate) fn count() -> usize {
    available_parallelism().map_or(1, NonZeroUsize::get)
}

/// What a thread came to; its panic goes on here.
pub(crate) fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
