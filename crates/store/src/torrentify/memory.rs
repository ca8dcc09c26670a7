//! What was hashed once and has not changed is not read again: a share of 100 GB starts at once the second time.
//!
//! A file a share, in a folder of the user's cache: the hashes, under what the files were when they were hashed (name, size, inode,
//! time of change of each). It may be deleted at any time, and whatever is wrong with it only means that the content is read.
//!
//! | bytes | what |
//! | --- | --- |
//! | 8 | `HTSHARE1` |
//! | 32 | BLAKE3 of what the files were, and of how they are described |
//! | 1 + n | length and bytes of `fileHash` |
//! | … | the chunks' hashes, raw |
//! | 32 | BLAKE3 of everything before it |

use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use protocol::torrent::{ChunkHashes, Layout, MAX_CHUNKS};
use protocol::{Hash, HashAlgorithm};

use super::walk::Found;
use crate::disk::{Access, Disk, DiskFile, Kind, RealDisk};
use crate::place::Place;

const MAGIC: &[u8; 8] = b"HTSHARE1";
const DIGEST: usize = blake3::OUT_LEN;
/// Longest file: a million hashes.
const LONGEST: u64 = MAX_CHUNKS as u64 * DIGEST as u64 + 256;
/// Most shares remembered, each in 32 bytes a chunk and 32 MiB at most; the one not used for longest is forgotten first. More than anybody shares
/// again and again.
const MOST: usize = 64;
/// Who writes to a file twice within one tick of the file system's clock (2 s on some) changes it and not its times. So what was changed a moment before
/// it was looked at is not remembered: next time it is.
const SETTLED: Duration = Duration::from_secs(2);

/// A folder in which shares are remembered.
#[derive(Debug)]
pub struct Memory {
    disk: RealDisk,
    recalls: bool,
}

/// One share in it.
pub(super) struct Entry<'a> {
    disk: &'a RealDisk,
    recalls: bool,
    place: Place,
    /// Of what the files are now.
    state: blake3::Hash,
}

impl Memory {
    /// The folder at `path`, made when it is not there: for its user alone, as the XDG Base Directory Specification wants it. The
    /// hashes tell what somebody shares.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Memory { disk: RealDisk::open_or_create_private(path)?, recalls: true })
    }

    /// The same, for one time: nothing is recalled, so that all is read, and remembered anew.
    #[must_use]
    pub fn reading_again(self) -> Self {
        Memory { recalls: false, ..self }
    }

    /// What is remembered of the content at `path`, which was found to be so and is to be described so.
    pub(super) fn entry(
        &self,
        path: &Path,
        found: &Found,
        layout: &Layout,
        algorithm: HashAlgorithm,
    ) -> Entry<'_> {
        let mut named = blake3::Hasher::new();
        named.update(path.as_os_str().as_encoded_bytes());
        named.update(format!("\0{algorithm} {}", layout.chunk_size().get()).as_bytes());
        let place = Place::top().child(&named.finalize().to_hex());
        Entry { disk: &self.disk, recalls: self.recalls, place, state: state(found, layout, algorithm) }
    }
}

/// Any change to a file or its name makes it another: the time of change cannot be set back.
fn state(found: &Found, layout: &Layout, algorithm: HashAlgorithm) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(format!("{:?} {algorithm} {}\n", layout.shape(), layout.chunk_size().get()).as_bytes());
    for ((file, stamp), times) in layout.files().iter().zip(&found.stamps).zip(&found.times) {
        let path = file.path.as_str();
        for number in [path.len() as u64, file.size, file.executable.into(), stamp.inode, stamp.size] {
            hasher.update(&number.to_le_bytes());
        }
        for time in [stamp.modified, times.born, times.changed] {
            hasher.update(&time.to_le_bytes());
        }
        hasher.update(path.as_bytes());
    }
    hasher.finalize()
}

impl Entry<'_> {
    /// The hashes as they were, if nothing changed since; `fileHash` is the second.
    pub(super) fn recall(&self, algorithm: HashAlgorithm, chunks: u32) -> Option<(ChunkHashes, Hash)> {
        let file = self.disk.open(&self.place, Access::Read).ok().filter(|_| self.recalls)?;
        let length = file.metadata().ok()?.size;
        let bytes =
            (length <= LONGEST).then(|| file.read_new(usize::try_from(length).ok()?, 0).ok()).flatten()?;
        let recalled = read(bytes.as_slice(), &self.state, algorithm, chunks)?;
        // It was of use: it is not the next to be forgotten.
        let _ = self.disk.open(&self.place, Access::Write).and_then(|file| file.write_at(MAGIC, 0));
        Some(recalled)
    }

    /// Remembers the hashes of what was found at `began`, or later. Best effort: without it the content is read again.
    pub(super) fn remember(&self, began: SystemTime, found: &Found, hashes: &ChunkHashes, file_hash: &Hash) {
        let remembered = if is_settled(found, began) {
            self.write(&written(&self.state, hashes, file_hash))
        } else {
            self.forget()
        };
        if let Err(error) = remembered {
            tracing::debug!(%error, "what was hashed is not remembered");
        }
        if let Err(error) = self.forget_oldest() {
            tracing::debug!(%error, "old shares are not forgotten");
        }
    }

    /// A file that is not whole has no right sum at its end: nothing is synced, and a crash costs one reading.
    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        self.forget()?;
        self.disk.create(&self.place)?.write_at(bytes, 0)
    }

    fn forget(&self) -> io::Result<()> {
        match self.disk.remove(&self.place) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn forget_oldest(&self) -> io::Result<()> {
        let mut all = Vec::new();
        for name in self.disk.list(&Place::top())? {
            // What has another name than these is not ours.
            let ours = |name: &String| {
                name.len() == 2 * DIGEST && name.bytes().all(|digit| digit.is_ascii_hexdigit())
            };
            let Some(name) = String::from_utf8(name).ok().filter(ours) else { continue };
            let place = Place::top().child(&name);
            if let Some(found) = self.disk.metadata(&place)?.filter(|found| found.kind == Kind::File) {
                all.push((found.modified, place));
            }
        }
        all.sort_unstable();
        let surplus = all.len().saturating_sub(MOST);
        all[..surplus].iter().try_for_each(|(_, place)| self.disk.remove(place))
    }
}

/// Whether nothing changed for a while when the walk that found it began.
fn is_settled(found: &Found, began: SystemTime) -> bool {
    let since_epoch = began.duration_since(UNIX_EPOCH).unwrap_or_default();
    let latest = i128::try_from(since_epoch.saturating_sub(SETTLED).as_nanos()).unwrap_or(0);
    found.times.iter().all(|times| i128::from(times.changed) < latest)
}

fn written(state: &blake3::Hash, hashes: &ChunkHashes, file_hash: &Hash) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(state.as_bytes());
    #[expect(clippy::cast_possible_truncation, reason = "at most 32")]
    out.push(file_hash.as_bytes().len() as u8);
    out.extend_from_slice(file_hash.as_bytes());
    out.extend_from_slice(hashes.as_raw());
    let sum = blake3::hash(&out);
    out.extend_from_slice(sum.as_bytes());
    out
}

fn read(
    bytes: &[u8],
    state: &blake3::Hash,
    algorithm: HashAlgorithm,
    chunks: u32,
) -> Option<(ChunkHashes, Hash)> {
    let (content, sum) = bytes.split_at_checked(bytes.len().checked_sub(DIGEST)?)?;
    if blake3::hash(content).as_bytes() != sum {
        return None;
    }
    let rest = content.strip_prefix(MAGIC)?.strip_prefix(state.as_bytes())?;
    let (length, rest) = rest.split_first()?;
    let (file_hash, raw) = rest.split_at_checked((*length).into())?;
    let hashes = ChunkHashes::from_raw(algorithm, raw.to_vec()).ok()?;
    (hashes.len() == chunks).then_some((hashes, Hash::from_bytes(file_hash).ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::walk::Times;
    use super::*;

    fn hashes(count: usize) -> ChunkHashes {
        ChunkHashes::from_raw(HashAlgorithm::Blake3, vec![7; 32 * count]).unwrap()
    }

    #[test]
    fn what_is_written_is_read_and_only_for_the_same_state() {
        let (state, file_hash) = (blake3::hash(b"as it is"), Hash::from_bytes(&[3; 32]).unwrap());
        let bytes = written(&state, &hashes(5), &file_hash);
        let read = |bytes: &[u8], state, chunks| read(bytes, &state, HashAlgorithm::Blake3, chunks);
        assert!(read(&bytes, state, 5).is_some_and(|found| found == (hashes(5), file_hash)));
        assert!(read(&bytes, blake3::hash(b"as it was"), 5).is_none());
        assert!(read(&bytes, state, 6).is_none());
        assert!(read(&bytes[..bytes.len() - 1], state, 5).is_none());
    }

    #[test]
    fn what_changed_a_moment_before_it_was_looked_at_is_not_settled() {
        let at = |millis| UNIX_EPOCH + Duration::from_millis(millis);
        let found = |changed_ms: i64| Found {
            stamps: Vec::new(),
            times: [1, changed_ms].map(|ms| Times { born: 0, changed: ms * 1_000_000 }).to_vec(),
        };
        assert!(is_settled(&found(50_000), at(52_001)));
        assert!(!is_settled(&found(50_000), at(52_000)) && !is_settled(&found(50_000), at(49_000)));
    }

    proptest! {
        #[test]
        fn no_byte_of_it_can_be_another(at in 0..(8 + 32 + 1 + 32 + 64 + 32_usize), other in 1..=255_u8) {
            let (state, file_hash) = (blake3::hash(b"x"), Hash::from_bytes(&[3; 32]).unwrap());
            let mut bytes = written(&state, &hashes(2), &file_hash);
            bytes[at] ^= other;
            prop_assert!(read(&bytes, &state, HashAlgorithm::Blake3, 2).is_none());
        }

        #[test]
        fn any_bytes_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(read(&bytes, &blake3::hash(b"x"), HashAlgorithm::Sha1, 1).is_none());
        }
    }
}
