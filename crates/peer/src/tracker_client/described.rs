//! The described tracker: `PUT /chunk` tells hashes, `POST /chunk` asks who has some.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::{HeaderValue, Method, StatusCode, header};
use protocol::api::tracker::{
    AnnounceChunks, Assignment, CHUNK, MAX_HASHES, MAX_PEERS_BODY, OpaqueHash, Port,
};
use protocol::{BaseUrl, ChunkIndex, ChunkSet, HostPort};
use rand::seq::SliceRandom;

use super::{ANSWER, Round, TrackerClient, TrackerError};
use crate::fact::Sighting;
use crate::http_client::{Answer, json_request};
use crate::torrent_finder::reason;

/// How often it is asked while something is missing: it tells nobody what others gained.
const ASK: Duration = Duration::from_secs(3);
/// How often a seed tells it everything again: it may have been restarted.
const TELL: Duration = Duration::from_secs(10);
/// Requests of one round of asking. A tracker that knows only some of the hashes refuses all of them together, so
/// that they are asked for in ever smaller parts.
const REQUESTS: usize = 64;

/// What such a tracker was told.
#[derive(Default)]
pub(super) struct DescribedTracker {
    told: Option<ChunkSet>,
    rounds: u32,
}

impl DescribedTracker {
    pub(super) async fn announce(&mut self, client: &TrackerClient) -> Result<Round, TrackerError> {
        let held = client.holding.held().0;
        self.tell(client, &held).await?;
        if client.holding.wanted().difference(&held).next().is_none() {
            return Ok(Round { sightings: Vec::new(), again_after: TELL });
        }
        Ok(Round { sightings: ask(client, &held).await?, again_after: ASK })
    }

    /// Tells what is new, and everything now and then.
    async fn tell(&mut self, client: &TrackerClient, held: &ChunkSet) -> Result<(), TrackerError> {
        self.rounds = self.rounds.wrapping_add(1);
        let nothing = ChunkSet::empty(held.len());
        let everything = held.is_full() || self.rounds.is_multiple_of(4);
        let told = self.told.as_ref().filter(|_| !everything).unwrap_or(&nothing);
        let new: Vec<OpaqueHash> = names(client, held.difference(told));
        let identity = &client.context.identity;
        for hashes in new.chunks(MAX_HASHES) {
            let announce = AnnounceChunks {
                client_host: identity.url.address().host().clone(),
                client_port: Port::from(identity.url.address()),
                hashes: hashes.to_vec(),
            };
            let body = serde_json::to_vec(&announce).map_err(|_| TrackerError::Nonsense)?;
            let answer = exchange(client, Method::PUT, body).await?;
            if !answer.status.is_success() {
                return Err(refused(&answer));
            }
        }
        self.told = Some(held.clone());
        Ok(())
    }
}

/// Asks who has the missing chunks.
async fn ask(client: &TrackerClient, held: &ChunkSet) -> Result<Vec<Sighting>, TrackerError> {
    let mut names = names(client, client.holding.wanted().difference(held));
    // In another order each round: a tracker that refuses everything for one unknown hash lets only so many be asked
    // for, and they must not be the same ones for ever.
    client.context.chance.with(|rng| names.shuffle(rng));
    let mut found: BTreeMap<HostPort, ChunkSet> = BTreeMap::new();
    let mut parts: Vec<&[OpaqueHash]> = names.chunks(MAX_HASHES).collect();
    let mut refusal = None;
    for _ in 0..REQUESTS {
        let Some(part) = parts.pop() else { break };
        let body = serde_json::to_vec(part).map_err(|_| TrackerError::Nonsense)?;
        let answer = exchange(client, Method::POST, body).await?;
        match answer.status {
            StatusCode::OK => note(client, &answer, &mut found)?,
            StatusCode::BAD_REQUEST if part.len() > 1 => {
                let (one, other) = part.split_at(part.len() / 2);
                parts.extend([one, other]);
            }
            // This hash nobody has announced.
            StatusCode::BAD_REQUEST => refusal = Some(refused(&answer)),
            _ => return Err(refused(&answer)),
        }
    }
    match refusal {
        Some(refusal) if found.is_empty() => Err(refusal),
        _ => Ok(found.into_iter().map(|(address, held)| sighting(address, held)).collect()),
    }
}

/// The names of chunks, each once however many chunks have it.
fn names(client: &TrackerClient, chunks: impl Iterator<Item = ChunkIndex>) -> Vec<OpaqueHash> {
    let torrent = client.holding.torrent();
    let mut hashes: Vec<_> = chunks.map(|chunk| torrent.chunk_hash(chunk)).collect();
    hashes.sort_unstable();
    hashes.dedup();
    hashes.iter().filter_map(|hash| OpaqueHash::new(&hash.to_string()).ok()).collect()
}

fn note(
    client: &TrackerClient,
    answer: &Answer,
    found: &mut BTreeMap<HostPort, ChunkSet>,
) -> Result<(), TrackerError> {
    let torrent = client.holding.torrent();
    let ours = client.context.identity.url.as_described();
    let assignments: Vec<Assignment> =
        serde_json::from_slice(&answer.body).map_err(|_| TrackerError::Nonsense)?;
    for assignment in assignments {
        let Ok(address) = HostPort::new(assignment.client_host, assignment.client_port.get()) else {
            continue;
        };
        if Some(&address) == ours {
            continue;
        }
        let held = found.entry(address).or_insert_with(|| ChunkSet::empty(torrent.chunk_count()));
        for hash in assignment.hash_list.iter().filter_map(|name| name.as_str().parse().ok()) {
            for chunk in torrent.chunks_with(&hash) {
                held.insert(*chunk);
            }
        }
    }
    Ok(())
}

fn sighting(address: HostPort, held: ChunkSet) -> Sighting {
    Sighting { url: BaseUrl::http(address), peer: None, held: Some(held) }
}

/// One request on a connection of its own: an idle one would block the tracker for everybody.
async fn exchange(client: &TrackerClient, method: Method, body: Vec<u8>) -> Result<Answer, TrackerError> {
    let mut request = json_request(method, client.url.join(CHUNK), body)?;
    request.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    Ok(client.context.http.exchange(&client.url, request, MAX_PEERS_BODY, ANSWER).await?)
}

fn refused(answer: &Answer) -> TrackerError {
    TrackerError::Refused { status: answer.status.as_u16(), reason: reason(&answer.body) }
}
