//! The tracker's routes: the described `/chunk` and `/dht`, and the native `/torrent/{id}` and its peers.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{self, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::address::parse_port;
use crate::serde_text::read_text;
use crate::{BaseUrl, ChunkSet, Host, HostPort, PeerId, TorrentId};

/// Described: `PUT` announces chunks, `POST` finds holders.
pub const CHUNK: &str = "/chunk";
/// Described: `POST` registers a DHT node, `GET` lists them.
pub const DHT: &str = "/dht";
/// Most hashes in one described request.
pub const MAX_HASHES: usize = 65_536;
/// Largest body of a described request: [`MAX_HASHES`] hashes with room for white space.
pub const MAX_DESCRIBED_BODY: usize = 8 << 20;
/// Largest body of an announce: a bitmap of the most chunks in base64, and its frame.
pub const MAX_ANNOUNCE_BODY: usize = 192 << 10;
/// Largest answer to an announce or list that a client reads.
pub const MAX_PEERS_BODY: usize = 16 << 20;
/// Most peers in one answer.
pub const MAX_PEERS: usize = 50;

/// `/torrent/{id}`: publish with `PUT`, read with `GET`.
pub fn torrent_path(id: TorrentId) -> String {
    format!("/torrent/{id}")
}

/// `/torrent/{id}/peers`: announce with `PUT`, list with `GET`.
pub fn peers_path(id: TorrentId) -> String {
    format!("/torrent/{id}/peers")
}

/// `/torrent/{id}/peers/{peer}`: leave with `DELETE`.
pub fn peer_path(id: TorrentId, peer: PeerId) -> String {
    format!("/torrent/{id}/peers/{peer}")
}

/// A chunk's name in the described protocol: any short text, not necessarily a hash we know.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct OpaqueHash(Box<str>);

/// An empty name, or one over [`OpaqueHash::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a hash is a text of 1 to {} bytes", OpaqueHash::MAX)]
pub struct BadOpaqueHash;

impl OpaqueHash {
    /// Longest name in bytes: a SHA-512 in hex.
    pub const MAX: usize = 128;

    /// Checks the length.
    pub fn new(text: &str) -> Result<Self, BadOpaqueHash> {
        if (1..=Self::MAX).contains(&text.len()) { Ok(OpaqueHash(text.into())) } else { Err(BadOpaqueHash) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for OpaqueHash {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        read_text(d, OpaqueHash::new)
    }
}

/// A port that may arrive as a number or as a text. Never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Port(u16);

impl Port {
    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl From<&HostPort> for Port {
    fn from(address: &HostPort) -> Self {
        Port(address.port())
    }
}

impl<'de> Deserialize<'de> for Port {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(PortVisitor)
    }
}

struct PortVisitor;

impl Visitor<'_> for PortVisitor {
    type Value = Port;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a port, a number from 1 to 65535")
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Port, E> {
        let port = u16::try_from(number).ok().filter(|port| *port != 0);
        port.map(Port).ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Port, E> {
        parse_port(text).map(Port).ok_or_else(|| E::invalid_value(Unexpected::Other("this text"), &self))
    }
}

/// `PUT /chunk`: a described client says what it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnnounceChunks {
    /// Where it says it can be reached.
    pub client_host: Host,
    /// Likewise.
    pub client_port: Port,
    /// What it holds; repeating adds nothing.
    pub hashes: Vec<OpaqueHash>,
}

/// One entry of the answer to `POST /chunk`: ask this client for these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// Its host.
    pub client_host: Host,
    /// Its port.
    pub client_port: Port,
    /// What to ask it for.
    pub hash_list: Vec<OpaqueHash>,
}

/// A node of the DHT, in `POST /dht` and `GET /dht`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DhtNode {
    /// Its host.
    pub host: Host,
    /// Its UDP port.
    pub port: Port,
}

/// What a peer holds, in an announce or a list of peers: `"complete"` or a bitmap in base64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Have {
    /// Every chunk.
    Complete,
    /// The wire form of a [`ChunkSet`].
    Bitmap(Vec<u8>),
}

impl Have {
    /// The shortest form of this set.
    pub fn of(set: &ChunkSet) -> Self {
        if set.is_full() { Have::Complete } else { Have::Bitmap(set.to_wire()) }
    }

    /// The set, for a torrent of so many chunks.
    pub fn to_set(&self, chunks: u32) -> Result<ChunkSet, crate::chunk::BadBitmap> {
        match self {
            Have::Complete => Ok(ChunkSet::full(chunks)),
            Have::Bitmap(bytes) => ChunkSet::from_wire(chunks, bytes),
        }
    }
}

impl Serialize for Have {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Have::Complete => s.serialize_str("complete"),
            Have::Bitmap(bytes) => s.serialize_str(&STANDARD.encode(bytes)),
        }
    }
}

impl<'de> Deserialize<'de> for Have {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        // The word is also base64 of one bitmap of 41 to 48 chunks; whoever holds exactly those is taken for
        // complete, and the 404 that follows puts it right.
        read_text(d, |text| match text {
            "complete" => Ok(Have::Complete),
            text => STANDARD.decode(text).map(Have::Bitmap),
        })
    }
}

/// Where a peer can be reached: `"port"` (at the address the tracker sees it come from) or `"url"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Reachable {
    /// A port at the observed address.
    #[serde(rename = "port")]
    Port(Port),
    /// A base URL.
    #[serde(rename = "url")]
    Url(BaseUrl),
}

/// `PUT /torrent/{id}/peers`: a native peer announces itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "AnnounceFields")]
pub struct Announce {
    /// The process.
    pub peer: PeerId,
    /// Where it can be reached.
    #[serde(flatten)]
    pub reachable: Reachable,
    /// What it holds.
    pub have: Have,
    /// Payload bytes received since it started.
    pub downloaded: u64,
    /// Payload bytes sent since it started.
    pub uploaded: u64,
    /// Bytes it still wants.
    pub left: u64,
}

/// The same as it is read: a flattened enum would have serde build a tree of the whole body first.
#[derive(Deserialize)]
struct AnnounceFields {
    peer: PeerId,
    port: Option<Port>,
    url: Option<BaseUrl>,
    have: Have,
    #[serde(default)]
    downloaded: u64,
    #[serde(default)]
    uploaded: u64,
    #[serde(default)]
    left: u64,
}

/// An announce that says nowhere, or twice, where its sender is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an announce has either a `port` or a `url`")]
struct BadReachable;

impl TryFrom<AnnounceFields> for Announce {
    type Error = BadReachable;

    fn try_from(fields: AnnounceFields) -> Result<Self, BadReachable> {
        let AnnounceFields { peer, port, url, have, downloaded, uploaded, left } = fields;
        let reachable = match (port, url) {
            (Some(port), None) => Reachable::Port(port),
            (None, Some(url)) => Reachable::Url(url),
            (None, None) | (Some(_), Some(_)) => return Err(BadReachable),
        };
        Ok(Announce { peer, reachable, have, downloaded, uploaded, left })
    }
}

/// Proof of being the one who announced (threat A16): sent as `Authorization: Bearer`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(Box<str>);

impl Token {
    /// A token with this text; its maker sees to it that it cannot be guessed.
    pub fn new(text: String) -> Self {
        Token(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token([redacted])")
    }
}

/// A peer of a torrent, in the answer to an announce and in lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerEntry {
    /// The process; absent for clients that speak the described protocol only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<PeerId>,
    /// Where it can be reached.
    pub url: BaseUrl,
    /// What it held when it last announced.
    pub have: Have,
}

/// The answer to an announce.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnnounceAnswer {
    /// Seconds until the next announce is due; the lease lasts three of them.
    pub interval: u64,
    /// To be sent with later announces and the leave.
    pub token: Token,
    /// The address the tracker saw the announce come from.
    pub observed: HostPort,
    /// Where to send metrics, when the tracker knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<BaseUrl>,
    /// Some peers of the torrent, the announcer not among them.
    pub peers: Vec<PeerEntry>,
}

/// `GET /torrent/{id}/peers`, on a tracker and on a peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peers {
    /// Some peers of the torrent.
    pub peers: Vec<PeerEntry>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_described_announce_with_its_port_as_text_or_number() {
        for port in ["8000", "\"8000\""] {
            let body = format!(
                r#"{{"client_host":"123.42.23.12","client_port":{port},"hashes":["oc3kikx1o9x1oxo21k1x"]}}"#
            );
            let read: AnnounceChunks = serde_json::from_str(&body).unwrap();
            assert_eq!((read.client_port.get(), read.hashes[0].as_str()), (8000, "oc3kikx1o9x1oxo21k1x"));
            assert_eq!(serde_json::to_string(&read).unwrap(), body.replace("\"8000\"", "8000"));
        }
    }

    #[test]
    fn a14_a_wrong_shape_is_no_announce() {
        let long = "x".repeat(129);
        for body in [
            r#"{"client_host":"h","client_port":1,"hashes":"abc"}"#.to_owned(),
            r#"{"client_host":"h","client_port":0,"hashes":[]}"#.to_owned(),
            r#"{"client_host":"h","client_port":"-1","hashes":[]}"#.to_owned(),
            r#"{"client_host":"h","client_port":1e3,"hashes":[]}"#.to_owned(),
            r#"{"client_host":"127.0.0.1:80/latest/meta-data/?x=","client_port":1,"hashes":[]}"#.to_owned(),
            r#"{"client_host":"h","client_port":1,"hashes":[""]}"#.to_owned(),
            format!(r#"{{"client_host":"h","client_port":1,"hashes":["{long}"]}}"#),
            r#"{"client_host":"h","hashes":[]}"#.to_owned(),
            "[]".to_owned(),
        ] {
            assert!(serde_json::from_str::<AnnounceChunks>(&body).is_err(), "{body}");
        }
    }

    #[test]
    fn a_native_announce_names_a_port_or_a_url_and_a_bitmap_or_the_word_complete() {
        let peer = "00112233445566778899aabbccddeeff";
        let body = format!(
            r#"{{"peer":"{peer}","port":8000,"have":"complete","downloaded":0,"uploaded":1,"left":2}}"#
        );
        let read: Announce = serde_json::from_str(&body).unwrap();
        assert!(matches!(read.reachable, Reachable::Port(port) if port.get() == 8000));
        assert_eq!(serde_json::to_string(&read).unwrap(), body);
        let body = format!(r#"{{"peer":"{peer}","url":"https://a.example/p","have":"gIA="}}"#);
        let read: Announce = serde_json::from_str(&body).unwrap();
        assert_eq!(
            read.have.to_set(9).unwrap().iter().map(crate::ChunkIndex::get).collect::<Vec<_>>(),
            [0, 8]
        );
        assert!(read.have.to_set(8).is_err());
        for reachable in ["", r#""port":8000,"url":"http://a.example","#] {
            let body = format!(r#"{{"peer":"{peer}",{reachable}"have":"complete"}}"#);
            let error = serde_json::from_str::<Announce>(&body).unwrap_err().to_string();
            assert!(error.contains("either a `port` or a `url`"), "{error}");
        }
    }
}
