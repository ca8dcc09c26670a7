//! `get`: from a link to the file.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use peer::{Content, FindError, Job, Order, Peer};
use protocol::torrent::Shape;
use protocol::{BaseUrl, Link, Torrent};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::args::{Global, Network};
use crate::dht_flags::dht_config;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::glob::Glob;
use crate::output::Output;
use crate::signals::{or_interrupted, stop_on_signals};
use crate::swarm_member::{self, each_once};
use crate::totals::Totals;
use crate::{following, hope, torrent_file};
use scenario::units::Span;

/// Download what a link or a torrent.json describes
///
/// Ends when everything is verified and durable. While it runs it also serves. It waits for a seed as long as a
/// tracker answers or nodes of the DHT do, and gives up (exit code 3) when nobody who can be reached knows the torrent,
/// or when for 60 seconds there is neither a peer nor anybody who could name one.
#[derive(Debug, Args)]
pub(crate) struct Get {
    /// A link, or a torrent.json
    #[arg(value_name = "LINK|torrent.json")]
    source: String,
    /// Where to put it
    #[arg(short, long = "output", value_name = "DIR", default_value = ".")]
    output: PathBuf,
    /// Share for so long after the end (with --seed-ratio: whichever is reached first)
    #[arg(long, value_name = "TIME")]
    pub(crate) seed_time: Option<Span>,
    /// Share until so many times the size was sent
    #[arg(long, value_name = "RATIO", value_parser = ratio)]
    pub(crate) seed_ratio: Option<f64>,
    /// End when complete, whatever the variables or the file say
    #[arg(long)]
    pub(crate) no_seed: bool,
    /// In order, for files that are read while they arrive
    #[arg(long)]
    sequential: bool,
    /// Only a folder's files that fit: * and ? in a name, ** for folders (can be repeated)
    #[arg(long, value_name = "GLOB")]
    files: Vec<String>,
    /// Port to listen on; 0 for any that is free
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Network")]
    pub(crate) port: u16,
    #[command(flatten)]
    pub(crate) network: Network,
}

fn ratio(text: &str) -> Result<f64, String> {
    let ratio: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    if ratio.is_finite() && ratio >= 0.0 { Ok(ratio) } else { Err("expected a number from 0 up".to_owned()) }
}

/// What is asked for.
enum Source {
    Link(Box<Link>),
    File(Box<Torrent>),
}

impl Get {
    pub(super) async fn run(self, global: &Global, output: &Output) -> Result<ExitCode, Failure> {
        let stop = stop_on_signals(output)?;
        let source = read_source(&self.source)?;
        let ways_in = match &source {
            Source::Link(link) => link.dht.as_slice(),
            Source::File(_) => &[],
        };
        let dht = dht_config(global, &self.network, false, ways_in);
        let peer = swarm_member::start(output, global, &self.network, self.port, dht).await?;
        let ended = self.download(output, &peer, source, &stop).await;
        swarm_member::stop(output, &peer).await;
        ended
    }

    async fn download(
        &self,
        output: &Output,
        peer: &Peer,
        source: Source,
        stop: &CancellationToken,
    ) -> Result<ExitCode, Failure> {
        let (torrent, trackers) = or_interrupted(stop, self.find(peer, source)).await??;
        let files = wanted_files(&torrent, &self.files)?;
        let job = Job {
            torrent: Arc::new(torrent),
            content: Content::Dir(self.output.clone()),
            trackers: trackers.clone(),
            peers: self.network.peer.clone(),
            order: if self.sequential { Order::Sequential } else { Order::RarestFirst },
            files,
        };
        let sharings = [or_interrupted(stop, peer.add(job)).await??];
        let outcome = tokio::select! {
            outcome = or_interrupted(stop, following::until_complete(output, &sharings, following::downloaded)) => outcome?,
            failure = hope::lost(peer, &sharings[0], &trackers) => return Err(failure),
        };
        if outcome.complete > 0 && self.wants_to_seed() {
            let until = self.seed_time.and_then(|Span(time)| Instant::now().checked_add(time));
            // Of what was wanted: with --files that is not the whole folder.
            let done = |totals: &Totals| self.has_seeded(totals.uploaded, totals.total);
            // The download is done: a signal only ends the sharing.
            let _ = or_interrupted(stop, following::while_seeding(output, &sharings, until, done)).await;
        }
        Ok(outcome.exit)
    }

    /// The torrent and whom to ask about it.
    async fn find(&self, peer: &Peer, source: Source) -> Result<(Torrent, Vec<BaseUrl>), Failure> {
        let (torrent, named) = match source {
            Source::Link(link) => {
                let torrent = peer.find_torrent(&link, &self.network.peer).await.map_err(not_found)?;
                (torrent, std::iter::once(link.tracker).chain(link.more_trackers).collect())
            }
            Source::File(torrent) => (*torrent, Vec::new()),
        };
        let trackers = each_once(named.into_iter().chain(torrent.tracker().cloned()), &self.network.tracker);
        Ok((torrent, trackers))
    }

    const fn wants_to_seed(&self) -> bool {
        self.seed_time.is_some() || self.seed_ratio.is_some()
    }

    #[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
    fn has_seeded(&self, uploaded: u64, size: u64) -> bool {
        self.seed_ratio.is_some_and(|ratio| uploaded as f64 >= ratio * size as f64)
    }
}

fn read_source(text: &str) -> Result<Source, Failure> {
    let scheme = text.split_once("://").map(|(scheme, _)| scheme);
    if scheme.is_none() {
        // Not repeated either.
        if !Path::new(text).exists() && format!("http://{text}").parse::<Link>().is_ok() {
            return Err(Failure::usage("this is a link without its scheme", "put http:// in front"));
        }
        return torrent_file::read(Path::new(text)).map(|torrent| Source::File(Box::new(torrent)));
    }
    // The text itself is not repeated: a secret may stand in it (threat A29).
    text.parse().map(|link| Source::Link(Box::new(link))).map_err(|error| {
        Failure::usage(
            format!("this is no link: {error}"),
            "copy the whole link as 'http-torrent share' printed it",
        )
    })
}

fn not_found(error: FindError) -> Failure {
    match &error {
        FindError::Unreachable { .. } => Failure::no_source(
            error,
            "check the link's address, and that the tracker runs and can be reached from here",
        ),
        FindError::NoPeer { .. } => Failure::no_source(
            error,
            "name a peer with --peer or another way into the DHT with --dht-bootstrap, or wait for the tracker",
        ),
        FindError::NotFound { .. } => Failure::no_source(error, "ask who shared it whether they still do"),
        FindError::Refused { status: 500.., .. } => {
            Failure::no_source(error, "try again later, or look at the tracker's log")
        }
        FindError::Refused { .. } => {
            Failure::new(ExitCode::Refused, "refused", error, "ask whoever runs the tracker what it allows")
        }
        FindError::Malformed { .. } | FindError::WrongId { .. } => {
            Failure::integrity(error, "do not trust this tracker; get the link again from who shared it")
        }
    }
}

/// Positions of the files that fit a pattern; `None` for all.
fn wanted_files(torrent: &Torrent, patterns: &[String]) -> Result<Option<BTreeSet<usize>>, Failure> {
    if patterns.is_empty() {
        return Ok(None);
    }
    if torrent.layout().shape() == Shape::File {
        let cause =
            format!("--files chooses among a folder's files, and '{}' is a single file", torrent.name());
        return Err(Failure::usage(cause, "leave --files out"));
    }
    let globs: Vec<Glob> = patterns.iter().map(|pattern| Glob::from(pattern.as_str())).collect();
    let fits = |path: &str| globs.iter().any(|glob| glob.matches(path));
    let files = torrent.layout().files().iter().enumerate();
    let wanted: BTreeSet<usize> =
        files.filter(|(_, file)| fits(file.path.as_str())).map(|(at, _)| at).collect();
    if wanted.is_empty() {
        let cause = format!("no file of '{}' fits --files", torrent.name());
        return Err(Failure::usage(
            cause,
            "quote the pattern, so that the shell leaves it alone; ** crosses folders",
        ));
    }
    Ok(Some(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a29_a_wrong_link_is_not_repeated() {
        let Err(failure) = read_source("http://a:1/torrent/12#s3cret") else { panic!() };
        assert_eq!(failure.exit, ExitCode::Usage);
        assert!(!format!("{failure:?}").contains("s3cret"));
    }

    #[test]
    fn a29_a_link_without_its_scheme_is_known_and_not_repeated() {
        let Err(failure) = read_source(&format!("127.0.0.1:1/torrent/{}#s3cret", "0".repeat(64))) else {
            panic!()
        };
        assert_eq!((failure.exit, failure.next.as_str()), (ExitCode::Usage, "put http:// in front"));
        assert!(!format!("{failure:?}").contains("s3cret"));
    }

    #[test]
    fn ratios_are_numbers_from_nought() {
        assert_eq!(ratio("1.5"), Ok(1.5));
        assert!(["-1", "inf", "NaN", "x"].into_iter().all(|text| ratio(text).is_err()));
    }
}
