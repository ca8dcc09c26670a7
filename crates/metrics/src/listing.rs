//! `GET /metrics`: the described list, or an exposition for whoever asks for one.

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::MetricsServer;
use crate::answer::{answer, json, text};
use crate::exposition::{self, Format};

pub(crate) async fn get(State(server): State<MetricsServer>, headers: HeaderMap) -> Response {
    let mut response = match format(&headers) {
        None => json(&server.with(|collector, now| collector.reporting(now))),
        Some(format) => match exposition::text(&server.with(|collector, now| collector.totals(now))) {
            Ok(exposition) => answer(StatusCode::OK, format.media_type(), exposition),
            Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "the exposition could not be written"),
        },
    };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept"));
    response
}

/// The exposition format that is asked for, if one is.
fn format(headers: &HeaderMap) -> Option<Format> {
    let values = || headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let names = |name: &str| {
        let mut ranges =
            values().flat_map(|value| value.split(',')).filter_map(|range| range.split(';').next());
        ranges.any(|range| range.trim().eq_ignore_ascii_case(name))
    };
    if names("application/openmetrics-text") {
        Some(Format::OpenMetrics)
    } else {
        (names("text/plain") && !names("application/json")).then_some(Format::Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prometheus_gets_its_format_and_everybody_else_json() {
        let asked = |accept: &'static str| {
            format(&HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]))
        };
        let prometheus =
            "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        assert_eq!(asked(prometheus), Some(Format::OpenMetrics));
        assert_eq!(asked("text/plain;version=0.0.4"), Some(Format::Text));
        for json in
            ["", "*/*", "application/json", "application/json, text/plain, */*", "text/html,*/*;q=0.8"]
        {
            assert_eq!(asked(json), None, "{json}");
        }
        assert_eq!(format(&HeaderMap::new()), None);
    }
}
