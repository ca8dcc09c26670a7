//! Bodies on their way out: in slices, through the throttle, each holding its upload slot until it has left.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use net::{Departing, SendQueue};
use tokio::sync::mpsc;

use crate::context::Context;
use crate::departing;
use crate::gate::Slot;
use crate::holding::Holding;

/// Bytes handed to the connection, and counted, at a time: enough for long writes, few enough that the count moves
/// while a large chunk is sent. The slot does not depend on it: it goes with the bytes, not with the slices.
const SLICE: usize = 256 << 10;
/// Slices waiting for the connection.
const AHEAD: usize = 2;

/// Everything a body needs while it is sent.
#[derive(Clone)]
pub(crate) struct Outgoing {
    pub(crate) context: Arc<Context>,
    pub(crate) holding: Arc<Holding>,
    /// Of the connection that it goes to.
    pub(crate) queue: SendQueue,
}

/// Bytes that hold an upload slot: hyper keeps a slice until the kernel has taken the whole of it, and with the last one the slot
/// goes to whoever waits until the kernel has sent them. Were it given back when hyper takes the slice, nobody would ever wait
/// at the gate: a chunk of 128 KiB is in hyper's buffer at once, whatever the uplink.
struct Held {
    bytes: Bytes,
    slot: Option<(Slot, Departing)>,
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some((slot, body)) = self.slot.take() {
            departing::keep_until_gone(body, slot);
        }
    }
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The same bytes, not copied: a body is begun. Its slot is given back after the last slice of them is dropped.
fn holding_slot(bytes: Bytes, slot: Slot, queue: &SendQueue) -> Bytes {
    Bytes::from_owner(Held { bytes, slot: Some((slot, queue.begin())) })
}

impl Outgoing {
    /// A body of these bytes, whose slot is free when they have left.
    pub(crate) fn whole(self, bytes: Bytes, slot: Slot) -> Body {
        let bytes = holding_slot(bytes, slot, &self.queue);
        let sending = (self, bytes);
        Body::from_stream(futures_util::stream::unfold(sending, |(outgoing, mut bytes)| async move {
            let slice = outgoing.next_slice(&mut bytes).await?;
            Some((Ok::<_, Infallible>(slice), (outgoing, bytes)))
        }))
    }

    /// Takes the next slice off, when the throttle lets it pass; `None` when there is nothing left.
    async fn next_slice(&self, bytes: &mut Bytes) -> Option<Bytes> {
        if bytes.is_empty() {
            return None;
        }
        let slice = bytes.split_to(self.context.up.slice(SLICE).min(bytes.len()));
        self.context.up.pass(slice.len() as u64).await;
        self.holding.count_upload(slice.len() as u64);
        Some(slice)
    }

    /// A body that a task writes bit by bit.
    pub(crate) fn piped(self) -> (Pipe, Body) {
        let (sender, receiver) = mpsc::channel(AHEAD);
        let pipe = Pipe { outgoing: self, sender };
        let stream = futures_util::stream::unfold(receiver, |mut receiver| async move {
            let slice: Result<Bytes, Broken> = receiver.recv().await?;
            Some((slice, receiver))
        });
        (pipe, Body::from_stream(stream))
    }
}

/// The body could not be finished; the connection is cut so that the other side notices.
#[derive(Debug, thiserror::Error)]
#[error("the rest of the body could not be read")]
pub(crate) struct Broken;

/// The writing end of a piped body.
pub(crate) struct Pipe {
    outgoing: Outgoing,
    sender: mpsc::Sender<Result<Bytes, Broken>>,
}

/// The other side has gone.
pub(crate) struct Gone;

impl Pipe {
    /// Sends payload, counted and throttled, whose slot is free when it has left or the next part is begun. Returns before that:
    /// the next part is read meanwhile.
    pub(crate) async fn payload(&self, bytes: Bytes, slot: Slot) -> Result<(), Gone> {
        let mut bytes = holding_slot(bytes, slot, &self.outgoing.queue);
        while let Some(slice) = self.outgoing.next_slice(&mut bytes).await {
            self.sender.send(Ok(slice)).await.map_err(|_| Gone)?;
        }
        Ok(())
    }

    /// Returns when the other side has gone.
    pub(crate) async fn gone(&self) {
        self.sender.closed().await;
    }

    /// Cuts the body off.
    pub(crate) async fn cut(&self) {
        let _ = self.sender.send(Err(Broken)).await;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use swarm::{Demand, Requester, UploadConfig};

    use super::*;
    use crate::clock::Clock;
    use crate::gate::Gate;

    #[tokio::test]
    async fn a_slot_is_held_until_the_last_of_its_bytes_is_dropped() {
        let config =
            UploadConfig { slots: 1, slots_first: 1, slots_per_requester: 1, ..UploadConfig::default() };
        let gate = Gate::new(Clock::start(), config);
        let slot = gate.enter(Requester::new(1), Demand::Here, 9).await.unwrap();
        let mut bytes = holding_slot(Bytes::from_static(b"123456789"), slot, &SendQueue::default());
        let (first, last) = (bytes.split_to(4), bytes.split_to(5));
        assert_eq!((&first[..], &last[..]), (&b"1234"[..], &b"56789"[..]));
        // What is left of a body when its last slice is taken holds nothing.
        drop((first, bytes));
        assert!(
            gate.enter(Requester::new(2), Demand::Here, 9).now_or_never().is_none(),
            "the last slice is on its way"
        );
        drop(last);
        assert!(
            gate.enter(Requester::new(2), Demand::Here, 9)
                .now_or_never()
                .is_some_and(|entered| entered.is_ok())
        );
    }
}
