//! The exposition for Prometheus: sums over live clients. Low-cardinality by design: no hash, name or address is a label.
//!
//! All are gauges: clients come and go, and a sum over them falls when one goes.

use std::fmt;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use crate::collector::Totals;

/// Both read the same text, since gauges look alike in both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    OpenMetrics,
    /// Prometheus' own text format.
    Text,
}

impl Format {
    pub(crate) const fn media_type(self) -> &'static str {
        match self {
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Format::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

pub(crate) fn text(totals: &Totals) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("http_torrent_clients");
    let gauge = |value: u64| ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
    registry.register("live", "Clients that report", gauge(totals.clients));
    registry.register("complete", "Clients that hold all they want", gauge(totals.complete));
    registry.register("with_dht", "Clients that take part in a DHT", gauge(totals.with_dht));
    registry.register("with_tracker", "Clients whose tracker answers", gauge(totals.with_tracker));
    registry.register("downloaded_chunks", "Chunks that clients hold", gauge(totals.downloaded_chunks));
    registry.register("uploaded_chunks", "Chunks that clients have sent", gauge(totals.uploaded_chunks));
    registry.register("total_chunks", "Chunks that clients want", gauge(totals.total_chunks));
    for (name, help, value) in [
        ("downloaded", "Bytes that clients hold of those they want", totals.downloaded_bytes),
        ("uploaded", "Payload bytes that clients have sent", totals.uploaded_bytes),
        ("wanted", "Bytes that clients want", totals.total_bytes),
        ("receiving_rate", "Payload bytes a second that clients receive", totals.down),
        ("sending_rate", "Payload bytes a second that clients send", totals.up),
    ] {
        registry.register_with_unit(name, help, Unit::Bytes, gauge(value));
    }
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_gauges_in_base_units_without_a_label() {
        let text = text(&Totals { clients: 3, uploaded_bytes: u64::MAX, ..Totals::default() }).unwrap();
        assert!(text.contains("\nhttp_torrent_clients_live 3\n"), "{text}");
        assert!(text.contains("# TYPE http_torrent_clients_uploaded_bytes gauge\n"));
        assert!(text.contains(&format!("\nhttp_torrent_clients_uploaded_bytes {}\n", i64::MAX)));
        assert!(!text.contains('{') && text.ends_with("# EOF\n"));
    }
}
