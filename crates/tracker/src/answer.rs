//! The three shapes of answers: plain text as the original's, JSON, and problem details.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use protocol::Printable;
use protocol::api::problem::{self, Problem};
use serde::Serialize;

use crate::body::BodyError;

/// Characters of a reason that are sent: what was wrong in a request may be megabytes of it.
const MAX_REASON: usize = 1024;

/// A described answer.
pub(crate) fn text(status: StatusCode, text: impl Into<String>) -> Response {
    answer(status, "text/plain; charset=utf-8", text.into())
}

/// Why a described request is refused. What of it came from the request is made harmless.
pub(crate) fn refusal(status: StatusCode, reason: &impl ToString) -> Response {
    text(status, said(reason))
}

/// A native answer, or a described list.
pub(crate) fn json(body: &impl Serialize) -> Response {
    written(serde_json::to_vec(body))
}

/// JSON that was written already.
pub(crate) fn written(json: serde_json::Result<Vec<u8>>) -> Response {
    match json {
        Ok(bytes) => answer(StatusCode::OK, "application/json", bytes),
        Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "the answer could not be written"),
    }
}

/// Why a native request is refused (RFC 9457).
pub(crate) fn problem(status: StatusCode, detail: &impl ToString) -> Response {
    let title = status.canonical_reason().unwrap_or("Error").to_owned();
    let detail = Some(said(detail));
    let bytes = serde_json::to_vec(&Problem { title, status: status.as_u16(), detail }).unwrap_or_default();
    answer(status, problem::MEDIA_TYPE, bytes)
}

/// A reason, cut and made harmless.
fn said(reason: &impl ToString) -> String {
    let reason: String = reason.to_string().chars().take(MAX_REASON).collect();
    Printable(&reason).to_string()
}

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// An answer of this type; never to be taken for another (`nosniff`).
pub(crate) fn answer(status: StatusCode, media_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Says when to come back.
pub(crate) fn retry_after(mut response: Response, seconds: u64) -> Response {
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// A body refused, on a native route.
pub(crate) fn body_problem(error: BodyError) -> Response {
    problem(error.status(), &error)
}

/// A body refused, on a described route.
pub(crate) fn body_refusal(error: BodyError) -> Response {
    refusal(error.status(), &error)
}

/// No such route.
pub(crate) async fn not_found() -> Response {
    problem(StatusCode::NOT_FOUND, &"there is nothing at this path on a tracker")
}
