//! Described clients: what they announce, and who they say they are.

use std::sync::Arc;

use protocol::api::tracker::{AnnounceChunks, CHUNK, OpaqueHash, Port};
use protocol::{Host, HostPort};

use crate::connection::Connection;
use crate::{Failed, LoadedTracker, content, request};

/// A port that every client names. Each has an address of its own where there are enough.
const PORT: u16 = 40_000;

/// So many hashes of one torrent.
pub(crate) fn hashes(count: u32) -> Result<Arc<Vec<OpaqueHash>>, Failed> {
    let hash = |chunk| OpaqueHash::new(&content::hash(0, chunk).to_string());
    let hashes: Result<Vec<_>, _> = (0..count).map(hash).collect();
    hashes.map(Arc::new).map_err(|error| Failed::Plan(error.to_string()))
}

/// The client with this number announces these hashes. It must be taken.
pub(crate) async fn announce(
    connection: &mut Connection,
    client: usize,
    hashes: Vec<OpaqueHash>,
) -> Result<(), Failed> {
    let tracker: Arc<LoadedTracker> = connection.tracker().clone();
    let (host, port) = match tracker.source(client) {
        Some(address) => (address, Some(PORT)),
        // From afar all clients are at the address that the tracker sees, told apart by their ports.
        None => (connection.local_ip().await?, u16::try_from(client + 1024).ok()),
    };
    let wrong = || Failed::Plan("too many clients for one address".to_owned());
    let address = HostPort::new(Host::ip(host), port.ok_or_else(wrong)?).map_err(|_| wrong())?;
    let body =
        AnnounceChunks { client_host: address.host().clone(), client_port: Port::from(&address), hashes };
    request::write(&mut connection.request, "PUT", CHUNK, &tracker.host, None, |into| {
        // Writing to memory does not fail.
        let _ = serde_json::to_writer(into, &body);
    });
    connection.exchange().await?.accepted("a described announce").map(|_| ())
}
