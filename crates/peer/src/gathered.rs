//! The bytes of an answer, gathered as they come.

use bytes::{Bytes, BytesMut};
use memmap2::MmapMut;

/// An answer of so many bytes or more lies in pages of its own, which the system has back as soon as the answer is
/// dropped. The allocator keeps what it was given back for a second: after the description of fifty thousand files,
/// that is 9 MB more until the download is over.
const LARGE: usize = 1 << 20;

/// What came of an answer so far.
pub(crate) enum Gathered {
    /// Of an answer that is small, or whose length nobody told.
    Shared(BytesMut),
    /// Of a large one: so many bytes at the beginning of its pages.
    Own(MmapMut, usize),
}

impl Gathered {
    /// Room for an answer that promises this length.
    pub(crate) fn with_room(promised: usize) -> Self {
        if promised < LARGE {
            return Gathered::Shared(BytesMut::with_capacity(promised));
        }
        // Where there are no such pages, room is made for what comes, and not for what is promised.
        MmapMut::map_anon(promised)
            .map_or_else(|_| Gathered::Shared(BytesMut::new()), |map| Gathered::Own(map, 0))
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Gathered::Shared(bytes) => bytes.len(),
            Gathered::Own(_, filled) => *filled,
        }
    }

    /// Takes in what came; also more than was promised.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        match self {
            Gathered::Shared(shared) => shared.extend_from_slice(bytes),
            Gathered::Own(map, filled) => match map.get_mut(*filled..*filled + bytes.len()) {
                Some(room) => {
                    room.copy_from_slice(bytes);
                    *filled += bytes.len();
                }
                None => *self = Gathered::Shared([&map[..*filled], bytes].concat().as_slice().into()),
            },
        }
    }

    /// All that came.
    pub(crate) fn whole(self) -> Bytes {
        match self {
            Gathered::Shared(bytes) => bytes.freeze(),
            Gathered::Own(map, filled) => Bytes::from_owner(map).slice(..filled),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is gathered of parts of `each` bytes, where `promised` were promised.
    fn gathered(promised: usize, each: usize, parts: u8) -> (Bytes, Vec<u8>) {
        let (mut gathered, mut expected) = (Gathered::with_room(promised), Vec::new());
        for part in 0..parts {
            let bytes = vec![part; each];
            gathered.add(&bytes);
            expected.extend_from_slice(&bytes);
            assert_eq!(gathered.len(), expected.len());
        }
        (gathered.whole(), expected)
    }

    #[test]
    fn an_answer_is_what_came_of_it_however_much_was_promised() {
        for promised in [0, 10, LARGE - 1, LARGE, 3 * LARGE, 4 * LARGE] {
            for (each, parts) in [(1, 0), (7, 3), (LARGE, 3)] {
                let (whole, expected) = gathered(promised, each, parts);
                assert_eq!(whole, expected, "{promised} promised, {parts} parts of {each}");
            }
        }
    }
}
