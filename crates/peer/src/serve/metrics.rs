//! `GET /metrics`: Prometheus' text exposition. Low-cardinality by design: no hash, name or address is a label.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode, header};
use axum::response::IntoResponse;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use crate::context::Context;
use crate::holding::Holding;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(super) async fn get(State(context): State<Arc<Context>>) -> Response<Body> {
    let mut text = String::new();
    match encode(&mut text, &registry(&context)) {
        Ok(()) => ([(header::CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Made anew at each scrape from the counters the shell keeps anyway: nothing is counted twice.
fn registry(context: &Context) -> Registry {
    let all = context.catalog.all();
    let sum = |of: fn(&Holding) -> u64| all.iter().map(|holding| of(holding)).sum::<u64>();
    let mut registry = Registry::with_prefix("http_torrent");
    let mut counter =
        |name, help, value| registry.register_with_unit(name, help, Unit::Bytes, ConstCounter::new(value));
    counter("uploaded", "Payload bytes sent", sum(|h| h.uploaded.load(Ordering::Relaxed)));
    counter("downloaded", "Payload bytes received", sum(|h| h.downloaded.load(Ordering::Relaxed)));
    let mut gauge = |name, help, value: u64| {
        registry.register(name, help, ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)));
    };
    gauge("torrents", "Torrents shared", all.len() as u64);
    gauge("torrents_complete", "Torrents held whole", all.iter().filter(|h| h.is_complete()).count() as u64);
    gauge("chunks_held", "Chunks that can be served", sum(|h| u64::from(h.held_count())));
    gauge("upload_queue", "Requests waiting for an upload slot", context.gate.queue_len() as u64);
    registry
}
