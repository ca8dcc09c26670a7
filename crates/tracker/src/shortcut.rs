//! Announces, past the router.
//!
//! Nearly all that a tracker hears are announces: each peer's every few seconds, against a handful of other requests in
//! its whole life. To find their handler by the routes, through a layer and extractors, is an eighth of all that is
//! computed for one (docs/benchmarks.md). So an announce as peers send it is known by its method and path. What is unusual
//! in any way goes by the routes, which know announces as well.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use http::Method;
use listen::Answering;
use protocol::TorrentId;
use tower::ServiceExt;

use crate::{Tracker, browser, native};

/// Answers announces itself, and everything else by `router`.
pub(crate) fn before(router: Router, tracker: Tracker) -> impl Answering {
    tower::service_fn(move |request: Request| {
        let (router, tracker) = (router.clone(), tracker.clone());
        async move {
            match usual_announce(&tracker, &request) {
                Some((id, from)) => Ok(native::announce_to(&tracker, id, from, request).await),
                None => router.oneshot(request).await,
            }
        }
    })
}

/// Of which torrent a request is an announce with nothing unusual about it, and where it came from.
fn usual_announce(tracker: &Tracker, request: &Request) -> Option<(TorrentId, SocketAddr)> {
    if request.method() != Method::PUT || browser::refusal(tracker, request).is_some() {
        return None;
    }
    let id = request.uri().path().strip_prefix("/torrent/")?.strip_suffix("/peers")?;
    let ConnectInfo(from) = *request.extensions().get::<ConnectInfo<SocketAddr>>()?;
    Some((id.parse().ok()?, from))
}
