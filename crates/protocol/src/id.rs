//! The two identities on the wire: which torrent, and which running process.

use std::fmt;
use std::str::FromStr;

use crate::hex;
use crate::serde_text::serde_as_text;

/// A text that is not the canonical form of an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} lowercase hexadecimal digits")]
pub struct BadId {
    /// How many digits the id has.
    pub expected: usize,
}

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// The id with these bytes.
            pub const fn from_bytes(bytes: [u8; $bytes]) -> Self {
                $name(bytes)
            }

            /// Its bytes.
            pub const fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                hex::write(f, &self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                hex::write(f, &self.0)
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                let mut bytes = [0; $bytes];
                hex::read(text, &mut bytes).ok_or(BadId { expected: $bytes * 2 })?;
                Ok($name(bytes))
            }
        }

        serde_as_text!($name);
    };
}

hex_id! {
    /// BLAKE3 of a torrent's canonical description; [`crate::torrent::id`] says of which bytes.
    TorrentId, 32
}

hex_id! {
    /// The first digits of a [`TorrentId`]: enough where a peer that shares it is asked about it again and again. Whoever makes
    /// another torrent with the same ones needs 2⁶⁴ attempts, and gets two answers of "not shared".
    ShortId, 8
}

impl TorrentId {
    /// Its first digits.
    pub fn short(&self) -> ShortId {
        let mut first = [0; 8];
        first.copy_from_slice(&self.0[..8]);
        ShortId(first)
    }
}

hex_id! {
    /// A running process that shares: 128 random bits, chosen anew at every start.
    PeerId, 16
}
