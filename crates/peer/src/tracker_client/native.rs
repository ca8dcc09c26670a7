//! The native announce: one `PUT` tells what is held and brings peers.

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use protocol::api::tracker::{
    Announce, AnnounceAnswer, Have, MAX_PEERS_BODY, PeerEntry, Port, Reachable, Token, peer_path, peers_path,
    torrent_path,
};
use protocol::{HostPort, Torrent};

use super::{ANSWER, Round, TrackerClient, TrackerError};
use crate::fact::Sighting;
use crate::http_client::{Answer, json_request};
use crate::torrent_finder::reason;

/// The interval a tracker may ask for, in seconds: nobody can silence us for a day or make us hammer it.
const INTERVAL_S: std::ops::RangeInclusive<u64> = 1..=600;
/// Longest time to publish: torrent.json may have 128 MiB.
const PUBLISH: Duration = Duration::from_secs(60);
/// Longest wait for the answer to a leave: the process wants to end.
const LEAVE: Duration = Duration::from_secs(2);

/// What a native tracker gave us.
#[derive(Default)]
pub(super) struct NativeTracker {
    token: Option<Token>,
}

impl NativeTracker {
    pub(super) async fn announce(&mut self, client: &TrackerClient) -> Result<Round, TrackerError> {
        let mut answer = self.put(client).await?;
        if answer.status == StatusCode::NOT_FOUND {
            publish(client).await?;
            answer = self.put(client).await?;
        }
        if matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
            && self.token.take().is_some()
        {
            // A tracker that was restarted does not know its old tokens.
            answer = self.put(client).await?;
        }
        if !answer.status.is_success() {
            return Err(refused(&answer));
        }
        let told: AnnounceAnswer =
            serde_json::from_slice(&answer.body).map_err(|_| TrackerError::Nonsense)?;
        self.token = Some(told.token);
        client.context.board.note_metrics(&client.url, told.metrics);
        let torrent = client.holding.torrent();
        let ours = client.context.identity.peer;
        let others = told.peers.into_iter().filter(|entry| entry.peer != Some(ours));
        Ok(Round {
            sightings: others.map(|entry| sighting(entry, torrent)).collect(),
            again_after: Duration::from_secs(told.interval.clamp(*INTERVAL_S.start(), *INTERVAL_S.end())),
        })
    }

    async fn put(&self, client: &TrackerClient) -> Result<Answer, TrackerError> {
        let holding = &client.holding;
        let identity = &client.context.identity;
        let held = holding.held().0;
        let announce = Announce {
            peer: identity.peer,
            reachable: reachable(client)?,
            have: Have::of(&held),
            downloaded: holding.downloaded.load(Ordering::Relaxed),
            uploaded: holding.uploaded.load(Ordering::Relaxed),
            left: holding.torrent().size() - holding.torrent().bytes_in(&held),
        };
        let body = serde_json::to_vec(&announce).map_err(|_| TrackerError::Nonsense)?;
        let url = client.url.join(&peers_path(holding.torrent().id()));
        let mut request = json_request(Method::PUT, url, body)?;
        self.authorize(request.headers_mut());
        Ok(client.context.http.exchange(&client.url, request, MAX_PEERS_BODY, ANSWER).await?)
    }

    fn authorize(&self, headers: &mut HeaderMap) {
        let value = self.token.as_ref().map(|token| format!("Bearer {}", token.as_str()));
        if let Some(Ok(mut value)) = value.map(HeaderValue::try_from) {
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
    }

    /// Takes us off the list; a tracker that does not answer lets the lease run out.
    pub(super) async fn leave(&self, client: &TrackerClient) {
        let path = peer_path(client.holding.torrent().id(), client.context.identity.peer);
        if let Ok(mut request) = json_request(Method::DELETE, client.url.join(&path), Vec::new()) {
            self.authorize(request.headers_mut());
            let _ = client.context.http.exchange(&client.url, request, 1 << 16, LEAVE).await;
        }
    }
}

/// The port alone lets the tracker take the address it sees; an advertised URL is told as it is.
fn reachable(client: &TrackerClient) -> Result<Reachable, TrackerError> {
    let identity = &client.context.identity;
    if identity.advertised {
        return Ok(Reachable::Url(identity.url.clone()));
    }
    let host = identity.url.address().host().clone();
    let address = HostPort::new(host, identity.port).map_err(|_| TrackerError::Nonsense)?;
    Ok(Reachable::Port(Port::from(&address)))
}

/// A tracker that does not know the torrent is told it.
async fn publish(client: &TrackerClient) -> Result<(), TrackerError> {
    let torrent = client.holding.torrent();
    let request = json_request(Method::PUT, client.url.join(&torrent_path(torrent.id())), torrent.to_json())?;
    let answer = client.context.http.exchange(&client.url, request, 1 << 16, PUBLISH).await?;
    if answer.status.is_success() { Ok(()) } else { Err(refused(&answer)) }
}

fn refused(answer: &Answer) -> TrackerError {
    TrackerError::Refused { status: answer.status.as_u16(), reason: reason(&answer.body) }
}

fn sighting(entry: PeerEntry, torrent: &Torrent) -> Sighting {
    // A bitmap of another length is a tracker's mistake; the peer is asked itself.
    Sighting { url: entry.url, peer: entry.peer, held: entry.have.to_set(torrent.chunk_count()).ok() }
}
