//! What survives a restart: the clients with their last reports, and the history, as one small JSON file.
//!
//! The file is replaced whole, under another name first, so that a crash leaves the old one or the new one. A file that
//! is not ours is never written over.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use protocol::Time;
use protocol::api::metrics::Report;
use serde::{Deserialize, Serialize};

use crate::clock::{from_millis, millis};
use crate::collector::{Client, Collector, History, REMEMBERED, Sample};

/// The first field of the file: what it is.
const FORMAT: &str = "http-torrent metrics 1";
/// Largest file read: ten thousand of the largest reports.
const MAX_BYTES: u64 = 256 << 20;
/// Of these, what clients may take when it is written: what does not fit is left out, for a file that is cut short
/// would not be read at all.
const CLIENTS_BYTES: usize = 192 << 20;

/// Why there is no state.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It is something else.
    #[error("{} is not a metrics server's state: move it away or name another file", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be written.
    #[error("cannot write {}: {source}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

#[derive(Serialize)]
struct Written<'a> {
    format: &'static str,
    history: &'a History,
    clients: Vec<WrittenClient<'a>>,
}

#[derive(Serialize)]
struct WrittenClient<'a> {
    source: IpAddr,
    first_ms: u64,
    last_ms: u64,
    brought: bool,
    report: &'a Report,
}

#[derive(Deserialize)]
struct ReadState {
    format: String,
    history: Vec<Sample>,
    clients: Vec<ReadClient>,
}

#[derive(Deserialize)]
struct ReadClient {
    source: IpAddr,
    first_ms: u64,
    last_ms: u64,
    brought: bool,
    report: Report,
}

/// The state as it stands in the file.
pub(crate) fn to_json(collector: &Collector) -> Vec<u8> {
    with_room(collector, CLIENTS_BYTES)
}

fn with_room(collector: &Collector, mut room: usize) -> Vec<u8> {
    let clients = collector.clients().map(|client| WrittenClient {
        source: client.source(),
        first_ms: millis(client.first()),
        last_ms: millis(client.last()),
        brought: client.brought(),
        report: client.report(),
    });
    let fitting = clients.take_while(|client| {
        let length = serde_json::to_vec(client).map_or(0, |json| json.len());
        let fits = length <= room;
        room -= length.min(room);
        fits
    });
    let state = Written { format: FORMAT, history: collector.history(), clients: fitting.collect() };
    serde_json::to_vec(&state).unwrap_or_default()
}

/// Writes the state, atomically and durably.
pub(crate) fn write(path: &Path, state: &[u8]) -> Result<(), StateError> {
    let cannot = |source| StateError::Write { path: path.to_owned(), source };
    replace(path, state).map_err(cannot)
}

fn replace(path: &Path, state: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    let mut file = File::create(&new)?;
    file.write_all(state)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// Reads the state into an empty collector; a file that is not there yet is an empty one.
pub(crate) fn read(path: &Path, now: Time, into: &mut Collector) -> Result<(), StateError> {
    let cannot = |source| StateError::Read { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    match File::open(path) {
        Ok(file) => file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(cannot)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(cannot(error)),
    };
    let state: Option<ReadState> = serde_json::from_slice(&bytes).ok();
    let Some(state) = state.filter(|state| state.format == FORMAT) else {
        return Err(StateError::Foreign { path: path.to_owned() });
    };
    for sample in state.history {
        // A clock that was set back must not leave samples in the future, which would keep new ones out.
        if from_millis(sample.at_ms) <= now {
            into.history_mut().push(sample);
        }
    }
    for ReadClient { source, first_ms, last_ms, brought, report } in state.clients {
        let last = from_millis(last_ms).min(now);
        let first = from_millis(first_ms).min(last);
        if now.since(last) < REMEMBERED {
            into.restore(Client::remembered((first, last), source, report, brought));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    #[test]
    fn a27_what_is_written_can_always_be_read_again() {
        let mut collector = Collector::new(Limits::default());
        for port in 1..=50 {
            let report = Report::from_json(
                format!(
                    r#"{{"client_host":"127.0.0.1","client_port":{port},"downloaded_chunks":1,"uploaded_chunks":0,
                    "total_chunks":2,"chunk_size":16384,"dht_peers":0,"dht_enabled":false,"tracker_status_up":true}}"#
                )
                .as_bytes(),
            );
            collector.report(Time::ZERO, IpAddr::from([127, 0, 0, 1]), report.unwrap()).unwrap();
        }
        let all: ReadState = serde_json::from_slice(&to_json(&collector)).unwrap();
        let some: ReadState = serde_json::from_slice(&with_room(&collector, 2000)).unwrap();
        assert_eq!(all.clients.len(), 50);
        assert!((1..50).contains(&some.clients.len()), "{}", some.clients.len());
    }
}
