//! Lists of peers as JSON. An entry is written when its peer announces and copied into every list that names it: 50 for
//! each announce, which was a sixth of what one cost.

use protocol::api::tracker::PeerEntry;
use registry::Handed;
use serde::Serialize;

/// How an answer ends whose list, its last field, is empty.
const EMPTY_LIST: &[u8] = b"]}";

/// A native peer's entry, as [`registry::NewAnnounce::entry`] keeps it.
pub(crate) fn entry(peer: &PeerEntry) -> serde_json::Result<Box<[u8]>> {
    serde_json::to_vec(peer).map(Vec::into_boxed_slice)
}

/// The entries of these peers, with commas between them. Nothing here waits: the registry does meanwhile.
pub(crate) fn entries(peers: &[Handed<'_>]) -> serde_json::Result<Vec<u8>> {
    let known: usize = peers.iter().filter_map(|peer| peer.entry).map(|entry| entry.len() + 1).sum();
    let mut list = Vec::with_capacity(known);
    for (at, peer) in peers.iter().enumerate() {
        if at > 0 {
            list.push(b',');
        }
        match peer.entry {
            Some(entry) => list.extend_from_slice(entry),
            None => write_described(&mut list, peer)?,
        }
    }
    Ok(list)
}

/// A described client brought none.
fn write_described(list: &mut Vec<u8>, peer: &Handed<'_>) -> serde_json::Result<()> {
    let entry = PeerEntry { peer: peer.peer, url: peer.url.clone(), have: peer.held.into() };
    serde_json::to_writer(list, &entry)
}

/// The JSON of `answer`, whose last field is an empty list of peers, with these entries in it.
pub(crate) fn within(answer: &impl Serialize, entries: &[u8]) -> serde_json::Result<Vec<u8>> {
    let mut json = Vec::with_capacity(256 + entries.len());
    serde_json::to_writer(&mut json, answer)?;
    debug_assert!(json.ends_with(b"\"peers\":[]}"), "the list is the last field");
    json.truncate(json.len() - EMPTY_LIST.len());
    json.extend_from_slice(entries);
    json.extend_from_slice(EMPTY_LIST);
    Ok(json)
}

#[cfg(test)]
mod tests {
    use protocol::api::tracker::{Have, Peers};
    use protocol::{ChunkSet, PeerId};
    use registry::Held;

    use super::*;

    #[test]
    fn it_is_what_the_types_would_write() {
        let part = ChunkSet::empty(9);
        let native = |number| PeerEntry {
            peer: Some(PeerId::from_bytes([number; 16])),
            url: format!("http://10.0.0.{number}:8000").parse().unwrap(),
            have: if number % 2 == 0 { Have::Complete } else { Have::of(&part) },
        };
        let natives: Vec<PeerEntry> = (1..5).map(native).collect();
        let described =
            [("http://10.0.0.9", Held::Complete), ("http://x_y.example:65535", Held::Part(&part))]
                .map(|(url, held)| (url.parse().unwrap(), held));
        let written: Vec<Box<[u8]>> = natives.iter().map(|peer| entry(peer).unwrap()).collect();
        let mut handed: Vec<Handed<'_>> = Vec::new();
        for (url, held) in &described {
            handed.push(Handed { peer: None, url, held: *held, entry: None });
        }
        for (peer, entry) in natives.iter().zip(&written) {
            // What the list says of it is what was written when it announced.
            handed.push(Handed { peer: peer.peer, url: &peer.url, held: Held::Complete, entry: Some(entry) });
        }
        let of_described = described.iter().map(|(url, held)| PeerEntry {
            peer: None,
            url: url.clone(),
            have: (*held).into(),
        });
        let all: Vec<PeerEntry> = of_described.chain(natives.iter().cloned()).collect();
        for count in [all.len(), 3, 1, 0] {
            let ours = within(&Peers { peers: Vec::new() }, &entries(&handed[..count]).unwrap()).unwrap();
            let whole = Peers { peers: all[..count].to_vec() };
            assert_eq!(String::from_utf8(ours).unwrap(), serde_json::to_string(&whole).unwrap());
        }
    }
}
