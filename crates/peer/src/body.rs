//! Bodies on their way out: in slices, through the throttle, holding their upload slot until the last slice is taken.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use tokio::sync::mpsc;

use crate::context::Context;
use crate::gate::Slot;
use crate::holding::Holding;

/// Bytes handed to the connection at a time. hyper takes a body as fast as its buffer (400 KiB) allows, so slices of
/// this size keep the slot until nearly all of the chunk is with the kernel, and make the throttle smooth.
const SLICE: usize = 128 << 10;
/// Slices waiting for the connection.
const AHEAD: usize = 2;

/// Everything a body needs while it is sent.
#[derive(Clone)]
pub(crate) struct Outgoing {
    pub(crate) context: Arc<Context>,
    pub(crate) holding: Arc<Holding>,
}

impl Outgoing {
    /// A body of these bytes, whose slot is free when they are sent.
    pub(crate) fn whole(self, bytes: Bytes, slot: Slot) -> Body {
        let sending = (self, bytes, slot);
        Body::from_stream(futures_util::stream::unfold(sending, |(outgoing, mut bytes, slot)| async move {
            if bytes.is_empty() {
                return None;
            }
            let slice = bytes.split_to(outgoing.context.up.slice(SLICE).min(bytes.len()));
            outgoing.account(slice.len()).await;
            Some((Ok::<_, Infallible>(slice), (outgoing, bytes, slot)))
        }))
    }

    async fn account(&self, bytes: usize) {
        self.context.up.pass(bytes as u64).await;
        self.holding.count_upload(bytes as u64);
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
    /// Sends payload: counted and throttled.
    pub(crate) async fn payload(&self, mut bytes: Bytes) -> Result<(), Gone> {
        while !bytes.is_empty() {
            let slice = bytes.split_to(self.outgoing.context.up.slice(SLICE).min(bytes.len()));
            self.outgoing.account(slice.len()).await;
            self.frame(slice).await?;
        }
        Ok(())
    }

    /// Sends what stands around payload.
    pub(crate) async fn frame(&self, bytes: Bytes) -> Result<(), Gone> {
        self.sender.send(Ok(bytes)).await.map_err(|_| Gone)
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
