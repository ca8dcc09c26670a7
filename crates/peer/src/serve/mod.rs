//! What a peer answers: its routes, each in a file of its own.

mod answer;
mod chunk;
mod chunks;
mod file;
mod metrics;
mod range;
mod requester;
mod torrent;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use protocol::api::{peer, well_known};

use crate::context::Context;

/// All routes of a peer (`docs/protocol.md`).
pub(crate) fn router(context: Arc<Context>) -> Router {
    Router::new()
        .route(well_known::PATH, get(describe))
        .route(peer::PING, get(|| async { peer::PONG }))
        .route(peer::CHUNK, post(chunks::post))
        .route("/chunk/{hash}", get(chunk::get))
        .route("/torrent/{id}", get(torrent::json))
        .route("/torrent/{id}/have", get(torrent::have))
        .route("/torrent/{id}/peers", get(torrent::peers))
        .route("/file/{id}", get(file::root))
        .route("/file/{id}/", get(file::root))
        .route("/file/{id}/{*path}", get(file::inside))
        .route("/metrics", get(metrics::get))
        .fallback(|| async { answer::not_found("this peer has no such path") })
        .with_state(context)
}

async fn describe(State(context): State<Arc<Context>>) -> Response {
    Json(well_known::WellKnown {
        version: well_known::VERSION,
        peer: Some(context.identity.peer),
        roles: vec!["peer".to_owned()],
        caps: vec![well_known::CAP_CHUNKS.to_owned(), well_known::CAP_HAVE_WAIT.to_owned()],
        limits: BTreeMap::from([("chunks".to_owned(), peer::MAX_CHUNKS_PER_REQUEST as u64)]),
    })
    .into_response()
}
