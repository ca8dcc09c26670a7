//! When a body has left: its slot is somebody else's when the other side has nearly all of it.
//!
//! The kernel takes a body of 64 KiB at once, whatever the uplink. Were its slot free then, no request for a small chunk would
//! ever wait at the gate, and nobody would choose: neither which chunk goes first, nor whose. Each connection got its part
//! of the uplink, and who had more of them got more of it (decision 11).

use std::time::Duration;

use net::Departing;
use tokio::time::Instant;

/// Bytes that may still be on their way when the slot is given back: the next body is read and written meanwhile, so that the uplink
/// is not idle. A body that is no larger gives its slot back at once.
const ON_THE_WAY: usize = 32 << 10;
/// Between two looks, at first and at most: a chunk of 64 KiB takes 25 ms at 20 Mbit/s, and a hundred bodies on slow links must
/// not cost the processor anything.
const LOOK_FIRST: Duration = Duration::from_millis(1);
const LOOK_LAST: Duration = Duration::from_millis(8);
/// A receiver that takes nothing for so long is not waited for: it was unplugged, or holds slots on purpose (threat A32). To give a slot back
/// too early costs nothing but order.
const SILENCE: Duration = Duration::from_secs(2);
/// Nor one that takes little by little for longer than this: 64 KiB at 20 kbit/s.
const WAIT_MOST: Duration = Duration::from_secs(30);

/// Keeps `slot` until what is on its way of this body is little, without keeping the caller. Outside of a runtime, as when a
/// program ends, nobody is left who could want it.
pub(crate) fn keep_until_gone(body: Departing, slot: impl Send + 'static) {
    if body.bytes() <= ON_THE_WAY {
        return;
    }
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(async move {
            let _ = tokio::time::timeout(WAIT_MOST, gone(&body)).await;
            drop(slot);
        });
    }
}

async fn gone(body: &Departing) {
    let (mut pause, mut left, mut moved) = (LOOK_FIRST, usize::MAX, Instant::now());
    loop {
        let bytes = body.bytes();
        if bytes < left {
            (left, moved) = (bytes, Instant::now());
        }
        if left <= ON_THE_WAY || moved.elapsed() >= SILENCE {
            return;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LOOK_LAST);
    }
}

#[cfg(test)]
#[cfg(any(target_os = "linux", target_os = "android"))]
mod tests {
    use net::{SendQueue, Stream};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::oneshot;

    use super::*;

    /// A body of so many bytes that are written and not read, the end that does not read, and what ends with the slot.
    async fn a_body_that_is_not_read() -> (usize, TcpStream, oneshot::Receiver<()>, Stream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let reader = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut stream = Stream::Tcp(listener.accept().await.unwrap().0);
        let body = SendQueue::of(&stream).begin();
        let mut written = 0;
        while let Ok(more) = tokio::time::timeout(Duration::ZERO, stream.write(&[7; 8192])).await {
            written += more.unwrap();
        }
        let (slot, free) = oneshot::channel();
        keep_until_gone(body, slot);
        (written, reader, free, stream)
    }

    #[tokio::test]
    async fn a_slot_is_free_when_the_other_side_has_nearly_all() {
        let (written, mut reader, mut free, _stream) = a_body_that_is_not_read().await;
        assert!(written > ON_THE_WAY);
        assert_eq!(free.try_recv(), Err(oneshot::error::TryRecvError::Empty), "it is on its way");
        reader.read_exact(&mut vec![0; written]).await.unwrap();
        assert!(free.await.is_err(), "the slot is dropped");
    }

    #[tokio::test]
    async fn a32_whoever_takes_nothing_does_not_keep_a_slot() {
        let (_, _reader, free, _stream) = a_body_that_is_not_read().await;
        tokio::time::pause();
        let began = Instant::now();
        assert!(free.await.is_err(), "the slot is dropped");
        assert!((SILENCE..SILENCE * 2).contains(&began.elapsed()), "after {:?}", began.elapsed());
    }
}
