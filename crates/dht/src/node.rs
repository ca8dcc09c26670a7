//! The node: an event in, actions out, one armed timer.
//!
//! Each call takes the event in, finds out what is overdue, and then sends what the limits allow: there is no queue of
//! packets, only searches that know what they would ask next. `answering` is the side towards others' queries,
//! `operations` our own searches, `upkeep` what keeps the table alive.

mod answering;
mod operation;
mod operations;
mod upkeep;

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::time::Duration;

use protocol::Time;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::address::{Source, is_dialable};
use crate::announcements::{Announcements, Urgency};
use crate::config::Config;
use crate::id::{Id, Key};
use crate::message::{Body, Message, Query, Unreadable};
use crate::rate::{Window, Windows};
use crate::records::Records;
use crate::remembered::Remembered;
use crate::requests::Requests;
use crate::routing_table::RoutingTable;
use crate::tokens::Tokens;
use operation::Operation;
pub(crate) use operation::{OperationId, Rank};

/// An address that did not answer is left alone for this long: a dead node costs one query, not one a look-up.
const DEAD_FOR: Duration = Duration::from_secs(60);
/// Such addresses remembered: one minute of queries that all fail.
const DEAD_MOST: usize = 4_096;
/// Who proved to receive at an address has proved it for this long.
const PROVEN_FOR: Duration = Duration::from_secs(600);
/// Such addresses remembered.
const PROVEN_MOST: usize = 4_096;

/// Nodes remembered as met before: some tables full.
const MET_MOST: usize = 4_096;

/// Which addresses a node's socket reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The family of an address.
    pub const fn of(address: &SocketAddr) -> Self {
        if address.is_ipv4() { Family::V4 } else { Family::V6 }
    }
}

/// A look-up, by a number that the shell chose and does not use again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FindId(pub u64);

/// What the shell tells a [`Node`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A datagram came in. An IPv4 address must not be written as an IPv6 one.
    Datagram {
        /// From where.
        from: SocketAddr,
        /// What it holds; may be anything.
        bytes: &'a [u8],
    },
    /// Somebody wants to know who provides `key`. [`Action::Found`] follows any number of times, then
    /// [`Action::FindEnded`] once.
    Find {
        /// The number under which actions speak of it.
        find: FindId,
        /// What is looked for.
        key: Key,
    },
    /// Nobody wants to know any more; no action follows.
    StopFinding {
        /// Which look-up.
        find: FindId,
    },
    /// We provide `key`: it is announced now and again until [`Event::StopAnnouncing`]. Past
    /// [`Config::announcements_most`] chunks are not taken, and torrents displace the chunk that came last.
    Announce {
        /// What we provide.
        key: Key,
        /// At which TCP port, on the address that our datagrams come from.
        port: NonZeroU16,
        /// What comes first.
        urgency: Urgency,
    },
    /// We do not provide `key` any more. Others forget it within [`Config::record_life`].
    StopAnnouncing {
        /// What we provided.
        key: Key,
    },
    /// There may be a node at `address`: from a tracker, a link, a saved list. Known addresses may be repeated.
    AddNode {
        /// Its UDP address.
        address: SocketAddr,
    },
    /// The address that our datagrams come from, as far as the shell knows it. What we provide is told from then on to
    /// whoever asks for it here: a lone provider has nobody to announce to.
    OwnAddress {
        /// Without a port, for providers have their own.
        ip: IpAddr,
    },
    /// The time of [`Node::wake_at`] has come.
    Woke,
}

/// What a [`Node`] tells its shell to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send a datagram. If that fails it is lost, as any datagram may be.
    Send {
        /// Where to.
        to: SocketAddr,
        /// Its content.
        bytes: Vec<u8>,
    },
    /// Somebody claims that these provide what is looked for. A claim and no more: whoever uses it asks there first
    /// (threat A20).
    Found {
        /// Which look-up.
        find: FindId,
        /// TCP addresses, none of them told before in this look-up.
        providers: Vec<SocketAddr>,
    },
    /// A look-up is over.
    FindEnded {
        /// Which.
        find: FindId,
        /// How many nodes answered: with none, nobody knows whether there are providers.
        answers: usize,
    },
    /// An announcement went out, and will be repeated.
    Announced {
        /// What was announced.
        key: Key,
        /// How many nodes took it.
        nodes: usize,
    },
}

/// A node of the DHT, on one socket.
#[derive(Debug)]
pub struct Node {
    config: Config,
    own: Id,
    family: Family,
    /// Where we are, if that is known.
    ip: Option<IpAddr>,
    random: StdRng,
    table: RoutingTable,
    records: Records,
    tokens: Tokens,
    announcements: Announcements,
    /// Look-ups that wait for a place among the operations.
    finds: VecDeque<(FindId, Key)>,
    operations: BTreeMap<OperationId, Operation>,
    next_operation: u64,
    requests: Requests,
    dead: Remembered<SocketAddr>,
    proven: Remembered<SocketAddr>,
    /// Who was in the table lately: on lossy links nodes leave it and come back, and are no news.
    met: Remembered<Id>,
    queried: Window,
    queried_at: Windows<SocketAddr>,
    answered: Window,
    answered_to: Windows<Source>,
    upkeep: upkeep::Upkeep,
    /// The earliest time at which a query that is held back may go.
    held_back_until: Option<Time>,
    wake: Option<Time>,
}

impl Node {
    /// A node for a socket of `family`. Its id, its secrets and its transaction ids come from `seed`, which must be
    /// different for every node and known to nobody.
    #[must_use]
    pub fn new(config: Config, family: Family, seed: [u8; 32]) -> Self {
        let mut random = StdRng::from_seed(seed);
        let own = Id::from_bytes(random.random());
        Node {
            own,
            family,
            ip: None,
            table: RoutingTable::new(own),
            records: Records::default(),
            tokens: Tokens::new(random.random()),
            announcements: Announcements::default(),
            finds: VecDeque::new(),
            operations: BTreeMap::new(),
            next_operation: 0,
            requests: Requests::new(),
            dead: Remembered::new(DEAD_MOST),
            proven: Remembered::new(PROVEN_MOST),
            met: Remembered::new(MET_MOST),
            queried: Window::new(config.queries_a_second),
            queried_at: Windows::new(config.queries_a_second_to_one),
            answered: Window::new(config.answers_a_second),
            answered_to: Windows::new(config.answers_a_second_to_one),
            upkeep: upkeep::Upkeep::new(&config),
            held_back_until: None,
            wake: None,
            random,
            config,
        }
    }

    /// Takes in an event and appends what is to be done about it, in order. `now` never runs backwards.
    pub fn handle(&mut self, now: Time, event: Event<'_>, actions: &mut Vec<Action>) {
        match event {
            Event::Datagram { from, bytes } => self.datagram(now, from, bytes, actions),
            Event::Find { find, key } => self.find(find, key, actions),
            Event::StopFinding { find } => self.stop_finding(find),
            Event::Announce { key, port, urgency } => {
                let most = self.config.announcements_most;
                self.announcements.add(now, key, port.get(), urgency, most);
            }
            Event::StopAnnouncing { key } => self.announcements.remove(key),
            Event::AddNode { address } => self.add_node(now, address),
            Event::OwnAddress { ip } => {
                self.ip = Some(ip).filter(|ip| Family::of(&SocketAddr::new(*ip, 0)) == self.family);
            }
            Event::Woke => {}
        }
        self.give_up_overdue(now);
        self.look_after(now);
        self.held_back_until = None;
        self.send_pings(now, actions);
        self.drive(now, actions);
        self.arm_timer();
    }

    /// When [`Event::Woke`] is due, if nothing happens before.
    pub const fn wake_at(&self) -> Option<Time> {
        self.wake
    }

    /// Its own name.
    pub const fn id(&self) -> Id {
        self.own
    }

    /// Addresses of the nodes that answered lately: what to save for the next start.
    pub fn good_nodes(&self, now: Time) -> Vec<SocketAddr> {
        self.table.good(now).map(|contact| contact.address).collect()
    }

    /// How many of them there are.
    pub fn good_count(&self, now: Time) -> usize {
        self.table.good(now).count()
    }

    /// How many records it keeps for others.
    pub fn records(&self) -> usize {
        self.records.len()
    }

    /// How many keys it announces.
    pub fn announcing(&self) -> usize {
        self.announcements.len()
    }

    fn datagram(&mut self, now: Time, from: SocketAddr, bytes: &[u8], actions: &mut Vec<Action>) {
        if !is_dialable(&from) || Family::of(&from) != self.family {
            return;
        }
        match Message::decode(bytes) {
            Ok(Message { transaction, body: Body::Query { sender, read_only, query } }) => {
                let asked = answering::Asked { from, length: bytes.len(), sender, read_only, transaction };
                self.query(now, &asked, &query, actions);
            }
            Ok(Message { transaction, body: Body::Answer(answer) }) => {
                self.answer(now, from, &transaction, answer, actions);
            }
            Ok(Message { transaction, body: Body::Error { .. } }) => self.refused(now, from, &transaction),
            Err(Unreadable::Garbage) => {}
            Err(Unreadable::UnknownMethod { transaction }) => {
                self.refuse(now, from, transaction, 204, "Method Unknown", actions);
            }
            Err(Unreadable::BadArguments { transaction }) => {
                self.refuse(now, from, transaction, 203, "Protocol Error", actions);
            }
        }
    }

    /// Sends a query, which the caller has found to be allowed.
    fn send_query(
        &mut self,
        now: Time,
        to: SocketAddr,
        operation: Option<OperationId>,
        query: Query,
        actions: &mut Vec<Action>,
    ) {
        let transaction = loop {
            let transaction: u32 = self.random.random();
            if self.requests.is_free(transaction) {
                break transaction;
            }
        };
        self.queried.take(now);
        self.queried_at.take(now, to);
        self.requests.sent(now, transaction, to, operation);
        let body = Body::Query { sender: self.own, read_only: self.config.read_only, query };
        let message = Message { transaction: transaction.to_be_bytes().to_vec(), body };
        actions.push(Action::Send { to, bytes: message.encode() });
    }

    /// Whether a query of this rank may be sent to an address now. If not, the timer will be armed for when it may.
    fn may_query(&mut self, now: Time, to: SocketAddr, rank: Rank) -> bool {
        let (in_all, to_one) = match rank {
            Rank::Find | Rank::Upkeep | Rank::Torrent => (0, 0),
            Rank::Chunk => (self.config.queries_a_second / 5, self.config.queries_a_second_to_one / 4),
        };
        let wait = self.queried.wait(now, in_all).or_else(|| self.queried_at.wait(now, to, to_one));
        if let Some(until) = wait {
            self.hold_back(until);
        }
        wait.is_none()
    }

    fn hold_back(&mut self, until: Time) {
        self.held_back_until = Some(self.held_back_until.map_or(until, |before| before.min(until)));
    }

    fn arm_timer(&mut self) {
        // With no room for an announcement, the end of an operation brings the next.
        let announcements = [Urgency::Torrent, Urgency::Chunk]
            .into_iter()
            .filter(|urgency| self.may_announce(*urgency))
            .filter_map(|urgency| self.announcements.wake_at(urgency));
        let due = [self.requests.wake_at(), self.held_back_until, self.upkeep.wake_at()];
        self.wake = due.into_iter().flatten().chain(announcements).min();
    }
}
