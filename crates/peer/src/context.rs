//! What every part of the shell shares.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::catalog::Catalog;
use crate::clock::Clock;
use crate::gate::Gate;
use crate::http_client::HttpClient;
use crate::identity::Identity;
use crate::throttle::Throttle;

/// One per peer, behind an `Arc`.
pub(crate) struct Context {
    pub(crate) identity: Identity,
    pub(crate) clock: Clock,
    pub(crate) catalog: Catalog,
    pub(crate) gate: Arc<Gate>,
    /// `--limit-up`.
    pub(crate) up: Throttle,
    /// `--limit-down`.
    pub(crate) down: Throttle,
    pub(crate) http: HttpClient,
    /// Cancelled when the process ends.
    pub(crate) stop: CancellationToken,
}
