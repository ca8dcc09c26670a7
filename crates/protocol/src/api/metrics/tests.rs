//! What a report may and may not say.

use proptest::prelude::*;
use serde_json::json;

use super::*;

const DESCRIBED: &str = r#"{"client_host":"10.0.0.7","client_port":8000,"downloaded_chunks":3,"uploaded_chunks":6,"total_chunks":12,"chunk_size":65536,"dht_peers":4,"dht_enabled":true,"tracker_status_up":false}"#;

/// The described report with one field changed, or taken away by `null`.
fn with(field: &str, value: Value) -> String {
    let mut report: Map<String, Value> = serde_json::from_str(DESCRIBED).unwrap();
    if value.is_null() {
        report.remove(field);
    } else {
        report.insert(field.to_owned(), value);
    }
    Value::Object(report).to_string()
}

fn read(text: &str) -> Result<Report, BadReport> {
    Report::from_json(text.as_bytes())
}

#[test]
fn a_described_report_is_read_and_its_bytes_are_whole_chunks() {
    let report = read(DESCRIBED).unwrap();
    assert_eq!(serde_json::to_string(&report).unwrap(), DESCRIBED);
    assert_eq!(
        (report.downloaded_bytes(), report.uploaded_bytes(), report.total_bytes()),
        (3 << 16, 6 << 16, 12 << 16)
    );
    assert!(!report.is_complete() && read(&with("downloaded_chunks", json!(12))).unwrap().is_complete());
    let nothing = with("total_chunks", json!(0));
    assert!(!read(&nothing).unwrap().is_complete(), "who knows of no chunk yet has not finished");
}

#[test]
fn ports_may_be_text_counts_may_be_whole_floats_and_more_fields_are_skipped() {
    for (field, value) in [
        ("client_port", json!("8000")),
        ("chunk_size", json!(65536.0)),
        ("mood", json!(["fine"])),
        ("version", Value::Null),
    ] {
        assert_eq!(read(&with(field, value)), read(DESCRIBED), "{field}");
    }
}

#[test]
fn native_figures_go_before_computed_ones() {
    let id = "3f".repeat(32);
    let text = DESCRIBED.strip_suffix('}').unwrap().to_owned()
        + r#","peer":"00112233445566778899aabbccddeeff","version":"0.1.0","downloaded_bytes":1,"uploaded_bytes":2,"total_bytes":3,"down_bytes_per_s":4,"up_bytes_per_s":5,"peers":6,"complete":true,"leaving":false,"waiting":"nobody has chunk 7","torrents":[{"torrent_id":""#
        + &id
        + r#"","name":"a.iso","bytes":1,"total":3}]}"#;
    let report = read(&text).unwrap();
    assert_eq!((report.downloaded_bytes(), report.uploaded_bytes(), report.total_bytes()), (1, 2, 3));
    assert!(report.is_complete());
    assert_eq!(serde_json::to_string(&report).unwrap(), text);
}

#[test]
fn a27_each_missing_field_is_named() {
    let object: Map<String, Value> = serde_json::from_str(DESCRIBED).unwrap();
    assert_eq!(object.len(), 9);
    for field in object.keys() {
        let refused = read(&with(field, Value::Null)).unwrap_err();
        assert_eq!(refused.to_string(), format!("{field} is missing"));
    }
}

#[test]
fn a27_what_is_no_sane_value_is_refused_with_its_field() {
    let counts = ["downloaded_chunks", "uploaded_chunks", "total_chunks", "chunk_size", "dht_peers", "peers"];
    for field in counts {
        for value in [
            json!(-1),
            json!(0.5),
            json!(1e308),
            json!(MAX_COUNT + 1),
            json!(u64::MAX),
            json!("7"),
            json!(true),
            json!([]),
        ] {
            let refused = read(&with(field, value.clone())).expect_err(&format!("{field} {value}"));
            assert!(refused.to_string().starts_with(field), "{refused}");
        }
    }
    for (field, value) in [
        ("client_host", json!("<img src=x onerror=alert(1)>")),
        ("client_host", json!("127.0.0.1:80/latest/meta-data/?x=")),
        ("client_host", json!(7)),
        ("client_port", json!(0)),
        ("client_port", json!(65536)),
        ("client_port", json!("http")),
        ("dht_enabled", json!(1)),
        ("tracker_status_up", json!("true")),
        ("peer", json!("x")),
        ("version", json!("9".repeat(65))),
        ("waiting", json!("w".repeat(513))),
        ("complete", json!("yes")),
        ("torrents", json!({})),
        ("torrents", json!([1])),
        ("torrents", json!(vec![0; 33])),
    ] {
        let refused = read(&with(field, value.clone())).expect_err(&format!("{field} {value}"));
        assert!(refused.to_string().starts_with(field), "{refused}");
    }
}

#[test]
fn a27_what_is_no_object_is_refused() {
    for text in ["", "[]", "7", "null", "NaN", "{", r#"{"client_port":NaN}"#, r#"{"client_port":1e999}"#] {
        assert!(matches!(read(text), Err(BadReport::NotAnObject(_))), "{text}");
    }
}

#[test]
fn the_list_has_the_described_eight_fields() {
    let metrics = ClientMetrics::from(&read(DESCRIBED).unwrap());
    assert_eq!(
        serde_json::to_string(&metrics).unwrap(),
        r#"{"client":"10.0.0.7:8000","downloaded_chunks":3,"uploaded_chunks":6,"total_chunks":12,"chunk_size":65536,"dht_peers":4,"dht_enabled":true,"tracker_status_up":false}"#
    );
}

proptest! {
    /// Whatever is accepted can be written and read again, and adds up to something a browser can count.
    #[test]
    fn a27_an_accepted_report_stays_one(
        chunks in any::<u64>(),
        size in any::<u64>(),
        float in any::<f64>(),
        field in prop::sample::select(vec!["downloaded_chunks", "dht_peers", "uploaded_bytes", "peers"]),
    ) {
        let mut object: Map<String, Value> = serde_json::from_str(DESCRIBED).unwrap();
        object.insert("total_chunks".into(), chunks.into());
        object.insert("chunk_size".into(), size.into());
        object.insert(field.into(), json!(float));
        if let Ok(report) = Report::try_from(object) {
            prop_assert!(report.total_bytes() <= MAX_COUNT);
            let again = Report::from_json(&serde_json::to_vec(&report).unwrap());
            prop_assert_eq!(again, Ok(report));
        }
    }
}
