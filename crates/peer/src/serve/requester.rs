//! Who asks: for fairness between requesters, and to tell others of peers that ask us.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use axum::http::HeaderMap;
use protocol::api::{HT_OTHERS, HT_PEER, HT_RATE, HT_URL};
use protocol::{BaseUrl, PeerId};
use swarm::{Need, Requester};

use crate::context::Context;
use crate::fact::Sighting;
use crate::holding::Holding;

/// The requester behind a request: its peer id together with its address (so that nobody can use up the share of
/// another by naming that one's id), or the address alone.
pub(super) fn requester(headers: &HeaderMap, from: SocketAddr) -> Requester {
    let mut hasher = DefaultHasher::new();
    from.ip().to_canonical().hash(&mut hasher);
    peer_id(headers).hash(&mut hasher);
    Requester::new(hasher.finish())
}

/// The id in `HT-Peer`.
pub(super) fn peer_id(headers: &HeaderMap) -> Option<PeerId> {
    said(headers, HT_PEER)
}

/// What a peer says of itself that asks for a chunk.
pub(super) fn need(headers: &HeaderMap) -> Need {
    Need { rate: said(headers, HT_RATE), others: said(headers, HT_OTHERS).unwrap_or(0) }
}

/// A header's value; `None` where it is not there, or is something else.
fn said<T: FromStr>(headers: &HeaderMap, name: &str) -> Option<T> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

/// The base URL in `HT-Url`, if it names the address the request came from: nobody can make us send others to a
/// third party (threats A5, A6). A peer behind a proxy is found through its tracker instead.
fn own_url(headers: &HeaderMap, from: SocketAddr) -> Option<BaseUrl> {
    let url: BaseUrl = said(headers, HT_URL)?;
    let host: IpAddr = url.address().host().as_ip()?;
    let from = from.ip().to_canonical();
    (host == from || (host.is_loopback() && from.is_loopback())).then_some(url)
}

/// Whoever asks is alive, and may be told to others of its swarm; a download here takes it for a neighbour, too. Where it can be asked
/// itself, as [`own_url`] says.
pub(super) fn note_asker(
    context: &Context,
    holding: &Holding,
    headers: &HeaderMap,
    from: SocketAddr,
) -> Option<BaseUrl> {
    let (url, peer) = (own_url(headers, from)?, peer_id(headers));
    if holding.acquaintances.saw(url.clone(), peer, context.clock.now()) && peer.is_some() {
        holding.visited(Sighting { url: url.clone(), peer, held: None });
    }
    Some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a06_a_url_of_somebody_else_is_not_passed_on() {
        let from: SocketAddr = "10.0.0.7:50000".parse().unwrap();
        let told = |url: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(HT_URL, url.parse().unwrap());
            own_url(&headers, from)
        };
        assert!(told("http://10.0.0.7:8000").is_some());
        for url in
            ["http://10.0.0.8:8000", "http://victim.example", "http://127.0.0.1:80", "http://[::1]:80", "x"]
        {
            assert!(told(url).is_none(), "{url}");
        }
    }

    #[test]
    fn a32_naming_anothers_id_does_not_share_its_bucket() {
        let mut headers = HeaderMap::new();
        headers.insert(HT_PEER, "00112233445566778899aabbccddeeff".parse().unwrap());
        let of = |from: &str| requester(&headers, from.parse().unwrap());
        assert_eq!(of("10.0.0.1:1"), of("10.0.0.1:2"));
        assert_ne!(of("10.0.0.1:1"), of("10.0.0.2:1"));
    }
}
