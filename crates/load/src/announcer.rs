//! Native announces: who announces what, over which connection.

use std::sync::Arc;
use std::time::Instant;

use protocol::api::tracker::{Announce, Have, Port, Reachable, peers_path, torrent_path};
use protocol::{Host, HostPort};

use crate::answer::{count, number_after, text_after};
use crate::connection::{Answer, Connection};
use crate::figures::Counted;
use crate::{Failed, LoadedTracker, content, request};

/// A token as our trackers give it.
pub(crate) type Token = [u8; 32];

/// The longest interval that is believed, in seconds: a day. Nothing here lasts as long.
const LONGEST_S: u64 = 24 * 60 * 60;

/// Peers in torrents of one size, dealt to connections like cards.
pub(crate) struct Announcer {
    /// Where each torrent's peers announce.
    paths: Vec<String>,
    chunks: u32,
    connections: usize,
}

/// A peer of one connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// Which connection.
    pub(crate) connection: usize,
    /// Which of its peers.
    pub(crate) at: usize,
}

/// What an announce was answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lease {
    pub(crate) token: Token,
    /// Seconds until the next announce.
    pub(crate) interval: u64,
}

impl Announcer {
    /// Publishes the torrents.
    pub(crate) async fn publish(
        tracker: &Arc<LoadedTracker>,
        torrents: usize,
        chunks: u32,
        connections: usize,
    ) -> Result<Arc<Self>, Failed> {
        let mut connection = Connection::new(tracker.clone(), tracker.source(0));
        let mut paths = Vec::with_capacity(torrents);
        for number in 0..torrents {
            let torrent = content::torrent(number as u64, chunks)?;
            let (path, host) = (torrent_path(torrent.id()), &tracker.host);
            request::write(&mut connection.request, "PUT", &path, host, None, |body| {
                body.extend_from_slice(&torrent.to_json());
            });
            connection.exchange().await?.accepted("a torrent")?;
            paths.push(peers_path(torrent.id()));
        }
        Ok(Arc::new(Announcer { paths, chunks, connections: connections.max(1) }))
    }

    /// How many of so many peers are this connection's.
    pub(crate) fn share(&self, peers: usize, connection: usize) -> usize {
        (peers + self.connections - 1 - connection.min(self.connections - 1)) / self.connections
    }

    fn write(
        &self,
        place: Place,
        token: Option<&Token>,
        host: &str,
        into: &mut Vec<u8>,
    ) -> Result<(), Failed> {
        let number = (place.at * self.connections + place.connection) as u64;
        let torrent = place.at % self.paths.len();
        // Within a torrent every peer has a port of its own: they may all come from one address.
        let port = 1024 + (place.at / self.paths.len()) * self.connections + place.connection;
        let wrong = || Failed::Plan("too many peers in a torrent: give it more --torrents".to_owned());
        let port = u16::try_from(port).map_err(|_| wrong())?;
        let here = HostPort::new(Host::ip([127, 0, 0, 1].into()), port).map_err(|_| wrong())?;
        let announce = Announce {
            peer: content::peer(number),
            reachable: Reachable::Port(Port::from(&here)),
            have: Have::of(&content::holding(number, self.chunks)),
            downloaded: 0,
            uploaded: 0,
            left: 0,
        };
        let token = token.map(<[u8; 32]>::as_slice);
        request::write(into, "PUT", &self.paths[torrent], host, token, |body| {
            // Writing to memory does not fail.
            let _ = serde_json::to_writer(body, &announce);
        });
        Ok(())
    }

    /// Announces a peer that must be taken, for the first time or again.
    pub(crate) async fn lease(
        &self,
        connection: &mut Connection,
        place: Place,
        token: Option<&Token>,
    ) -> Result<Lease, Failed> {
        self.announce(connection, place, token).await?.accepted("an announce").and_then(|answer| {
            let token = text_after(answer.body, b"\"token\":\"").and_then(|text| text.try_into().ok());
            let interval = number_after(answer.body, b"\"interval\":");
            token
                .zip(interval)
                .map(|(token, interval)| Lease { token, interval: interval.min(LONGEST_S) })
                .ok_or(Failed::NoToken)
        })
    }

    /// Announces a peer again, and counts. `looks`: also how many peers are in the answer.
    pub(crate) async fn again(
        &self,
        connection: &mut Connection,
        place: Place,
        token: &Token,
        counted: &mut Counted,
        looks: bool,
    ) -> Result<(), Failed> {
        let asked = Instant::now();
        let answer = self.announce(connection, place, Some(token)).await?;
        counted.latencies.note(asked.elapsed());
        counted.refused += u64::from(answer.status != 200);
        if looks {
            let peers = Some(count(answer.body, b"\"url\":") as u64);
            counted.absorb(Counted { peers_in_answer: peers, ..Counted::default() });
        }
        Ok(())
    }

    /// The answer to any announce.
    pub(crate) async fn announce<'a>(
        &self,
        connection: &'a mut Connection,
        place: Place,
        token: Option<&Token>,
    ) -> Result<Answer<'a>, Failed> {
        let tracker = connection.tracker().clone();
        self.write(place, token, &tracker.host, &mut connection.request)?;
        connection.exchange().await
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn all_peers_are_dealt_and_no_two_of_a_torrent_have_one_address() {
        let paths = vec!["/0".to_owned(), "/1".to_owned(), "/2".to_owned()];
        let announcer = Announcer { paths, chunks: 9, connections: 4 };
        let shares: Vec<usize> = (0..4).map(|connection| announcer.share(42, connection)).collect();
        assert_eq!((shares.iter().sum::<usize>(), shares), (42, vec![11, 11, 10, 10]));
        let (mut seen, mut buffer) = (BTreeSet::new(), Vec::new());
        for place in (0..4).flat_map(|connection| (0..10).map(move |at| Place { connection, at })) {
            announcer.write(place, None, "t", &mut buffer).unwrap();
            let text = String::from_utf8(buffer.clone()).unwrap();
            let port = number_after(text.as_bytes(), b"\"port\":").unwrap();
            assert!(seen.insert((text.lines().next().unwrap().to_owned(), port)), "{place:?}");
        }
        let far = Place { connection: 0, at: 3 * 20_000 };
        assert!(announcer.write(far, None, "t", &mut buffer).is_err());
    }
}
