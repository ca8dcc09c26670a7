//! Bodies on their way out: in slices, through the throttle, each holding its upload slot until it has left.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use net::{Departing, FileToSend, LONGEST_STAND_IN, Outlet};
use store::InFile;
use tokio::sync::mpsc;

use crate::context::Context;
use crate::departing;
use crate::gate::Slot;
use crate::holding::Holding;

/// Bytes handed to the connection, and counted, at a time: enough for long writes, few enough that the count moves
/// while a large chunk is sent. The slot does not depend on it: it goes with the bytes, not with the slices.
const SLICE: usize = LONGEST_STAND_IN;
/// Slices waiting for the connection.
const AHEAD: usize = 2;

/// Everything a body needs while it is sent.
#[derive(Clone)]
pub(crate) struct Outgoing {
    pub(crate) context: Arc<Context>,
    pub(crate) holding: Arc<Holding>,
    /// Of the connection that it goes to.
    pub(crate) outlet: Outlet,
}

/// What a body, or a part of one, is made of.
pub(crate) enum Payload {
    /// Bytes here.
    Memory(Bytes),
    /// Bytes that the kernel sends from the file. Only where the outlet sends files.
    File(InFile),
}

impl Payload {
    /// `length` bytes of it.
    ///
    /// # Panics
    /// When there are not so many behind `skip`.
    pub(crate) fn part(&self, skip: u32, length: u32) -> Self {
        match self {
            Payload::Memory(bytes) => {
                Payload::Memory(bytes.slice(skip as usize..skip as usize + length as usize))
            }
            Payload::File(file) => Payload::File(file.part(skip, length)),
        }
    }

    fn len(&self) -> usize {
        match self {
            Payload::Memory(bytes) => bytes.len(),
            Payload::File(file) => file.length() as usize,
        }
    }

    /// Takes `length` bytes off the beginning.
    fn split_to(&mut self, length: usize) -> Payload {
        match self {
            Payload::Memory(bytes) => Payload::Memory(bytes.split_to(length)),
            Payload::File(file) => {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "part of what is there, whose length is a u32"
                )]
                let length = length as u32;
                let taken = file.part(0, length);
                *file = file.part(length, file.length() - length);
                Payload::File(taken)
            }
        }
    }

    /// What hyper is to write.
    fn for_hyper(self, outlet: &Outlet) -> Result<Bytes, Broken> {
        match self {
            Payload::Memory(bytes) => Ok(bytes),
            Payload::File(file) => {
                let (offset, length) = (file.offset(), file.length() as usize);
                outlet.file(Arc::new(ToSend(file)), offset, length).ok_or(Broken)
            }
        }
    }
}

/// What the store knows of a part of a file, as the network wants it.
struct ToSend(InFile);

impl AsFd for ToSend {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl FileToSend for ToSend {
    fn is_as_it_was(&self) -> bool {
        self.0.is_as_it_was()
    }
}

/// A payload on its way, whose slot goes with its last slice.
struct Sending {
    left: Payload,
    slot: Option<(Slot, Departing)>,
}

/// The last bytes of a body, which hold its upload slot: hyper keeps them until the kernel has taken all of them, and then the slot
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

impl Sending {
    /// A body is begun.
    fn begin(payload: Payload, slot: Slot, outlet: &Outlet) -> Self {
        Sending { left: payload, slot: Some((slot, outlet.begin())) }
    }

    /// The next `most` bytes of it; `None` when there are none left.
    fn next(&mut self, most: usize) -> Option<Payload> {
        let length = self.left.len().min(most);
        (length > 0).then(|| self.left.split_to(length))
    }

    /// What hyper is to write for the slice that was taken last.
    fn ready(&mut self, slice: Payload, outlet: &Outlet) -> Result<Bytes, Broken> {
        let bytes = slice.for_hyper(outlet)?;
        let is_last = self.left.len() == 0;
        let slot = self.slot.take_if(|_| is_last);
        Ok(if slot.is_some() { Bytes::from_owner(Held { bytes, slot }) } else { bytes })
    }
}

impl Outgoing {
    /// A body of this, whose slot is free when it has left.
    pub(crate) fn whole(self, payload: Payload, slot: Slot) -> Body {
        let sending = Sending::begin(payload, slot, &self.outlet);
        Body::from_stream(futures_util::stream::unfold(Some((self, sending)), |state| async move {
            let (outgoing, mut sending) = state?;
            match outgoing.next_slice(&mut sending).await? {
                Ok(slice) => Some((Ok(slice), Some((outgoing, sending)))),
                Err(broken) => Some((Err(broken), None)),
            }
        }))
    }

    /// Takes the next slice off, when the throttle lets it pass; `None` when there is nothing left.
    async fn next_slice(&self, sending: &mut Sending) -> Option<Result<Bytes, Broken>> {
        let mut slice = sending.next(self.context.up.slice(SLICE))?;
        let length = slice.len() as u64;
        self.context.up.pass(length).await;
        self.holding.count_upload(length);
        // A large chunk takes minutes on a slow link: what the kernel has forgotten meanwhile is not waited for here.
        if let Payload::File(file) = &slice
            && !file.is_in_memory()
        {
            let file = file.clone();
            match self.context.net.blocking(move || file.read()).await.flatten() {
                Some(bytes) => slice = Payload::Memory(bytes),
                None => return Some(Err(Broken)),
            }
        }
        Some(sending.ready(slice, &self.outlet))
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
        let mut sending = Sending::begin(Payload::Memory(bytes), slot, &self.outgoing.outlet);
        while let Some(slice) = self.outgoing.next_slice(&mut sending).await {
            self.sender.send(slice).await.map_err(|_| Gone)?;
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
        let outlet = Outlet::default();
        let payload = Payload::Memory(Bytes::from_static(b"123456789"));
        let mut sending = Sending::begin(payload, slot, &outlet);
        let mut next = || sending.next(5).map(|slice| sending.ready(slice, &outlet).map_err(drop).unwrap());
        let (first, last) = (next().unwrap(), next().unwrap());
        assert_eq!((&first[..], &last[..]), (&b"12345"[..], &b"6789"[..]));
        assert!(next().is_none());
        // What is left of a body when its last slice is taken holds nothing.
        drop((first, sending));
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
