//! Refuses what a stranger's page makes its reader's browser send.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use pages::browser::{comes_from_elsewhere, is_our_name};

use crate::MetricsServer;
use crate::answer::text;

pub(crate) async fn guard(State(server): State<MetricsServer>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    if headers.contains_key(header::TRANSFER_ENCODING) {
        // Two ways to tell a body's length are how requests are smuggled past a proxy (threat A13).
        let reason = "send the body with a Content-Length, not in chunks";
        let mut response = text(StatusCode::BAD_REQUEST, reason);
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        return response;
    }
    let ours = is_our_name(headers, |host| server.config().names.contains(host));
    if !ours && !is_a_program_that_reports(request.method(), headers) {
        // Threat A24: with DNS rebinding a stranger's page would read and write here as if it were ours.
        let reason =
            "this server is not known by that name: use its address, or start it with --advertise <name>";
        return text(StatusCode::MISDIRECTED_REQUEST, reason);
    }
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if !reads && comes_from_elsewhere(headers) {
        return text(StatusCode::FORBIDDEN, "another site's page may not change anything here");
    }
    next.run(request).await
}

/// Browsers send an `Origin` with every `POST`, whatever page it comes from. A client may know us by a name that nobody
/// told us, and must not fall silent for that.
fn is_a_program_that_reports(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::POST
        && !headers.contains_key(header::ORIGIN)
        && !headers.contains_key("sec-fetch-site")
}
