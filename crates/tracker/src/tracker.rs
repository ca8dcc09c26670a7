//! The tracker itself: its state, its routes, and how it runs.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::routing::{delete, get, put};
use http::HeaderMap;
use net::{Listener, Net};
use pages::browser::host_of;
use protocol::api::{tracker as api, well_known};
use protocol::{BaseUrl, Time, Torrent, TorrentId};
use rand::SeedableRng;
use rand::rngs::StdRng;
use registry::{NewTorrent, PublishRefusal, Registry};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::body::Bodies;
use crate::resolver::Resolver;
use crate::source::SourceFilter;
use crate::{TrackerConfig, answer, browser, described, native, pinger, publish, shortcut};

/// Hashes of torrents and announcers that come or go which are noted or forgotten while everybody else waits: about two
/// milliseconds' work.
const SETTLE_STEPS: usize = 4096;
/// How long everybody else has then: a lock that is taken again at once is nobody else's.
const SETTLE_PAUSE: Duration = Duration::from_millis(1);

/// A tracker. Clones are the same tracker.
#[derive(Clone, Debug)]
pub struct Tracker(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    draws: Draws,
    metrics: Mutex<Option<BaseUrl>>,
    filter: SourceFilter,
    bodies: Bodies,
    /// Time starts here. Tokio's clock, so that a test can stand still or jump.
    epoch: Instant,
    /// Where it listens, if that is one address.
    local: OnceLock<BaseUrl>,
    config: TrackerConfig,
}

/// What is drawn in hand-outs and assignments, and nowhere else: whoever knows the seed must not know tokens. Every call
/// has a generator of its own, since one for all would be a lock round all.
#[derive(Debug)]
struct Draws {
    seed: u64,
    calls: AtomicU64,
}

impl Draws {
    fn next(&self) -> StdRng {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.seed.to_le_bytes());
        seed[8..16].copy_from_slice(&call.to_le_bytes());
        StdRng::from_seed(seed)
    }
}

impl Tracker {
    /// A tracker that knows nothing yet.
    pub fn new(config: TrackerConfig) -> Self {
        let resolver = Resolver::of(&config.net);
        Tracker::with_resolver(config, resolver)
    }

    pub(crate) fn with_resolver(config: TrackerConfig, resolver: Resolver) -> Self {
        Tracker(Arc::new(Inner {
            registry: Registry::new(config.registry),
            draws: Draws { seed: config.seed, calls: AtomicU64::new(0) },
            metrics: Mutex::new(config.metrics.clone()),
            filter: SourceFilter::new(config.allow_announce.clone(), resolver),
            bodies: Bodies::new(config.body_grace, config.body_rate),
            epoch: Instant::now(),
            local: OnceLock::new(),
            config,
        }))
    }

    /// All routes. Handlers need `ConnectInfo<SocketAddr>` of the other side, as the `listen` crate gives it.
    pub fn router(&self) -> Router {
        Router::new()
            .route(api::CHUNK, put(described::announce).post(described::find))
            .route(
                api::DHT,
                get(described::dht_nodes)
                    .post(described::register_dht_node)
                    .delete(described::remove_dht_node),
            )
            .route(protocol::api::peer::PING, get(described::ping))
            .route(well_known::PATH, get(native::well_known))
            .route("/torrent/{id}", get(publish::read).put(publish::publish))
            .route("/torrent/{id}/peers", get(native::list).put(native::announce))
            .route("/torrent/{id}/peers/{peer}", delete(native::leave))
            .route("/assets/{name}", get(browser::asset))
            .fallback(answer::not_found)
            .layer(axum::middleware::from_fn_with_state(self.clone(), browser::guard))
            .with_state(self.clone())
    }

    /// Answers on `listener` until `stop`, and pings described announcers meanwhile.
    pub async fn serve(self, listener: impl Into<Listener>, stop: CancellationToken) -> std::io::Result<()> {
        let listener = listener.into();
        let local = listener.local_addr()?;
        if !local.ip().is_unspecified() {
            // Set once: a tracker that listens twice names the first address.
            let _ = self.0.local.set(BaseUrl::http(local.into()));
        }
        let limits = self.0.config.listen;
        let pings = stop.child_token();
        let pinging = tokio::spawn(pinger::run(self.clone(), pings.clone()));
        listen::listen(listener, shortcut::before(self.router(), self.clone()), limits, stop).await;
        pings.cancel();
        // It ends by the token; a panic in it was logged by the runtime and must not keep the tracker from stopping.
        let _ = pinging.await;
        Ok(())
    }

    /// Publishes a torrent in this process, as `PUT /torrent/{id}` does. Costs a sort of its hashes: call it off the
    /// reactor when it is large.
    pub fn publish(&self, torrent: Arc<Torrent>) -> Result<(), PublishRefusal> {
        let new = NewTorrent::new(torrent);
        self.with(|registry, _, now| registry.begin_publishing(now, new, None))?;
        while self.settle_some() {}
        Ok(())
    }

    /// Says that the peer at this URL has a torrent at first hand: the link page sends browsers there.
    pub fn set_publisher(&self, id: TorrentId, url: BaseUrl) {
        self.with(|registry, _, _| registry.set_publisher(id, url));
    }

    /// Lets the hashes of a torrent that was just published be found, and those of who is gone be forgotten. Others are
    /// answered in between.
    pub(crate) async fn settle(&self) {
        if !self.settle_some() {
            return;
        }
        let tracker = self.clone();
        // A task of its own: it is not left half done when the publisher hangs up.
        let settling = tokio::spawn(async move {
            while tracker.settle_some() {
                tokio::time::sleep(SETTLE_PAUSE).await;
            }
        });
        // It has no end but this one; a panic in it was logged by the runtime.
        let _ = settling.await;
    }

    /// A part of it; true when there is more.
    fn settle_some(&self) -> bool {
        self.with(|registry, _, _| registry.settle(SETTLE_STEPS))
    }

    /// Changes where announcers are told to send metrics.
    pub fn set_metrics(&self, metrics: Option<BaseUrl>) {
        *self.0.metrics.lock().unwrap_or_else(PoisonError::into_inner) = metrics;
    }

    pub(crate) fn metrics(&self) -> Option<BaseUrl> {
        self.0.metrics.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks the registry, at this moment. Nothing slow belongs into `ask`.
    pub(crate) fn with<T>(&self, ask: impl FnOnce(&Registry, &mut StdRng, Time) -> T) -> T {
        let now = Time::from(self.0.epoch.elapsed());
        ask(&self.0.registry, &mut self.0.draws.next(), now)
    }

    pub(crate) fn filter(&self) -> &SourceFilter {
        &self.0.filter
    }

    pub(crate) fn bodies(&self) -> &Bodies {
        &self.0.bodies
    }

    /// What connections out go through, and the address they come from.
    pub(crate) fn way_out(&self) -> (&Net, Option<IpAddr>) {
        (&self.0.config.net, self.0.config.source)
    }

    pub(crate) fn ping_every(&self) -> Duration {
        self.0.config.registry.ping_every
    }

    pub(crate) fn advertised(&self) -> Option<&BaseUrl> {
        self.0.config.advertise.as_ref()
    }

    /// What whoever sent this request calls the tracker: the advertised address, else its `Host`, else where we listen.
    pub(crate) fn base_url(&self, headers: &HeaderMap) -> Option<BaseUrl> {
        let named = || host_of(headers);
        self.advertised().cloned().or_else(named).or_else(|| self.0.local.get().cloned())
    }
}

/// The address a request came from, as one that can be compared.
pub(crate) fn source_of(address: SocketAddr) -> IpAddr {
    address.ip().to_canonical()
}
