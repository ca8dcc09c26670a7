//! One torrent in this process: from the first look at the disk, through the download, to seeding on.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use protocol::BaseUrl;
use protocol::torrent::Torrent;
use store::StoreError;
use swarm::Order;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::asking_back::AskingBack;
use crate::context::Context;
use crate::dht::swarm::InDht;
use crate::dht::tracker::NodeList;
use crate::download::{Driver, Ending, INBOX, Setup};
use crate::fact::{Fact, Sighting};
use crate::holding::Holding;
use crate::hurry::Hurry;
use crate::progress::{Completed, Meter, Progress};
use crate::tracker_client::{TrackerClient, Troubles};

/// Why a download did not complete.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DownloadError {
    /// The disk refused. What was verified by then is kept, and the next start goes on from there.
    #[error(transparent)]
    Store(Arc<StoreError>),
    /// The process was told to stop.
    #[error("stopped before the download was complete")]
    Stopped,
}

/// A torrent that this process shares. Clone is cheap.
#[derive(Clone)]
pub struct Sharing {
    torrent: Arc<Torrent>,
    progress: watch::Receiver<Progress>,
    outcome: watch::Receiver<Option<Result<Completed, DownloadError>>>,
}

impl Sharing {
    /// The torrent.
    pub const fn torrent(&self) -> &Arc<Torrent> {
        &self.torrent
    }

    /// How far it is; changes a few times a second.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }

    /// Whether everything wanted is verified, durable and in its final place.
    pub(crate) fn is_complete(&self) -> bool {
        matches!(*self.outcome.borrow(), Some(Ok(_)))
    }

    /// Returns when everything wanted is verified, durable and in its final place: at once for a seed.
    pub async fn completed(&self) -> Result<Completed, DownloadError> {
        let mut outcome = self.outcome.clone();
        let settled = outcome.wait_for(Option::is_some).await.map_err(|_| DownloadError::Stopped)?;
        settled.clone().unwrap_or(Err(DownloadError::Stopped))
    }
}

/// What a sharing is started with.
pub(crate) struct Start {
    pub(crate) context: Arc<Context>,
    pub(crate) holding: Arc<Holding>,
    /// Only these files; `None` is all of them.
    pub(crate) files: Option<BTreeSet<usize>>,
    pub(crate) order: Order,
    pub(crate) seed: u64,
    pub(crate) trackers: Vec<BaseUrl>,
    pub(crate) peers: Vec<BaseUrl>,
    pub(crate) began: Instant,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

impl Start {
    /// Starts the announcers, and the driver when something is missing.
    pub(crate) fn begin(self) -> Sharing {
        let torrent = self.holding.torrent().clone();
        let wanted = self.holding.wanted();
        let held = self.holding.held().0;
        let local = wanted.intersection(&held).map(|chunk| u64::from(torrent.span(chunk).length)).sum();
        let mut first = Progress { bytes: local, total: torrent.bytes_in(wanted), ..Progress::default() };
        first.sources.local = local;
        // A seed is complete from the first look on, so its first report to a metrics server says so.
        let whole = self.holding.path().map(|path| completed(path, &first, self.began));
        let is_seed = whole.is_some();
        let (progress_to, progress) = watch::channel(first);
        let (outcome_to, outcome) = watch::channel(whole.map(Ok));
        let (tell, inbox) = mpsc::channel(INBOX);
        let (hurry, troubles) = (Hurry::default(), Troubles::default());
        for url in &self.trackers {
            let client = TrackerClient {
                url: url.clone(),
                context: self.context.clone(),
                holding: self.holding.clone(),
                facts: tell.clone(),
                hurry: hurry.clone(),
                troubles: troubles.clone(),
                stop: self.stop.clone(),
            };
            self.tasks.spawn(client.run());
        }
        self.join_dht(&tell, &hurry);
        let seeding = Seeding {
            context: self.context.clone(),
            holding: self.holding.clone(),
            progress: progress_to.clone(),
            stop: self.stop.clone(),
        };
        let tasks = self.tasks.clone();
        if is_seed {
            let asking_back = AskingBack { context: self.context.clone(), holding: self.holding.clone() };
            let stop = self.stop.clone();
            tasks.spawn(async move { stop.run_until_cancelled(asking_back.run()).await });
            tasks.spawn(seeding.run());
            return Sharing { torrent, progress, outcome };
        }
        let run = Run { start: self, local, progress: progress_to, hurry, troubles };
        tasks.spawn(async move {
            let outcome = run.run(tell, inbox).await;
            let seeds = outcome.is_ok();
            outcome_to.send_replace(Some(outcome));
            if seeds {
                seeding.run().await;
            }
        });
        Sharing { torrent, progress, outcome }
    }
}

impl Start {
    /// Has the torrent announced and its peers looked for in the DHT, if this process takes part.
    fn join_dht(&self, facts: &mpsc::Sender<Fact>, hurry: &Hurry) {
        let Some(dht) = &self.context.dht else { return };
        for tracker in self.trackers.iter().filter(|tracker| dht.is_new(tracker)) {
            let (dht, tracker, context) = (dht.clone(), tracker.clone(), self.context.clone());
            self.tasks.spawn(NodeList { dht, tracker, context }.run());
        }
        let in_dht = InDht {
            dht: dht.clone(),
            context: self.context.clone(),
            holding: self.holding.clone(),
            facts: facts.clone(),
            hurry: hurry.clone(),
        };
        self.tasks.spawn(in_dht.run());
    }
}

/// What is shown of a torrent that is complete: its uploads, until the process stops.
struct Seeding {
    context: Arc<Context>,
    holding: Arc<Holding>,
    progress: watch::Sender<Progress>,
    stop: CancellationToken,
}

/// How often the uploads of a complete torrent are looked at while there are some. A peer that nobody asks sleeps.
const SEEDING_TICK: Duration = Duration::from_millis(500);
/// After so many of them without a byte nothing is sent a second, whatever the smoothed rate says.
const QUIET_TICKS: u32 = 6;

impl Seeding {
    async fn run(self) {
        let mut up = Meter::default();
        let (mut before, mut quiet) = (0, 0);
        loop {
            let uploaded = self.holding.uploaded.load(Ordering::Relaxed);
            quiet = if uploaded == before { quiet + 1 } else { 0 };
            before = uploaded;
            let rate = up.look(self.context.clock.now(), uploaded);
            let up_bytes_per_s = if quiet < QUIET_TICKS { rate } else { 0 };
            self.progress.send_if_modified(|progress| {
                let before = progress.clone();
                (progress.uploaded, progress.up_bytes_per_s) = (uploaded, up_bytes_per_s);
                (progress.peers, progress.down_bytes_per_s, progress.waiting) = (0, 0, None);
                *progress != before
            });
            let next = async {
                if up_bytes_per_s == 0 && quiet > 0 {
                    self.holding.uploads().await;
                    // What comes now did not take as long as nothing came.
                    up = Meter::default();
                    up.look(self.context.clock.now(), uploaded);
                }
                tokio::time::sleep(SEEDING_TICK).await;
            };
            if self.stop.run_until_cancelled(next).await.is_none() {
                return;
            }
        }
    }
}

/// The download of what is missing of one torrent, from its first fact to its final place.
struct Run {
    start: Start,
    local: u64,
    progress: watch::Sender<Progress>,
    hurry: Hurry,
    troubles: Troubles,
}

impl Run {
    async fn run(
        self,
        tell: mpsc::Sender<Fact>,
        inbox: mpsc::Receiver<Fact>,
    ) -> Result<Completed, DownloadError> {
        let Start { context, holding, files, order, seed, peers, began, stop, .. } = self.start;
        let known = peers.into_iter().map(|url| Sighting { url, peer: None, held: None }).collect();
        // The inbox is empty and has room: this does not wait.
        let _ = tell.send(Fact::Sighted(known)).await;
        holding.tell_of_visitors(tell.clone());
        let driver = Driver::new(Setup {
            context,
            holding,
            files,
            order,
            seed,
            local: self.local,
            inbox: (tell, inbox),
            hurry: self.hurry.clone(),
            troubles: self.troubles,
            progress: self.progress.clone(),
            stop,
        });
        let path = match driver.run().await {
            Ending::Whole(path) => path,
            Ending::Stopped => return Err(DownloadError::Stopped),
            Ending::Disk(error) => return Err(DownloadError::Store(Arc::new(error))),
        };
        self.hurry.ask();
        Ok(completed(path, &self.progress.borrow(), began))
    }
}

/// What lies whole at `path`, as `progress` tells of it.
fn completed(path: PathBuf, progress: &Progress, began: Instant) -> Completed {
    let Progress { sources, total, .. } = *progress;
    Completed { path, bytes: total, elapsed: began.elapsed(), sources }
}
