//! `/torrent/{id}`: publish with `PUT`, read with `GET`.
//!
//! What is kept is the torrent as this code understands it, and no text: each reader's is written while it is sent, and
//! names the tracker by the address at which that reader reached us. Nobody who publishes can put another there.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, Path, State};
use axum::response::Response;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use protocol::torrent::{JsonParts, MAX_TORRENT_JSON, ParseError};
use protocol::{Torrent, TorrentId};
use registry::{NewTorrent, Publisher, Target};

use crate::Tracker;
use crate::answer::{answer, body_problem, empty, problem, retry_after};
use crate::browser;
use crate::native::bad_id;

/// When to try again on a tracker full of torrents in use, in seconds.
const FULL_RETRY_S: u64 = 60;

/// Why a torrent.json is not published.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Parse(#[from] ParseError),
    #[error("this content has the id {0}: publish it there")]
    OtherId(TorrentId),
}

/// `PUT /torrent/{id}`: refused unless the content gives that id (threat A39).
pub(crate) async fn publish(
    State(tracker): State<Tracker>,
    Path(id): Path<String>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    body: Body,
) -> Response {
    let Ok(id) = id.parse::<TorrentId>() else { return bad_id() };
    let received = match tracker.bodies().read(body, MAX_TORRENT_JSON).await {
        Ok(received) => received,
        Err(error) => return body_problem(error),
    };
    match tracker.bodies().compute(received, move |json| checked(id, json)).await {
        Err(error) => body_problem(error),
        Ok(Err(refused)) => problem(StatusCode::UNPROCESSABLE_ENTITY, &refused),
        Ok(Ok(new)) => {
            let publisher = Some(Publisher::Target(Target::of(from.ip())));
            let begun = tracker.with(|registry, _, now| registry.begin_publishing(now, new, publisher));
            if let Err(full) = begun {
                return retry_after(problem(StatusCode::SERVICE_UNAVAILABLE, &full), FULL_RETRY_S);
            }
            tracker.settle().await;
            empty(StatusCode::NO_CONTENT)
        }
    }
}

fn checked(id: TorrentId, json: &[u8]) -> Result<NewTorrent, Refused> {
    let torrent = Torrent::from_json(json)?;
    if torrent.id() != id {
        return Err(Refused::OtherId(torrent.id()));
    }
    Ok(NewTorrent::new(Arc::new(torrent)))
}

/// `GET /torrent/{id}`: torrent.json, or the link page for a browser.
pub(crate) async fn read(
    State(tracker): State<Tracker>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let Ok(id) = id.parse::<TorrentId>() else { return bad_id() };
    let Some(torrent) = tracker.with(|registry, _, _| registry.torrent(id)) else {
        return problem(StatusCode::NOT_FOUND, &"this tracker does not know the torrent");
    };
    let mut response = if browser::wants_page(&headers) {
        browser::link_page(&tracker, &headers, &torrent)
    } else {
        torrent_json(id, &headers, JsonParts::new(torrent, tracker.base_url(&headers)))
    };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept"));
    response
}

fn torrent_json(id: TorrentId, headers: &HeaderMap, parts: JsonParts) -> Response {
    // The content of an id never changes, and its tracker is part of the URL that caches know it by.
    let tag = format!("\"{id}\"");
    let seen = headers.get_all(header::IF_NONE_MATCH).iter().any(|value| {
        let tags = value.to_str().unwrap_or_default();
        tags.split(',').any(|one| one.trim().trim_start_matches("W/") == tag || one.trim() == "*")
    });
    let mut response = if seen { empty(StatusCode::NOT_MODIFIED) } else { whole(parts) };
    let headers = response.headers_mut();
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=86400"));
    response
}

fn whole(parts: JsonParts) -> Response {
    let length = HeaderValue::from(parts.length());
    let body = Body::from_stream(stream::iter(parts.map(Ok::<_, std::convert::Infallible>)));
    let mut response = answer(StatusCode::OK, "application/json", body);
    response.headers_mut().insert(header::CONTENT_LENGTH, length);
    response
}
