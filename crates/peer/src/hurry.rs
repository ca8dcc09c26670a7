//! Asks those who find peers to be quick.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// A count of wishes that announcers wait on; they are woken in the order in which they began to wait.
#[derive(Clone, Default)]
pub(crate) struct Hurry(Arc<Wishes>);

#[derive(Default)]
struct Wishes {
    count: AtomicU64,
    more: Notify,
}

impl Hurry {
    /// More peers are wanted, or there is news for them.
    pub(crate) fn ask(&self) {
        self.0.count.fetch_add(1, Ordering::Relaxed);
        self.0.more.notify_waiters();
    }

    /// Notices what is asked from now on.
    pub(crate) fn watch(&self) -> Hurried {
        Hurried { wishes: self.0.clone(), seen: self.0.count.load(Ordering::Relaxed) }
    }
}

/// Somebody who may be asked to hurry.
pub(crate) struct Hurried {
    wishes: Arc<Wishes>,
    seen: u64,
}

impl Hurried {
    /// Returns when it was asked since it was last told so.
    pub(crate) async fn asked(&mut self) {
        loop {
            let mut more = std::pin::pin!(self.wishes.more.notified());
            // From here on nothing is missed.
            more.as_mut().enable();
            let count = self.wishes.count.load(Ordering::Relaxed);
            if count != self.seen {
                self.seen = count;
                return;
            }
            more.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_wish_is_told_once_also_to_who_was_busy_when_it_came() {
        let hurry = Hurry::default();
        let mut hurried = hurry.watch();
        assert!(hurried.asked().now_or_never().is_none(), "nobody asked yet");
        hurry.ask();
        hurry.ask();
        assert!(hurried.asked().now_or_never().is_some());
        assert!(hurried.asked().now_or_never().is_none(), "once is enough");
        let (mut waiting, again) = (hurry.watch(), hurry.clone());
        let waits = tokio::spawn(async move { waiting.asked().await });
        tokio::task::yield_now().await;
        again.ask();
        waits.await.unwrap();
    }
}
