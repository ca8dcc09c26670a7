//! Bodies read within bounds: so large, so fast, and so much of them in memory at once (threats A10, A11, A14).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body_util::BodyExt;
use protocol::api::tracker::MAX_DESCRIBED_BODY;
use protocol::torrent::MAX_TORRENT_JSON;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

/// A body over this is parsed on a thread where that may take long. No announce is.
const LARGE: usize = 256 << 10;
/// Bodies that came so far, by their size: up to so many bytes each, and so many in memory at once of all of that size.
/// Each has a budget of its own: whoever fills one with torrents keeps nobody from announcing or looking up.
const BUDGETS: [(usize, usize); 3] =
    [(LARGE, 128 << 20), (MAX_DESCRIBED_BODY, 128 << 20), (MAX_TORRENT_JSON, 2 * MAX_TORRENT_JSON)];
/// Large bodies being parsed at once: each may take several times its size while it is.
const MAX_PARSING: u32 = 2;

/// Why a body is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    #[error("the body comes too slowly")]
    TooSlow,
    #[error("the body ended early")]
    Broken,
    #[error("too many large requests at once; try again later")]
    Busy,
}

impl BodyError {
    pub(crate) const fn status(self) -> StatusCode {
        match self {
            BodyError::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            BodyError::TooSlow => StatusCode::REQUEST_TIMEOUT,
            BodyError::Broken => StatusCode::BAD_REQUEST,
            BodyError::Busy => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// Reads bodies.
#[derive(Debug)]
pub(crate) struct Bodies {
    in_memory: Arc<InMemory>,
    parsing: Arc<Semaphore>,
    grace: Duration,
    rate: u32,
}

/// Bytes in memory, for each of [`BUDGETS`].
type InMemory = [AtomicUsize; BUDGETS.len()];

/// A whole body, and the room it takes.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) bytes: Bytes,
    _room: Room,
}

impl Bodies {
    /// Bodies may take `grace`, and a second for every `rate` bytes that came; they never earn more than `grace` of
    /// silence, however fast they came before.
    pub(crate) fn new(grace: Duration, rate: u32) -> Self {
        let parsing = Arc::new(Semaphore::new(MAX_PARSING as usize));
        Bodies { in_memory: Arc::default(), parsing, grace, rate: rate.max(1) }
    }

    /// Reads a body of at most `most` bytes. Nothing is reserved for what is merely claimed.
    pub(crate) async fn read(&self, mut body: Body, most: usize) -> Result<Received, BodyError> {
        let mut deadline = Instant::now() + self.grace;
        let mut room = Room { in_memory: self.in_memory.clone(), taken: 0 };
        let mut bytes = BytesMut::new();
        loop {
            let frame = timeout_at(deadline, body.frame()).await;
            let Some(frame) = frame.map_err(|_| BodyError::TooSlow)? else { break };
            let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
            if bytes.len() + data.len() > most {
                return Err(BodyError::TooLarge(most));
            }
            room.take(data.len())?;
            bytes.extend_from_slice(&data);
            let earned = Duration::from_secs(data.len() as u64) / self.rate;
            deadline = (deadline + earned).min(Instant::now() + self.grace);
        }
        Ok(Received { bytes: bytes.freeze(), _room: room })
    }

    /// Reads JSON of a body.
    pub(crate) async fn parse<T: DeserializeOwned + Send + 'static>(
        &self,
        received: Received,
    ) -> Result<serde_json::Result<T>, BodyError> {
        self.compute(received, |bytes| serde_json::from_slice(bytes)).await
    }

    /// Does something with a body: here when it is small, otherwise on a thread where it may take long.
    pub(crate) async fn compute<T: Send + 'static>(
        &self,
        received: Received,
        work: impl FnOnce(&[u8]) -> T + Send + 'static,
    ) -> Result<T, BodyError> {
        if received.bytes.len() <= LARGE {
            return Ok(work(&received.bytes));
        }
        let place = self.parsing.clone().acquire_owned().await.map_err(|_| BodyError::Busy)?;
        let working = tokio::task::spawn_blocking(move || {
            // Held by the work and not by who waits for it: one that hangs up does not stop the work.
            let _place = place;
            work(&received.bytes)
        });
        working.await.map_err(|_| BodyError::Busy)
    }
}

/// A share of the memory for bodies; given back when dropped.
#[derive(Debug)]
struct Room {
    in_memory: Arc<InMemory>,
    taken: usize,
}

impl Room {
    /// Takes this much more, in the budget for bodies as large as this one is by then.
    fn take(&mut self, bytes: usize) -> Result<(), BodyError> {
        let (before, now) = (budget_of(self.taken), budget_of(self.taken + bytes));
        let moved = if before == now { 0 } else { self.taken };
        self.in_memory[before].fetch_sub(moved, Ordering::Relaxed);
        let others = self.in_memory[now].fetch_add(moved + bytes, Ordering::Relaxed);
        self.taken += bytes;
        if others + moved + bytes > BUDGETS[now].1 { Err(BodyError::Busy) } else { Ok(()) }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.in_memory[budget_of(self.taken)].fetch_sub(self.taken, Ordering::Relaxed);
    }
}

/// Which budget a body of so many bytes is charged to.
fn budget_of(bytes: usize) -> usize {
    BUDGETS.iter().position(|(largest, _)| bytes <= *largest).unwrap_or(BUDGETS.len() - 1)
}

#[cfg(test)]
mod tests {
    use futures_util::{Stream, StreamExt, stream};

    use super::*;

    const RATE: u32 = 1000;

    fn bodies() -> Bodies {
        Bodies::new(Duration::from_secs(10), RATE)
    }

    fn dripping(count: usize, size: usize) -> Body {
        Body::from_stream(drip(count, size))
    }

    /// `count` parts of `size` bytes, one a second.
    fn drip(count: usize, size: usize) -> impl Stream<Item = std::io::Result<Bytes>> {
        let second = Duration::from_secs(1);
        let ticks = tokio::time::interval_at(Instant::now() + second, second);
        stream::unfold((0, ticks), move |(sent, mut ticks)| async move {
            ticks.tick().await;
            (sent < count).then(|| (Ok(Bytes::from(vec![b'x'; size])), (sent + 1, ticks)))
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a11_a_body_must_come_at_a_rate() {
        let fast = bodies().read(dripping(100, 1000), 1 << 20).await.unwrap();
        assert_eq!(fast.bytes.len(), 100_000);
        let started = Instant::now();
        let slow = bodies().read(dripping(1000, 1), 1 << 20).await;
        assert_eq!((slow.unwrap_err(), started.elapsed().as_secs()), (BodyError::TooSlow, 10));
    }

    #[tokio::test(start_paused = true)]
    async fn a11_bytes_that_came_fast_buy_no_silence_later() {
        // By its mean rate this body would be in time for a thousand seconds.
        let burst = stream::once(async { Ok(Bytes::from(vec![b'x'; 1_000_000])) });
        let body = Body::from_stream(burst.chain(drip(1000, 1)));
        let started = Instant::now();
        let slow = bodies().read(body, 1 << 21).await;
        assert_eq!((slow.unwrap_err(), started.elapsed().as_secs()), (BodyError::TooSlow, 10));
    }

    fn in_memory(bodies: &Bodies) -> Vec<usize> {
        bodies.in_memory.iter().map(|bytes| bytes.load(Ordering::Relaxed)).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a14_a_body_is_cut_at_its_bound_and_its_room_comes_back() {
        let bodies = bodies();
        let read = bodies.read(Body::from(vec![0; 101]), 100).await;
        assert_eq!(read.unwrap_err(), BodyError::TooLarge(100));
        let held = bodies.read(Body::from(vec![0; 100]), 100).await.unwrap();
        assert_eq!(in_memory(&bodies), [100, 0, 0]);
        drop(held);
        assert_eq!(in_memory(&bodies), [0, 0, 0]);
        bodies.in_memory[0].store(BUDGETS[0].1, Ordering::Relaxed);
        assert_eq!(bodies.read(Body::from("x"), 100).await.unwrap_err(), BodyError::Busy);
        assert_eq!(in_memory(&bodies), [BUDGETS[0].1, 0, 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn a14_large_bodies_take_no_room_from_small_ones() {
        let bodies = bodies();
        bodies.in_memory[2].store(BUDGETS[2].1, Ordering::Relaxed);
        let large = |bytes: usize| Body::from_stream(parts(bytes));
        let torrent = bodies.read(large(MAX_DESCRIBED_BODY + 1), MAX_TORRENT_JSON).await;
        assert_eq!(torrent.unwrap_err(), BodyError::Busy);
        let look_up = bodies.read(large(MAX_DESCRIBED_BODY), MAX_DESCRIBED_BODY).await.unwrap();
        let announce = bodies.read(large(LARGE), LARGE).await.unwrap();
        assert_eq!(in_memory(&bodies), [LARGE, MAX_DESCRIBED_BODY, BUDGETS[2].1]);
        drop((look_up, announce));
        assert_eq!(in_memory(&bodies), [0, 0, BUDGETS[2].1]);
    }

    /// A body in parts, as it comes from the network.
    fn parts(bytes: usize) -> impl Stream<Item = std::io::Result<Bytes>> {
        const PART: usize = 64 << 10;
        let lengths = (0..bytes).step_by(PART).map(move |at| PART.min(bytes - at));
        stream::iter(lengths.map(|length| Ok(Bytes::from(vec![0; length]))))
    }

    #[tokio::test]
    async fn a14_work_whose_client_hung_up_keeps_its_place_until_it_is_done() {
        let bodies = bodies();
        let mut held = Vec::new();
        for _ in 0..MAX_PARSING {
            let (release, released) = std::sync::mpsc::channel::<()>();
            let (started, has_started) = tokio::sync::oneshot::channel();
            let received = bodies.read(Body::from(vec![0; LARGE + 1]), LARGE + 1).await.unwrap();
            let work = bodies.compute(received, move |_| {
                let _ = started.send(());
                released.recv()
            });
            tokio::select! {
                _ = work => unreachable!("it waits"),
                _ = has_started => {}
            }
            held.push(release);
        }
        assert_eq!(bodies.parsing.available_permits(), 0, "both clients are gone, both threads are busy");
        drop(held);
        let all = bodies.parsing.acquire_many(MAX_PARSING);
        assert!(tokio::time::timeout(Duration::from_secs(20), all).await.is_ok());
    }
}
