//! How many gains are told together.

/// Gains gathered before a neighbour that waits for them is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gathering {
    /// So many are told without a longer wait.
    pub gains: u32,
    /// Fewer after this many times the usual wait.
    pub waits: u32,
}

impl Gathering {
    /// Chunks up to this size, the smallest that is chosen for a large file, are small beside the polls that tell of them.
    const SMALL: u32 = 64 << 10;

    /// For chunks of so many bytes. A poll costs four packets whatever it tells, two of them on each uplink: of small chunks
    /// twice as many are told at a time, or sixteen peers spend a hundredth more of what they can send on it (decision 20). Large ones
    /// are what all wait for.
    pub const fn of(chunk_bytes: u32) -> Self {
        if chunk_bytes <= Self::SMALL {
            Gathering { gains: 16, waits: 2 }
        } else {
            Gathering { gains: 8, waits: 1 }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_poll_tells_of_a_mebibyte_at_most_where_chunks_are_small() {
        let small = Gathering::of(64 << 10);
        assert_eq!((small.gains * (64 << 10), small.waits), (1 << 20, 2));
        assert_eq!(Gathering::of((64 << 10) + 1), Gathering { gains: 8, waits: 1 });
    }
}
