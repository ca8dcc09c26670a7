//! Asks described announcers whether they still live.
//!
//! They are asked at the address their host has now, if whoever announced it may still announce that; who cannot be
//! asked dies like who does not answer.

use std::sync::Arc;
use std::time::Duration;

use protocol::api::peer::{PING, PONG};
use registry::PingDue;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{Tracker, dial};

/// Pings under way at once. Each takes two seconds at most, so that 512 a second are the least that is done: that is every
/// announcer once an interval, even if all but one swallow their pings (`registry::Limits::announcers`).
const MAX_UNDER_WAY: usize = 1024;
/// Longest pong read: the word, and whatever a client's server puts round it.
const MAX_PONG: usize = 64;
/// Shortest pause between two looks at the list: due pings are taken together.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);

/// Pings until `stop`.
pub(crate) async fn run(tracker: Tracker, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(MAX_UNDER_WAY));
    let mut under_way = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            // Dropping the set ends what is under way.
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause(&tracker)) => {}
        }
        while under_way.try_join_next().is_some() {}
        let due = tracker.with(|registry, _, now| registry.pings_due(now, places.available_permits()));
        for ping in due {
            let Ok(place) = places.clone().try_acquire_owned() else { break };
            let tracker = tracker.clone();
            under_way.spawn(async move {
                if is_alive(&tracker, &ping).await {
                    tracker.with(|registry, _, now| registry.ponged(now, ping.announcer));
                }
                drop(place);
            });
        }
        // Who did not answer was forgotten above, but for its hashes. Native peers are forgotten where somebody looks: this
        // is for swarms that nobody asks for any more.
        tracker.with(|registry, _, now| registry.expire(now));
        tracker.settle().await;
    }
}

/// Until the next ping is due. Whoever announces meanwhile is not due before a whole interval from then.
fn pause(tracker: &Tracker) -> Duration {
    let every = tracker.ping_every();
    let next = tracker.with(|registry, _, now| registry.next_ping().map(|next| next.since(now)));
    next.map_or(every, |next| next.clamp(SHORTEST_PAUSE, every.max(SHORTEST_PAUSE)))
}

/// Whether it answers, the look-up of its name included, within the time of one ping.
async fn is_alive(tracker: &Tracker, ping: &PingDue) -> bool {
    let asking = async {
        let Ok(addresses) = tracker.filter().addresses(ping.source, ping.address.host()).await else {
            return false;
        };
        let is_pong = |body: &[u8]| body.windows(PONG.len()).any(|word| word == PONG.as_bytes());
        dial::answers(tracker.way_out(), &addresses, &ping.address, PING, MAX_PONG, is_pong).await
    };
    tokio::time::timeout(dial::TIMEOUT, asking).await.unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use protocol::HostPort;
    use registry::{Client, Target};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::TrackerConfig;
    use crate::resolver::Resolver;

    const FAR: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 9));
    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    /// A tracker for whom every name means one address first and another ever after, and how often it looked.
    fn rebinding(first: IpAddr, then: IpAddr) -> (Tracker, Arc<AtomicUsize>) {
        let looked = Arc::new(AtomicUsize::new(0));
        let count = looked.clone();
        let resolver = Resolver::new(move |_| {
            let address = if count.fetch_add(1, Ordering::SeqCst) == 0 { first } else { then };
            Box::pin(async move { Ok(vec![address]) })
        });
        (Tracker::with_resolver(TrackerConfig::default(), resolver), looked)
    }

    fn client(address: &HostPort, source: IpAddr) -> Client {
        Client { address: address.clone(), source, target: Target::of(source) }
    }

    /// Whether a listener here is dialled when a name that was announced from `source` is pinged.
    async fn is_dialled(source: IpAddr) -> bool {
        let canary = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = canary.local_addr().unwrap().port();
        let (tracker, looked) = rebinding(source, HERE);
        let address: HostPort = format!("rebinding.example:{port}").parse().unwrap();
        assert!(tracker.filter().addresses(source, address.host()).await.is_ok(), "as it announced");
        let announcer = tracker.with(|registry, _, now| {
            let hash = protocol::api::tracker::OpaqueHash::new("a").unwrap();
            registry.announce_chunks(now, &client(&address, source), &[hash]).unwrap();
            registry.pings_due(now + Duration::from_secs(5), 1)[0].announcer
        });
        let ping = PingDue { announcer, address, source };
        let dialled = tokio::select! {
            _ = is_alive(&tracker, &ping) => false,
            accepted = canary.accept() => {
                let mut stream = accepted.unwrap().0;
                let _ = stream.read(&mut [0; 64]).await;
                let _ = stream.write_all(b"HTTP/1.0 200 OK\r\n\r\npong").await;
                true
            }
        };
        assert_eq!(looked.load(Ordering::SeqCst), 2, "the name was asked again");
        dialled
    }

    #[test]
    fn all_announcers_are_pinged_in_time_even_if_none_answers() {
        let limits = registry::Limits::default();
        let in_an_interval =
            MAX_UNDER_WAY as u128 * limits.ping_every.as_millis() / dial::TIMEOUT.as_millis();
        assert!(in_an_interval >= limits.announcers as u128, "{in_an_interval} pings in an interval");
    }

    #[tokio::test]
    async fn a_client_that_listens_on_one_address_of_its_name_is_alive() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let elsewhere: IpAddr = [127, 0, 0, 77].into();
        let resolver = Resolver::new(move |_| Box::pin(async move { Ok(vec![elsewhere, HERE]) }));
        let tracker = Tracker::with_resolver(TrackerConfig::default(), resolver);
        tokio::spawn(async move {
            let mut stream = listener.accept().await.unwrap().0;
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(b"HTTP/1.0 200 OK\r\n\r\npong").await;
        });
        let announcer = tracker.with(|registry, _, now| {
            let hash = protocol::api::tracker::OpaqueHash::new("a").unwrap();
            let address = format!("two.example:{port}").parse().unwrap();
            registry.announce_chunks(now, &client(&address, HERE), &[hash]).unwrap();
            registry.pings_due(now + Duration::from_secs(5), 1).remove(0)
        });
        assert!(is_alive(&tracker, &announcer).await);
    }

    #[tokio::test]
    async fn a05_a_name_that_means_another_address_by_now_is_not_dialled() {
        assert!(is_dialled(HERE).await, "the control: both times the address it came from");
        assert!(!is_dialled(FAR).await, "announced from afar, and now it means this machine");
    }
}
