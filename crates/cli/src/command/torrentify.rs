//! `torrentify`: describes a file or folder in a torrent.json.

use std::path::{Path, PathBuf};

use clap::Args;
use protocol::torrent::ChunkSize;
use protocol::{BaseUrl, HashAlgorithm, Link};
use store::TorrentifyOptions;

use crate::event::Event;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::hashing;
use crate::output::Output;
use crate::torrent_file;
use scenario::units::{Size, human_bytes};

/// Describe a file or folder in a torrent.json
#[derive(Debug, Args)]
pub(crate) struct Torrentify {
    /// The file or folder
    path: PathBuf,
    /// The tracker that its clients will ask
    #[arg(value_name = "TRACKER", value_parser = BaseUrl::from_url_or_host_port)]
    tracker: BaseUrl,
    /// Where to write it
    #[arg(short, long, value_name = "FILE", default_value = "torrent.json")]
    output: PathBuf,
    /// blake3, sha256, or sha1 (for programs that know only the original protocol)
    #[arg(long, value_name = "NAME", default_value_t)]
    hash: HashAlgorithm,
    /// A power of two from 16K to 16M [default: chosen by the content's size]
    #[arg(long, value_name = "SIZE", value_parser = chunk_size)]
    chunk_size: Option<ChunkSize>,
}

fn chunk_size(text: &str) -> Result<ChunkSize, Box<dyn std::error::Error + Send + Sync>> {
    let Size(bytes) = text.parse()?;
    Ok(ChunkSize::chosen(bytes)?)
}

impl Torrentify {
    pub(super) fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        refuse_to_write_into_the_content(&self.path, &self.output)?;
        // Before hours of hashing, and again when it is written.
        torrent_file::check_place(&self.output)?;
        let options = TorrentifyOptions {
            algorithm: self.hash,
            chunk_size: self.chunk_size,
            tracker: Some(self.tracker.clone()),
        };
        let (torrent, _) = hashing::torrentify(output, &self.path, options, None)?;
        torrent_file::write(&self.output, &torrent)?;
        let link = Link::new(self.tracker, torrent.id()).to_string();
        let chunk = human_bytes(torrent.layout().chunk_size().get().into());
        output.remark(&format!("wrote {}", self.output.display()));
        output.result(&format!(
            "chunks: {} of {chunk} ({})",
            torrent.chunk_count(),
            human_bytes(torrent.size())
        ));
        output.result(&format!("torrent id: {}", torrent.id()));
        output.result(&format!("link: {link}"));
        output.event(&Event::Link { link, torrent_id: torrent.id(), file_url: None });
        if self.hash != HashAlgorithm::Sha1 {
            output.remark("programs that know only the original protocol need one made with --hash sha1");
        }
        Ok(ExitCode::Ok)
    }
}

/// A description inside what it describes would be wrong as soon as it is written.
fn refuse_to_write_into_the_content(content: &Path, torrent: &Path) -> Result<(), Failure> {
    let folder = torrent.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (Ok(content), Ok(folder)) = (content.canonicalize(), folder.canonicalize()) else { return Ok(()) };
    let lands_at = torrent.file_name().map(|name| folder.join(name)).unwrap_or(folder);
    if lands_at.starts_with(&content) {
        let cause = format!("'{}' would become part of the content itself", torrent.display());
        return Err(Failure::usage(cause, "name a place outside of it with -o"));
    }
    Ok(())
}
