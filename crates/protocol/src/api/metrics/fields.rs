//! The fields of a report, one by one, so that a refusal names the one that is wrong.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    BadReport, Figures, MAX_COUNT, MAX_NAME, MAX_REPORTED_TORRENTS, MAX_VERSION, MAX_WAITING, Native,
    ReportedTorrent,
};
use crate::HostPort;
use crate::api::tracker::Port;

/// A JSON object to be read.
pub(super) struct Fields<'a>(pub(super) &'a Map<String, Value>);

impl Fields<'_> {
    pub(super) fn client(&self) -> Result<HostPort, BadReport> {
        let host = "client_host";
        let Value::String(text) = self.required(host)? else { return Err(wrong(host, "a text")) };
        let name = text.parse().map_err(|_| wrong(host, "an IP address or a DNS name"))?;
        let port = "client_port";
        let expected = "a number from 1 to 65535, or the same as text";
        let number = Port::deserialize(self.required(port)?).map_err(|_| wrong(port, expected))?;
        HostPort::new(name, number.get()).map_err(|_| wrong(port, expected))
    }

    pub(super) fn figures(&self) -> Result<Figures, BadReport> {
        let count = |field| count(field, self.required(field)?);
        let flag = |field| flag(field, self.required(field)?);
        Ok(Figures {
            downloaded_chunks: count("downloaded_chunks")?,
            uploaded_chunks: count("uploaded_chunks")?,
            total_chunks: count("total_chunks")?,
            chunk_size: count("chunk_size")?,
            dht_peers: count("dht_peers")?,
            dht_enabled: flag("dht_enabled")?,
            tracker_status_up: flag("tracker_status_up")?,
        })
    }

    pub(super) fn native(&self) -> Result<Native, BadReport> {
        let peer = self.optional("peer").map(|value| {
            let text = value.as_str().and_then(|text| text.parse().ok());
            text.ok_or_else(|| wrong("peer", "32 hexadecimal digits"))
        });
        Ok(Native {
            peer: peer.transpose()?,
            version: self.optional_text("version", MAX_VERSION)?,
            downloaded_bytes: self.optional_count("downloaded_bytes")?,
            uploaded_bytes: self.optional_count("uploaded_bytes")?,
            total_bytes: self.optional_count("total_bytes")?,
            down_bytes_per_s: self.optional_count("down_bytes_per_s")?,
            up_bytes_per_s: self.optional_count("up_bytes_per_s")?,
            peers: self.optional_count("peers")?,
            complete: self.optional_flag("complete")?,
            leaving: self.optional_flag("leaving")?,
            waiting: self.optional_text("waiting", MAX_WAITING)?,
            torrents: self.torrents()?,
        })
    }

    fn torrents(&self) -> Result<Vec<ReportedTorrent>, BadReport> {
        const FIELD: &str = "torrents";
        let Some(value) = self.optional(FIELD) else { return Ok(Vec::new()) };
        let expected = || wrong(FIELD, format!("a list of at most {MAX_REPORTED_TORRENTS}"));
        let list =
            value.as_array().filter(|list| list.len() <= MAX_REPORTED_TORRENTS).ok_or_else(expected)?;
        let torrents = list.iter().map(|entry| {
            let entry = Fields(entry.as_object().ok_or_else(|| wrong(FIELD, "a list of objects"))?);
            let id = entry.required("torrent_id")?.as_str().and_then(|text| text.parse().ok());
            Ok(ReportedTorrent {
                torrent_id: id.ok_or_else(|| wrong("torrent_id", "64 hexadecimal digits"))?,
                name: text("name", entry.required("name")?, MAX_NAME)?,
                bytes: count("bytes", entry.required("bytes")?)?,
                total: count("total", entry.required("total")?)?,
            })
        });
        torrents.collect()
    }

    fn required(&self, field: &'static str) -> Result<&Value, BadReport> {
        self.0.get(field).ok_or(BadReport::Missing(field))
    }

    /// `null` is as good as absent.
    fn optional(&self, field: &str) -> Option<&Value> {
        self.0.get(field).filter(|value| !value.is_null())
    }

    fn optional_count(&self, field: &'static str) -> Result<Option<u64>, BadReport> {
        self.optional(field).map(|value| count(field, value)).transpose()
    }

    fn optional_flag(&self, field: &'static str) -> Result<Option<bool>, BadReport> {
        self.optional(field).map(|value| flag(field, value)).transpose()
    }

    fn optional_text(&self, field: &'static str, most: usize) -> Result<Option<String>, BadReport> {
        self.optional(field).map(|value| text(field, value, most)).transpose()
    }
}

/// A whole number from 0 to [`MAX_COUNT`]; `3.0` is one, for languages whose divisions give such numbers.
fn count(field: &'static str, value: &Value) -> Result<u64, BadReport> {
    let whole = value.as_u64().or_else(|| value.as_f64().and_then(whole));
    let expected = || wrong(field, format!("a whole number from 0 to {MAX_COUNT}"));
    whole.filter(|count| *count <= MAX_COUNT).ok_or_else(expected)
}

/// The same number as an integer, if it is one that a float holds exactly.
#[expect(
    clippy::cast_precision_loss,
    reason = "the bound is exact as a float: it is how the bound was chosen"
)]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked right before")]
fn whole(number: f64) -> Option<u64> {
    let exact = (0.0..=MAX_COUNT as f64).contains(&number) && number.fract() == 0.0;
    exact.then_some(number as u64)
}

fn flag(field: &'static str, value: &Value) -> Result<bool, BadReport> {
    value.as_bool().ok_or_else(|| wrong(field, "true or false"))
}

fn text(field: &'static str, value: &Value, most: usize) -> Result<String, BadReport> {
    let short = value.as_str().filter(|text| text.len() <= most);
    short.map(str::to_owned).ok_or_else(|| wrong(field, format!("a text of at most {most} bytes")))
}

fn wrong(field: &'static str, expected: impl Into<String>) -> BadReport {
    BadReport::Wrong { field, expected: expected.into() }
}
