//! `verify`: which chunks of a content are missing or wrong.

use std::path::PathBuf;

use clap::Args;
use protocol::torrent::FileEntry;
use protocol::{ChunkIndex, ChunkSet, Torrent};
use store::Verified;

use crate::event::Event;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::hashing;
use crate::output::Output;
use crate::torrent_file;
use scenario::units::human_bytes;

/// Most lines about runs of chunks, and about files; `--json` has all.
const MAX_LINES: usize = 20;

/// Say which chunks of a file or folder are missing or wrong; exit code 4 if any
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Its description
    torrent: PathBuf,
    /// Where the file or folder lies
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

impl Verify {
    pub(super) fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let torrent = torrent_file::read(&self.torrent)?;
        let verified = hashing::with_progress(output, "verifying", Some(torrent.size()), |progress| {
            store::verify(&torrent, &self.dir, progress)
        })?;
        let found = Found::new(&torrent, &verified);
        found.tell(output, &torrent, &verified.right)
    }
}

/// What is not as it should be.
struct Found<'a> {
    /// First and last of each run, both inside.
    bad: Vec<(u32, u32)>,
    /// With the number of its bad chunks; an empty file has none.
    files: Vec<(&'a FileEntry, u32)>,
}

impl<'a> Found<'a> {
    fn new(torrent: &'a Torrent, verified: &Verified) -> Self {
        let good = &verified.right;
        let bad = good.inverted().runs().into_iter().map(|(first, last)| (first.get(), last.get())).collect();
        let bad_chunks = |file: &FileEntry| {
            let chunks = file.first_chunk..file.first_chunk + file.chunk_count;
            chunks.filter(|chunk| !good.contains(ChunkIndex::new(*chunk))).count()
        };
        let files = torrent.layout().files().iter().enumerate().filter_map(|(at, file)| {
            let bad = u32::try_from(bad_chunks(file)).unwrap_or(u32::MAX);
            (bad > 0 || verified.wrong_empty_files.binary_search(&at).is_ok()).then_some((file, bad))
        });
        Found { bad, files: files.collect() }
    }

    fn tell(&self, output: &Output, torrent: &Torrent, good: &ChunkSet) -> Result<ExitCode, Failure> {
        // As paths, so that no file's name stands alone in quotes: whoever waits for the word of an event finds it there
        // only.
        let files = self.files.iter().map(|(file, _)| format!("./{}", file.path)).collect();
        output.event(&Event::Verified { chunks: torrent.chunk_count(), bad: self.bad.clone(), files });
        if self.files.is_empty() {
            let size = human_bytes(torrent.size());
            output.result(&format!("{}: all {} chunks are right ({size})", torrent.name(), good.len()));
            return Ok(ExitCode::Ok);
        }
        tell_some(
            output,
            self.bad.iter().map(|(first, last)| match last - first {
                0 => format!("chunk {first} is missing or wrong"),
                _ => format!("chunks {first} to {last} are missing or wrong"),
            }),
        );
        tell_some(
            output,
            self.files.iter().map(|(file, bad)| match file.chunk_count {
                0 => format!("{}: this empty file is missing, or not empty", file.path),
                chunks => format!("{}: {bad} of {chunks} chunks are missing or wrong", file.path),
            }),
        );
        let bad = good.len() - good.count();
        let cause = match bad {
            0 => format!("{}: empty files are missing or wrong ({})", torrent.name(), self.files.len()),
            _ => format!("{}: {bad} of {} chunks are missing or wrong", torrent.name(), good.len()),
        };
        Err(Failure::integrity(cause, "fetch it again into another folder"))
    }
}

fn tell_some(output: &Output, lines: impl ExactSizeIterator<Item = String>) {
    let more = lines.len().saturating_sub(MAX_LINES);
    for line in lines.take(MAX_LINES) {
        output.result(&line);
    }
    if more > 0 {
        output.result(&format!("… and {more} more"));
    }
}
