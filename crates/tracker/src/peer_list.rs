//! Lists of peers as JSON, written without a text for each part: they are most of what an announce costs.
//!
//! What the types of `protocol::api` would write, byte for byte; a test holds the two together.

use std::io::Write;
use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use protocol::base_url::Scheme;
use protocol::{BaseUrl, PeerId};
use registry::{Handed, Holding};
use serde::Serialize;

/// Bytes of an entry, about: an id, an address and some hundreds of chunks.
const USUAL_ENTRY: usize = 160;
/// The port that a URL leaves out.
const HTTP_PORT: u16 = 80;
/// How an answer ends whose list, its last field, is empty.
const EMPTY_LIST: &[u8] = b"]}";

/// The JSON of `answer`, whose last field is an empty list of peers, with these peers in it.
pub(crate) fn with_peers(answer: &impl Serialize, peers: &[Handed]) -> serde_json::Result<Vec<u8>> {
    let mut json = Vec::with_capacity(256 + peers.len() * USUAL_ENTRY);
    serde_json::to_writer(&mut json, answer)?;
    debug_assert!(json.ends_with(b"\"peers\":[]}"), "the list is the last field");
    json.truncate(json.len() - EMPTY_LIST.len());
    let mut bitmap = Vec::new();
    for (at, peer) in peers.iter().enumerate() {
        if at > 0 {
            json.push(b',');
        }
        write_entry(&mut json, peer, &mut bitmap);
    }
    json.extend_from_slice(EMPTY_LIST);
    Ok(json)
}

/// One peer. Nothing in it would be escaped: hex, base64, and the few characters that a base URL may have.
fn write_entry(json: &mut Vec<u8>, peer: &Handed, bitmap: &mut Vec<u8>) {
    json.push(b'{');
    if let Some(peer) = peer.peer {
        json.extend_from_slice(b"\"peer\":\"");
        write_id(json, peer);
        json.extend_from_slice(b"\",");
    }
    json.extend_from_slice(b"\"url\":\"");
    write_url(json, &peer.url);
    json.extend_from_slice(b"\",\"have\":\"");
    match &peer.holding {
        Holding::Part(set) if !set.is_full() => {
            set.write_wire(bitmap);
            write_base64(json, bitmap);
        }
        Holding::Part(_) | Holding::Complete => json.extend_from_slice(b"complete"),
    }
    json.extend_from_slice(b"\"}");
}

/// A peer's usual address is written digit by digit; the formatter takes ten times as long.
fn write_url(json: &mut Vec<u8>, url: &BaseUrl) {
    match url.address().host().as_ip() {
        Some(IpAddr::V4(ip)) if url.scheme() == Scheme::Http && url.address().port() != HTTP_PORT => {
            json.extend_from_slice(b"http://");
            for (at, octet) in ip.octets().into_iter().enumerate() {
                if at > 0 {
                    json.push(b'.');
                }
                write_number(json, octet.into());
            }
            json.push(b':');
            write_number(json, url.address().port());
            json.extend_from_slice(url.prefix().as_bytes());
        }
        // Writing to memory does not fail.
        _ => _ = write!(json, "{url}"),
    }
}

fn write_number(json: &mut Vec<u8>, number: u16) {
    let (mut digits, mut at, mut rest) = ([0; 5], 5, number);
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    json.extend_from_slice(&digits[at..]);
}

fn write_id(json: &mut Vec<u8>, peer: PeerId) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |number: u8| DIGITS[usize::from(number)];
    json.extend(peer.as_bytes().iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
}

fn write_base64(json: &mut Vec<u8>, bytes: &[u8]) {
    let at = json.len();
    json.resize(at + bytes.len().div_ceil(3) * 4, 0);
    // There is exactly the room it needs.
    let written = STANDARD.encode_slice(bytes, &mut json[at..]).unwrap_or_default();
    json.truncate(at + written);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use protocol::api::tracker::{PeerEntry, Peers};
    use protocol::{ChunkIndex, ChunkSet};

    use super::*;

    #[test]
    fn it_is_what_the_types_would_write() {
        let mut handed = Vec::new();
        for (number, url) in [
            (0, "http://10.0.0.1:8000"),
            (1, "http://10.0.0.1"),
            (5, "http://255.99.0.100:9/p"),
            (2, "https://a.example/p-_.~/q"),
            (3, "http://[2001:db8::1]:81"),
            (4, "http://x_y.example:65535"),
        ] {
            for chunks in [0, 1, 9, 64, 65, 256, 1000] {
                let mut set = ChunkSet::empty(chunks);
                (0..chunks).step_by(3).for_each(|chunk| _ = set.insert(ChunkIndex::new(chunk)));
                let peer = Some(PeerId::from_bytes([0xa0 + number; 16])).filter(|_| number != 2);
                let url: BaseUrl = url.parse().unwrap();
                for holding in [set.clone(), set.inverted(), ChunkSet::full(chunks)]
                    .map(|set| Holding::Part(Arc::new(set)))
                {
                    handed.push(Handed { peer, url: url.clone(), holding });
                }
                handed.push(Handed { peer, url, holding: Holding::Complete });
            }
        }
        for handed in [&handed[..], &handed[..1], &[]] {
            let entry = |peer: &Handed| PeerEntry {
                peer: peer.peer,
                url: peer.url.clone(),
                have: peer.holding.clone().into(),
            };
            let whole = Peers { peers: handed.iter().map(entry).collect() };
            let ours = with_peers(&Peers { peers: Vec::new() }, handed).unwrap();
            assert_eq!(String::from_utf8(ours).unwrap(), serde_json::to_string(&whole).unwrap());
        }
    }
}
