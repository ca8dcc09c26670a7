//! Threats A1, A3, A4 and A39 at the one door they come in by: a torrent.json from a stranger.
//!
//! Each is refused with the field named, and costs no memory for what it merely claims; whatever is accepted is
//! consistent and survives being written and read again.

#![expect(clippy::unwrap_used, reason = "a sample that cannot be made fails the test, as it should")]

use proptest::prelude::*;
use protocol::Torrent;
use serde_json::{Value, json};

const HASH: &str = "1601c761285a661c18d560f14035ef5c633ab99a6a799a0df5cbdc8b0ec03b60";

/// The torrent.json of this label in the golden vectors.
fn golden(label: &str) -> String {
    let all: Value = serde_json::from_str(include_str!("vectors.json")).unwrap();
    let found = all["torrents"].as_array().unwrap().iter().find(|vector| vector["label"] == label);
    found.unwrap_or_else(|| panic!("no vector '{label}'"))["json"].as_str().unwrap().to_owned()
}

fn file() -> String {
    golden("blake3: three chunks and a tail")
}

fn folder() -> String {
    golden("blake3: a folder, paths in the order of their bytes")
}

/// `text` with the value at `pointer` replaced; `"-"` at the end of a list adds to it.
fn with(text: &str, pointer: &str, value: Value) -> String {
    let mut json: Value = serde_json::from_str(text).unwrap();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match json.pointer_mut(parent).unwrap() {
        Value::Array(list) if key == "-" => list.push(value),
        Value::Array(list) => list[key.parse::<usize>().unwrap()] = value,
        Value::Object(map) => drop(map.insert(key.to_owned(), value)),
        other => panic!("{parent} is {other}"),
    }
    json.to_string()
}

fn without(text: &str, key: &str) -> String {
    let mut json: Value = serde_json::from_str(text).unwrap();
    json.as_object_mut().unwrap().remove(key).unwrap();
    json.to_string()
}

/// Refused, and the message says which field.
fn refused(text: &str, field: &str) {
    match Torrent::from_json(text.as_bytes()) {
        Ok(torrent) => panic!("accepted: {torrent:?} from {}", &text[..text.len().min(400)]),
        Err(error) => {
            let message = error.to_string();
            assert!(message.contains(field), "'{message}' does not name '{field}'");
            assert!(message.len() < 400, "a stranger's text came back whole: {message}");
        }
    }
}

#[test]
fn the_samples_themselves_are_right() {
    for text in [file(), folder()] {
        assert_eq!(Torrent::from_json(text.as_bytes()).unwrap().to_json(), text.into_bytes());
    }
}

#[test]
fn a03_sizes_that_promise_more_than_is_there() {
    let (file, folder) = (file(), folder());
    refused(&with(&file, "/fileSize", json!(1u64 << 40)), "chunks");
    refused(&with(&with(&file, "/fileSize", json!(1u64 << 40)), "/chunks", json!([])), "chunks");
    refused(&with(&file, "/fileSize", json!(0)), "chunks");
    refused(&with(&file, "/fileSize", json!(3000)), "chunks");
    refused(&with(&file, "/fileSize", json!(u64::MAX)), "chunks");
    let huge = with(&with(&file, "/fileSize", json!(1u64 << 63)), "/chunkSize", json!(16 << 20));
    refused(&huge, "chunks");
    refused(&with(&folder, "/fileSize", json!(1)), "fileSize");
    refused(&with(&folder, "/files/0/size", json!(u64::MAX)), "chunks");
    refused(&with(&folder, "/files/0/size", json!(11)), "fileSize");
    // 10^9 chunks of one byte each, all of them claimed, none of them there.
    let claims = with(&with(&file, "/fileSize", json!(1_000_000_000)), "/chunkSize", json!(1));
    refused(&claims, "chunks");
}

#[test]
fn a03_chunk_sizes_that_are_none() {
    for wrong in [
        json!(0),
        json!(-1),
        json!(1u64 << 63),
        json!(u64::MAX),
        json!((16 << 20) + 1),
        json!(1000.5),
        json!(1e3),
        json!("1000"),
        json!(null),
        json!([1000]),
    ] {
        refused(&with(&file(), "/chunkSize", wrong), "chunkSize");
    }
    refused(&file().replace("\"chunkSize\":1000", "\"chunkSize\":99999999999999999999999"), "chunkSize");
}

#[test]
fn a03_order_numbers_count_from_0_without_gaps() {
    let file = file();
    for (chunk, number) in [(0, json!(1)), (1, json!(2)), (1, json!(0)), (3, json!(4)), (0, json!(-1))] {
        refused(&with(&file, &format!("/chunks/{chunk}/orderNumber"), number), "chunks");
    }
    refused(&with(&file, "/chunks/0/orderNumber", json!(1_000_000_000)), "orderNumber");
    refused(&with(&file, "/chunks/0/orderNumber", json!("0")), "chunks");
    refused(&with(&file, "/chunks/-", json!({"orderNumber": 4, "hash": HASH})), "chunks");
    refused(&with(&file, "/chunks", json!([])), "chunks");
}

#[test]
fn a03_a_key_is_there_once() {
    let file = file();
    let json: Value = serde_json::from_str(&file).unwrap();
    for (key, value) in json.as_object().unwrap() {
        let doubled = file.replacen('{', &format!("{{\"{key}\":{value},"), 1);
        refused(&doubled, key);
    }
    refused(&file.replacen("\"orderNumber\":0,", "\"orderNumber\":0,\"orderNumber\":0,", 1), "orderNumber");
    refused(&folder().replacen("\"size\":10,", "\"size\":10,\"size\":10,", 1), "size");
    for key in ["fileName", "chunkSize", "fileHash", "fileSize", "chunks"] {
        refused(&without(&file, key), key);
    }
}

#[test]
fn a03_wrong_types_are_named() {
    let hostile =
        [json!(null), json!(true), json!(1), json!(-1), json!(1.5), json!("x"), json!([]), json!({})];
    let keeps_its_type = |key: &str, value: &Value| match key {
        "exec" => value.is_boolean(),
        // Null is as absent: a single file. An empty list is an empty folder, which `fileSize` contradicts.
        "files" => value.is_null() || value.is_array(),
        _ => false,
    };
    for text in [file(), folder()] {
        let json: Value = serde_json::from_str(&with(&text, "/exec", json!(false))).unwrap();
        for key in json.as_object().unwrap().keys().filter(|key| *key != "trackerUrl" && *key != "fileName") {
            for value in hostile.iter().filter(|value| !keeps_its_type(key, value)) {
                let replaced = with(&json.to_string(), &format!("/{key}"), value.clone());
                // A number that is merely wrong shows where it meets the others.
                let shown = if value.is_u64() && key.ends_with("Size") { "" } else { key };
                refused(&replaced, shown);
            }
        }
        for key in ["trackerUrl", "fileName"] {
            refused(&with(&text, &format!("/{key}"), json!(7)), key);
            refused(&with(&text, &format!("/{key}"), json!({"a": "b"})), key);
        }
        refused(&with(&text, "/trackerUrl", json!("ftp://a")), "trackerUrl");
    }
    for key in ["size", "exec", "firstChunk", "chunkCount"] {
        refused(&with(&folder(), &format!("/files/0/{key}"), json!("x")), &format!("files.{key}"));
        refused(&with(&folder(), &format!("/files/0/{key}"), json!(-1)), &format!("files.{key}"));
    }
    for text in ["", "{", "[]", "null", "1", "\"x\"", "{}", "\u{feff}{}", "\0"] {
        assert!(Torrent::from_json(text.as_bytes()).is_err(), "{text:?}");
    }
    assert!(Torrent::from_json(format!("{}{{}}", file()).as_bytes()).is_err(), "two documents");
    assert!(Torrent::from_json(b"{\"fileName\":\"\xff\"}").is_err(), "not UTF-8");
}

#[test]
fn a03_deep_nesting_is_refused_in_a_field_and_skipped_without_a_stack_elsewhere() {
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    for key in ["fileName", "chunkSize", "files", "chunks"] {
        let text = with(&file(), &format!("/{key}"), json!("@")).replacen("\"@\"", &deep, 1);
        refused(&text, key);
    }
    let unknown = file().replacen('{', &format!("{{\"x\":{deep},"), 1);
    assert!(Torrent::from_json(unknown.as_bytes()).is_ok(), "unknown keys are a later version's business");
}

#[test]
fn a03_files_must_say_the_truth_about_their_chunks() {
    let folder = folder();
    for (file, key, lie) in [
        (0, "firstChunk", 1),
        (1, "firstChunk", 0),
        (2, "firstChunk", 0),
        (1, "chunkCount", 2),
        (2, "chunkCount", 1),
    ] {
        refused(
            &with(&folder, &format!("/files/{file}/{key}"), json!(lie)),
            "files.firstChunk or files.chunkCount",
        );
    }
    refused(&with(&folder, "/files/0/chunkCount", json!(4_000_000_000u32)), "chunkCount");
    refused(&with(&folder, "/files/0/chunkCount", json!(1u64 << 32)), "files.chunkCount");
    refused(&with(&folder, "/files", json!([])), "fileSize");
}

#[test]
fn a03_the_file_hash_belongs_to_the_chunks() {
    for algorithm in ["blake3", "sha256"] {
        let text = golden(&format!("{algorithm}: three chunks and a tail"));
        refused(&with(&text, "/fileHash", json!(HASH)), "fileHash");
        refused(&with(&text, "/chunks/2/hash", json!(HASH.replace('1', "2"))), "fileHash");
    }
    let sha1 = golden("sha1: three chunks and a tail");
    refused(&with(&sha1, "/fileHash", json!(HASH)), "fileHash");
}

#[test]
fn a04_a_hash_has_its_algorithms_length_and_lower_case() {
    let (blake3, sha1) = (file(), golden("sha1: three chunks and a tail"));
    let short = &HASH[..40];
    refused(&with(&blake3, "/chunks/1/hash", json!(short)), "chunks");
    refused(&with(&sha1, "/chunks/1/hash", json!(HASH)), "chunks");
    for wrong in
        [HASH.to_uppercase(), HASH[1..].to_owned(), format!("{HASH}0"), HASH.replace('0', "g"), String::new()]
    {
        refused(&with(&blake3, "/chunks/0/hash", json!(wrong)), "chunks");
        refused(&with(&blake3, "/fileHash", json!(wrong)), "fileHash");
    }
    // SHA-1 only where the torrent says SHA-1, and the other way round.
    refused(&with(&sha1, "/hashAlgorithm", json!("blake3")), "chunks");
    refused(&with(&blake3, "/hashAlgorithm", json!("sha1")), "chunks");
    refused(&without(&blake3, "hashAlgorithm"), "chunks");
    refused(&with(&blake3, "/hashAlgorithm", json!("sha256")), "fileHash");
    for unknown in ["md5", "SHA1", "Blake3", ""] {
        refused(&with(&blake3, "/hashAlgorithm", json!(unknown)), "hashAlgorithm");
    }
    assert!(Torrent::from_json(without(&sha1, "hashAlgorithm").as_bytes()).is_ok(), "as original files are");
}

#[test]
fn a01_names_that_lead_elsewhere_are_refused_in_both_places() {
    for name in ["", "..", "../x", "/abs", "a\\b", "C:x", "x\0", "nul", "x.", "%2e%2e", "a/../b", "./x"] {
        refused(&with(&file(), "/fileName", json!(name)), "fileName");
        refused(&with(&folder(), "/fileName", json!(name)), "fileName");
        refused(&with(&folder(), "/files/8/path", json!(name)), "files.path");
    }
    refused(&with(&file(), "/fileName", json!("a/b")), "fileName");
    refused(&with(&file(), "/fileName", json!("x".repeat(100_000))), "fileName");
    for (place, path) in [(1, "a-b"), (1, "a-b/c"), (0, "b"), (8, "z")] {
        refused(&with(&folder(), &format!("/files/{place}/path"), json!(path)), "files");
    }
    let escape = Torrent::from_json(with(&file(), "/fileName", json!("\u{1b}[2J..")).as_bytes());
    assert!(!escape.unwrap_err().to_string().contains('\u{1b}'), "a02: shown harmlessly");
}

#[test]
fn a39_whoever_alters_a_torrent_gets_another_id() {
    for text in [file(), folder(), golden("sha1: three chunks and a tail")] {
        let original = Torrent::from_json(text.as_bytes()).unwrap();
        let mut altered = Vec::new();
        alter(&mut altered, &serde_json::from_str(&text).unwrap(), "");
        assert!(altered.len() > 10, "{}", altered.len());
        let mut accepted = 0;
        for (pointer, value) in altered {
            let Ok(torrent) = Torrent::from_json(with(&text, &pointer, value).as_bytes()) else { continue };
            accepted += 1;
            // A sha1 torrent's fileHash cannot be checked against its chunks and decides nothing.
            let outside = pointer == "/trackerUrl" || pointer == "/fileHash";
            assert_eq!(torrent.id() == original.id(), outside, "{pointer}");
        }
        assert!(accepted >= 2, "the name and the tracker can be altered");
    }
}

/// Every text, number and switch in `value` with another of its kind, by JSON pointer.
fn alter(altered: &mut Vec<(String, Value)>, value: &Value, pointer: &str) {
    let other = match value {
        Value::Object(map) => {
            map.iter().for_each(|(key, inner)| alter(altered, inner, &format!("{pointer}/{key}")));
            return;
        }
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(at, inner)| alter(altered, inner, &format!("{pointer}/{at}")));
            return;
        }
        Value::String(text) if pointer == "/trackerUrl" => json!(format!("other.{text}")),
        Value::String(text) => {
            let first = if text.starts_with('0') { "1" } else { "0" };
            let rest: String = text.chars().skip(1).collect();
            json!(format!("{first}{rest}"))
        }
        Value::Number(number) => json!(number.as_u64().unwrap() + 1),
        Value::Bool(switch) => json!(!switch),
        Value::Null => return,
    };
    altered.push((pointer.to_owned(), other));
}

/// What was claimed but not there must not have been allocated: the whole process stays small (threat A3).
#[test]
#[cfg(target_os = "linux")]
fn a03_claims_cost_no_memory() {
    a03_sizes_that_promise_more_than_is_there();
    a03_order_numbers_count_from_0_without_gaps();
    a03_files_must_say_the_truth_about_their_chunks();
    a03_deep_nesting_is_refused_in_a_field_and_skipped_without_a_stack_elsewhere();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak_kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak_kib < 64 << 10, "{peak_kib} KiB");
}

/// One way to damage a document.
#[derive(Clone, Debug)]
enum Damage {
    Flip { at: prop::sample::Index, bit: u8 },
    Remove { at: prop::sample::Index, length: usize },
    Repeat { at: prop::sample::Index, length: usize },
    Insert { at: prop::sample::Index, text: &'static str },
}

fn damage() -> impl Strategy<Value = Damage> {
    let texts = &[
        "0",
        "-",
        "9999999999",
        "1e9",
        "\"",
        "\\u0000",
        "{",
        "[",
        "}",
        "]",
        ",",
        ":",
        "null",
        "\u{0}",
        "/../",
    ];
    prop_oneof![
        (any::<prop::sample::Index>(), 0u8..8).prop_map(|(at, bit)| Damage::Flip { at, bit }),
        (any::<prop::sample::Index>(), 1usize..90).prop_map(|(at, length)| Damage::Remove { at, length }),
        (any::<prop::sample::Index>(), 1usize..90).prop_map(|(at, length)| Damage::Repeat { at, length }),
        (any::<prop::sample::Index>(), prop::sample::select(&texts[..]))
            .prop_map(|(at, text)| Damage::Insert { at, text }),
    ]
}

fn apply(mut bytes: Vec<u8>, damage: &Damage) -> Vec<u8> {
    let len = bytes.len();
    if len == 0 {
        return bytes;
    }
    match *damage {
        Damage::Flip { at, bit } => bytes[at.index(len)] ^= 1 << bit,
        Damage::Remove { at, length } => {
            let from = at.index(len);
            bytes.drain(from..len.min(from + length));
        }
        Damage::Repeat { at, length } => {
            let from = at.index(len);
            let copy = bytes[from..len.min(from + length)].to_vec();
            bytes.splice(from..from, copy);
        }
        Damage::Insert { at, text } => {
            let from = at.index(len);
            bytes.splice(from..from, text.bytes());
        }
    }
    bytes
}

/// Whatever was accepted is written and read again as the same torrent.
fn survives(torrent: &Torrent) -> Result<(), TestCaseError> {
    let again = Torrent::from_json(&torrent.to_json());
    let again = again.map_err(|error| TestCaseError::fail(format!("accepted, written, refused: {error}")))?;
    prop_assert_eq!(&again, torrent);
    prop_assert_eq!(again.layout(), torrent.layout());
    prop_assert_eq!(again.hashes(), torrent.hashes());
    prop_assert_eq!(again.to_json(), torrent.to_json());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a03_damaged_documents_never_panic_and_what_is_accepted_survives(
        folder_sample in any::<bool>(),
        damages in proptest::collection::vec(damage(), 1..4),
    ) {
        let sample = if folder_sample { folder() } else { file() };
        let bytes = damages.iter().fold(sample.into_bytes(), apply);
        if let Ok(torrent) = Torrent::from_json(&bytes) {
            survives(&torrent)?;
        }
    }

    #[test]
    fn a03_plausible_values_never_panic_and_what_is_accepted_survives(
        name in "\\PC{1,12}",
        chunk_size in prop_oneof![Just(1000u64), 0u64..3000, any::<u64>()],
        file_size in prop_oneof![Just(3001u64), 0u64..5000, any::<u64>()],
        exec in any::<bool>(),
        tracker in prop_oneof![Just(String::new()), "[a-z0-9.:/\\[\\]]{1,20}", Just("https://a.example/b".to_owned())],
    ) {
        let mut text = file();
        for (key, value) in [
            ("fileName", json!(name)), ("chunkSize", json!(chunk_size)), ("fileSize", json!(file_size)),
            ("exec", json!(exec)), ("trackerUrl", json!(tracker)),
        ] {
            text = with(&text, &format!("/{key}"), value);
        }
        if let Ok(torrent) = Torrent::from_json(text.as_bytes()) {
            survives(&torrent)?;
        }
    }
}
