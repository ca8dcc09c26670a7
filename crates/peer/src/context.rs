//! What every part of the shell shares.

use std::sync::Arc;

use net::{Few, Net};
use tokio_util::sync::CancellationToken;

use crate::catalog::Catalog;
use crate::chance::Chance;
use crate::clock::Clock;
use crate::dht::Dht;
use crate::gate::Gate;
use crate::http_client::HttpClient;
use crate::identity::Identity;
use crate::metrics_client::Board;
use crate::straight::Straight;
use crate::throttle::Throttle;
use crate::tracker_client::KnownById;

/// One per peer, behind an `Arc`.
pub(crate) struct Context {
    pub(crate) identity: Identity,
    pub(crate) clock: Clock,
    pub(crate) catalog: Catalog,
    /// What the metrics server is told.
    pub(crate) board: Board,
    pub(crate) gate: Arc<Gate>,
    /// `--limit-up`.
    pub(crate) up: Throttle,
    /// `--limit-down`.
    pub(crate) down: Throttle,
    pub(crate) chance: Chance,
    pub(crate) net: Net,
    /// Verifies and stores what came.
    pub(crate) settling: Few,
    pub(crate) http: HttpClient,
    /// Who gave torrent.json.
    pub(crate) known_by_id: KnownById,
    /// For chunks, where nothing speaks against it.
    pub(crate) straight: Straight,
    /// Where it takes part in the DHT.
    pub(crate) dht: Option<Dht>,
    /// Cancelled when the process ends.
    pub(crate) stop: CancellationToken,
}
