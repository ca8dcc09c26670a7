//! Answers that are no content: problem details on native routes, plain text on described ones.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use protocol::api::problem::{MEDIA_TYPE, Problem};
use protocol::api::{HT_ELSEWHERE, HT_RETRY};

use crate::gate::Refused;

/// A problem (RFC 9457): what kind, and this case with its next step.
pub(super) fn problem(status: StatusCode, title: &str, detail: &str) -> Response {
    let problem =
        Problem { title: title.to_owned(), status: status.as_u16(), detail: Some(detail.to_owned()) };
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    // Caches may keep a 404 or 410 by themselves, and a chunk that is missing now may be here in a second.
    (status, [(header::CONTENT_TYPE, MEDIA_TYPE), (header::CACHE_CONTROL, "no-store")], body).into_response()
}

pub(super) fn not_found(detail: &str) -> Response {
    problem(StatusCode::NOT_FOUND, "not found", detail)
}

pub(super) fn bad_request(detail: &str) -> Response {
    problem(StatusCode::BAD_REQUEST, "bad request", detail)
}

/// Every slot is taken, and the part of the queue where this could wait.
pub(super) fn busy(retry_after: Duration) -> Response {
    let mut response =
        problem(StatusCode::TOO_MANY_REQUESTS, "busy", "every upload slot and the queue for this are taken");
    // Whole seconds are all the header can say (RFC 9110 §10.2.3).
    let seconds = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
    let headers = response.headers_mut();
    headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    headers.insert(HT_RETRY, millis(retry_after));
    response
}

/// Others will have this chunk soon, and new ones are asked for here.
pub(super) fn refused(refused: Refused) -> Response {
    let mut response = busy(refused.retry_after);
    if refused.elsewhere {
        response.headers_mut().insert(HT_ELSEWHERE, millis(refused.retry_after));
    }
    response
}

fn millis(time: Duration) -> HeaderValue {
    HeaderValue::from(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

/// The disk did not give what it should.
pub(super) fn unreadable() -> Response {
    problem(StatusCode::NOT_FOUND, "not found", "this chunk could not be read here; ask another peer")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_when_to_come_back_in_whole_seconds_and_in_milliseconds() {
        let answer = |elsewhere| refused(Refused { retry_after: Duration::from_millis(260), elsewhere });
        let head = |response: &Response, name: &str| {
            response.headers().get(name).map(|value| value.as_bytes().to_vec())
        };
        let busy = answer(false);
        assert_eq!(busy.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(head(&busy, "retry-after"), Some(b"1".to_vec()));
        assert_eq!((head(&busy, HT_RETRY), head(&busy, HT_ELSEWHERE)), (Some(b"260".to_vec()), None));
        assert_eq!(head(&answer(true), HT_ELSEWHERE), Some(b"260".to_vec()));
    }
}
