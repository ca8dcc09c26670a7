//! The torrent id: what the same content is called everywhere.
//!
//! Lowercase hex BLAKE3 of `"http-torrent 1\n"` followed by RFC 8785 JSON of
//! `{"chunkSize":…,"files":[{"chunks":[hex,…],"exec":…,"path":["a","b"],"size":…}],"hash":"blake3","name":…}`; a
//! single file is one entry whose path is its name. Trackers and comments are not in it.
//!
//! One case would be ambiguous: a folder whose only file bears the folder's name has the same entries as that
//! file alone. There, and only there, `"folder":true` stands between `files` and `hash`.

use std::fmt;

use super::layout::Shape;
use super::{ChunkHashes, Layout};
use crate::{ChunkIndex, TorrentId};

const PREFIX: &[u8] = b"http-torrent 1\n";

/// The id of a torrent of these parts.
pub(super) fn of(layout: &Layout, hashes: &ChunkHashes) -> TorrentId {
    let mut out =
        HashWriter { hasher: blake3::Hasher::new(), waiting: Vec::with_capacity(2 * HASHED_AT_ONCE) };
    out.hasher.update(PREFIX);
    // Writing into a hasher cannot fail.
    let _ = write_canonical(&mut out, layout, hashes);
    out.hasher.update(&out.waiting);
    TorrentId::from_bytes(out.hasher.finalize().into())
}

/// The canonical JSON, keys in RFC 8785's order.
fn write_canonical(out: &mut impl fmt::Write, layout: &Layout, hashes: &ChunkHashes) -> fmt::Result {
    write!(out, "{{\"chunkSize\":{},\"files\":[", layout.chunk_size().get())?;
    for (at, file) in layout.files().iter().enumerate() {
        out.write_str(if at == 0 { "{\"chunks\":[" } else { ",{\"chunks\":[" })?;
        for chunk in file.first_chunk..file.first_chunk + file.chunk_count {
            let comma = if chunk == file.first_chunk { "" } else { "," };
            write!(out, "{comma}\"{}\"", hashes.get(ChunkIndex::new(chunk)))?;
        }
        write!(out, "],\"exec\":{},\"path\":[", file.executable)?;
        for (depth, component) in file.path.components().enumerate() {
            out.write_str(if depth == 0 { "" } else { "," })?;
            write_string(out, component)?;
        }
        write!(out, "],\"size\":{}}}", file.size)?;
    }
    let looks_like_a_file = matches!(layout.files(), [only] if only.path == *layout.name());
    let folder = if layout.shape() == Shape::Folder && looks_like_a_file { "\"folder\":true," } else { "" };
    write!(out, "],{folder}\"hash\":\"{}\",\"name\":", hashes.algorithm())?;
    write_string(out, layout.name().as_str())?;
    out.write_str("}")
}

/// A JSON string as RFC 8785 §3.2.2.2 (ECMAScript's `JSON.stringify`) writes it.
fn write_string(out: &mut impl fmt::Write, text: &str) -> fmt::Result {
    out.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' => out.write_str("\\\"")?,
            '\\' => out.write_str("\\\\")?,
            '\u{8}' => out.write_str("\\b")?,
            '\t' => out.write_str("\\t")?,
            '\n' => out.write_str("\\n")?,
            '\u{c}' => out.write_str("\\f")?,
            '\r' => out.write_str("\\r")?,
            c if c < ' ' => write!(out, "\\u{:04x}", u32::from(c))?,
            c => out.write_char(c)?,
        }
    }
    out.write_char('"')
}

/// Bytes that are hashed together: BLAKE3 takes 16 KiB at a time four times as fast as a few.
const HASHED_AT_ONCE: usize = 16 << 10;

struct HashWriter {
    hasher: blake3::Hasher,
    /// What is not hashed yet, less than [`HASHED_AT_ONCE`].
    waiting: Vec<u8>,
}

impl fmt::Write for HashWriter {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.waiting.extend_from_slice(text.as_bytes());
        if self.waiting.len() >= HASHED_AT_ONCE {
            self.hasher.update(&self.waiting);
            self.waiting.clear();
        }
        Ok(())
    }
}
