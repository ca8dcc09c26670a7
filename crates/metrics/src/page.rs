//! The page and what it loads, all of it out of the binary (threat A38).

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::Path;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use protocol::api::well_known::{VERSION, WellKnown};

use crate::answer::{answer, json, text};

/// `GET /`.
pub(crate) async fn get() -> Response {
    let mut response = answer(StatusCode::OK, "text/html; charset=utf-8", pages::dashboard::HTML);
    let policy = HeaderValue::from_static(pages::dashboard::CONTENT_SECURITY_POLICY);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// `GET /assets/{name}`.
pub(crate) async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some(asset) = pages::asset(&name) else {
        return text(StatusCode::NOT_FOUND, "no such asset");
    };
    let mut response = answer(StatusCode::OK, asset.media_type, asset.bytes);
    if headers.get(header::IF_NONE_MATCH).is_some_and(|tag| tag == asset.etag) {
        *response.body_mut() = Body::empty();
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    headers.insert(header::ETAG, HeaderValue::from_static(asset.etag));
    // Always asked again: a page and its script belong to one build.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// `GET /.well-known/http-torrent`.
pub(crate) async fn well_known() -> Response {
    let roles = vec!["metrics".to_owned()];
    json(&WellKnown { version: VERSION, peer: None, roles, caps: Vec::new(), limits: BTreeMap::new() })
}

/// `GET /ping`.
pub(crate) async fn ping() -> Response {
    text(StatusCode::OK, protocol::api::peer::PONG)
}

/// No such route.
pub(crate) async fn not_found() -> Response {
    text(StatusCode::NOT_FOUND, "there is nothing at this path on a metrics server")
}
