//! Lists of peers as JSON. An entry is written when its peer announces and copied into every list that names it: 50 for
//! each announce, which was a sixth of what one cost.

use std::sync::Arc;

use protocol::api::tracker::PeerEntry;
use registry::Handed;
use serde::Serialize;

/// How an answer ends whose list, its last field, is empty.
const EMPTY_LIST: &[u8] = b"]}";
/// Room for what an answer says before its list: an interval, a token, addresses.
const HEAD: usize = 256;

/// A peer of a list, taken out of the registry: nothing is written while everybody else waits for that.
#[derive(Clone, Debug)]
pub(crate) enum Listed {
    /// Its entry as [`entry`] wrote it.
    Written(Arc<[u8]>),
    /// One without.
    Unwritten(Box<PeerEntry>),
}

impl From<&Handed<'_>> for Listed {
    fn from(peer: &Handed<'_>) -> Self {
        match peer.entry {
            Some(entry) => Listed::Written(Arc::clone(entry)),
            None => Listed::Unwritten(Box::new(PeerEntry {
                peer: peer.peer,
                url: peer.url.clone(),
                have: peer.held.into(),
            })),
        }
    }
}

/// A native peer's entry, as [`registry::NewAnnounce::entry`] keeps it.
pub(crate) fn entry(peer: &PeerEntry) -> serde_json::Result<Arc<[u8]>> {
    serde_json::to_vec(peer).map(Arc::from)
}

/// What the registry hands out, to be kept beyond its lock.
pub(crate) fn taken(peers: &[Handed<'_>]) -> Vec<Listed> {
    peers.iter().map(Listed::from).collect()
}

/// The JSON of `answer`, whose last field is an empty list of peers, with these in it.
pub(crate) fn within(answer: &impl Serialize, peers: &[Listed]) -> serde_json::Result<Vec<u8>> {
    let mut json = Vec::with_capacity(HEAD + peers.iter().map(room).sum::<usize>());
    serde_json::to_writer(&mut json, answer)?;
    debug_assert!(json.ends_with(b"\"peers\":[]}"), "the list is the last field");
    json.truncate(json.len() - EMPTY_LIST.len());
    for (at, peer) in peers.iter().enumerate() {
        if at > 0 {
            json.push(b',');
        }
        match peer {
            Listed::Written(entry) => json.extend_from_slice(entry),
            Listed::Unwritten(entry) => serde_json::to_writer(&mut json, entry)?,
        }
    }
    json.extend_from_slice(EMPTY_LIST);
    Ok(json)
}

/// Bytes that a peer takes, as far as that is known before it is written.
fn room(peer: &Listed) -> usize {
    match peer {
        Listed::Written(entry) => entry.len() + 1,
        Listed::Unwritten(_) => 0,
    }
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
        let written: Vec<Arc<[u8]>> = natives.iter().map(|peer| entry(peer).unwrap()).collect();
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
            let ours = within(&Peers { peers: Vec::new() }, &taken(&handed[..count])).unwrap();
            let whole = Peers { peers: all[..count].to_vec() };
            assert_eq!(String::from_utf8(ours).unwrap(), serde_json::to_string(&whole).unwrap());
        }
    }
}
