//! The native routes of a swarm: announce, list, leave, and what this server is.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::{ConnectInfo, Path, Request, State};
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use protocol::api::tracker::{
    Announce, AnnounceAnswer, MAX_ANNOUNCE_BODY, MAX_HASHES, MAX_PEERS, PeerEntry, Peers, Reachable, Token,
};
use protocol::api::well_known::{self, WellKnown};
use protocol::base_url::Scheme;
use protocol::{BaseUrl, Host, HostPort, PeerId, TorrentId};
use rand::Rng;
use registry::{Announced, NewAnnounce, Refusal, Target};
use serde::Serialize;

use crate::answer::{body_problem, empty, json, problem, retry_after, written};
use crate::peer_list::Listed;
use crate::tracker::source_of;
use crate::{Tracker, dial, peer_list};

/// When to come back to a full tracker, or after a process whose place is not free yet: the shortest lease, in seconds.
const RETRY_S: u64 = 15;

/// `GET /.well-known/http-torrent`.
pub(crate) async fn well_known() -> Response {
    let limits = [("hashes", MAX_HASHES as u64), ("peers", MAX_PEERS as u64)];
    json(&WellKnown {
        version: well_known::VERSION,
        peer: None,
        roles: vec!["tracker".to_owned()],
        caps: Vec::new(),
        limits: limits.map(|(name, limit)| (name.to_owned(), limit)).into(),
    })
}

/// `PUT /torrent/{id}/peers`: a peer says that it is there and what it holds, and hears of others.
pub(crate) async fn announce(
    State(tracker): State<Tracker>,
    Path(id): Path<String>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    match id.parse::<TorrentId>() {
        Ok(id) => announce_to(&tracker, id, from, request).await,
        Err(_) => bad_id(),
    }
}

/// An announce of this torrent that came `from` there.
pub(crate) async fn announce_to(
    tracker: &Tracker,
    id: TorrentId,
    from: SocketAddr,
    request: Request,
) -> Response {
    let shown = bearer(request.headers());
    let received = match tracker.bodies().read(request.into_body(), MAX_ANNOUNCE_BODY).await {
        Ok(received) => received,
        Err(error) => return body_problem(error),
    };
    let announce: Announce = match serde_json::from_slice(&received.bytes) {
        Ok(announce) => announce,
        Err(error) => return problem(StatusCode::BAD_REQUEST, &error),
    };
    let (url, target) = match reachable(tracker, from, announce.reachable).await {
        Ok(reachable) => reachable,
        Err(refused) => return refused,
    };
    let listed = PeerEntry { peer: Some(announce.peer), url, have: announce.have };
    let entry = match peer_list::entry(&listed) {
        Ok(entry) => Some(entry),
        Err(error) => return problem(StatusCode::INTERNAL_SERVER_ERROR, &error),
    };
    let PeerEntry { url, have, .. } = listed;
    let (peer, fresh) = (announce.peer, new_token());
    let mut new = NewAnnounce { peer, url, target, have, entry, shown, instead_of: None, fresh };
    let mut answered = ask(tracker, id, &new);
    if let Err(Refusal::UrlTaken { by }) = answered
        && !still_there(tracker, source_of(from), &new.url, by).await
    {
        new.instead_of = Some(by);
        answered = ask(tracker, id, &new);
    }
    match answered {
        Ok(answer) => {
            let head = AnnounceAnswer {
                interval: answer.interval.as_secs(),
                token: answer.token,
                observed: HostPort::from(from),
                metrics: tracker.metrics(),
                peers: Vec::new(),
            };
            list_in(&head, &answer.peers)
        }
        Err(refused) => refusal(&refused, new.shown.is_some()),
    }
}

/// What the registry answers, copied out of it.
struct Answered {
    interval: Duration,
    token: Token,
    peers: Vec<Listed>,
}

fn ask(tracker: &Tracker, id: TorrentId, new: &NewAnnounce) -> Result<Answered, Refusal> {
    let taken = |Announced { interval, token, peers }: Announced<'_>| Answered {
        interval,
        token,
        peers: peer_list::taken(&peers),
    };
    tracker.with(|registry, rng, now| registry.announce(now, rng, id, new, taken))
}

/// `GET /torrent/{id}/peers`.
pub(crate) async fn list(State(tracker): State<Tracker>, Path(id): Path<String>) -> Response {
    let Ok(id) = id.parse::<TorrentId>() else { return bad_id() };
    let listed =
        tracker.with(|registry, rng, now| registry.peers(now, rng, id, |peers| peer_list::taken(&peers)));
    match listed {
        Some(peers) => list_in(&Peers { peers: Vec::new() }, &peers),
        None => refusal(&Refusal::UnknownTorrent, false),
    }
}

/// An answer that ends in a list. Lists change by the second, and a token is nobody else's: it is not stored.
fn list_in(head: &impl Serialize, peers: &[Listed]) -> Response {
    let mut response = written(peer_list::within(head, peers));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// `DELETE /torrent/{id}/peers/{peer}`: a peer leaves, with the token it was given (threat A16).
pub(crate) async fn leave(
    State(tracker): State<Tracker>,
    Path((id, peer)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let (Ok(id), Ok(peer)) = (id.parse::<TorrentId>(), peer.parse::<PeerId>()) else { return bad_id() };
    let Some(shown) = bearer(&headers) else { return refusal(&Refusal::NotYours, false) };
    match tracker.with(|registry, _, now| registry.leave(now, id, peer, &shown)) {
        Ok(()) => empty(StatusCode::NO_CONTENT),
        Err(refused) => refusal(&refused, true),
    }
}

/// Where an announcer can be reached, if it may say so, and whom that leads to.
async fn reachable(
    tracker: &Tracker,
    from: SocketAddr,
    reachable: Reachable,
) -> Result<(BaseUrl, Target), Response> {
    let refused = |error: &dyn std::fmt::Display| problem(StatusCode::BAD_REQUEST, &error.to_string());
    match reachable {
        Reachable::Port(port) => {
            let address = HostPort::new(Host::ip(from.ip()), port.get()).map_err(|error| refused(&error))?;
            Ok((BaseUrl::http(address), Target::of(from.ip())))
        }
        Reachable::Url(url) => {
            let checked = tracker.filter().target(source_of(from), url.address().host()).await;
            checked.map(|target| (url, target)).map_err(|error| refused(&error))
        }
    }
}

/// Whether `peer` still answers at `url`, where another process now says it is. A pong could be either's, so the
/// question is who it is.
async fn still_there(tracker: &Tracker, source: std::net::IpAddr, url: &BaseUrl, peer: PeerId) -> bool {
    if url.scheme() == Scheme::Https {
        // Only its lease tells: this crate speaks no TLS.
        return true;
    }
    let Ok(addresses) = tracker.filter().addresses(source, url.address().host()).await else { return false };
    let path = format!("{}{}", url.prefix(), well_known::PATH);
    let is_it =
        |body: &[u8]| serde_json::from_slice(body).is_ok_and(|said: WellKnown| said.peer == Some(peer));
    dial::answers(tracker.way_out(), &addresses, url.address(), &path, well_known::MAX_BODY, is_it).await
}

/// 128 bits in hex from a generator that nobody foresees, seeded by the system: asking the system itself would be a
/// system call for each announce.
fn new_token() -> Token {
    let mut bytes = [0; 16];
    rand::rng().fill_bytes(&mut bytes);
    Token::new(PeerId::from_bytes(bytes).to_string())
}

fn bearer(headers: &HeaderMap) -> Option<Token> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| Token::new(token.trim().to_owned()))
}

fn refusal(refused: &Refusal, token_shown: bool) -> Response {
    match refused {
        Refusal::UnknownTorrent | Refusal::UnknownPeer => problem(StatusCode::NOT_FOUND, refused),
        Refusal::NotYours if token_shown => problem(StatusCode::FORBIDDEN, refused),
        Refusal::NotYours => {
            let mut response = problem(StatusCode::UNAUTHORIZED, refused);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            response
        }
        Refusal::UrlTaken { .. } => retry_after(problem(StatusCode::CONFLICT, refused), RETRY_S),
        Refusal::Bitmap(_) => problem(StatusCode::BAD_REQUEST, refused),
        Refusal::TargetFull(_) => retry_after(problem(StatusCode::TOO_MANY_REQUESTS, refused), RETRY_S),
        Refusal::Full => retry_after(problem(StatusCode::SERVICE_UNAVAILABLE, refused), RETRY_S),
    }
}

pub(crate) fn bad_id() -> Response {
    problem(StatusCode::NOT_FOUND, &"an id in this path is not lowercase hexadecimal of the right length")
}
