//! The described routes, as their original answered: plain text, and 400 with the reason for whatever is wrong.
//!
//! Bodies are read whatever their content type says, for the original's clients send none or any.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::response::Response;
use http::StatusCode;
use protocol::HostPort;
use protocol::api::peer::PONG;
use protocol::api::tracker::{AnnounceChunks, DhtNode, MAX_DESCRIBED_BODY, MAX_HASHES, OpaqueHash, Port};
use registry::{Client, DescribedRefusal};
use serde::de::DeserializeOwned;

use crate::Tracker;
use crate::answer::{body_refusal, json, refusal, retry_after, text};
use crate::tracker::source_of;

/// Largest registration of a DHT node.
const MAX_DHT_BODY: usize = 4 << 10;
/// When to come back to a full tracker, in seconds: as long as somebody needs to die.
const FULL_RETRY_S: u64 = 15;

/// `PUT /chunk`: a client says what it holds.
pub(crate) async fn announce(
    State(tracker): State<Tracker>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    body: Body,
) -> Response {
    let announce: AnnounceChunks = match read(&tracker, body, MAX_DESCRIBED_BODY).await {
        Ok(announce) => announce,
        Err(refused) => return refused,
    };
    if announce.hashes.len() > MAX_HASHES {
        return too_many();
    }
    let address = match HostPort::new(announce.client_host, announce.client_port.get()) {
        Ok(address) => address,
        Err(error) => return refusal(StatusCode::BAD_REQUEST, &error),
    };
    let source = source_of(from);
    let target = match tracker.filter().target(source, address.host()).await {
        Ok(target) => target,
        Err(refused) => return refusal(StatusCode::BAD_REQUEST, &refused),
    };
    let client = Client { address, source, target };
    match tracker.with(|registry, _, now| registry.announce_chunks(now, &client, &announce.hashes)) {
        Ok(()) => text(StatusCode::OK, "Ok"),
        Err(refused @ DescribedRefusal::TooManyHashes(_)) => refusal(StatusCode::BAD_REQUEST, &refused),
        Err(refused @ (DescribedRefusal::TargetFull(_) | DescribedRefusal::ShareTaken)) => {
            retry_after(refusal(StatusCode::TOO_MANY_REQUESTS, &refused), FULL_RETRY_S)
        }
        Err(refused @ DescribedRefusal::Full) => {
            retry_after(refusal(StatusCode::SERVICE_UNAVAILABLE, &refused), FULL_RETRY_S)
        }
    }
}

/// `POST /chunk`: each known hash, given to one who holds it. None known is an error, because the original's clients
/// turn to the DHT only then.
pub(crate) async fn find(State(tracker): State<Tracker>, body: Body) -> Response {
    let wanted: Vec<OpaqueHash> = match read(&tracker, body, MAX_DESCRIBED_BODY).await {
        Ok(wanted) => wanted,
        Err(refused) => return refused,
    };
    if wanted.len() > MAX_HASHES {
        return too_many();
    }
    let assignments = tracker.with(|registry, rng, now| registry.assign(now, rng, &wanted));
    if assignments.is_empty() && !wanted.is_empty() {
        return text(StatusCode::BAD_REQUEST, "nobody here has any of these hashes");
    }
    json(&assignments)
}

/// `POST /dht`: a node of the DHT registers.
pub(crate) async fn register_dht_node(
    State(tracker): State<Tracker>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    body: Body,
) -> Response {
    let node = match read_dht_node(&tracker, body).await {
        Ok(node) => node,
        Err(refused) => return refused,
    };
    let target = match tracker.filter().target(source_of(from), node.host()).await {
        Ok(target) => target,
        Err(refused) => return refusal(StatusCode::BAD_REQUEST, &refused),
    };
    if tracker.with(|registry, _, now| registry.register_dht_node(now, node, target)) {
        text(StatusCode::OK, "Ok")
    } else {
        refusal(StatusCode::TOO_MANY_REQUESTS, &"this host has its share of nodes here")
    }
}

/// `DELETE /dht`: a node of the DHT leaves. Nobody takes out another (threat A16): the request must come from the very
/// address that is named. A node that is named otherwise stays until its time is over.
pub(crate) async fn remove_dht_node(
    State(tracker): State<Tracker>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    body: Body,
) -> Response {
    let node = match read_dht_node(&tracker, body).await {
        Ok(node) => node,
        Err(refused) => return refused,
    };
    if node.host().as_ip() != Some(source_of(from).to_canonical()) {
        return refusal(StatusCode::FORBIDDEN, &"only the node itself takes itself off the list");
    }
    tracker.with(|registry, _, now| registry.remove_dht_node(now, &node));
    text(StatusCode::OK, "Ok")
}

/// `GET /dht`: registered nodes, oldest first.
pub(crate) async fn dht_nodes(State(tracker): State<Tracker>) -> Response {
    let nodes = tracker.with(|registry, _, now| registry.dht_nodes(now));
    let listed = nodes.iter().map(|node| DhtNode { host: node.host().clone(), port: Port::from(node) });
    json(&listed.collect::<Vec<_>>())
}

/// `GET /ping`.
pub(crate) async fn ping() -> Response {
    text(StatusCode::OK, PONG)
}

/// The address of a node in the body of a registration or a leave.
async fn read_dht_node(tracker: &Tracker, body: Body) -> Result<HostPort, Response> {
    let node: DhtNode = read(tracker, body, MAX_DHT_BODY).await?;
    HostPort::new(node.host, node.port.get()).map_err(|error| refusal(StatusCode::BAD_REQUEST, &error))
}

async fn read<T: DeserializeOwned + Send + 'static>(
    tracker: &Tracker,
    body: Body,
    most: usize,
) -> Result<T, Response> {
    let received = tracker.bodies().read(body, most).await.map_err(body_refusal)?;
    let parsed = tracker.bodies().parse(received).await.map_err(body_refusal)?;
    parsed.map_err(|error| refusal(StatusCode::BAD_REQUEST, &error))
}

fn too_many() -> Response {
    refusal(StatusCode::BAD_REQUEST, &format_args!("more than {MAX_HASHES} hashes in one request"))
}
