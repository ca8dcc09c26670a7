//! What is worth reporting, pinned up by those who know it: the torrents, the trackers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::api::metrics::Report;
use protocol::{BaseUrl, Host};
use tokio::sync::watch;

use super::{may_send_us, report};
use crate::dht::Dht;
use crate::holding::Holding;
use crate::identity::Identity;
use crate::sharing::Sharing;

/// One per process.
#[derive(Default)]
pub(crate) struct Board {
    torrents: Mutex<Vec<(Arc<Holding>, Sharing)>>,
    trackers: watch::Sender<BTreeMap<BaseUrl, Told>>,
}

/// What is known of a tracker from the last round with it.
#[derive(Clone, Debug, Default)]
struct Told {
    up: bool,
    metrics: Option<BaseUrl>,
}

impl Board {
    /// A torrent that this process shares from now on.
    pub(crate) fn add(&self, holding: Arc<Holding>, sharing: Sharing) {
        self.torrents().push((holding, sharing));
    }

    /// How a round with a tracker went.
    pub(crate) fn note(&self, tracker: &BaseUrl, up: bool) {
        self.trackers.send_modify(|trackers| trackers.entry(tracker.clone()).or_default().up = up);
    }

    /// Where a tracker sends reports.
    pub(crate) fn note_metrics(&self, tracker: &BaseUrl, metrics: Option<BaseUrl>) {
        self.trackers.send_modify(|trackers| trackers.entry(tracker.clone()).or_default().metrics = metrics);
    }

    /// Returns when a tracker has answered, or failed to.
    pub(super) async fn first_tracker(&self) {
        // The sender lives in `self`: waiting cannot fail.
        let _ = self.trackers.subscribe().wait_for(|trackers| !trackers.is_empty()).await;
    }

    /// The metrics server that a tracker named and may name, as `us`.
    pub(super) fn learned(&self, us: &Host) -> Option<BaseUrl> {
        let trackers = self.trackers.borrow();
        let named = trackers.iter().filter_map(|(tracker, told)| Some((tracker, told.metrics.as_ref()?)));
        named.filter(|(tracker, to)| may_send_us(tracker, to, us)).map(|(_, to)| to.clone()).next()
    }

    /// How this process does; nothing while it shares nothing.
    pub(super) fn report(&self, identity: &Identity, dht: Option<&Dht>, leaving: bool) -> Option<Report> {
        let tracker_up = self.trackers.borrow().values().any(|told| told.up);
        let torrents = self.torrents();
        (!torrents.is_empty()).then(|| report::of(identity, dht, &torrents, tracker_up, leaving))
    }

    fn torrents(&self) -> MutexGuard<'_, Vec<(Arc<Holding>, Sharing)>> {
        self.torrents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
