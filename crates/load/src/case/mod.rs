//! The cases, one a file, and what they share: many connections at once, and a limit.

pub(crate) mod announced;
pub(crate) mod announces;
pub(crate) mod burst;
pub(crate) mod hashes;
pub(crate) mod look_ups;

use std::time::Duration;

use tokio::task::JoinSet;

use crate::{Failed, Figures, LoadedTracker};

/// All tasks' results, in no order; the first failure ends the others.
async fn all<T: Send + 'static>(
    tasks: impl Iterator<Item = impl Future<Output = Result<T, Failed>> + Send + 'static>,
) -> Result<Vec<T>, Failed> {
    let mut running: JoinSet<Result<T, Failed>> = tasks.collect();
    let mut results = Vec::with_capacity(running.len());
    while let Some(ended) = running.join_next().await {
        results.push(ended.map_err(|_| Failed::Task)??);
    }
    Ok(results)
}

/// Gives a case up that takes too long: the tracker does not answer, or answers ever more slowly.
async fn within<T>(limit: Duration, case: impl Future<Output = Result<T, Failed>>) -> Result<T, Failed> {
    tokio::time::timeout(limit, case).await.unwrap_or(Err(Failed::TooSlow(limit)))
}

/// How long a tracker may take to give memory of requests back.
const REST: Duration = Duration::from_secs(2);

/// The same figures with the memory of a tracker that has come to rest: connections are closed, buffers given back.
async fn at_rest(tracker: &LoadedTracker, figures: Figures) -> Figures {
    tokio::time::sleep(REST).await;
    Figures { resident_bytes: tracker.taken().resident_bytes, ..figures }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_case_ends_by_itself() {
        let never = async { std::future::pending::<Result<(), Failed>>().await };
        let limit = Duration::from_secs(5);
        assert!(matches!(within(limit, never).await, Err(Failed::TooSlow(given)) if given == limit));
        let one_fails = [true, false, true].into_iter().map(|fine| async move {
            if fine { std::future::pending::<Result<u8, Failed>>().await } else { Err(Failed::NotHttp) }
        });
        assert!(matches!(all(one_fails).await, Err(Failed::NotHttp)));
    }
}
