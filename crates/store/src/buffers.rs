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
    /// Sum of their sizes; at most [`MOST_KEPT`].
    bytes: usize,
}

/// A growing run of bytes that goes back to the pool when it, or the [`Bytes`] made of it, is dropped.
#[derive(Debug, Default)]
pub struct Buffer {
    /// Always initialised to its end, with zeros once and then with what was in it before: so a read may ask the
    /// system for exactly the bytes wanted, without `unsafe` and without clearing memory again for each chunk.
    room: Vec<u8>,
    /// Bytes of `room` that count. Nobody is shown those behind them.
    length: usize,
}

impl Buffer {
    /// An empty buffer with room for `length` bytes, and for at most twice as many.
    pub fn with_capacity(length: usize) -> Self {
        if length < SMALLEST_KEPT {
            return Buffer { room: vec![0; length], length: 0 };
        }
        let room = length.next_power_of_two();
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        let found = free.buffers.iter().rposition(|buffer| buffer.len() == room);
        if let Some(at) = found {
            let buffer = free.buffers.swap_remove(at);
            free.bytes -= room;
            return Buffer { room: buffer, length: 0 };
        }
        drop(free);
        // New pages of the system are zero already: this only costs where the allocator uses its own again.
        Buffer { room: vec![0; room], length: 0 }
    }

    /// Adds bytes at the end.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.room(bytes.len()).copy_from_slice(bytes);
        self.grew(bytes.len());
    }

    /// The next `most` bytes of room behind the content: whoever reads something into their beginning says so by [`Buffer::grew`].
    /// They hold old bytes.
    pub fn room(&mut self, most: usize) -> &mut [u8] {
        let end = self.length + most;
        if end > self.room.len() {
            self.room.resize(end.next_power_of_two(), 0);
        }
        &mut self.room[self.length..end]
    }

    /// `bytes` more of the room hold content now, or as many as there is room for.
    pub fn grew(&mut self, bytes: usize) {
        self.length = self.length.saturating_add(bytes).min(self.room.len());
    }

    /// Has `read` fill the first `length` bytes, of which it says how many it had; they become the content. What
    /// `read` is handed holds old bytes, and never more than `length`.
    pub(crate) fn fill<E>(
        length: usize,
        read: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<Self, E> {
        let mut buffer = Buffer::with_capacity(length);
        buffer.length = read(&mut buffer.room[..length])?.min(length);
        Ok(buffer)
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.room[..self.length]
    }

    /// How many bytes are in it.
    pub fn len(&self) -> usize {
        self.length
    }

    /// None are.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The bytes, to be shared: nothing is copied, and the last one to drop them gives the buffer back.
    pub fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.room);
        let room = buffer.len();
        if room < SMALLEST_KEPT || !room.is_power_of_two() {
            return;
        }
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
    fn a_read_is_given_as_much_room_as_it_asked_for_and_shows_only_what_it_brought() {
        for length in [0, 7, SMALLEST_KEPT + 1, (1 << 18) - 3] {
            let read = |room: &mut [u8]| {
                assert_eq!(room.len(), length);
                room.fill(7);
                Ok::<_, ()>(length / 2)
            };
            assert_eq!(Buffer::fill(length, read).unwrap().as_slice(), vec![7; length / 2]);
        }
        assert_eq!(Buffer::fill(9, |_| Err::<usize, _>("no disk")).unwrap_err(), "no disk");
    }

    #[test]
    fn what_is_read_into_the_room_counts_when_it_is_said() {
        let mut buffer = Buffer::with_capacity(5);
        buffer.extend_from_slice(b"ab");
        buffer.room(3).copy_from_slice(b"cde");
        assert_eq!(buffer.as_slice(), b"ab");
        buffer.grew(2);
        assert_eq!(buffer.as_slice(), b"abcd");
        buffer.room(4).fill(b'x');
        buffer.grew(usize::MAX);
        assert!(buffer.as_slice().starts_with(b"abcdxxxx"), "and never more than there is room");
    }

    #[test]
    fn a_buffer_grows_beyond_its_room() {
        let mut buffer = Buffer::with_capacity(3);
        for at in 0..100_000_u32 {
            buffer.extend_from_slice(&at.to_le_bytes());
        }
        assert!(buffer.as_slice().chunks(4).eq((0..100_000_u32).map(u32::to_le_bytes)));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let buffers: Vec<Buffer> = (0..40).map(|_| Buffer::with_capacity(1 << 20)).collect();
        drop(buffers);
        let free = FREE.lock().unwrap();
        assert!(free.bytes <= MOST_KEPT && free.bytes == free.buffers.iter().map(Vec::len).sum::<usize>());
    }
}
