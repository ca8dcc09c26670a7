//! When `get` gives up: nobody to fetch from, and nobody left who could name somebody.
//!
//! A torrent that nobody seeds yet is no reason: its tracker answers, a seed may come. Only when there is no peer, and
//! neither a tracker nor a node of the DHT can be reached for [`PATIENCE`] does waiting help nobody.

use std::time::{Duration, Instant};

use peer::{FindError, Peer, Progress, Sharing, find_torrent};
use protocol::{BaseUrl, Link};

use crate::failure::Failure;

/// How long nothing may happen before the trackers are asked whether they are still there.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How often the download is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Waits until the download has become hopeless, and says why.
pub(crate) async fn lost(peer: &Peer, sharing: &Sharing, trackers: &[BaseUrl]) -> Failure {
    let progress = sharing.progress();
    let mut quiet = Quiet::default();
    loop {
        tokio::time::sleep(LOOK).await;
        let quiet_for = quiet.look(Instant::now(), &progress.borrow());
        if quiet_for < PATIENCE {
            continue;
        }
        let failure = nobody_answers(peer, sharing, trackers).await;
        // Asking took a while, in which somebody may have come.
        let still_quiet = quiet.look(Instant::now(), &progress.borrow()) >= PATIENCE;
        if let (Some(failure), true) = (failure, still_quiet) {
            return failure;
        }
        quiet = Quiet::default();
    }
}

async fn nobody_answers(peer: &Peer, sharing: &Sharing, trackers: &[BaseUrl]) -> Option<Failure> {
    // A seed may come, and the DHT will say so.
    if peer.dht().is_some_and(|dht| dht.nodes() > 0) {
        return None;
    }
    let mut cause = "no peer is known and no tracker is named".to_owned();
    for tracker in trackers {
        let link = Link::new(tracker.clone(), sharing.torrent().id());
        match find_torrent(peer.http(), &link).await {
            Err(error @ FindError::Unreachable { .. }) => cause = format!("no peer is left, and {error}"),
            _ => return None,
        }
    }
    Some(Failure::no_source(
        cause,
        "start again when the tracker is back, or name another with --tracker; what arrived is kept",
    ))
}

/// For how long nothing has moved and nobody has been there.
#[derive(Debug, Default)]
struct Quiet {
    bytes: u64,
    since: Option<Instant>,
}

impl Quiet {
    fn look(&mut self, now: Instant, progress: &Progress) -> Duration {
        if progress.peers > 0 || progress.bytes > self.bytes {
            self.since = None;
        }
        self.bytes = progress.bytes;
        now.duration_since(*self.since.get_or_insert(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_ends_with_a_peer_or_a_byte() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let progress = |bytes, peers| Progress { bytes, peers, ..Progress::default() };
        let mut quiet = Quiet::default();
        assert_eq!(quiet.look(at(0), &progress(0, 0)), Duration::ZERO);
        assert_eq!(quiet.look(at(59), &progress(0, 0)), Duration::from_secs(59));
        assert_eq!(quiet.look(at(60), &progress(0, 1)), Duration::ZERO);
        assert_eq!(quiet.look(at(90), &progress(0, 0)), Duration::from_secs(30));
        assert_eq!(quiet.look(at(91), &progress(5, 0)), Duration::ZERO);
        assert_eq!(quiet.look(at(151), &progress(5, 0)), Duration::from_secs(60));
    }
}
