//! `POST /metrics`: a client says how it is.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use protocol::api::metrics::{BadReport, MAX_REPORT, REPORT_EVERY, Report};

use crate::MetricsServer;
use crate::answer::{refusal, text};
use crate::collector::Refused;

/// Longest time for a report to arrive: it fits into a few packets.
const ARRIVAL: Duration = Duration::from_secs(10);

pub(crate) async fn post(
    State(server): State<MetricsServer>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    body: Body,
) -> Response {
    let body = match read(body).await {
        Ok(body) => body,
        Err(refused) => return refused,
    };
    let report = match Report::from_json(&body) {
        Ok(report) => report,
        Err(refused @ BadReport::NotAnObject(_)) => return refusal(StatusCode::BAD_REQUEST, &refused),
        Err(refused) => return refusal(StatusCode::UNPROCESSABLE_ENTITY, &refused),
    };
    let taken = server.with(|collector, now| collector.report(now, from.ip(), report));
    let Err(refused) = taken else { return text(StatusCode::OK, "Ok") };
    let status = match refused {
        Refused::Taken => StatusCode::CONFLICT,
        Refused::SourceFull(_) => StatusCode::TOO_MANY_REQUESTS,
        Refused::Full(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    let mut response = refusal(status, &refused);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(REPORT_EVERY.as_secs()));
    response
}

async fn read(body: Body) -> Result<Bytes, Response> {
    let collected = Limited::new(body, MAX_REPORT).collect();
    let Ok(collected) = tokio::time::timeout(ARRIVAL, collected).await else {
        return Err(text(StatusCode::REQUEST_TIMEOUT, "the body comes too slowly"));
    };
    collected.map(http_body_util::Collected::to_bytes).map_err(|error| {
        if error.is::<LengthLimitError>() {
            refusal(StatusCode::PAYLOAD_TOO_LARGE, &format_args!("a report has at most {MAX_REPORT} bytes"))
        } else {
            text(StatusCode::BAD_REQUEST, "the body ended early")
        }
    })
}
