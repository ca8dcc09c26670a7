//! Buffers for whole chunks, used again and again: a fresh one costs the kernel a page fault for every 4 KiB, more
//! than moving the bytes, and its memory would come and go between threads.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

/// Most bytes kept for later: what a busy download and the uploads beside it have in use at a time.
const MOST_KEPT: usize = 12 << 20;
/// Smaller buffers are left to the allocator, which is good at them.
const SMALLEST_KEPT: usize = 32 << 10;

static FREE: Mutex<Free> = Mutex::new(Free { buffers: Vec::new(), bytes: 0 });

struct Free {
    buffers: Vec<Vec<u8>>,
    /// Sum of their capacities; at most [`MOST_KEPT`].
    bytes: usize,
}

/// A growing run of bytes that goes back to the pool when it, or the [`Bytes`] made of it, is dropped.
#[derive(Debug, Default)]
pub struct Buffer(Vec<u8>);

impl Buffer {
    /// An empty buffer with room for `length` bytes, and for at most twice as many.
    pub fn with_capacity(length: usize) -> Self {
        if length < SMALLEST_KEPT {
            return Buffer(Vec::with_capacity(length));
        }
        let room = length.next_power_of_two();
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        let found = free.buffers.iter().rposition(|buffer| buffer.capacity() == room);
        if let Some(at) = found {
            let buffer = free.buffers.swap_remove(at);
            free.bytes -= room;
            return Buffer(buffer);
        }
        drop(free);
        Buffer(Vec::with_capacity(room))
    }

    /// Adds bytes at the end.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// The vector behind it, to be filled by a read.
    pub(crate) fn as_mut_vec(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }

    /// How many bytes are in it.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// None are.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes, to be shared: nothing is copied, and the last one to drop them gives the buffer back.
    pub fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut buffer = std::mem::take(&mut self.0);
        let room = buffer.capacity();
        if room < SMALLEST_KEPT || !room.is_power_of_two() {
            return;
        }
        buffer.clear();
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        if free.bytes + room <= MOST_KEPT {
            free.bytes += room;
            free.buffers.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_when_its_bytes_are_dropped() {
        // A size that no other test uses: the pool is the process's.
        let length = (1 << 19) - 5;
        let mut buffer = Buffer::with_capacity(length);
        buffer.extend_from_slice(b"chunk");
        let at = buffer.as_slice().as_ptr();
        let bytes = buffer.freeze();
        let part = bytes.slice(1..3);
        drop(bytes);
        assert_ne!(Buffer::with_capacity(length).as_slice().as_ptr(), at, "part of it is still in use");
        assert_eq!(&part[..], b"hu");
        drop(part);
        let again = Buffer::with_capacity(length);
        assert!(again.is_empty());
        assert_eq!(again.as_slice().as_ptr(), at);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let buffers: Vec<Buffer> = (0..40).map(|_| Buffer::with_capacity(1 << 20)).collect();
        drop(buffers);
        let free = FREE.lock().unwrap();
        assert!(
            free.bytes <= MOST_KEPT && free.bytes == free.buffers.iter().map(Vec::capacity).sum::<usize>()
        );
    }
}
