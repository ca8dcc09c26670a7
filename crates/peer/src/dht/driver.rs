//! The loop that owns the socket: a datagram, a command or the timer in; datagrams and findings out.
//!
//! A socket on all addresses of IPv6 takes IPv4 as well. The two are networks of their own (BEP 32), so there is a
//! brain for each behind it; a socket on one address has one.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use ::dht::message::MAX_DATAGRAM;
use ::dht::{Action, Config, Event, Family, FindId, Node};
use net::Udp;
use protocol::Time;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Command;
use crate::clock::Clock;

/// When no brain has anything planned, they are woken this late: far, and bounded.
const FAR: Duration = Duration::from_secs(3600);
/// Pause after an error of the socket: whatever it is, it must not become a hot loop.
const SOCKET_ERROR: Duration = Duration::from_millis(100);
/// How often the status is published.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// What others may know of the node.
#[derive(Clone, Debug, Default)]
pub(super) struct Status {
    /// Nodes that answered lately.
    pub(super) good: Vec<SocketAddr>,
}

/// What a driver is made of.
pub(super) struct Setup {
    pub(super) socket: Udp,
    pub(super) address: SocketAddr,
    /// The address that others reach us at, if it is known.
    pub(super) own: Option<IpAddr>,
    pub(super) read_only: bool,
    pub(super) clock: Clock,
    /// One for each family.
    pub(super) seeds: [[u8; 32]; 2],
    pub(super) inbox: mpsc::Receiver<Command>,
    pub(super) status: watch::Sender<Status>,
    pub(super) stop: CancellationToken,
}

pub(super) struct Driver {
    socket: Udp,
    /// Whether IPv4 addresses are written as IPv6 ones on this socket.
    mapped: bool,
    nodes: Vec<(Family, Node)>,
    own: Option<IpAddr>,
    clock: Clock,
    inbox: mpsc::Receiver<Command>,
    finds: BTreeMap<FindId, Finding>,
    next_find: u64,
    status: watch::Sender<Status>,
    tell_at: Instant,
    stop: CancellationToken,
}

/// Somebody waits for a look-up, which goes on in each of these networks.
struct Finding {
    tell: mpsc::Sender<Vec<SocketAddr>>,
    left: BTreeSet<usize>,
}

impl Driver {
    pub(super) fn new(setup: Setup) -> Self {
        let Setup { socket, address, own, read_only, clock, seeds, inbox, status, stop } = setup;
        let mapped = address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        let families = if mapped { vec![Family::V6, Family::V4] } else { vec![Family::of(&address)] };
        let config = Config { read_only, ..Config::default() };
        let node = |(family, seed)| (family, Node::new(config.clone(), family, seed));
        let nodes = families.into_iter().zip(seeds).map(node).collect();
        Driver {
            socket,
            mapped,
            nodes,
            own,
            clock,
            inbox,
            finds: BTreeMap::new(),
            next_find: 0,
            status,
            tell_at: Instant::now(),
            stop,
        }
    }

    pub(super) async fn run(mut self) {
        let mut buffer = vec![0; MAX_DATAGRAM + 1];
        let stop = self.stop.clone();
        if let Some(ip) = self.own {
            for at in 0..self.nodes.len() {
                self.tell_node(at, Event::OwnAddress { ip }).await;
            }
        }
        loop {
            let wake = self.nodes.iter().filter_map(|(_, node)| node.wake_at()).min();
            let wake = wake.map_or_else(|| Instant::now() + FAR, |time| self.clock.instant(time));
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep_until(wake) => {
                    for at in 0..self.nodes.len() {
                        self.tell_node(at, Event::Woke).await;
                    }
                }
                command = self.inbox.recv() => match command {
                    Some(command) => self.obey(command).await,
                    // Nobody is left who could ask.
                    None => return,
                },
                // Last: there may always be one more.
                received = self.socket.recv_from(&mut buffer) => match received {
                    Ok((length, from)) => self.received(from, &buffer[..length]).await,
                    Err(error) => {
                        tracing::debug!(%error, "the DHT's socket");
                        tokio::time::sleep(SOCKET_ERROR).await;
                    }
                },
            }
            self.stop_abandoned().await;
            if self.tell_at <= Instant::now() || self.has_just_joined() {
                self.publish();
            }
        }
    }

    async fn received(&mut self, from: SocketAddr, bytes: &[u8]) {
        let from = SocketAddr::new(from.ip().to_canonical(), from.port());
        if let Some(at) = self.node_of(&from) {
            self.tell_node(at, Event::Datagram { from, bytes }).await;
        }
    }

    async fn obey(&mut self, command: Command) {
        match command {
            Command::AddNodes(addresses) => {
                for address in addresses {
                    if let Some(at) = self.node_of(&address) {
                        self.tell_node(at, Event::AddNode { address }).await;
                    }
                }
            }
            Command::Announce { key, port, urgency } => {
                for at in 0..self.nodes.len() {
                    self.tell_node(at, Event::Announce { key, port, urgency }).await;
                }
            }
            Command::Find { key, tell } => {
                self.next_find += 1;
                let find = FindId(self.next_find);
                self.finds.insert(find, Finding { tell, left: (0..self.nodes.len()).collect() });
                for at in 0..self.nodes.len() {
                    self.tell_node(at, Event::Find { find, key }).await;
                }
            }
        }
    }

    fn node_of(&self, address: &SocketAddr) -> Option<usize> {
        self.nodes.iter().position(|(family, _)| *family == Family::of(address))
    }

    async fn tell_node(&mut self, at: usize, event: Event<'_>) {
        let mut actions = Vec::new();
        let now = self.now();
        self.nodes[at].1.handle(now, event, &mut actions);
        for action in actions {
            match action {
                Action::Send { to, bytes } => self.send(to, &bytes).await,
                Action::Found { find, providers } => {
                    if let Some(finding) = self.finds.get(&find) {
                        // Who does not keep up misses some: there are enough.
                        let _ = finding.tell.try_send(providers);
                    }
                }
                Action::FindEnded { find, answers } => {
                    tracing::debug!(?find, answers, "looked up");
                    self.find_ended(at, find);
                }
                Action::Announced { key, nodes } => {
                    tracing::debug!(key = %key.place(), nodes, "announced in the DHT");
                }
            }
        }
    }

    /// Whoever found enough has gone, and nobody needs to be asked any more.
    async fn stop_abandoned(&mut self) {
        let abandoned = self.finds.iter().filter(|(_, finding)| finding.tell.is_closed());
        for find in abandoned.map(|(find, _)| *find).collect::<Vec<_>>() {
            self.finds.remove(&find);
            for at in 0..self.nodes.len() {
                self.tell_node(at, Event::StopFinding { find }).await;
            }
        }
    }

    fn find_ended(&mut self, at: usize, find: FindId) {
        if let Some(finding) = self.finds.get_mut(&find) {
            finding.left.remove(&at);
            if finding.left.is_empty() {
                self.finds.remove(&find);
            }
        }
    }

    /// A datagram that cannot be sent is lost, as any may be.
    async fn send(&self, to: SocketAddr, bytes: &[u8]) {
        let to = match to {
            SocketAddr::V4(v4) if self.mapped => (v4.ip().to_ipv6_mapped(), v4.port()).into(),
            to => to,
        };
        if let Err(error) = self.socket.send_to(bytes, to).await {
            tracing::trace!(%to, %error, "a datagram was not sent");
        }
    }

    /// Whoever waits for the first node need not wait for the next time.
    fn has_just_joined(&self) -> bool {
        let now = self.now();
        self.status.borrow().good.is_empty() && self.nodes.iter().any(|(_, node)| node.good_count(now) > 0)
    }

    fn publish(&mut self) {
        self.tell_at = Instant::now() + TELL_EVERY;
        let now = self.now();
        let good: Vec<SocketAddr> = self.nodes.iter().flat_map(|(_, node)| node.good_nodes(now)).collect();
        self.status.send_if_modified(|status| {
            let changed = status.good != good;
            status.good = good;
            changed
        });
    }

    fn now(&self) -> Time {
        self.clock.now()
    }
}
