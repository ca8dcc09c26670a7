//! A tracker's list of nodes: read to get in, and joined so that others do; left at the end.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use axum::http::{HeaderValue, Method, Request, StatusCode, header};
use bytes::Bytes;
use http_body_util::Full;
use protocol::api::tracker::{DHT, DhtNode, Port};
use protocol::{BaseUrl, HostPort};
use rand::seq::SliceRandom;

use super::{Dht, ways_in};
use crate::context::Context;
use crate::http_client::{Answer, HttpError, json_request};
use crate::torrent_finder::reason;

/// Longest wait for an answer.
const ANSWER: Duration = Duration::from_secs(10);
/// Longest wait for the answer to a leave: the process wants to end.
const LEAVE: Duration = Duration::from_secs(2);
/// Largest list: a thousand nodes with long names.
const LIST_BYTES: usize = 1 << 20;
/// Nodes of a list that are used; one that lives is enough.
const USED: usize = 32;
/// How often we say that we are still there.
const REGISTER: Duration = Duration::from_secs(300);
/// Pause after the first look at the list while few nodes are known: the others of a swarm may start just now. It
/// doubles with every further one.
const FEW_FIRST: Duration = Duration::from_secs(2);
/// The longest such pause, and the longest after a failure.
const FEW_LAST: Duration = Duration::from_secs(30);

/// What goes wrong with it; people hear of a tracker's troubles from its announces.
#[derive(Debug, thiserror::Error)]
enum ListError {
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error("answered {status} '{reason}'")]
    Refused { status: StatusCode, reason: String },
    #[error("answered something that is no list of nodes")]
    Nonsense,
}

/// One tracker's list.
pub(crate) struct NodeList {
    pub(crate) dht: Dht,
    pub(crate) tracker: BaseUrl,
    pub(crate) context: Arc<Context>,
}

impl Dht {
    /// True the first time: this tracker's list is to be used from now on.
    pub(crate) fn is_new(&self, tracker: &BaseUrl) -> bool {
        self.trackers.lock().unwrap_or_else(PoisonError::into_inner).insert(tracker.clone())
    }
}

impl NodeList {
    /// Reads and joins it until the process ends, then leaves it.
    pub(crate) async fn run(self) {
        let stop = self.context.stop.clone();
        // `None` when UDP reaches us elsewhere than HTTP does (behind a proxy): then we only ask.
        let ours = self
            .context
            .identity
            .url
            .as_described()
            .and_then(|http| HostPort::new(http.host().clone(), self.dht.address.port()).ok());
        let mut pause = FEW_FIRST;
        while stop.run_until_cancelled(self.round(ours.as_ref(), &mut pause)).await.is_some() {}
        if let Some(ours) = ours {
            let _ = self.exchange(Method::DELETE, &ours, LEAVE).await;
        }
    }

    async fn round(&self, ours: Option<&HostPort>, pause: &mut Duration) {
        let done = self.read_and_join(ours).await;
        if let Err(error) = &done {
            tracing::debug!(tracker = %self.tracker, %error, "its list of DHT nodes");
        }
        if done.is_ok() && self.dht.nodes() >= ::dht::K {
            *pause = FEW_FIRST;
            tokio::time::sleep(REGISTER).await;
        } else {
            tokio::time::sleep(*pause).await;
            *pause = (*pause * 2).min(FEW_LAST);
        }
    }

    async fn read_and_join(&self, ours: Option<&HostPort>) -> Result<(), ListError> {
        if let Some(ours) = ours {
            accepted(self.exchange(Method::POST, ours, ANSWER).await?)?;
        }
        let request = json_request(Method::GET, self.tracker.join(DHT), Vec::new())?;
        let answer = accepted(self.send(request, LIST_BYTES, ANSWER).await?)?;
        let listed: Vec<DhtNode> = serde_json::from_slice(&answer.body).map_err(|_| ListError::Nonsense)?;
        let mut nodes: Vec<HostPort> =
            listed.into_iter().filter_map(|node| HostPort::new(node.host, node.port.get()).ok()).collect();
        nodes.retain(|node| Some(node) != ours);
        // The oldest come first, and would have to take in everybody.
        self.context.chance.with(|rng| nodes.shuffle(rng));
        nodes.truncate(USED);
        ways_in::add(&self.dht, &self.context.net, &nodes).await;
        Ok(())
    }

    async fn exchange(&self, method: Method, node: &HostPort, limit: Duration) -> Result<Answer, HttpError> {
        let node = DhtNode { host: node.host().clone(), port: Port::from(node) };
        let body = serde_json::to_vec(&node).unwrap_or_default();
        self.send(json_request(method, self.tracker.join(DHT), body)?, LIST_BYTES, limit).await
    }

    async fn send(
        &self,
        mut request: Request<Full<Bytes>>,
        cap: usize,
        limit: Duration,
    ) -> Result<Answer, HttpError> {
        // One idle connection blocks an original tracker, and it may be one.
        request.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        self.context.http.exchange(&self.tracker, request, cap, limit).await
    }
}

fn accepted(answer: Answer) -> Result<Answer, ListError> {
    if answer.status.is_success() {
        return Ok(answer);
    }
    Err(ListError::Refused { status: answer.status, reason: reason(&answer.body) })
}
