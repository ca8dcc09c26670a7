//! From a link to the torrent: from whichever of its trackers answers first with the right content, or from a peer that
//! shares it. Whoever sends it, it is the right one when its id is the link's.

mod asked;

use std::time::Duration;

use ::dht::Key;
use axum::http::{Request, StatusCode};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use http_body_util::Full;
use protocol::api::problem::Problem;
use protocol::api::tracker::torrent_path;
use protocol::torrent::{MAX_TORRENT_JSON, ParseError};
use protocol::{BaseUrl, Link, Printable, Torrent};

use self::asked::Asked;
use crate::context::Context;
use crate::dht::Dht;
use crate::http_client::{HttpClient, HttpError, read_capped};

/// Longest time for the whole description; 128 MiB at 20 Mbit/s.
const LIMIT: Duration = Duration::from_secs(60);

/// Longest wait for the head of a peer's answer. Strangers name peers, and one that keeps silent holds up the others.
const HEAD: Duration = Duration::from_secs(3);
/// The same for a peer that the user names: nothing waits behind it, and its machine may have much else to do.
const HEAD_OF_NAMED: Duration = Duration::from_secs(10);
/// Peers that are asked for a description at a time.
const ASKED_AT_ONCE: usize = 8;
/// Peers of one answer of the DHT that are asked: two liars do not use up what is asked in all (threat A20).
const ASKED_OF_AN_ANSWER: usize = 8;
/// How long the DHT's peers are looked for and asked, all in all: a node that was just started needs a second or two to
/// be known, who provides the torrent some more to announce it to a node that is new, and who was silent another chance.
const LOOK: Duration = Duration::from_secs(30);
/// Pause between two look-ups.
const AGAIN: Duration = Duration::from_secs(2);

/// Why a link gave no torrent.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// Nobody answers there.
    #[error("tracker {tracker} cannot be reached: {source}")]
    Unreachable {
        /// The tracker asked last.
        tracker: BaseUrl,
        /// What happened.
        source: HttpError,
    },
    /// It answers, and does not know the torrent.
    #[error("tracker {tracker} does not know this torrent: nobody has shared it there yet")]
    NotFound {
        /// The tracker asked last.
        tracker: BaseUrl,
    },
    /// It answers something else.
    #[error("tracker {tracker} answered {status}: {reason}")]
    Refused {
        /// The tracker asked last.
        tracker: BaseUrl,
        /// Its status.
        status: u16,
        /// Its own words, made harmless.
        reason: String,
    },
    /// It answers with something that is no torrent.
    #[error("tracker {tracker} sent a torrent that is refused: {source}")]
    Malformed {
        /// The tracker asked last.
        tracker: BaseUrl,
        /// What is wrong with it.
        source: ParseError,
    },
    /// No tracker helps, and no peer that is known has it either.
    #[error("{tracker}; and none of the {asked} peers that are known has it")]
    NoPeer {
        /// What the first tracker said.
        tracker: Box<FindError>,
        /// How many peers were asked.
        asked: usize,
    },
    /// It answers with another torrent (threat A39).
    #[error("tracker {tracker} sent another torrent than the link names")]
    WrongId {
        /// The tracker asked last.
        tracker: BaseUrl,
    },
}

/// Asks the link's trackers in order; the error is the first one's, since that is the one the link points to.
pub async fn find_torrent(http: &HttpClient, link: &Link) -> Result<Torrent, FindError> {
    let mut first_error = None;
    for tracker in std::iter::once(&link.tracker).chain(&link.more_trackers) {
        match ask(http, tracker, link, LIMIT).await {
            // The tracker that has it is the one to announce to, whatever address the description names.
            Ok(torrent) => return Ok(torrent.with_tracker(Some(tracker.clone()))),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    Err(first_error.unwrap_or_else(|| unreachable!("a link has a tracker")))
}

/// Asks the link's trackers, and when none of them helps `peers` and those that the DHT names.
pub(crate) async fn find_anywhere(
    context: &Context,
    link: &Link,
    peers: &[BaseUrl],
) -> Result<Torrent, FindError> {
    let error = match find_torrent(&context.http, link).await {
        Ok(torrent) => {
            if let Some(tracker) = torrent.tracker() {
                context.known_by_id.note(tracker);
            }
            return Ok(torrent);
        }
        Err(error) if peers.is_empty() && context.dht.is_none() => return Err(error),
        Err(error) => error,
    };
    tracing::info!(%error, "asking peers instead");
    let mut asked = Asked::default();
    let named = asked.first(peers.iter().cloned(), peers.len());
    if let Some(torrent) = ask_peers(&context.http, named, &mut asked, link, HEAD_OF_NAMED).await {
        return Ok(torrent);
    }
    if let Some(dht) = &context.dht {
        let search = look_in_dht(&context.http, dht, &mut asked, link);
        if let Ok(torrent) = tokio::time::timeout(LOOK, search).await {
            return Ok(torrent);
        }
    }
    Err(FindError::NoPeer { tracker: Box::new(error), asked: asked.peers() })
}

/// Looks and asks until somebody has it.
async fn look_in_dht(http: &HttpClient, dht: &Dht, asked: &mut Asked, link: &Link) -> Torrent {
    dht.joined().await;
    loop {
        let mut found = dht.find(Key::of_torrent(&link.id)).await;
        while let Some(addresses) = found.recv().await {
            let peers = addresses.into_iter().map(|address| BaseUrl::http(address.into()));
            let new = asked.first(peers, ASKED_OF_AN_ANSWER);
            if let Some(torrent) = ask_peers(http, new, asked, link, HEAD).await {
                return torrent;
            }
        }
        tokio::time::sleep(AGAIN).await;
        let silent = asked.again();
        if let Some(torrent) = ask_peers(http, silent, asked, link, HEAD).await {
            return torrent;
        }
    }
}

/// Asks each, a few at a time, and waits so long for the head of an answer.
async fn ask_peers(
    http: &HttpClient,
    peers: Vec<BaseUrl>,
    asked: &mut Asked,
    link: &Link,
    head: Duration,
) -> Option<Torrent> {
    let mut waiting = peers.into_iter();
    let ask = |peer: BaseUrl| async move { (ask(http, &peer, link, head).await, peer) };
    let mut asking: FuturesUnordered<_> = waiting.by_ref().take(ASKED_AT_ONCE).map(ask).collect();
    while let Some((answer, peer)) = asking.next().await {
        match answer {
            // The link's tracker is to know of us when it returns.
            Ok(torrent) => return Some(torrent.with_tracker(Some(link.tracker.clone()))),
            Err(error) => {
                tracing::debug!(%peer, %error, "a peer has no description");
                if matches!(error, FindError::WrongId { .. } | FindError::Malformed { .. }) {
                    asked.give_up(&peer);
                }
            }
        }
        asking.extend(waiting.next().map(ask));
    }
    None
}

/// Asks one tracker or peer, and waits for the head of its answer for so long, for all of it for [`LIMIT`].
async fn ask(
    http: &HttpClient,
    tracker: &BaseUrl,
    link: &Link,
    head: Duration,
) -> Result<Torrent, FindError> {
    let tracker = tracker.clone();
    let get = async {
        let request = Request::builder().uri(tracker.join(&torrent_path(link.id))).body(Full::default())?;
        let (head, body) = http.send(&tracker, request, head).await?.into_parts();
        Ok((head.status, read_capped(body, MAX_TORRENT_JSON).await?))
    };
    let answer = tokio::time::timeout(LIMIT, get).await.unwrap_or(Err(HttpError::Timeout(LIMIT)));
    let (status, body) = match answer {
        Ok(answer) => answer,
        Err(source) => return Err(FindError::Unreachable { tracker, source }),
    };
    match status {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND => return Err(FindError::NotFound { tracker }),
        status => {
            let reason = reason(&body);
            return Err(FindError::Refused { tracker, status: status.as_u16(), reason });
        }
    }
    let parsed = http.net().blocking(move || Torrent::from_json(&body)).await;
    match parsed {
        Some(Ok(torrent)) if torrent.id() == link.id => Ok(torrent),
        Some(Ok(_)) => Err(FindError::WrongId { tracker }),
        Some(Err(source)) => Err(FindError::Malformed { tracker, source }),
        // Only a runtime that shuts down cancels a blocking task.
        None => Err(FindError::NotFound { tracker }),
    }
}

/// What an answer says about itself: a problem's detail, or the beginning of its text.
pub(crate) fn reason(body: &[u8]) -> String {
    let text = match serde_json::from_slice::<Problem>(body) {
        Ok(problem) => problem.detail.unwrap_or(problem.title),
        Err(_) => String::from_utf8_lossy(body).trim().to_owned(),
    };
    let short: String = text.chars().take(200).collect();
    Printable(&short).to_string()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use net::Net;

    use super::*;

    #[tokio::test]
    async fn peers_that_keep_silent_cost_seconds() {
        // They accept and say nothing.
        let mute: Vec<TcpListener> =
            (0..ASKED_AT_ONCE).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let peers: Vec<BaseUrl> =
            mute.iter().map(|peer| BaseUrl::http(peer.local_addr().unwrap().into())).collect();
        let link: Link = format!("http://127.0.0.1:1/torrent/{}", "ab".repeat(32)).parse().unwrap();
        let http = HttpClient::new(&Net::default(), None);
        let mut asked = Asked::default();
        let peers = asked.first(peers, ASKED_AT_ONCE);
        let all = ask_peers(&http, peers, &mut asked, &link, HEAD);
        assert!(tokio::time::timeout(HEAD * 3, all).await.expect("not for a minute").is_none());
        assert_eq!(asked.again().len(), ASKED_AT_ONCE, "they may answer later");
    }
}
