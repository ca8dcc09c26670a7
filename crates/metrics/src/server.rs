//! The metrics server itself: its state, its routes, and how it runs.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use net::Listener;
use protocol::api::{metrics as api, peer, well_known};
use protocol::{Host, Time};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::collector::{Collector, Limits};
use crate::live::Watchers;
use crate::state_file::{self, StateError};
use crate::{guard, listing, live, page, report};

/// How a metrics server runs.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Names, beside `localhost` and addresses, under which its pages are shown (threat A24).
    pub names: Vec<Host>,
    /// Bounds of the listener.
    pub listen: listen::Limits,
    /// Bounds of the memory.
    pub limits: Limits,
    /// Where it remembers its clients when it is not running.
    pub state: Option<PathBuf>,
}

/// A metrics server. Clones are the same server.
#[derive(Clone, Debug)]
pub struct MetricsServer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// A plain mutex: nothing waits while it is held.
    collector: Mutex<Collector>,
    clock: Clock,
    watchers: Watchers,
    config: Config,
}

/// How often the state is written, at most: what a crash may forget.
const SAVE_EVERY: Duration = Duration::from_secs(10);

impl MetricsServer {
    /// A server that knows what its state file remembers, if it has one.
    pub fn open(config: Config) -> Result<Self, StateError> {
        let clock = Clock::start();
        let mut collector = Collector::new(config.limits);
        if let Some(path) = &config.state {
            state_file::read(path, clock.now(), &mut collector)?;
        }
        let collector = Mutex::new(collector);
        Ok(MetricsServer(Arc::new(Inner { collector, clock, watchers: Watchers::new(), config })))
    }

    /// All routes. Handlers need `ConnectInfo<SocketAddr>` of the other side, as the `listen` crate gives it.
    pub fn router(&self) -> Router {
        let guarded = axum::middleware::from_fn_with_state(self.clone(), guard::guard);
        Router::new()
            .route("/", get(page::get))
            .route(api::METRICS, get(listing::get).post(report::post))
            .route("/events", get(live::get))
            .route("/assets/{name}", get(page::asset))
            .route(peer::PING, get(page::ping))
            .route(well_known::PATH, get(page::well_known))
            .fallback(page::not_found)
            .layer(guarded)
            .with_state(self.clone())
    }

    /// Answers on `listener` until `stop`; then the state is written a last time.
    pub async fn serve(
        self,
        listener: impl Into<Listener>,
        stop: CancellationToken,
    ) -> Result<(), StateError> {
        let listener = listener.into();
        if let Some(address) = listener.local_addr().ok().filter(|address| !address.ip().is_loopback()) {
            // Threat A28: nobody shall open it without knowing.
            tracing::warn!("the page on {address} is open to everybody who reaches it: it has no password");
        }
        let live = tokio::spawn(live::run(self.clone(), stop.clone()));
        let saving = tokio::spawn(self.clone().save_now_and_then(stop.clone()));
        listen::listen(listener, self.router(), self.0.config.listen, stop).await;
        // They end by the token; a panic in one was logged by the runtime and must not keep the server from stopping.
        let (_, _) = (live.await, saving.await);
        self.save().await
    }

    async fn save_now_and_then(self, stop: CancellationToken) {
        if self.0.config.state.is_none() {
            return;
        }
        let mut ticks = tokio::time::interval(SAVE_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            if let Err(error) = self.save().await {
                tracing::warn!("{error}; trying again in {SAVE_EVERY:?}");
            }
        }
    }

    async fn save(&self) -> Result<(), StateError> {
        let Some(path) = self.0.config.state.clone() else { return Ok(()) };
        let server = self.clone();
        let writing = move || {
            let state = server.with(|collector, _| state_file::to_json(collector));
            state_file::write(&path, &state)
        };
        tokio::task::spawn_blocking(writing).await.unwrap_or(Ok(()))
    }

    /// Asks the collector, at this moment. Nothing slow belongs into `ask`.
    pub(crate) fn with<T>(&self, ask: impl FnOnce(&mut Collector, Time) -> T) -> T {
        // A panic inside an earlier call is a defect; going on with what is there serves everybody else.
        let mut collector = self.0.collector.lock().unwrap_or_else(PoisonError::into_inner);
        // Read under the lock, so that time never goes back from one call to the next.
        let now = self.0.clock.now();
        ask(&mut collector, now)
    }

    pub(crate) fn watchers(&self) -> &Watchers {
        &self.0.watchers
    }

    pub(crate) fn config(&self) -> &Config {
        &self.0.config
    }
}
