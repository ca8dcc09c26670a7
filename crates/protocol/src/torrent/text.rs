//! torrent.json is written, whole or in parts as they are sent.
//!
//! That of fifty thousand files is 9 MB of text, most of it digits of hashes: whoever hands it out has the torrent
//! anyway, and writes each part when the connection takes it. The length is counted before a byte is written.

use std::sync::Arc;

use serde::Serialize;

use super::{FileEntry, Layout, Shape, Torrent};
use crate::{BaseUrl, Hash, HashAlgorithm, hex};

/// A part ends once it has this many bytes.
const PART: usize = 64 << 10;

/// Keys in the described order first, ours behind them, the long lists last so that a person can read the head.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Head<'a> {
    file_name: &'a str,
    chunk_size: u32,
    tracker_url: String,
    file_hash: Hash,
    file_size: u64,
    hash_algorithm: HashAlgorithm,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    exec: bool,
}

/// An element of `files`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct File<'a> {
    path: &'a str,
    size: u64,
    exec: bool,
    first_chunk: u32,
    chunk_count: u32,
}

/// What stands around the elements of the lists.
const FILES: &str = r#","files":["#;
const CHUNKS: &str = r#","chunks":["#;
const CHUNK: [&str; 3] = [r#"{"orderNumber":"#, r#","hash":""#, r#""}"#];
const END: &str = "]}\n";

/// Where the text goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Head,
    File(usize),
    Chunk(u32),
    Nothing,
}

/// The text of one torrent's description, as one of its readers gets it.
#[derive(Clone, Copy)]
struct Text<'a> {
    torrent: &'a Torrent,
    tracker: Option<&'a BaseUrl>,
}

impl Text<'_> {
    /// Appends what comes next, and says what comes then.
    fn append(self, next: Next, to: &mut Vec<u8>) -> Next {
        let layout = self.torrent.layout();
        match next {
            Next::Head => {
                self.append_head(to);
                if layout.shape() == Shape::File {
                    return begin_chunks(to);
                }
                to.extend_from_slice(FILES.as_bytes());
                Next::File(0)
            }
            Next::File(at) => {
                let Some(entry) = layout.files().get(at) else {
                    to.push(b']');
                    return begin_chunks(to);
                };
                separate(at > 0, to);
                append_json(&File::of(entry), to);
                Next::File(at + 1)
            }
            Next::Chunk(at) if at < self.torrent.chunk_count() => {
                separate(at > 0, to);
                append_chunk(at, self.torrent.hashes().get(crate::ChunkIndex::new(at)).as_bytes(), to);
                Next::Chunk(at + 1)
            }
            Next::Chunk(_) => {
                to.extend_from_slice(END.as_bytes());
                Next::Nothing
            }
            Next::Nothing => Next::Nothing,
        }
    }

    /// All up to the lists, without the brace that would close it.
    fn append_head(self, to: &mut Vec<u8>) {
        let (torrent, layout) = (self.torrent, self.torrent.layout());
        append_json(
            &Head {
                file_name: layout.name().as_str(),
                chunk_size: layout.chunk_size().get(),
                tracker_url: self.tracker.map_or(String::new(), BaseUrl::to_tracker_url),
                file_hash: torrent.file_hash(),
                file_size: torrent.size(),
                hash_algorithm: torrent.algorithm(),
                exec: layout.shape() == Shape::File && layout.files()[0].executable,
            },
            to,
        );
        to.pop();
    }

    /// Its bytes. Looks at every name the first time, and writes only the head.
    fn length(self) -> usize {
        let mut head = Vec::new();
        self.append_head(&mut head);
        head.len() + self.torrent.lists_length.get_or_init(|| lists_length(self.torrent))
    }
}

impl<'a> File<'a> {
    fn of(entry: &'a FileEntry) -> Self {
        File {
            path: entry.path.as_str(),
            size: entry.size,
            exec: entry.executable,
            first_chunk: entry.first_chunk,
            chunk_count: entry.chunk_count,
        }
    }
}

fn begin_chunks(to: &mut Vec<u8>) -> Next {
    to.extend_from_slice(CHUNKS.as_bytes());
    Next::Chunk(0)
}

fn separate(is_needed: bool, to: &mut Vec<u8>) {
    if is_needed {
        to.push(b',');
    }
}

fn append_json(value: &impl Serialize, to: &mut Vec<u8>) {
    serde_json::to_writer(to, value)
        .unwrap_or_else(|_| unreachable!("strings, numbers and lists always serialize"));
}

/// By hand: the description of a large torrent is little else.
fn append_chunk(number: u32, hash: &[u8], to: &mut Vec<u8>) {
    let [before, between, behind] = CHUNK;
    to.extend_from_slice(before.as_bytes());
    append_json(&number, to);
    to.extend_from_slice(between.as_bytes());
    hex::append(hash, to);
    to.extend_from_slice(behind.as_bytes());
}

/// Bytes behind the head.
fn lists_length(torrent: &Torrent) -> usize {
    let files = match torrent.layout().shape() {
        Shape::File => 0,
        Shape::Folder => FILES.len() + files_length(torrent.layout()) + 1,
    };
    files + CHUNKS.len() + chunks_length(torrent.chunk_count(), torrent.algorithm()) + END.len()
}

/// Bytes of the elements of `files`, and of what separates them.
fn files_length(layout: &Layout) -> usize {
    const AROUND: usize = r#"{"path":"","size":,"exec":,"firstChunk":,"chunkCount":}"#.len();
    let file = |file: &FileEntry| {
        let numbers = digits(file.size) + digits(file.first_chunk.into()) + digits(file.chunk_count.into());
        AROUND + escaped_length(file.path.as_str()) + numbers + file.executable.to_string().len()
    };
    layout.files().iter().map(file).sum::<usize>() + layout.files().len().saturating_sub(1)
}

/// Bytes of the elements of `chunks`, and of what separates them.
fn chunks_length(count: u32, algorithm: HashAlgorithm) -> usize {
    let around: usize = CHUNK.iter().map(|text| text.len()).sum();
    let powers = std::iter::successors(Some(10u32), |power| power.checked_mul(10));
    // Each number has a digit, and one more for each power of ten that it reaches.
    let more: usize = powers.map(|power| count.saturating_sub(power) as usize).sum();
    let count = count as usize;
    count * (around + 2 * algorithm.length() + 1) + more + count.saturating_sub(1)
}

fn digits(number: u64) -> usize {
    1 + number.checked_ilog10().unwrap_or(0) as usize
}

/// Bytes of a text between quotes, as `serde_json` escapes it.
fn escaped_length(text: &str) -> usize {
    let escaped = |byte: u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..0x20 => r"\u001b".len(),
        _ => 1,
    };
    text.bytes().map(escaped).sum()
}

impl Torrent {
    /// Its torrent.json, deterministically: the same torrent gives the same bytes.
    pub fn to_json(&self) -> Vec<u8> {
        let text = Text { torrent: self, tracker: self.tracker() };
        let mut json = Vec::with_capacity(text.length());
        let mut next = Next::Head;
        while next != Next::Nothing {
            next = text.append(next, &mut json);
        }
        json
    }

    /// Bytes of its torrent.json.
    pub fn json_length(&self) -> usize {
        Text { torrent: self, tracker: self.tracker() }.length()
    }
}

/// A torrent.json in parts of some 64 KiB, each written when it is taken.
#[derive(Debug)]
pub struct JsonParts {
    torrent: Arc<Torrent>,
    tracker: Option<BaseUrl>,
    next: Next,
}

impl JsonParts {
    /// The description of `torrent` as it names this tracker, and not its own.
    pub const fn new(torrent: Arc<Torrent>, tracker: Option<BaseUrl>) -> Self {
        JsonParts { torrent, tracker, next: Next::Head }
    }

    /// Bytes of all parts together.
    pub fn length(&self) -> usize {
        Text { torrent: &self.torrent, tracker: self.tracker.as_ref() }.length()
    }
}

impl Iterator for JsonParts {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let text = Text { torrent: &self.torrent, tracker: self.tracker.as_ref() };
        let mut part = Vec::with_capacity(PART + 1024);
        while self.next != Next::Nothing && part.len() < PART {
            self.next = text.append(self.next, &mut part);
        }
        (!part.is_empty()).then_some(part)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{ChunkHashes, ChunkSize, NewFile};
    use super::*;
    use crate::FilePath;

    /// A folder, or one file where there is but one path, and a hash for each chunk.
    fn torrent(paths: &[String], algorithm: HashAlgorithm, sizes: u64, executable: bool) -> Option<Torrent> {
        let chunk_size = ChunkSize::new(1 << 14).ok()?;
        let layout = if let [only] = paths {
            Layout::file(FilePath::name(only).ok()?, sizes, executable, chunk_size)
        } else {
            let files = (0u64..).zip(paths).map(|(at, path)| {
                let path = FilePath::new(&format!("{at:04}{path}")).ok()?;
                Some(NewFile { path, size: sizes * at, executable: executable && at.is_multiple_of(2) })
            });
            Layout::folder(FilePath::name("top").ok()?, files.collect::<Option<Vec<_>>>()?, chunk_size)
        };
        let (layout, mut hashes) = (layout.ok()?, ChunkHashes::new(algorithm));
        for chunk in 0..layout.chunk_count() {
            hashes.push(&algorithm.digest(&chunk.to_be_bytes())).ok()?;
        }
        let whole = match algorithm {
            HashAlgorithm::Sha1 => algorithm.digest(b"the whole content"),
            HashAlgorithm::Blake3 | HashAlgorithm::Sha256 => hashes.combined(),
        };
        Torrent::new(layout, hashes, whole, None).ok()
    }

    fn check(torrent: Torrent, tracker: Option<BaseUrl>) {
        let (named, torrent) = (torrent.clone().with_tracker(tracker.clone()), Arc::new(torrent));
        let whole = named.to_json();
        assert_eq!(named.json_length(), whole.len(), "the length is told before the text");
        let parts = JsonParts::new(torrent, tracker);
        assert_eq!(parts.length(), whole.len());
        let parts: Vec<Vec<u8>> = parts.collect();
        assert!(parts.iter().rev().skip(1).all(|part| part.len() >= PART), "few parts");
        assert!(parts.iter().all(|part| part.len() < PART + 8 * 1024), "none is large");
        assert_eq!(parts.concat(), whole);
        let read = Torrent::from_json(&whole).unwrap();
        assert_eq!((read.id(), read.to_json()), (named.id(), whole));
    }

    #[test]
    fn parts_are_the_text_of_a_large_folder_and_each_reader_gets_its_tracker() {
        let paths = vec!["a".to_owned(); 3000];
        let large = torrent(&paths, HashAlgorithm::Blake3, 1, true).unwrap();
        check(large.clone(), None);
        check(large, Some("http://10.0.0.1:5000".parse().unwrap()));
    }

    proptest! {
        #[test]
        fn the_length_is_that_of_the_text_whatever_is_escaped(
            paths in proptest::collection::vec("[a-z \"\u{1}\t\u{1b}\u{7f}ü💾]{1,20}x", 1..30),
            sizes in 0u64..300_000,
            executable: bool,
            algorithm in prop_oneof![
                Just(HashAlgorithm::Blake3), Just(HashAlgorithm::Sha256), Just(HashAlgorithm::Sha1)
            ],
            tracker in prop_oneof![Just(None), Just(Some("http://[::1]:5000"))],
        ) {
            if let Some(torrent) = torrent(&paths, algorithm, sizes, executable) {
                check(torrent, tracker.map(|tracker| tracker.parse().unwrap()));
            }
        }
    }
}
