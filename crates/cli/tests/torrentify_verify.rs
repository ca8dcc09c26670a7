//! `torrentify` and `verify`: descriptions that others can read, and what they say about a disk.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fs::{self, File};
use std::path::Path;

use serde_json::Value;
use support::{content, folder, run, run_well};

fn description(dir: &Path) -> Value {
    serde_json::from_slice(&fs::read(dir.join("torrent.json")).unwrap()).unwrap()
}

#[test]
fn the_described_programs_get_the_sizes_and_fields_they_know() {
    let mib = 1 << 20;
    for (size, chunk_size, chunks) in
        [(0, 16384, 0), (1, 16384, 1), (1_000_000, 16384, 62), (100 * mib, mib, 100)]
    {
        let dir = folder();
        File::create(dir.path().join("f")).unwrap().set_len(size).unwrap();
        let finished = run_well(dir.path(), ["torrentify", "f", "localhost:5000", "--hash", "sha1"]);
        assert!(finished.stdout.contains(&format!("chunks: {chunks} ")), "{finished:#?}");
        let json = description(dir.path());
        assert_eq!(json["fileName"], "f");
        assert_eq!(json["trackerUrl"], "localhost:5000");
        assert_eq!((json["fileSize"].as_u64(), json["chunkSize"].as_u64()), (Some(size), Some(chunk_size)));
        let listed = json["chunks"].as_array().unwrap();
        assert_eq!(listed.len(), chunks);
        assert!(listed.iter().zip(0..).all(|(chunk, at)| chunk["orderNumber"] == at));
    }
}

#[test]
fn sha1_hashes_are_those_of_everybody() {
    let dir = folder();
    content::write(&dir.path().join("f"), b"abc");
    run_well(dir.path(), ["torrentify", "f", "localhost:5000", "--hash", "sha1"]);
    let json = description(dir.path());
    assert_eq!(json["fileHash"], "a9993e364706816aba3e25717850c26c9cd0d89d");
    assert_eq!(json["chunks"][0]["hash"], json["fileHash"]);
}

#[test]
fn the_same_folder_gives_the_same_bytes_whoever_describes_it() {
    let described = |reversed: bool| {
        let dir = folder();
        let mut files = [("d/b", content::bytes(100_000, 1)), ("d/a/c", vec![]), ("d/z", vec![7; 70_000])];
        if reversed {
            files.reverse();
        }
        for (path, bytes) in &files {
            content::write(&dir.path().join(path), bytes);
        }
        let event = run_well(dir.path(), ["torrentify", "d", "a:1", "--json"]).event("link");
        let id = event["torrent_id"].as_str().unwrap().to_owned();
        assert_eq!(event["link"], format!("http://a:1/torrent/{id}"));
        (id, fs::read(dir.path().join("torrent.json")).unwrap())
    };
    assert_eq!(described(false), described(true));
}

#[test]
fn torrentify_harms_no_file() {
    let dir = folder();
    content::write(&dir.path().join("d/f"), b"x");
    content::write(&dir.path().join("diary"), b"dear");
    for line in [
        ["torrentify", "d/f", "a:1", "-o", "diary"],
        ["torrentify", "d", "a:1", "-o", "d/torrent.json"],
        ["torrentify", "diary", "a:1", "-o", "diary"],
    ] {
        let finished = run(dir.path(), line);
        assert!(matches!(finished.code, Some(2 | 6)), "{finished:#?}");
    }
    assert_eq!(fs::read(dir.path().join("diary")).unwrap(), b"dear");
    assert_eq!(content::tree(dir.path()).len(), 2);
    let missing = run(dir.path(), ["torrentify", "missing", "a:1"]);
    assert!(
        missing.code == Some(6) && missing.stderr.starts_with("error: cannot read 'missing'"),
        "{missing:#?}"
    );
}

#[test]
fn a02_a_name_cannot_move_the_cursor() {
    let dir = folder();
    let name = "a\u{1b}[2J\u{202e}b\nc";
    content::write(&dir.path().join(name), b"x");
    let said = run_well(dir.path(), ["torrentify", name, "a:1"]);
    fs::remove_file(dir.path().join(name)).unwrap();
    let missing = run(dir.path(), ["verify", "torrent.json"]);
    let taken = run(dir.path(), ["torrentify", name, "a:1"]);
    for finished in [said, missing, taken] {
        let text = finished.stdout + &finished.stderr;
        assert!(!text.contains(['\u{1b}', '\u{202e}']) && !text.contains("\nc"), "{text:?}");
    }
}

/// A torrent of five chunks and one empty file, whole.
fn five_chunks(dir: &Path) {
    content::write(&dir.join("d/a"), &content::bytes(4 * 65536, 1));
    content::write(&dir.join("d/b"), &content::bytes(10, 2));
    content::write(&dir.join("d/empty"), b"");
    run_well(dir, ["torrentify", "d", "a:1"]);
}

#[test]
fn verify_names_every_chunk_that_is_missing_or_wrong() {
    let dir = folder();
    five_chunks(dir.path());
    let well = run_well(dir.path(), ["verify", "torrent.json", "--json"]).event("verified");
    assert_eq!((well["chunks"].as_u64(), well["bad"].to_string().as_str()), (Some(5), "[]"));

    let mut bytes = fs::read(dir.path().join("d/a")).unwrap();
    bytes[65536] ^= 1;
    bytes[3 * 65536 - 1] ^= 1;
    fs::write(dir.path().join("d/a"), &bytes).unwrap();
    fs::remove_file(dir.path().join("d/b")).unwrap();
    let finished = run(dir.path(), ["verify", "torrent.json", "--json"]);
    assert_eq!(finished.code, Some(4), "{finished:#?}");
    let found = finished.event("verified");
    assert_eq!(
        (found["bad"].to_string(), found["files"].to_string()),
        ("[[1,2],[4,4]]".into(), r#"["./a","./b"]"#.into())
    );
    let plain = run(dir.path(), ["verify", "torrent.json"]);
    assert!(plain.stdout.contains("chunks 1 to 2 are missing or wrong\nchunk 4 is"), "{plain:#?}");
    assert!(plain.stderr.contains("3 of 5 chunks"), "{plain:#?}");
}

#[test]
fn verify_misses_an_empty_file_and_a_whole_folder() {
    let dir = folder();
    five_chunks(dir.path());
    fs::remove_file(dir.path().join("d/empty")).unwrap();
    let missing = run(dir.path(), ["verify", "torrent.json"]);
    assert_eq!(missing.code, Some(4), "{missing:#?}");
    assert!(missing.stdout.contains("empty: this empty file is missing"), "{missing:#?}");
    fs::remove_file(dir.path().join("d/b")).unwrap();
    let both = run(dir.path(), ["verify", "torrent.json", "--json"]);
    let found = both.event("verified");
    assert_eq!(
        (both.code, found["bad"].to_string(), found["files"].to_string()),
        (Some(4), "[[4,4]]".into(), r#"["./b","./empty"]"#.into())
    );
    fs::remove_dir_all(dir.path().join("d")).unwrap();
    let finished = run(dir.path(), ["verify", "torrent.json", "--json"]);
    assert_eq!((finished.code, finished.event("verified")["bad"].to_string()), (Some(4), "[[0,4]]".into()));
    assert_eq!(run(dir.path(), ["verify", "torrent.json", "--dir", "nowhere"]).code, Some(6));
}

#[test]
fn a01_a03_a_hostile_description_is_refused_with_its_field() {
    let dir = folder();
    five_chunks(dir.path());
    for (field, value) in [("fileName", r#""../x""#), ("chunkSize", "0"), ("fileSize", "1099511627776")] {
        let mut json = description(dir.path());
        json[field] = serde_json::from_str(value).unwrap();
        fs::write(dir.path().join("bad.json"), json.to_string()).unwrap();
        let finished = run(dir.path(), ["verify", "bad.json"]);
        assert_eq!(finished.code, Some(4), "{finished:#?}");
        assert!(finished.stderr.contains(field), "{field}: {finished:#?}");
    }
}
