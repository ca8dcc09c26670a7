//! Where every chunk stands, in two bits each: a brain that is told of a gain looks one up, and whoever simulates ten thousand
//! brains has those of all of them in a cache that way.

use protocol::ChunkIndex;

/// Where a chunk stands. One that was never wanted stands as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// To be fetched.
    Missing = 0,
    /// One or two fetches of it fly, and none has landed.
    InFlight = 1,
    /// Its bytes came and are being verified and written.
    Storing = 2,
    /// Here for good.
    Stored = 3,
}

/// Chunks whose states are in one word.
const IN_WORD: u32 = 32;
const BITS: u64 = 0b11;

/// A state for each chunk of a torrent.
#[derive(Clone, Debug)]
pub(super) struct States {
    words: Vec<u64>,
    len: u32,
}

impl States {
    /// All of `len` chunks are stored.
    pub(super) fn stored(len: u32) -> Self {
        States { words: vec![u64::MAX; len.div_ceil(IN_WORD) as usize], len }
    }

    /// How many chunks there are.
    pub(super) const fn len(&self) -> u32 {
        self.len
    }

    pub(super) fn get(&self, chunk: ChunkIndex) -> State {
        let (word, shift) = place(chunk);
        match self.words[word] >> shift & BITS {
            0 => State::Missing,
            1 => State::InFlight,
            2 => State::Storing,
            _ => State::Stored,
        }
    }

    pub(super) fn set(&mut self, chunk: ChunkIndex, state: State) {
        let (word, shift) = place(chunk);
        self.words[word] = self.words[word] & !(BITS << shift) | (state as u64) << shift;
    }

    /// Those of all chunks, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = State> + '_ {
        (0..self.len).map(|chunk| self.get(ChunkIndex::new(chunk)))
    }
}

/// The word of a chunk's state, and by how much it is shifted there.
const fn place(chunk: ChunkIndex) -> (usize, u32) {
    ((chunk.get() / IN_WORD) as usize, chunk.get() % IN_WORD * 2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [State; 4] = [State::Missing, State::InFlight, State::Storing, State::Stored];

    proptest! {
        #[test]
        fn each_chunk_has_the_state_it_was_given_last(
            steps in proptest::collection::vec((0u32..70, 0usize..4), 0..200),
        ) {
            let (mut states, mut expected) = (States::stored(70), vec![State::Stored; 70]);
            for (chunk, state) in steps {
                states.set(ChunkIndex::new(chunk), ALL[state]);
                expected[chunk as usize] = ALL[state];
            }
            prop_assert_eq!(states.iter().collect::<Vec<_>>(), expected);
        }
    }
}
