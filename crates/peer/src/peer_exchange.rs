//! Asking a neighbour whom it knows: a swarm without tracker or DHT still grows.

use std::sync::Arc;
use std::time::Duration;

use protocol::api::tracker::{MAX_PEERS, MAX_PEERS_BODY, Peers, peers_path};
use tokio::sync::mpsc;

use crate::context::Context;
use crate::fact::{Fact, Sighting};
use crate::holding::Holding;
use crate::neighbour::Neighbour;

/// Longest wait for the list.
const ANSWER: Duration = Duration::from_secs(5);

/// Asks one neighbour; what it does not answer is no loss.
pub(crate) async fn ask(
    context: Arc<Context>,
    holding: Arc<Holding>,
    neighbour: Arc<Neighbour>,
    facts: mpsc::Sender<Fact>,
) {
    let path = peers_path(holding.torrent().id());
    let answer = context.http.get(&neighbour.url, &path, MAX_PEERS_BODY, ANSWER).await;
    let peers = answer.ok().filter(|answer| answer.status.is_success());
    if let Some(list) = peers.and_then(|answer| serde_json::from_slice::<Peers>(&answer.body).ok()) {
        // Hearsay: what they hold they are asked themselves.
        let sightings = list.peers.into_iter().take(MAX_PEERS).map(|entry| Sighting {
            url: entry.url,
            peer: entry.peer,
            held: None,
        });
        let _ = facts.send(Fact::Sighted(sightings.collect())).await;
    }
}
