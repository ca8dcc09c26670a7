//! The peer itself: assembles the parts, listens, and stops in good order.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use net::Few;
use protocol::{BaseUrl, HostPort, Link, PeerId, Torrent};
use store::{Complete, Opened, StoreError};
use swarm::{Order, UploadConfig};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::catalog::{Catalog, MAX_TORRENTS};
use crate::chance::Chance;
use crate::clock::Clock;
use crate::config::{Advertise, Config};
use crate::context::Context;
use crate::dht::{self, Dht, DhtError};
use crate::gate::Gate;
use crate::holding::Holding;
use crate::http_client::HttpClient;
use crate::identity::Identity;
use crate::metrics_client::{self, Board};
use crate::serve;
use crate::sharing::{Sharing, Start};
use crate::straight::Straight;
use crate::throttle::Throttle;
use crate::torrent_finder::{self, FindError};
use crate::tracker_client::KnownById;

/// Bytes a second that a body should get at least under `--limit-up`: a chunk of 1 MiB in 16 seconds.
const BODY_RATE: u64 = 64 << 10;
/// Threads that verify and store at least: on a small machine those that wait for the disk must not hold up the others …
const FEWEST_SETTLING: usize = 4;
/// … and at most: a runtime has twelve for what blocks, and reading waits for the disk, too.
const MOST_SETTLING: usize = 8;
/// How long a stop waits for the trackers to be left and the last bytes to be durable.
const STOP: Duration = Duration::from_secs(10);

/// Why a peer did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port is taken, or the address is not this machine's.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
}

/// Why a torrent was not added.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    /// The disk, or what lies on it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Shared already, or over the limit.
    #[error("this torrent is shared already, or {MAX_TORRENTS} others are")]
    Catalog,
    /// The process stops.
    #[error("the process is stopping")]
    Stopping,
}

/// Something to share or to get.
pub struct Job {
    /// What.
    pub torrent: Arc<Torrent>,
    /// Where its content is, or is to be.
    pub content: Content,
    /// Whom to announce to.
    pub trackers: Vec<BaseUrl>,
    /// Peers known from the start.
    pub peers: Vec<BaseUrl>,
    /// In which order to fetch.
    pub order: Order,
    /// Only these files (by their position in the layout); `None` is all of them.
    pub files: Option<BTreeSet<usize>>,
}

/// Where a torrent's content is, or is to be.
pub enum Content {
    /// In this folder, under the torrent's name: nothing, a part, or all of it.
    Dir(PathBuf),
    /// Here, complete.
    Source(Complete),
}

/// A running peer. Clone is cheap; it runs until [`Peer::stop`].
#[derive(Clone)]
pub struct Peer {
    context: Arc<Context>,
    seed: u64,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Peer {
    /// Listens and answers from the moment it returns.
    pub async fn start(config: Config) -> Result<Peer, StartError> {
        let address = SocketAddr::new(config.bind, config.port);
        let listen_error = |source| StartError::Listen { address, source };
        let listener = config.net.listen(address).await.map_err(listen_error)?;
        let listening = listener.local_addr().map_err(listen_error)?;
        let (clock, stop, tasks) = (Clock::start(), CancellationToken::new(), TaskTracker::new());
        let chance = Chance::new(config.seed);
        let dht = start_dht(&config, clock, &chance, &stop, &tasks).await?;
        let http = HttpClient::new(&config.net, config.source);
        let context = Arc::new(Context {
            identity: identity(&config, listening, &chance),
            clock,
            catalog: Catalog::default(),
            board: Board::default(),
            gate: Gate::new(clock, upload_config(config.limit_up)),
            up: Throttle::new(clock, config.limit_up),
            down: Throttle::new(clock, config.limit_down),
            chance,
            net: config.net.clone(),
            settling: Few::new(&config.net, settling_threads()),
            known_by_id: KnownById::default(),
            straight: Straight::new(http.connector().clone()),
            http,
            dht,
            stop: stop.clone(),
        });
        let router = serve::router(context.clone());
        let limits = listen::Limits { send_queues: true, ..listen::Limits::default() };
        tasks.spawn(listen::listen(listener, router, limits, stop.clone()));
        tasks.spawn(metrics_client::run(context.clone(), config.metrics, stop.clone()));
        Ok(Peer { context, seed: config.seed, stop, tasks })
    }

    /// Base URL told to others.
    pub fn url(&self) -> &BaseUrl {
        &self.context.identity.url
    }

    #[cfg(test)]
    pub(crate) fn holding(&self, id: protocol::TorrentId) -> Option<Arc<Holding>> {
        self.context.catalog.get(id)
    }

    /// Its id, new at every start.
    pub fn id(&self) -> PeerId {
        self.context.identity.peer
    }

    /// Its part in the DHT, if it takes part.
    pub fn dht(&self) -> Option<&Dht> {
        self.context.dht.as_ref()
    }

    /// The torrent that a link names, from whoever has it: its trackers, `peers`, and the peers that the DHT names.
    pub async fn find_torrent(&self, link: &Link, peers: &[BaseUrl]) -> Result<Torrent, FindError> {
        torrent_finder::find_anywhere(&self.context, link, peers).await
    }

    /// Its HTTP client.
    pub fn http(&self) -> &HttpClient {
        &self.context.http
    }

    /// Shares a torrent, downloading what is missing.
    pub async fn add(&self, job: Job) -> Result<Sharing, AddError> {
        let began = Instant::now();
        let Job { torrent, content, trackers, peers, order, files } = job;
        // All of them is no choice.
        let files = files.filter(|files| files.len() < torrent.layout().files().len());
        let holding = match content {
            Content::Source(complete) => {
                Holding::complete(torrent.clone(), complete, self.context.chance.number())
            }
            Content::Dir(dir) => open(&self.context, torrent.clone(), dir, files.clone()).await?,
        };
        let holding = Arc::new(holding);
        if !self.context.catalog.add(&holding) {
            return Err(AddError::Catalog);
        }
        let start = Start {
            context: self.context.clone(),
            files,
            holding: holding.clone(),
            order,
            seed: self.seed,
            trackers,
            peers,
            began,
            stop: self.stop.clone(),
            tasks: self.tasks.clone(),
        };
        let sharing = start.begin();
        self.context.board.add(holding, sharing.clone());
        Ok(sharing)
    }

    /// Leaves the trackers, makes what arrived durable, answers what is under way, and ends.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(STOP, self.tasks.wait()).await.is_err() {
            tracing::warn!("not everything ended within {STOP:?}; what was durable stays so");
        }
    }
}

/// Threads that verify and store: as many as there are cores (decision 26).
fn settling_threads() -> usize {
    available_parallelism().map_or(1, NonZeroUsize::get).clamp(FEWEST_SETTLING, MOST_SETTLING)
}

async fn start_dht(
    config: &Config,
    clock: Clock,
    chance: &Chance,
    stop: &CancellationToken,
    tasks: &TaskTracker,
) -> Result<Option<Dht>, StartError> {
    let Some(dht) = config.dht.clone() else { return Ok(None) };
    let setup = dht::Setup {
        config: dht,
        bind: config.bind,
        host: config.host.as_ip(),
        read_only: false,
        net: config.net.clone(),
        clock,
        seeds: chance.with(rand::RngExt::random),
        stop: stop.clone(),
        tasks: tasks.clone(),
    };
    let started = Dht::start(setup).await;
    started.map(Some).map_err(|DhtError { address, source }| StartError::Listen { address, source })
}

async fn open(
    context: &Context,
    torrent: Arc<Torrent>,
    dir: PathBuf,
    files: Option<BTreeSet<usize>>,
) -> Result<Holding, AddError> {
    let base = context.chance.number();
    let opening = move || {
        Ok(match store::open(torrent.clone(), &dir, &|_| {})? {
            Opened::Complete(complete) => Holding::complete(torrent, complete, base),
            Opened::Partial(partial) => {
                let holding = Holding::partial(torrent, partial, files.as_ref(), base);
                holding.copy_twins()?;
                holding
            }
        })
    };
    context.net.blocking(opening).await.ok_or(AddError::Stopping)?
}

/// Under a limit on what is sent, fewer bodies at a time: each of eight would take minutes for a chunk that nobody can use
/// before it is whole, and its receiver would lose patience.
fn upload_config(limit_up: Option<u64>) -> UploadConfig {
    let usual = UploadConfig::default();
    let Some(limit) = limit_up else { return usual };
    let wanted = usize::try_from(limit / BODY_RATE).unwrap_or(usize::MAX);
    let slots = wanted.clamp(2, usual.slots);
    UploadConfig {
        slots,
        slots_first: wanted.clamp(2, usual.slots_first),
        slots_per_requester: slots.min(usual.slots_per_requester),
        ..usual
    }
}

fn identity(config: &Config, listening: SocketAddr, chance: &Chance) -> Identity {
    let here =
        HostPort::new(config.host.clone(), listening.port()).unwrap_or_else(|_| HostPort::from(listening));
    Identity {
        peer: PeerId::from_bytes(chance.with(rand::RngExt::random)),
        url: match &config.advertise {
            Advertise::Url(url) => url.clone(),
            Advertise::Observed | Advertise::Host => BaseUrl::http(here),
        },
        advertised: config.advertise != Advertise::Observed,
        port: listening.port(),
    }
}
