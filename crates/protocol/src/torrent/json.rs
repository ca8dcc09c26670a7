//! torrent.json is read: reading is validating, and every refusal names its field (threat A3).
//!
//! Nothing is allocated for what a file merely claims: the only large table grows with the hashes that are there.

use std::borrow::Cow;
use std::fmt;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{ChunkHashes, ChunkSize, Layout, LayoutError, MAX_CHUNKS, NewFile, Torrent, TorrentError};
use crate::base_url::BadUrl;
use crate::{BaseUrl, FilePath, Hash, HashAlgorithm, NameError};

/// Largest torrent.json read or taken from anyone.
pub const MAX_TORRENT_JSON: usize = 128 << 20;

/// Why a torrent.json is refused.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// Over [`MAX_TORRENT_JSON`].
    #[error("torrent.json is larger than 128 MiB")]
    TooLarge,
    /// Not JSON, or a field is missing, doubled or of the wrong type.
    #[error("torrent.json: {0}")]
    Json(#[from] serde_json::Error),
    /// `fileName`, or a path in `files`.
    #[error("torrent.json: {field} '{name}' is refused: {reason}")]
    Name {
        /// `fileName` or `files.path`.
        field: &'static str,
        /// The name, made harmless for display.
        name: String,
        /// What is wrong with it.
        reason: NameError,
    },
    /// `chunkSize`.
    #[error("torrent.json: {0}")]
    ChunkSize(#[from] super::chunk_size::BadChunkSize),
    /// `trackerUrl`.
    #[error("torrent.json: trackerUrl: {0}")]
    Tracker(BadUrl),
    /// A size that does not fit another field.
    #[error("torrent.json: {0} does not fit the other fields")]
    Inconsistent(&'static str),
    /// Too much, or paths that collide.
    #[error("torrent.json: {0}")]
    Layout(#[from] LayoutError),
    /// Hashes that do not fit.
    #[error("torrent.json: {0}")]
    Torrent(#[from] TorrentError),
    /// A chunk hash of another algorithm's length.
    #[error("torrent.json: chunks: {0}")]
    HashLength(#[from] super::hashes::WrongLength),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    #[serde(deserialize_with = "named::file_name")]
    file_name: String,
    #[serde(deserialize_with = "named::chunk_size")]
    chunk_size: u64,
    #[serde(default, deserialize_with = "named::tracker_url")]
    tracker_url: String,
    #[serde(deserialize_with = "named::file_hash")]
    file_hash: Hash,
    #[serde(deserialize_with = "named::file_size")]
    file_size: u64,
    #[serde(default = "described_algorithm", deserialize_with = "named::hash_algorithm")]
    hash_algorithm: HashAlgorithm,
    #[serde(default, deserialize_with = "named::exec")]
    exec: bool,
    #[serde(default, deserialize_with = "named::files")]
    files: Option<DescribedFiles>,
    #[serde(deserialize_with = "named::chunks")]
    chunks: RawHashes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DescribedFile<'a> {
    #[serde(borrow)]
    path: Cow<'a, str>,
    #[serde(deserialize_with = "named::files_size")]
    size: u64,
    #[serde(default, deserialize_with = "named::files_exec")]
    exec: bool,
    #[serde(deserialize_with = "named::files_first_chunk")]
    first_chunk: u32,
    #[serde(deserialize_with = "named::files_chunk_count")]
    chunk_count: u32,
}

/// `serde_json` says which type was wrong and where, but not in which field: these say it.
mod named {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer};

    macro_rules! fields {
        ($($function:ident: $field:literal),+ $(,)?) => {$(
            pub(super) fn $function<'de, D, T>(d: D) -> Result<T, D::Error>
            where
                D: Deserializer<'de>,
                T: Deserialize<'de>,
            {
                T::deserialize(d).map_err(|error| in_field($field, &error.to_string()))
            }
        )+};
    }

    fields! {
        file_name: "fileName", chunk_size: "chunkSize", tracker_url: "trackerUrl", file_hash: "fileHash",
        file_size: "fileSize", hash_algorithm: "hashAlgorithm", exec: "exec", files: "files", chunks: "chunks",
        files_size: "files.size", files_exec: "files.exec", files_first_chunk: "files.firstChunk",
        files_chunk_count: "files.chunkCount",
    }

    /// The error with its field in front, unless one further in has already said it.
    fn in_field<E: Error>(field: &str, error: &str) -> E {
        if error.starts_with(field) { E::custom(error) } else { E::custom(format_args!("{field}: {error}")) }
    }
}

/// Files of the original programs name no algorithm and mean this one.
const fn described_algorithm() -> HashAlgorithm {
    HashAlgorithm::Sha1
}

impl Torrent {
    /// Reads and validates a torrent.json.
    pub fn from_json(json: &[u8]) -> Result<Self, ParseError> {
        if json.len() > MAX_TORRENT_JSON {
            return Err(ParseError::TooLarge);
        }
        let read: Described = serde_json::from_slice(json)?;
        let name = path_field("fileName", &read.file_name, FilePath::name)?;
        let chunk_size = ChunkSize::new(read.chunk_size)?;
        let layout = match read.files {
            None => Layout::file(name, read.file_size, read.exec, chunk_size)?,
            Some(files) => folder(name, files, chunk_size)?,
        };
        if layout.size() != read.file_size {
            return Err(ParseError::Inconsistent("fileSize"));
        }
        let hashes = ChunkHashes::from_raw(read.hash_algorithm, read.chunks.checked(read.hash_algorithm)?)?;
        let tracker = (!read.tracker_url.is_empty())
            .then(|| BaseUrl::from_url_or_host_port(&read.tracker_url).map_err(ParseError::Tracker))
            .transpose()?;
        Ok(Torrent::new(layout, hashes, read.file_hash, tracker)?)
    }
}

fn path_field(
    field: &'static str,
    text: &str,
    check: impl Fn(&str) -> Result<FilePath, NameError>,
) -> Result<FilePath, ParseError> {
    check(text).map_err(|reason| {
        let shown: String = text.chars().take(80).collect();
        ParseError::Name { field, name: crate::Printable(&shown).to_string(), reason }
    })
}

fn folder(name: FilePath, read: DescribedFiles, chunk_size: ChunkSize) -> Result<Layout, ParseError> {
    if let Some(refused) = read.refused {
        return Err(refused);
    }
    let layout = Layout::folder(name, read.files, chunk_size)?;
    let counted = layout.files().iter().map(|entry| (entry.first_chunk, entry.chunk_count));
    if !counted.eq(read.claimed) {
        return Err(ParseError::Inconsistent("files.firstChunk or files.chunkCount"));
    }
    Ok(layout)
}

/// `files`, each checked as it is read: of fifty thousand, a list of what was read beside the one of what was checked took as much
/// memory as the torrent itself, and the time to find it.
#[derive(Default)]
struct DescribedFiles {
    files: Vec<NewFile>,
    /// `firstChunk` and `chunkCount` of each.
    claimed: Vec<(u32, u32)>,
    /// The first path that is no good; none is kept after it.
    refused: Option<ParseError>,
}

impl DescribedFiles {
    fn add(&mut self, file: &DescribedFile<'_>) {
        if self.refused.is_some() {
            return;
        }
        match path_field("files.path", &file.path, FilePath::new) {
            Err(error) => self.refused = Some(error),
            Ok(path) => {
                self.files.push(NewFile { path, size: file.size, executable: file.exec });
                self.claimed.push((file.first_chunk, file.chunk_count));
            }
        }
    }
}

impl<'de> Deserialize<'de> for DescribedFiles {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_seq(DescribedFilesVisitor)
    }
}

struct DescribedFilesVisitor;

impl<'de> Visitor<'de> for DescribedFilesVisitor {
    type Value = DescribedFiles;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of {path, size, exec, firstChunk, chunkCount}")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<DescribedFiles, A::Error> {
        let mut files = DescribedFiles::default();
        while let Some(file) = seq.next_element::<DescribedFile<'_>>()? {
            files.add(&file);
        }
        Ok(files)
    }
}

/// `chunks`, read straight into a flat table; their order numbers must count from 0.
struct RawHashes {
    bytes: Vec<u8>,
    /// Length of each hash; 0 while there is none.
    each: usize,
}

impl RawHashes {
    fn checked(self, algorithm: HashAlgorithm) -> Result<Vec<u8>, super::hashes::WrongLength> {
        if self.each == 0 || self.each == algorithm.length() {
            Ok(self.bytes)
        } else {
            Err(super::hashes::WrongLength { algorithm })
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DescribedChunk {
    order_number: u32,
    hash: Hash,
}

impl<'de> Deserialize<'de> for RawHashes {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_seq(RawHashesVisitor)
    }
}

struct RawHashesVisitor;

impl<'de> Visitor<'de> for RawHashesVisitor {
    type Value = RawHashes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of {orderNumber, hash}")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<RawHashes, A::Error> {
        use serde::de::Error;
        let mut hashes = RawHashes { bytes: Vec::new(), each: 0 };
        let mut next = 0u32;
        while let Some(chunk) = seq.next_element::<DescribedChunk>()? {
            if chunk.order_number != next {
                let got = chunk.order_number;
                return Err(A::Error::custom(format_args!("chunks: orderNumber {got} where {next} was due")));
            }
            if next == MAX_CHUNKS {
                return Err(A::Error::custom(format_args!("chunks: more than {MAX_CHUNKS}")));
            }
            let bytes = chunk.hash.as_bytes();
            if hashes.each != 0 && hashes.each != bytes.len() {
                return Err(A::Error::custom("chunks: hashes of two lengths"));
            }
            hashes.each = bytes.len();
            hashes.bytes.extend_from_slice(bytes);
            next += 1;
        }
        Ok(hashes)
    }
}
