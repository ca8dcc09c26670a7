//! Hashes of chunks and files, and the three algorithms that make them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::hex;
use crate::serde_text::serde_as_text;

/// How a torrent's chunks are hashed. One algorithm for a whole torrent, named in its `hashAlgorithm`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HashAlgorithm {
    /// The default: a quarter of SHA-256's cost here (`docs/benchmarks.md`).
    #[default]
    Blake3,
    /// For those who must have a NIST algorithm.
    Sha256,
    /// What the described programs use. Collisions can be made, so only where the torrent says sha1 (threat A4).
    Sha1,
}

impl HashAlgorithm {
    /// Its name in torrent.json and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            HashAlgorithm::Blake3 => "blake3",
            HashAlgorithm::Sha256 => "sha256",
            HashAlgorithm::Sha1 => "sha1",
        }
    }

    /// Length of its hashes in bytes.
    pub const fn length(self) -> usize {
        match self {
            HashAlgorithm::Blake3 | HashAlgorithm::Sha256 => 32,
            HashAlgorithm::Sha1 => 20,
        }
    }

    /// The hash of `bytes`.
    pub fn digest(self, bytes: &[u8]) -> Hash {
        match self {
            HashAlgorithm::Blake3 => Hash::of_32(blake3::hash(bytes).into()),
            HashAlgorithm::Sha256 => Hash::of_32(Sha256::digest(bytes).into()),
            HashAlgorithm::Sha1 => Hash::of_20(Sha1::digest(bytes).into()),
        }
    }

    /// A hasher for bytes that come in parts.
    pub fn hasher(self) -> Hasher {
        match self {
            HashAlgorithm::Blake3 => Hasher::Blake3(Box::default()),
            HashAlgorithm::Sha256 => Hasher::Sha256(Sha256::new()),
            HashAlgorithm::Sha1 => Hasher::Sha1(Sha1::new()),
        }
    }
}

impl fmt::Display for HashAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is none of [`HashAlgorithm`]'s.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown hash algorithm: use blake3, sha256 or sha1")]
pub struct UnknownAlgorithm;

impl FromStr for HashAlgorithm {
    type Err = UnknownAlgorithm;

    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        match name {
            "blake3" => Ok(HashAlgorithm::Blake3),
            "sha256" => Ok(HashAlgorithm::Sha256),
            "sha1" => Ok(HashAlgorithm::Sha1),
            _ => Err(UnknownAlgorithm),
        }
    }
}

/// A hash being computed; see [`HashAlgorithm::hasher`].
#[derive(Clone, Debug)]
pub enum Hasher {
    /// Boxed: its state is 1.9 KiB, the others' under 200 bytes.
    Blake3(Box<blake3::Hasher>),
    /// SHA-256.
    Sha256(Sha256),
    /// SHA-1.
    Sha1(Sha1),
}

impl Hasher {
    /// Takes the next bytes in.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Hasher::Blake3(hasher) => {
                hasher.update(bytes);
            }
            Hasher::Sha256(hasher) => hasher.update(bytes),
            Hasher::Sha1(hasher) => hasher.update(bytes),
        }
    }

    /// The hash of all that was taken in.
    pub fn finish(self) -> Hash {
        match self {
            Hasher::Blake3(hasher) => Hash::of_32(hasher.finalize().into()),
            Hasher::Sha256(hasher) => Hash::of_32(hasher.finalize().into()),
            Hasher::Sha1(hasher) => Hash::of_20(hasher.finalize().into()),
        }
    }
}

/// A hash value: 20 bytes (SHA-1) or 32 (the others). It does not know its algorithm: the torrent does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash {
    length: u8,
    bytes: [u8; 32],
}

/// A text or byte string that is no hash.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a hash is 40 or 64 lowercase hexadecimal digits")]
pub struct BadHash;

impl Hash {
    const fn of_32(bytes: [u8; 32]) -> Self {
        Hash { length: 32, bytes }
    }

    fn of_20(short: [u8; 20]) -> Self {
        let mut bytes = [0; 32];
        bytes[..20].copy_from_slice(&short);
        Hash { length: 20, bytes }
    }

    /// The hash with these raw bytes: 20 or 32 of them.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BadHash> {
        if let Ok(bytes) = <[u8; 32]>::try_from(bytes) {
            Ok(Self::of_32(bytes))
        } else {
            <[u8; 20]>::try_from(bytes).map(Self::of_20).map_err(|_| BadHash)
        }
    }

    /// Its raw bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(f, self.as_bytes())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(f, self.as_bytes())
    }
}

impl FromStr for Hash {
    type Err = BadHash;

    fn from_str(text: &str) -> Result<Self, BadHash> {
        let mut bytes = [0; 32];
        let length: u8 = if text.len() == 40 { 20 } else { 32 };
        hex::read(text, &mut bytes[..usize::from(length)]).ok_or(BadHash)?;
        Ok(Hash { length, bytes })
    }
}

serde_as_text!(Hash);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers_of_the_three_algorithms() {
        let of = |algorithm: HashAlgorithm| algorithm.digest(b"abc").to_string();
        assert_eq!(of(HashAlgorithm::Sha1), "a9993e364706816aba3e25717850c26c9cd0d89d");
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(of(HashAlgorithm::Sha256), sha256);
        let blake3 = "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85";
        assert_eq!(of(HashAlgorithm::Blake3), blake3);
    }

    #[test]
    fn hashing_in_parts_is_hashing_at_once() {
        for algorithm in [HashAlgorithm::Blake3, HashAlgorithm::Sha256, HashAlgorithm::Sha1] {
            let mut hasher = algorithm.hasher();
            hasher.update(b"a");
            hasher.update(b"bc");
            assert_eq!(hasher.finish(), algorithm.digest(b"abc"));
        }
    }

    #[test]
    fn a04_only_the_canonical_text_is_a_hash() {
        let hash = HashAlgorithm::Sha1.digest(b"");
        let text = hash.to_string();
        assert_eq!(text.parse(), Ok(hash));
        for wrong in
            [text.to_uppercase(), text[1..].to_owned(), format!("{text}0"), format!(" {text}"), String::new()]
        {
            assert_eq!(wrong.parse::<Hash>(), Err(BadHash), "{wrong:?}");
        }
    }
}
