//! When a body has left: its slot is somebody else's when the other side has nearly all of it.
//!
//! The kernel takes a body of 64 KiB at once, whatever the uplink. Were its slot free then, no request for a small chunk would
//! ever wait at the gate, and nobody would choose: neither which chunk goes first, nor whose. Each connection got its part
//! of the uplink, and who had more of them got more of it (decision 11).

use std::time::Duration;

use net::Departing;

/// Bytes that may still be on their way when the slot is given back: the next body is read and written meanwhile, so that the uplink
/// is not idle. A body that is no larger gives its slot back at once.
const ON_THE_WAY: usize = 32 << 10;
/// Between two looks, at first and at most: a chunk of 64 KiB takes 25 ms at 20 Mbit/s, and a hundred bodies on slow links must
/// not cost the processor anything.
const LOOK_FIRST: Duration = Duration::from_millis(1);
const LOOK_LAST: Duration = Duration::from_millis(8);
/// Longest wait: as long as a connection may be silent. It is over by then.
const WAIT_MOST: Duration = Duration::from_secs(60);

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
    let mut pause = LOOK_FIRST;
    while body.bytes() > ON_THE_WAY {
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LOOK_LAST);
    }
}
