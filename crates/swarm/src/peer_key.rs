//! The two numbers by which the brain and its shell speak of neighbours and requests.

/// A neighbour, by a number that the shell chose.
///
/// Never reused within a [`Download`](crate::Download): a peer that is lost and found again gets a new key, so that
/// a late event about the old connection cannot hit the new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerKey(u32);

impl PeerKey {
    /// The neighbour with number `key`.
    pub const fn new(key: u32) -> Self {
        PeerKey(key)
    }

    /// The number the shell chose.
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// One request for one chunk from one neighbour; numbered from 0 in the order of asking, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FetchId(u64);

impl FetchId {
    pub(crate) const fn new(id: u64) -> Self {
        FetchId(id)
    }

    /// The number, for logs and tables of the shell.
    pub const fn get(self) -> u64 {
        self.0
    }
}
