//! What only a browser sees or sends: the link page, its style sheet, and the headers that give foreign pages away.

use axum::extract::{Path, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use pages::browser::{self, comes_from_elsewhere};
use pages::{LinkPage, Plain};
use protocol::torrent::Shape;
use protocol::{Link, Torrent};

use crate::Tracker;
use crate::answer::{answer, empty, problem};

/// Refuses what must not reach a handler ([`refusal`]).
pub(crate) async fn guard(State(tracker): State<Tracker>, request: Request, next: Next) -> Response {
    match refusal(&tracker, &request) {
        Some(refusal) => refusal,
        None => next.run(request).await,
    }
}

/// Why a request must not reach a handler, as its answer.
///
/// A chunked request body: nothing that speaks to trackers needs one, and two ways to tell a body's length are how
/// requests are smuggled past a proxy (threat A13). A state change that a foreign page makes its reader's browser send
/// (threat A25).
pub(crate) fn refusal(tracker: &Tracker, request: &Request) -> Option<Response> {
    let headers = request.headers();
    if headers.contains_key(header::TRANSFER_ENCODING) {
        let mut response =
            problem(StatusCode::BAD_REQUEST, &"send the body with a Content-Length, not in chunks");
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        return Some(response);
    }
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    // An origin that equals the `Host` proves nothing when a stranger pointed that name at us (threat A24).
    let is_page = headers.contains_key(header::ORIGIN);
    if !reads && is_page && (comes_from_elsewhere(headers) || !is_our_name(tracker, headers)) {
        return Some(problem(StatusCode::FORBIDDEN, &"another site's page may not change anything here"));
    }
    None
}

/// Whether the request names HTML and not JSON: people's browsers do, programs do not.
pub(crate) fn wants_page(headers: &HeaderMap) -> bool {
    let accepts = |name: &str| {
        let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|range| {
            let mut parts = range.split(';').map(str::trim);
            let named = parts.next().is_some_and(|range| range.eq_ignore_ascii_case(name));
            named && !parts.any(|parameter| matches!(parameter, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
        })
    };
    accepts("text/html") && !accepts("application/json")
}

/// The page behind a link.
pub(crate) fn link_page(tracker: &Tracker, headers: &HeaderMap, torrent: &Torrent) -> Response {
    if !is_our_name(tracker, headers) {
        // A name that a stranger's DNS points at us would make our page theirs (threat A24, CVE-2018-5702).
        return problem(
            StatusCode::MISDIRECTED_REQUEST,
            &"this tracker is not known by that name: open the page by its address",
        );
    }
    let Some(base) = tracker.base_url(headers) else {
        return problem(StatusCode::BAD_REQUEST, &"the request has no Host");
    };
    let (counts, seed) = tracker.with(|registry, rng, now| {
        (registry.counts(now, torrent.id()).unwrap_or_default(), registry.seed(now, rng, torrent.id()))
    });
    let folder = torrent.layout().shape() == Shape::Folder;
    let path = protocol::api::peer::file_path(torrent.id());
    let path = if folder { format!("{path}/") } else { path };
    let plain = seed.map(|seed| (seed.url.join(&path), seed.is_publisher));
    let plain = plain.as_ref().map(|(url, from_publisher)| Plain { url, from_publisher: *from_publisher });
    let html = pages::link_page(&LinkPage {
        name: torrent.name().as_str(),
        size: torrent.size(),
        files: torrent.layout().files().len(),
        folder,
        peers: counts.peers,
        seeds: counts.seeds,
        link: &Link::new(base, torrent.id()),
        plain,
    });
    let mut response = answer(StatusCode::OK, "text/html; charset=utf-8", html);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(pages::CONTENT_SECURITY_POLICY));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Also under the advertised name, and those that the operator allowed.
fn is_our_name(tracker: &Tracker, headers: &HeaderMap) -> bool {
    browser::is_our_name(headers, |host| {
        tracker.advertised().is_some_and(|url| url.address().host() == host)
            || tracker.filter().vouches_for(host)
    })
}

/// `GET /assets/{name}`.
pub(crate) async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some(asset) = pages::asset(&name) else {
        return problem(StatusCode::NOT_FOUND, &"no such asset");
    };
    let seen = headers.get(header::IF_NONE_MATCH).is_some_and(|tag| tag == asset.etag);
    let mut response = if seen {
        empty(StatusCode::NOT_MODIFIED)
    } else {
        answer(StatusCode::OK, asset.media_type, asset.bytes)
    };
    let headers = response.headers_mut();
    headers.insert(header::ETAG, HeaderValue::from_static(asset.etag));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    response
}
