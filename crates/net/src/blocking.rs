//! Work that blocks, beside the network: where a network is simulated, threads may not make the order.

use crate::Net;

impl Net {
    /// Does work that blocks (a disk, a hash) on a thread for such; `None` when the runtime ends before it began, or the
    /// work panicked. On another network it is done in place: simulated time stands still meanwhile, and what several
    /// threads end in any order would make every run another.
    pub async fn blocking<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        match self.0 {
            None => tokio::task::spawn_blocking(work).await.ok(),
            Some(_) => Some(work()),
        }
    }
}
