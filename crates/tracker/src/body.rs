//! Bodies read within bounds: so large, so fast, and so much of them in memory at once (threats A10, A11, A14).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

/// Bytes of all request bodies in memory at once: two of the largest torrent.json, or many of anything else.
const MAX_IN_MEMORY: usize = 256 << 20;
/// A body over this is parsed on a thread where that may take long.
const LARGE: usize = 256 << 10;
/// Large bodies being parsed at once: each may take several times its size while it is.
const MAX_PARSING: usize = 2;

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
    in_memory: Arc<AtomicUsize>,
    parsing: Semaphore,
    grace: Duration,
    rate: u32,
}

/// A whole body, and the room it takes.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) bytes: Bytes,
    _room: Room,
}

impl Bodies {
    /// Bodies may take `grace`, and a second for every `rate` bytes that came.
    pub(crate) fn new(grace: Duration, rate: u32) -> Self {
        let in_memory = Arc::new(AtomicUsize::new(0));
        Bodies { in_memory, parsing: Semaphore::new(MAX_PARSING), grace, rate: rate.max(1) }
    }

    /// Reads a body of at most `most` bytes. Nothing is reserved for what is merely claimed.
    pub(crate) async fn read(&self, mut body: Body, most: usize) -> Result<Received, BodyError> {
        let started = Instant::now();
        let mut room = Room { in_memory: self.in_memory.clone(), taken: 0 };
        let mut bytes = BytesMut::new();
        loop {
            let earned = Duration::from_secs(bytes.len() as u64) / self.rate;
            let frame = timeout_at(started + self.grace + earned, body.frame()).await;
            let Some(frame) = frame.map_err(|_| BodyError::TooSlow)? else { break };
            let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
            if bytes.len() + data.len() > most {
                return Err(BodyError::TooLarge(most));
            }
            room.take(data.len())?;
            bytes.extend_from_slice(&data);
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
        let _place = self.parsing.acquire().await.map_err(|_| BodyError::Busy)?;
        tokio::task::spawn_blocking(move || work(&received.bytes)).await.map_err(|_| BodyError::Busy)
    }
}

/// A share of the memory for bodies; given back when dropped.
#[derive(Debug)]
struct Room {
    in_memory: Arc<AtomicUsize>,
    taken: usize,
}

impl Room {
    fn take(&mut self, bytes: usize) -> Result<(), BodyError> {
        let before = self.in_memory.fetch_add(bytes, Ordering::Relaxed);
        self.taken += bytes;
        if before + bytes > MAX_IN_MEMORY { Err(BodyError::Busy) } else { Ok(()) }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.in_memory.fetch_sub(self.taken, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    const RATE: u32 = 1000;

    fn bodies() -> Bodies {
        Bodies::new(Duration::from_secs(10), RATE)
    }

    /// A body of `count` parts of `size` bytes, one a second.
    fn dripping(count: usize, size: usize) -> Body {
        let second = Duration::from_secs(1);
        let ticks = tokio::time::interval_at(Instant::now() + second, second);
        Body::from_stream(stream::unfold((0, ticks), move |(sent, mut ticks)| async move {
            ticks.tick().await;
            (sent < count)
                .then(|| (Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; size])), (sent + 1, ticks)))
        }))
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
    async fn a14_a_body_is_cut_at_its_bound_and_its_room_comes_back() {
        let bodies = bodies();
        let read = bodies.read(Body::from(vec![0; 101]), 100).await;
        assert_eq!(read.unwrap_err(), BodyError::TooLarge(100));
        let held = bodies.read(Body::from(vec![0; 100]), 100).await.unwrap();
        assert_eq!(bodies.in_memory.load(Ordering::Relaxed), 100);
        drop(held);
        assert_eq!(bodies.in_memory.load(Ordering::Relaxed), 0);
        bodies.in_memory.store(MAX_IN_MEMORY, Ordering::Relaxed);
        assert_eq!(bodies.read(Body::from("x"), 100).await.unwrap_err(), BodyError::Busy);
        assert_eq!(bodies.in_memory.load(Ordering::Relaxed), MAX_IN_MEMORY);
    }
}
