//! The space that nodes and keys share: 160 bits, with XOR as distance (Maymounkov and Mazières, "Kademlia", §2.1).

use std::fmt;

use protocol::{Hash, TorrentId};
use sha1::{Digest, Sha1};

/// A place in the space: a node's name, or where a key lies.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id([u8; Id::LENGTH]);

impl Id {
    /// Bytes of an id.
    pub const LENGTH: usize = 20;
    /// Bits of an id, which is how many buckets a routing table has.
    pub(crate) const BITS: usize = Self::LENGTH * 8;

    /// The id with these bytes.
    pub const fn from_bytes(bytes: [u8; Id::LENGTH]) -> Self {
        Id(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; Id::LENGTH] {
        &self.0
    }

    /// How far `other` is.
    pub fn distance(self, other: Id) -> Distance {
        Distance(std::array::from_fn(|at| self.0[at] ^ other.0[at]))
    }

    /// How many leading bits it has in common with `other`: 160 when they are the same.
    pub(crate) fn shared_bits(self, other: Id) -> usize {
        let Distance(bytes) = self.distance(other);
        let Some(at) = bytes.iter().position(|byte| *byte != 0) else { return Self::BITS };
        // At most 7, for the byte is not 0.
        at * 8 + usize::try_from(bytes[at].leading_zeros()).unwrap_or(0)
    }

    /// `random`, changed so that it shares exactly `bits` leading bits with this id; what a bucket's refresh looks for.
    pub(crate) fn at_shared_bits(self, bits: usize, random: [u8; Id::LENGTH]) -> Id {
        let bit = |at: usize| 0x80u8 >> (at % 8);
        let mut bytes = random;
        for at in 0..=bits.min(Self::BITS - 1) {
            let own = self.0[at / 8] & bit(at);
            let wanted = if at == bits { own ^ bit(at) } else { own };
            bytes[at / 8] = (bytes[at / 8] & !bit(at)) | wanted;
        }
        Id(bytes)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How far two ids are from each other; comparable, and that is all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Distance([u8; Id::LENGTH]);

/// What is looked for and announced: SHA-1 of the lowercase hexadecimal text of a torrent id or of a chunk hash.
///
/// Of the text, as the described programs do it, so that one key means the same whatever the length of the hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Id);

impl Key {
    /// Where the providers of a whole torrent are.
    pub fn of_torrent(torrent: &TorrentId) -> Self {
        Self::of_text(&torrent.to_string())
    }

    /// Where the providers of a chunk are.
    pub fn of_hash(hash: &Hash) -> Self {
        Self::of_text(&hash.to_string())
    }

    /// The key at a place, as it stands in a message.
    pub const fn at(place: Id) -> Self {
        Key(place)
    }

    /// Where it lies.
    pub const fn place(self) -> Id {
        self.0
    }

    fn of_text(text: &str) -> Self {
        Key(Id(Sha1::digest(text.as_bytes()).into()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_key_is_the_sha1_of_the_text() {
        // printf %s a9993e… | sha1sum
        let hash = "a9993e364706816aba3e25717850c26c9cd0d89d".parse().unwrap();
        assert_eq!(Key::of_hash(&hash).place().to_string(), "9ef2bdeea2b1bae79b9ddb930427d0b2c880bdac");
        // As in docs/protocol.md.
        let id = "423ca98a6d141eec3dde13fe03968604158f395d323c91dc3b02ff4048f763b9".parse().unwrap();
        assert_eq!(Key::of_torrent(&id).place().to_string(), "a93703c5e36c852666153d8a1222be38f273c9e9");
    }

    proptest! {
        #[test]
        fn an_id_of_a_bucket_shares_exactly_its_bits(own: [u8; 20], random: [u8; 20], bits in 0usize..160) {
            let own = Id::from_bytes(own);
            prop_assert_eq!(own.shared_bits(own.at_shared_bits(bits, random)), bits);
        }

        #[test]
        fn more_shared_bits_is_nearer(a: [u8; 20], b: [u8; 20], c: [u8; 20]) {
            let (a, b, c) = (Id::from_bytes(a), Id::from_bytes(b), Id::from_bytes(c));
            prop_assume!(a.shared_bits(b) != a.shared_bits(c));
            prop_assert_eq!(a.shared_bits(b) > a.shared_bits(c), a.distance(b) < a.distance(c));
            prop_assert_eq!(a.distance(b), b.distance(a));
        }
    }
}
