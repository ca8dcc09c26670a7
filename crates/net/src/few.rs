//! Work that blocks, of which a few are done at a time and the others wait.
//!
//! A runtime has more threads for what blocks than there are cores, since most of what they do is to wait for a disk. Work that
//! computes is done no sooner by more threads than cores: they take the cores from each other, and each piece of it costs a thread
//! that is woken and one that falls asleep. Here a thread that is done goes on with what waits.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::Net;

type Work = Box<dyn FnOnce() + Send>;

/// A few threads that work together. Clone is cheap.
#[derive(Clone)]
pub struct Few {
    net: Net,
    most: usize,
    queue: Arc<Mutex<Queue>>,
}

/// What waits: one for each caller, so that its bound is theirs. What a caller has given up is done in its turn all the same, and
/// keeps what it holds until then.
#[derive(Default)]
struct Queue {
    waiting: VecDeque<Work>,
    /// Threads that will look here before they end.
    threads: usize,
}

impl Few {
    /// At most `most` threads at a time, at least one, of those that `net` has for [blocking](Net::blocking) work.
    pub fn new(net: &Net, most: usize) -> Self {
        Few { net: net.clone(), most: most.max(1), queue: Arc::default() }
    }

    /// Does work in its turn; `None` when it panicked. A runtime that ends takes its callers with it, and what waits with them. On another
    /// network it is done in place, as [`Net::blocking`] does.
    pub async fn blocking<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        if self.net.0.is_some() {
            return self.net.blocking(work).await;
        }
        let (done, result) = oneshot::channel();
        // Whoever waited for it may be gone.
        self.push(Box::new(move || drop(done.send(work()))));
        result.await.ok()
    }

    fn push(&self, work: Work) {
        if self.queue_up(work) {
            let queue = Arc::clone(&self.queue);
            tokio::task::spawn_blocking(move || while_there_is_work(&queue));
        }
    }

    /// Whether one more thread is to look there.
    fn queue_up(&self, work: Work) -> bool {
        let mut queue = locked(&self.queue);
        queue.waiting.push_back(work);
        let one_more = queue.threads < self.most;
        queue.threads += usize::from(one_more);
        one_more
    }
}

fn while_there_is_work(queue: &Mutex<Queue>) {
    while let Some(work) = next(queue) {
        // Told by the panic hook; its caller learns it from a result that never comes.
        let _ = catch_unwind(AssertUnwindSafe(work));
    }
}

/// What is to be done next; when there is nothing, this thread ends, which must be known before more can be put there.
fn next(queue: &Mutex<Queue>) -> Option<Work> {
    let mut queue = locked(queue);
    let next = queue.waiting.pop_front();
    if next.is_none() {
        queue.threads -= 1;
    }
    next
}

fn locked(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;

    use super::*;

    const MOST: usize = 3;

    #[tokio::test]
    async fn all_is_done_and_no_more_than_a_few_at_a_time() {
        let few = Few::new(&Net::default(), MOST);
        let (now, peak, together) = (AtomicUsize::new(0), AtomicUsize::new(0), Barrier::new(MOST));
        let at_work = Arc::new((now, peak, together));
        let works = (0..100).map(|number| {
            let at_work = at_work.clone();
            few.blocking(move || {
                let (now, peak, together) = &*at_work;
                peak.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                // The first are held until as many are at work as may be.
                if number < MOST {
                    together.wait();
                }
                now.fetch_sub(1, Ordering::SeqCst);
                number
            })
        });
        let done = join_all(works).await;
        assert_eq!(done, (0..100).map(Some).collect::<Vec<_>>());
        assert_eq!(at_work.1.load(Ordering::SeqCst), MOST);
        assert_eq!(few.blocking(|| "and again").await, Some("and again"));
    }

    #[tokio::test]
    async fn work_that_panics_is_nobody_elses_trouble() {
        let few = Few::new(&Net::default(), 1);
        let bad = few.blocking(|| panic!("on purpose"));
        let good = few.blocking(|| 7);
        let (bad, good) = tokio::join!(bad, good);
        assert_eq!((bad, good), (None::<()>, Some(7)));
    }

    #[tokio::test]
    async fn who_waits_no_more_holds_nobody_up() {
        let few = Few::new(&Net::default(), 1);
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let mut first = Box::pin(few.blocking(move || wait.recv().is_ok()));
        let mut second = Box::pin(few.blocking(|| 2));
        assert!(
            futures_util::poll!(&mut first).is_pending() && futures_util::poll!(&mut second).is_pending()
        );
        drop(second);
        go.send(()).unwrap();
        assert_eq!(first.await, Some(true));
        assert_eq!(few.blocking(|| 3).await, Some(3));
    }
}
