//! What a handler may know of, and do with, the connection that it answers on, beside the answer itself.

use bytes::Bytes;

use crate::from_files::{FromFiles, OpenFile, Parts};
use crate::send_queue::{Departing, SendQueue};
use crate::stream::Stream;

/// A connection, as handlers see it. Clone is cheap. The default is of a connection that nothing is known of.
#[derive(Clone, Debug, Default)]
pub struct Outlet {
    queue: SendQueue,
    /// `None` where the kernel sends no files.
    files: Option<Parts>,
}

impl Outlet {
    /// The outlet of a connection, and the connection to be written to from now on. With `keeps_count`, it costs one more file descriptor
    /// and knows what of a body has not left; without, whatever is written has left at once.
    pub fn of(stream: Stream, keeps_count: bool) -> (Self, FromFiles) {
        let queue = if keeps_count { SendQueue::of(&stream) } else { SendQueue::default() };
        let parts = Parts::default();
        let sends_files =
            cfg!(any(target_os = "linux", target_os = "android")) && matches!(stream, Stream::Tcp(_));
        let files = sends_files.then(|| parts.clone());
        (Outlet { queue, files }, FromFiles::new(stream, parts))
    }

    /// A body is begun. See [`SendQueue::begin`].
    pub fn begin(&self) -> Departing {
        self.queue.begin()
    }

    /// Whether [`Outlet::file`] sends files.
    pub const fn sends_files(&self) -> bool {
        self.files.is_some()
    }

    /// What is to be put into the body in place of `length` bytes of `file` from `offset`: the kernel sends those. Stand-ins must be
    /// written in the order in which they are made, each once, as they are or in parts. `None` where [`Outlet::sends_files`] is
    /// not, and when `length` is 0 or more than [`crate::LONGEST_STAND_IN`].
    pub fn file(&self, file: OpenFile, offset: u64, length: usize) -> Option<Bytes> {
        self.files.as_ref()?.stand_in(file, offset, length).map(Bytes::from_static)
    }
}
