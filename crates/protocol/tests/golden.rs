//! Golden vectors: what `tests/vectors.py`, an independent implementation, says every byte must be.
//!
//! A failure here means that other machines no longer understand ours. When that is meant, change
//! `docs/protocol.md` and the script first and regenerate `vectors.json` (the script says how).

#![expect(clippy::unwrap_used, reason = "a vector that does not parse fails the test, as it should")]

use std::collections::BTreeSet;
use std::process::Command;

use protocol::api::peer::FrameHeader;
use protocol::torrent::{ChunkHashes, ChunkSize, Layout, NewFile};
use protocol::{BaseUrl, ChunkIndex, ChunkSet, FilePath, Hash, HashAlgorithm, Link, Torrent};
use serde_json::Value;

const VECTORS: &str = include_str!("vectors.json");

/// The vectors under `key`, of which there are at least `fewest`: an empty list would prove nothing.
fn vectors(key: &str, fewest: usize) -> Vec<Value> {
    let all: Value = serde_json::from_str(VECTORS).unwrap();
    let list = all[key].as_array().unwrap().clone();
    assert!(list.len() >= fewest, "{key}: {} vectors", list.len());
    list
}

fn text<'a>(vector: &'a Value, key: &str) -> &'a str {
    vector[key].as_str().unwrap_or_else(|| panic!("{key} of {vector}"))
}

fn number(vector: &Value, key: &str) -> u64 {
    vector[key].as_u64().unwrap_or_else(|| panic!("{key} of {vector}"))
}

fn narrow(vector: &Value, key: &str) -> u32 {
    u32::try_from(number(vector, key)).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The script's formula; `content` in vectors.json states it.
fn content(size: u64, salt: u64, repeat: Option<u64>) -> Vec<u8> {
    let byte = |i: u64| {
        let j = repeat.map_or(i, |repeat| i % repeat);
        ((j * j + (j >> 8) + 3 * (j >> 16) + salt) & 255) as u8
    };
    (0..size).map(byte).collect()
}

/// The torrent of a vector, built from content through the public API alone.
fn build(vector: &Value) -> Torrent {
    let algorithm: HashAlgorithm = text(vector, "algorithm").parse().unwrap();
    let chunk_size = ChunkSize::new(number(vector, "chunkSize")).unwrap();
    let name = FilePath::name(text(vector, "name")).unwrap();
    let files = vector["files"].as_array().unwrap();
    let contents: Vec<Vec<u8>> = files
        .iter()
        .map(|file| content(number(file, "size"), number(file, "salt"), file["repeat"].as_u64()))
        .collect();
    let new_files = files.iter().map(|file| NewFile {
        path: FilePath::new(text(file, "path")).unwrap(),
        size: number(file, "size"),
        executable: file["exec"].as_bool().unwrap(),
    });
    let new_files: Vec<NewFile> = new_files.collect();
    let layout = if vector["folder"].as_bool().unwrap() {
        Layout::folder(name, new_files, chunk_size).unwrap()
    } else {
        Layout::file(name, new_files[0].size, new_files[0].executable, chunk_size).unwrap()
    };
    let mut hashes = ChunkHashes::new(algorithm);
    for chunk in (0..layout.chunk_count()).map(ChunkIndex::new) {
        let span = layout.span(chunk);
        let start = usize::try_from(span.offset).unwrap();
        let bytes = &contents[span.file][start..][..span.length as usize];
        hashes.push(&algorithm.digest(bytes)).unwrap();
    }
    let file_hash = match algorithm {
        HashAlgorithm::Sha1 => algorithm.digest(&contents.concat()),
        HashAlgorithm::Blake3 | HashAlgorithm::Sha256 => hashes.combined(),
    };
    let tracker = Some(text(vector, "tracker")).filter(|text| !text.is_empty());
    let tracker = tracker.map(|text| BaseUrl::from_url_or_host_port(text).unwrap());
    Torrent::new(layout, hashes, file_hash, tracker).unwrap()
}

#[test]
fn hashes_of_every_awkward_length() {
    for vector in vectors("hashes", 15) {
        let bytes = content(number(&vector, "size"), 0, None);
        for algorithm in [HashAlgorithm::Blake3, HashAlgorithm::Sha256, HashAlgorithm::Sha1] {
            let expected: Hash = text(&vector, algorithm.name()).parse().unwrap();
            assert_eq!(algorithm.digest(&bytes), expected, "{algorithm} of {} bytes", bytes.len());
        }
    }
}

#[test]
fn torrents_are_written_byte_for_byte_and_named_alike() {
    for vector in vectors("torrents", 25) {
        let (torrent, label) = (build(&vector), text(&vector, "label"));
        assert_eq!(String::from_utf8(torrent.to_json()).unwrap(), text(&vector, "json"), "{label}");
        assert_eq!(torrent.id().to_string(), text(&vector, "id"), "{label}");
        let canonical = format!("http-torrent 1\n{}", text(&vector, "canonical"));
        let of_canonical = HashAlgorithm::Blake3.digest(canonical.as_bytes());
        assert_eq!(torrent.id().to_string(), of_canonical.to_string(), "{label}");
        let dht_key = HashAlgorithm::Sha1.digest(torrent.id().to_string().as_bytes());
        assert_eq!(dht_key.to_string(), text(&vector, "dhtKey"), "{label}");
    }
}

#[test]
fn torrents_of_the_script_are_read() {
    for vector in vectors("torrents", 25) {
        let (built, label) = (build(&vector), text(&vector, "label"));
        let read = Torrent::from_json(text(&vector, "json").as_bytes()).unwrap();
        assert_eq!((&read, read.layout()), (&built, built.layout()), "{label}");
        assert_eq!(read.hashes(), built.hashes(), "{label}");
    }
}

/// Threat A39: whoever alters a torrent gets another id; only the tracker's address is not part of it.
#[test]
fn a39_ids_differ_exactly_where_content_name_shape_or_chunk_size_do() {
    let vectors = vectors("torrents", 25);
    let canonical: BTreeSet<&str> = vectors.iter().map(|vector| text(vector, "canonical")).collect();
    let ids: BTreeSet<String> = vectors.iter().map(|vector| build(vector).id().to_string()).collect();
    assert_eq!(ids.len(), canonical.len());
    assert!(ids.len() < vectors.len(), "some vectors differ in their tracker only");
}

#[test]
fn chunk_sizes_by_both_rules() {
    for vector in vectors("chunkSizes", 20) {
        let size = number(&vector, "size");
        assert_eq!(u64::from(ChunkSize::default_for(size).get()), number(&vector, "default"), "{size}");
        assert_eq!(u64::from(ChunkSize::described_for(size).get()), number(&vector, "described"), "{size}");
    }
}

#[test]
fn bitmaps_on_the_wire() {
    for vector in vectors("bitmaps", 20) {
        let mut set = ChunkSet::empty(narrow(&vector, "chunks"));
        for held in vector["held"].as_array().unwrap() {
            set.insert(ChunkIndex::new(u32::try_from(held.as_u64().unwrap()).unwrap()));
        }
        assert_eq!(hex(&set.to_wire()), text(&vector, "hex"), "{vector}");
        assert_eq!(ChunkSet::from_wire(set.len(), &set.to_wire()), Ok(set), "{vector}");
    }
}

#[test]
fn frame_headers_on_the_wire() {
    for vector in vectors("frames", 4) {
        let header = FrameHeader { position: narrow(&vector, "position"), length: narrow(&vector, "length") };
        assert_eq!(hex(&header.to_bytes()), text(&vector, "hex"));
        assert_eq!(FrameHeader::from_bytes(header.to_bytes()), header);
    }
}

#[test]
fn links_in_both_directions() {
    let texts = |list: &Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect()
    };
    for vector in vectors("links", 4) {
        let link: Link = text(&vector, "text").parse().unwrap();
        assert_eq!(link.to_string(), text(&vector, "text"));
        assert_eq!(link.tracker.to_string(), text(&vector, "tracker"));
        assert_eq!(link.id.to_string(), text(&vector, "id"));
        let more: Vec<String> = link.more_trackers.iter().map(BaseUrl::to_tracker_url).collect();
        assert_eq!(more, texts(&vector["tr"]));
        let dht: Vec<String> = link.dht.iter().map(ToString::to_string).collect();
        assert_eq!(dht, texts(&vector["dht"]));
        assert_eq!(link.secret.as_deref(), vector["secret"].as_str());
    }
}

#[test]
fn the_committed_vectors_are_what_the_script_prints() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors.py");
    let ran = Command::new("python3").arg(script).output().unwrap_or_else(|error| {
        panic!("python3: {error}: `make setup` installs it");
    });
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert!(ran.stdout == VECTORS.as_bytes(), "regenerate vectors.json (vectors.py says how)");
}
