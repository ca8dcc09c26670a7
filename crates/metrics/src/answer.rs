//! The shapes of answers: plain text as the original's, JSON, and pages.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use protocol::Printable;
use serde::Serialize;

/// Plain text.
pub(crate) fn text(status: StatusCode, text: impl Into<String>) -> Response {
    answer(status, "text/plain; charset=utf-8", text.into())
}

/// Why a request is refused. What of it came from the request is made harmless.
pub(crate) fn refusal(status: StatusCode, reason: &impl ToString) -> Response {
    text(status, Printable(&reason.to_string()).to_string())
}

/// JSON.
pub(crate) fn json(body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => answer(StatusCode::OK, "application/json", bytes),
        Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "the answer could not be written"),
    }
}

/// An answer of this type; never to be taken for another (`nosniff`), nor kept: it is old in three seconds.
pub(crate) fn answer(status: StatusCode, media_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
