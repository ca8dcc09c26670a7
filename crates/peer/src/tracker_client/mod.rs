//! One tracker of one torrent: tells it what is held, asks it who else there is, and leaves it at the end.
//!
//! A tracker that answers `/.well-known/http-torrent` is spoken to natively; any other answer means the described
//! protocol. A tracker that is down is tried again for ever: the swarm goes on without it, and it must know everyone
//! again soon after it returns.

mod described;
mod native;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::{Request, header};
use bytes::Bytes;
use http_body_util::Full;
use protocol::BaseUrl;
use protocol::api::well_known::{self, WellKnown};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::described::DescribedTracker;
use self::native::NativeTracker;
use crate::context::Context;
use crate::fact::{Fact, Sighting};
use crate::holding::Holding;
use crate::http_client::HttpError;
use crate::hurry::Hurry;

/// Longest wait for any answer of a tracker.
pub(super) const ANSWER: Duration = Duration::from_secs(10);
/// Two announces are never closer than this, however often they are asked for.
const GAP: Duration = Duration::from_millis(500);
/// Pause after a failure; it doubles up to the last. Short enough that a tracker that returns knows everyone again
/// within 15 seconds.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_LAST: Duration = Duration::from_secs(8);

/// Why a tracker was of no use this time.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrackerError {
    #[error("cannot be reached: {0}")]
    Http(#[from] HttpError),
    #[error("answered {status} '{reason}'")]
    Refused { status: u16, reason: String },
    #[error("answered something that is no announce's answer")]
    Nonsense,
}

/// What a round with a tracker brought.
pub(super) struct Round {
    /// Peers it named.
    pub(super) sightings: Vec<Sighting>,
    /// When it wants to hear from us again.
    pub(super) again_after: Duration,
}

/// The last trouble of each tracker, for people.
#[derive(Clone, Default)]
pub(crate) struct Troubles(Arc<Mutex<std::collections::BTreeMap<BaseUrl, String>>>);

impl Troubles {
    fn set(&self, tracker: &BaseUrl, trouble: Option<String>) {
        let mut troubles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match trouble {
            Some(trouble) => troubles.insert(tracker.clone(), trouble),
            None => troubles.remove(tracker),
        };
    }

    /// One line, or nothing when every tracker is fine.
    pub(crate) fn line(&self) -> Option<String> {
        let troubles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lines: Vec<String> =
            troubles.iter().map(|(url, trouble)| format!("tracker {url} {trouble}")).collect();
        (!lines.is_empty()).then(|| lines.join("; "))
    }
}

/// Who gave a torrent.json for its id. Only a native tracker can, or a peer of ours: it is announced to over the connection that brought
/// it, without asking first what it speaks, which takes two round trips more. One for each torrent that is asked for, until it is announced.
#[derive(Default)]
pub(crate) struct KnownById(Mutex<BTreeSet<BaseUrl>>);

impl KnownById {
    pub(crate) fn note(&self, tracker: &BaseUrl) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(tracker.clone());
    }

    /// Whether this is one; once.
    fn take(&self, tracker: &BaseUrl) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(tracker)
    }
}

/// Everything an announcer needs.
pub(crate) struct TrackerClient {
    pub(crate) url: BaseUrl,
    pub(crate) context: Arc<Context>,
    pub(crate) holding: Arc<Holding>,
    pub(crate) facts: mpsc::Sender<Fact>,
    pub(crate) hurry: Hurry,
    pub(crate) troubles: Troubles,
    pub(crate) stop: CancellationToken,
}

enum Kind {
    Native(NativeTracker),
    Described(DescribedTracker),
    /// The address given as tracker is a peer of ours: as good a way in.
    Peer,
}

impl TrackerClient {
    /// Announces until stopped, then leaves.
    pub(crate) async fn run(self) {
        let mut kind = None;
        let mut hurry = self.hurry.watch();
        let mut retry = RETRY_FIRST;
        let stop = self.stop.clone();
        loop {
            let round = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                round = self.round(&mut kind) => round,
            };
            let began = Instant::now();
            self.context.board.note(&self.url, round.is_ok());
            let pause = match round {
                Ok(round) => {
                    retry = RETRY_FIRST;
                    self.troubles.set(&self.url, None);
                    if !round.sightings.is_empty() {
                        // A seed has no download that listens.
                        let _ = self.facts.send(Fact::Sighted(round.sightings)).await;
                    }
                    round.again_after
                }
                Err(error) => {
                    tracing::debug!(tracker = %self.url, %error, "announce failed");
                    self.troubles.set(&self.url, Some(error.to_string()));
                    let pause = retry;
                    retry = (retry * 2).min(RETRY_LAST);
                    pause
                }
            };
            let hurried = async {
                hurry.asked().await;
                tokio::time::sleep_until(began + GAP).await;
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = tokio::time::sleep(pause) => {}
                () = hurried => {}
            }
        }
        if let Some(Kind::Native(tracker)) = kind {
            tracker.leave(&self).await;
        }
    }

    async fn round(&self, kind: &mut Option<Kind>) -> Result<Round, TrackerError> {
        if kind.is_none() && self.context.known_by_id.take(&self.url) {
            let mut tracker = NativeTracker::default();
            match tracker.announce(self).await {
                Ok(round) => {
                    *kind = Some(Kind::Native(tracker));
                    return Ok(round);
                }
                Err(error) => {
                    tracing::debug!(tracker = %self.url, %error, "no native announce: asking what it speaks");
                }
            }
        }
        if kind.is_none() {
            *kind = Some(self.ask_what_it_speaks().await?);
        }
        match kind {
            Some(Kind::Native(tracker)) => tracker.announce(self).await,
            Some(Kind::Described(tracker)) => tracker.announce(self).await,
            Some(Kind::Peer) | None => Ok(Round {
                sightings: vec![Sighting { url: self.url.clone(), peer: None, held: None }],
                again_after: Duration::from_secs(30),
            }),
        }
    }

    /// A time-out decides nothing; any answer but ours means described.
    async fn ask_what_it_speaks(&self) -> Result<Kind, TrackerError> {
        let request = Request::builder()
            .uri(self.url.join(well_known::PATH))
            // One idle connection blocks an original tracker, and it may be one.
            .header(header::CONNECTION, "close")
            .body(Full::<Bytes>::default())
            .map_err(HttpError::from)?;
        let answer = self.context.http.exchange(&self.url, request, well_known::MAX_BODY, ANSWER).await?;
        if answer.decides_nothing() {
            let reason = crate::torrent_finder::reason(&answer.body);
            return Err(TrackerError::Refused { status: answer.status.as_u16(), reason });
        }
        let ours: Option<WellKnown> = serde_json::from_slice(&answer.body).ok();
        Ok(match ours.filter(|_| answer.status.is_success()) {
            Some(ours) if ours.is("tracker") => Kind::Native(NativeTracker::default()),
            Some(ours) if ours.is("peer") => Kind::Peer,
            _ => Kind::Described(DescribedTracker::default()),
        })
    }
}
