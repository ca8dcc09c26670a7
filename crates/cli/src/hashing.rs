//! Reading all of a content with a progress line: torrentify, share and verify.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use protocol::Torrent;
use store::{Memory, Source, TorrentifyOptions};

use crate::failure::Failure;
use crate::output::Output;
use crate::progress_line::{ProgressLine, reading};

/// The line is redrawn this often.
const REDRAW: Duration = Duration::from_millis(100);

/// Calls `read` with something to tell its progress to, in bytes gone through since it last did.
pub(crate) fn with_progress<T>(
    output: &Output,
    verb: &str,
    total: Option<u64>,
    read: impl FnOnce(&(dyn Fn(u64) + Sync)) -> T,
) -> T {
    let line = ProgressLine::new(output);
    let started = Instant::now();
    let (bytes, drawn) = (AtomicU64::new(0), Mutex::new(started));
    read(&|more| {
        let bytes = bytes.fetch_add(more, Ordering::Relaxed) + more;
        // One thread draws; the others go on reading.
        let Ok(mut drawn) = drawn.try_lock() else { return };
        if drawn.elapsed() >= REDRAW {
            *drawn = Instant::now();
            line.show(reading(verb, bytes, total, started.elapsed()));
        }
    })
}

/// Describes a file or folder; the second part remembers what its files were when they were read. What `memory` has of it is not read.
pub(crate) fn torrentify(
    output: &Output,
    path: &Path,
    options: TorrentifyOptions,
    memory: Option<&Memory>,
) -> Result<(Torrent, Source), Failure> {
    let found = path.metadata().map_err(|error| {
        Failure::disk(
            format!("cannot read '{}': {error}", path.display()),
            "name a file or folder that is there",
        )
    })?;
    let total = found.is_file().then_some(found.len());
    let read = AtomicU64::new(0);
    let described = with_progress(output, "hashing", total, |progress| {
        let progress = |more| {
            read.fetch_add(more, Ordering::Relaxed);
            progress(more);
        };
        store::torrentify_source(path, options, memory, &progress)
    })?;
    if read.into_inner() == 0 && described.0.size() > 0 {
        output.remark("nothing changed since it was hashed: it is not read again (--rehash reads it)");
    }
    Ok(described)
}
