//! `docs/protocol.md` is true: its examples are read and written by the code, its limits are the constants.

#![expect(clippy::unwrap_used, reason = "an example that does not parse fails the test, as it should")]

use protocol::api::metrics::{
    ClientMetrics, MAX_COUNT, MAX_REPORT, MAX_REPORTED_TORRENTS, MAX_WAITING, Report,
};
use protocol::api::peer::{
    ChunkContent, Gains, MAX_CHUNK_REQUEST, MAX_CHUNKS_PER_REQUEST, MAX_RUNS, MAX_WAIT_S,
};
use protocol::api::problem::Problem;
use protocol::api::tracker::{
    Announce, AnnounceAnswer, AnnounceChunks, Assignment, DhtNode, MAX_ANNOUNCE_BODY, MAX_DESCRIBED_BODY,
    MAX_HASHES, MAX_PEERS, MAX_PEERS_BODY, OpaqueHash, Peers,
};
use protocol::api::well_known::{self, WellKnown};
use protocol::torrent::layout::MAX_FILES;
use protocol::torrent::{ChunkSize, MAX_CHUNKS, MAX_TORRENT_JSON};
use protocol::{ChunkIndex, ChunkSet, HashAlgorithm, Link, Torrent, base_url, file_path, link};
use serde::Serialize;
use serde::de::DeserializeOwned;

const DOCUMENT: &str = include_str!("../../../docs/protocol.md");

/// Fenced examples as (what stands behind the fence, content).
fn examples() -> Vec<(&'static str, &'static str)> {
    DOCUMENT.split("\n```").skip(1).step_by(2).map(|fenced| fenced.split_once('\n').unwrap()).collect()
}

/// Read as a `T` and written again, it is the same text.
fn survives<T: Serialize + DeserializeOwned>(text: &str) {
    let value: T = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(serde_json::to_string(&value).unwrap(), text);
}

#[test]
fn every_json_example_is_what_the_code_reads_and_writes() {
    let mut checked = 0;
    for (kind, text) in examples() {
        let Some(kind) = kind.strip_prefix("json ") else { continue };
        checked += 1;
        match kind {
            "torrent" => {
                let torrent = Torrent::from_json(text.as_bytes()).unwrap();
                assert_eq!(torrent.to_json(), format!("{text}\n").into_bytes());
            }
            "announce-chunks" => survives::<AnnounceChunks>(text),
            "hashes" => survives::<Vec<OpaqueHash>>(text),
            "assignments" => survives::<Vec<Assignment>>(text),
            "dht-node" => survives::<DhtNode>(text),
            "chunk-contents" => survives::<Vec<ChunkContent>>(text),
            "well-known" => survives::<WellKnown>(text),
            "problem" => survives::<Problem>(text),
            "gains" => survives::<Gains>(text),
            "announce" => survives::<Announce>(text),
            "announce-answer" => survives::<AnnounceAnswer>(text),
            "peers" => survives::<Peers>(text),
            "report" => survives::<Report>(text),
            "metrics" => survives::<Vec<ClientMetrics>>(text),
            other => panic!("'{other}' is an example of nothing we know"),
        }
    }
    assert_eq!(checked, 16, "an example was added or taken away: say so here");
}

#[test]
fn the_canonical_text_id_and_dht_key_belong_to_the_folder() {
    let folder = examples().into_iter().filter(|(kind, _)| *kind == "json torrent").nth(1).unwrap().1;
    let id = Torrent::from_json(folder.as_bytes()).unwrap().id().to_string();
    let canonical = examples().into_iter().find(|(_, text)| text.starts_with("{\"chunkSize\"")).unwrap().1;
    let of_canonical = HashAlgorithm::Blake3.digest(format!("http-torrent 1\n{canonical}").as_bytes());
    assert_eq!(id, of_canonical.to_string());
    assert!(DOCUMENT.contains(&format!("which gives `{id}`")));
    assert!(DOCUMENT.contains(&format!("`{}`", HashAlgorithm::Sha1.digest(id.as_bytes()))));
}

#[test]
fn the_links_are_links_and_the_bitmap_is_right() {
    let links = examples().into_iter().find(|(_, text)| text.starts_with("http://")).unwrap().1;
    for line in links.lines() {
        assert_eq!(line.parse::<Link>().unwrap().to_string(), line);
    }
    let held: Vec<u32> =
        ChunkSet::from_wire(10, &[0x80, 0x40]).unwrap().iter().map(ChunkIndex::get).collect();
    assert_eq!(held, [0, 9]);
    assert!(DOCUMENT.contains("Chunks 0 and 9 of 10: `80 40`"));
}

#[test]
fn every_limit_is_the_constant_of_that_name() {
    let wide = |number: usize| number as u64;
    let limits = [
        ("ChunkSize::MAX", u64::from(ChunkSize::MAX)),
        ("MAX_CHUNKS", u64::from(MAX_CHUNKS)),
        ("MAX_FILES", wide(MAX_FILES)),
        ("MAX_TORRENT_JSON", wide(MAX_TORRENT_JSON)),
        ("MAX_COMPONENT", wide(file_path::MAX_COMPONENT)),
        ("MAX_PATH", wide(file_path::MAX_PATH)),
        ("MAX_DEPTH", wide(file_path::MAX_DEPTH)),
        ("MAX_LINK", wide(link::MAX_LINK)),
        ("MAX_EXTRAS", wide(link::MAX_EXTRAS)),
        ("MAX_BASE_URL", wide(base_url::MAX_BASE_URL)),
        ("OpaqueHash::MAX", wide(OpaqueHash::MAX)),
        ("MAX_HASHES", wide(MAX_HASHES)),
        ("MAX_DESCRIBED_BODY", wide(MAX_DESCRIBED_BODY)),
        ("MAX_ANNOUNCE_BODY", wide(MAX_ANNOUNCE_BODY)),
        ("MAX_PEERS", wide(MAX_PEERS)),
        ("MAX_PEERS_BODY", wide(MAX_PEERS_BODY)),
        ("MAX_CHUNKS_PER_REQUEST", wide(MAX_CHUNKS_PER_REQUEST)),
        ("MAX_CHUNK_REQUEST", wide(MAX_CHUNK_REQUEST)),
        ("MAX_WAIT_S", MAX_WAIT_S),
        ("MAX_RUNS", wide(MAX_RUNS)),
        ("well_known::MAX_BODY", wide(well_known::MAX_BODY)),
        ("MAX_REPORT", wide(MAX_REPORT)),
        ("MAX_COUNT", MAX_COUNT),
        ("MAX_REPORTED_TORRENTS", wide(MAX_REPORTED_TORRENTS)),
        ("MAX_WAITING", wide(MAX_WAITING)),
    ];
    for (name, value) in limits {
        assert!(DOCUMENT.contains(&format!("| `{name}` | {value} |")), "{name} is {value}");
    }
    let documented = DOCUMENT.split("## 5. Limits").nth(1).unwrap().split("## 6.").next().unwrap();
    assert_eq!(
        documented.matches("| `").count(),
        limits.len(),
        "a limit in the document that is not checked here"
    );
}
