//! From a link to the torrent: whichever of its trackers answers first with the right content.

use std::time::Duration;

use axum::http::StatusCode;
use protocol::api::problem::Problem;
use protocol::api::tracker::torrent_path;
use protocol::torrent::{MAX_TORRENT_JSON, ParseError};
use protocol::{BaseUrl, Link, Printable, Torrent};

use crate::http_client::{HttpClient, HttpError};

/// Longest time for the whole description; 128 MiB at 20 Mbit/s.
const LIMIT: Duration = Duration::from_secs(60);

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
        match ask(http, tracker, link).await {
            // The tracker that has it is the one to announce to, whatever address the description names.
            Ok(torrent) => return Ok(torrent.with_tracker(Some(tracker.clone()))),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    Err(first_error.unwrap_or_else(|| unreachable!("a link has a tracker")))
}

async fn ask(http: &HttpClient, tracker: &BaseUrl, link: &Link) -> Result<Torrent, FindError> {
    let tracker = tracker.clone();
    let answer = match http.get(&tracker, &torrent_path(link.id), MAX_TORRENT_JSON, LIMIT).await {
        Ok(answer) => answer,
        Err(source) => return Err(FindError::Unreachable { tracker, source }),
    };
    match answer.status {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND => return Err(FindError::NotFound { tracker }),
        status => {
            let reason = reason(&answer.body);
            return Err(FindError::Refused { tracker, status: status.as_u16(), reason });
        }
    }
    let parsed = tokio::task::spawn_blocking(move || Torrent::from_json(&answer.body)).await;
    match parsed {
        Ok(Ok(torrent)) if torrent.id() == link.id => Ok(torrent),
        Ok(Ok(_)) => Err(FindError::WrongId { tracker }),
        Ok(Err(source)) => Err(FindError::Malformed { tracker, source }),
        // Only a runtime that shuts down cancels a blocking task.
        Err(_) => Err(FindError::NotFound { tracker }),
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
