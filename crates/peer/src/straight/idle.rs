//! Connections that wait for their next request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use protocol::BaseUrl;
use tokio::time::Instant;

use super::connection::Connection;
use crate::http_client::{POOL_IDLE, POOL_PER_HOST};

/// The idle connections to every host: at most [`POOL_PER_HOST`] to one, none for longer than twice [`POOL_IDLE`].
#[derive(Default)]
pub(super) struct Idle(Mutex<State>);

#[derive(Default)]
struct State {
    /// Each with the moment since when it waits, the latest last.
    connections: HashMap<BaseUrl, Vec<(Instant, Connection)>>,
    is_swept: bool,
}

impl Idle {
    /// One that still seems to be open: the one used last, which is the warmest.
    pub(super) fn take(&self, base: &BaseUrl) -> Option<Connection> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = state.connections.get_mut(base)?;
        while let Some((since, mut connection)) = waiting.pop() {
            if since.elapsed() < POOL_IDLE && connection.is_open() {
                return Some(connection);
            }
        }
        None
    }

    /// Keeps a connection for the next request, if there is room.
    pub(super) fn put(self: &Arc<Self>, connection: Connection) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = state.connections.entry(connection.base().clone()).or_default();
        if waiting.len() < POOL_PER_HOST {
            waiting.push((Instant::now(), connection));
        }
        if !std::mem::replace(&mut state.is_swept, true) {
            tokio::spawn(sweep(Arc::downgrade(self)));
        }
    }

    /// Closes what nobody came for; whether anything waits still.
    fn close_old(&self) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for waiting in state.connections.values_mut() {
            waiting.retain(|(since, _)| since.elapsed() < POOL_IDLE);
        }
        state.connections.retain(|_, waiting| !waiting.is_empty());
        state.is_swept = !state.connections.is_empty();
        state.is_swept
    }
}

/// Looks through them until nothing waits, or the client is gone, which closes all.
async fn sweep(idle: Weak<Idle>) {
    loop {
        tokio::time::sleep(POOL_IDLE).await;
        if !idle.upgrade().is_some_and(|idle| idle.close_old()) {
            return;
        }
    }
}
