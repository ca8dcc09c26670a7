//! `GET /events`: the page's stream of server-sent events. First `snapshot` with everything, then `news` every second.
//!
//! News are written once and sent to every page. One that cannot keep up misses some and gets a snapshot again: what
//! waits for a slow reader is bounded.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http::StatusCode;
use serde::Serialize;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::MetricsServer;
use crate::answer::{answer, text};
use crate::view::{News, Snapshot};

/// Pages that may watch at once.
pub(crate) const MAX_WATCHERS: usize = 64;
/// News that a page may lie behind.
const BACKLOG: usize = 16;
/// Between two news. Also a sign of life: the page takes silence for a lost connection.
const EVERY: Duration = Duration::from_secs(1);

/// Where news go.
#[derive(Clone, Debug)]
pub(crate) struct Watchers {
    news: broadcast::Sender<Bytes>,
    /// What every page that comes, or comes back, before the next news is shown first: written once for all of them,
    /// since with thousands of clients it is large (threat A27).
    snapshot: Arc<Mutex<Option<Bytes>>>,
    count: Arc<AtomicUsize>,
    /// Ends every stream.
    closed: CancellationToken,
}

impl Watchers {
    pub(crate) fn new() -> Self {
        Watchers {
            news: broadcast::Sender::new(BACKLOG),
            snapshot: Arc::default(),
            count: Arc::default(),
            closed: CancellationToken::new(),
        }
    }

    fn enter(&self) -> Option<Watcher> {
        let watcher = Watcher {
            news: self.news.subscribe(),
            closed: self.closed.clone(),
            _place: Place(self.count.clone()),
            is_new: true,
        };
        (self.count.fetch_add(1, Ordering::Relaxed) < MAX_WATCHERS).then_some(watcher)
    }
}

/// Gives up its place when dropped.
#[derive(Debug)]
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Watcher {
    news: broadcast::Receiver<Bytes>,
    closed: CancellationToken,
    _place: Place,
    /// Whether it needs a snapshot first.
    is_new: bool,
}

impl Watcher {
    async fn next(&mut self, server: &MetricsServer) -> Option<Bytes> {
        if !std::mem::take(&mut self.is_new) {
            let news = self.closed.run_until_cancelled(self.news.recv()).await?;
            match news {
                Ok(news) => return Some(news),
                Err(RecvError::Closed) => return None,
                // Too slow: begin again where things are now.
                Err(RecvError::Lagged(_)) => self.news = self.news.resubscribe(),
            }
        }
        Some(snapshot(server))
    }
}

/// The snapshot of this moment, at most as old as the last news.
fn snapshot(server: &MetricsServer) -> Bytes {
    server.with(|collector, now| {
        let mut shared = server.watchers().snapshot.lock().unwrap_or_else(PoisonError::into_inner);
        shared.get_or_insert_with(|| event("snapshot", &Snapshot::of(collector, now))).clone()
    })
}

pub(crate) async fn get(State(server): State<MetricsServer>) -> Response {
    let Some(watcher) = server.watchers().enter() else {
        let reason = "too many pages watch already: close one of them";
        return text(StatusCode::SERVICE_UNAVAILABLE, reason);
    };
    let events = stream::unfold((watcher, server), |(mut watcher, server)| async move {
        let event = watcher.next(&server).await?;
        Some((Ok::<_, std::convert::Infallible>(event), (watcher, server)))
    });
    answer(StatusCode::OK, "text/event-stream", Body::from_stream(events))
}

/// Lets the collector's time pass, and tells the pages what is new, until `stop`; then all streams end.
pub(crate) async fn run(server: MetricsServer, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        tell(&server);
    }
    server.watchers().closed.cancel();
}

fn tell(server: &MetricsServer) {
    let watchers = server.watchers();
    let news = server.with(|collector, now| {
        let changes = collector.tick(now);
        *watchers.snapshot.lock().unwrap_or_else(PoisonError::into_inner) = None;
        (watchers.news.receiver_count() > 0).then(|| event("news", &News::of(collector, changes, now)))
    });
    if let Some(news) = news {
        // The last watcher may have gone meanwhile.
        let _ = watchers.news.send(news);
    }
}

/// One event. JSON has no line breaks, so that the data is one line.
fn event(name: &str, data: &impl Serialize) -> Bytes {
    let data = serde_json::to_string(data).unwrap_or_default();
    Bytes::from(format!("event: {name}\ndata: {data}\n\n"))
}
