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
    let clients = collector.clients().map(|client| WrittenClient {
        source: client.source(),
        first_ms: millis(client.first()),
        last_ms: millis(client.last()),
        brought: client.brought(),
        report: client.report(),
    });
    let state = Written { format: FORMAT, history: collector.history(), clients: clients.collect() };
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
