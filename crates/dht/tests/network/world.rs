//! A network in memory: nodes, delays, loss and death, all from one seed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::time::Duration;

use dht::{Action, Config, Event, Family, FindId, Id, Key, Node, Urgency};
use protocol::Time;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

/// Given its own address, the sender's and the datagram: what is sent back to whom.
pub(crate) type Hostile = Box<dyn FnMut(SocketAddr, SocketAddr, &[u8]) -> Vec<(SocketAddr, Vec<u8>)>>;

/// Whoever receives datagrams.
pub(crate) enum Host {
    Honest(Box<Node>),
    /// Answers what it likes.
    Hostile(Hostile),
    Dead,
}

/// A datagram that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) at: Time,
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Vec<u8>,
}

impl Packet {
    /// Whether it is a query, and not an answer to one.
    pub(crate) fn is_query(&self) -> bool {
        self.bytes.ends_with(b"1:y1:qe")
    }
}

#[derive(Default)]
pub(crate) struct Look {
    pub(crate) found: BTreeSet<SocketAddr>,
    pub(crate) answers: Option<usize>,
}

pub(crate) struct World {
    pub(crate) now: Time,
    pub(crate) hosts: BTreeMap<SocketAddr, Host>,
    /// Every datagram sent since the last [`World::forget_packets`].
    pub(crate) packets: Vec<Packet>,
    pub(crate) finds: BTreeMap<FindId, Look>,
    /// Ended announcements, and how many nodes took each.
    pub(crate) announced: Vec<(SocketAddr, Key, usize)>,
    /// One packet in a thousand is lost so many times.
    pub(crate) loss: u32,
    pub(crate) delay_millis: std::ops::Range<u64>,
    random: SmallRng,
    queue: BTreeMap<(Time, u64), Packet>,
    wakes: BTreeSet<(Time, SocketAddr)>,
    wake_of: BTreeMap<SocketAddr, Time>,
    next: u64,
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

/// The address of node `number`, on a host of its own on the internet.
pub(crate) fn address(number: u16) -> SocketAddr {
    let [high, low] = number.to_be_bytes();
    ([93, 184, high, low], 6_881).into()
}

/// Where node `number` serves.
pub(crate) fn provider(number: u16) -> SocketAddr {
    (address(number).ip(), 8_000 + number).into()
}

pub(crate) fn key(number: u64) -> Key {
    Key::of_hash(&protocol::HashAlgorithm::Sha1.digest(&number.to_be_bytes()))
}

/// A key whose place begins as `id` does.
pub(crate) fn key_at(id: [u8; 20]) -> Key {
    Key::at(Id::from_bytes(id))
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        World {
            now: Time::ZERO,
            hosts: BTreeMap::new(),
            packets: Vec::new(),
            finds: BTreeMap::new(),
            announced: Vec::new(),
            loss: 0,
            delay_millis: 5..40,
            random: SmallRng::seed_from_u64(seed),
            queue: BTreeMap::new(),
            wakes: BTreeSet::new(),
            wake_of: BTreeMap::new(),
            next: 0,
        }
    }

    /// `count` nodes that know the first of them, and have had a minute to learn of each other.
    pub(crate) fn of_nodes(seed: u64, count: u16) -> Self {
        let mut world = World::new(seed);
        for number in 0..count {
            world.add(address(number));
            world.introduce(address(number), address(0));
        }
        world.run_for(minutes(1));
        world.forget_packets();
        world
    }

    pub(crate) fn add(&mut self, address: SocketAddr) {
        self.add_with(address, Config::default());
    }

    pub(crate) fn add_with(&mut self, address: SocketAddr, config: Config) {
        let node = Node::new(config, Family::of(&address), self.random.random());
        self.hosts.insert(address, Host::Honest(Box::new(node)));
    }

    pub(crate) fn introduce(&mut self, whom: SocketAddr, to: SocketAddr) {
        if whom != to {
            self.tell(whom, Event::AddNode { address: to });
        }
    }

    pub(crate) fn node(&self, at: SocketAddr) -> &Node {
        match &self.hosts[&at] {
            Host::Honest(node) => node,
            _ => panic!("no node at {at}"),
        }
    }

    pub(crate) fn kill(&mut self, at: SocketAddr) {
        self.hosts.insert(at, Host::Dead);
    }

    pub(crate) fn forget_packets(&mut self) {
        self.packets.clear();
    }

    pub(crate) fn announce(&mut self, number: u16, key: Key, urgency: Urgency) {
        let port = NonZeroU16::new(provider(number).port()).unwrap();
        self.tell(address(number), Event::Announce { key, port, urgency });
    }

    pub(crate) fn find(&mut self, at: SocketAddr, key: Key) -> FindId {
        self.next += 1;
        let find = FindId(self.next);
        self.finds.insert(find, Look::default());
        self.tell(at, Event::Find { find, key });
        find
    }

    /// Looks a key up, to the end.
    pub(crate) fn look_up(&mut self, at: SocketAddr, key: Key) -> BTreeSet<SocketAddr> {
        let find = self.find(at, key);
        assert!(self.run_until(minutes(5), |world| world.finds[&find].answers.is_some()), "{at} {key:?}");
        self.finds[&find].found.clone()
    }

    pub(crate) fn tell(&mut self, at: SocketAddr, event: Event<'_>) {
        let Some(Host::Honest(node)) = self.hosts.get_mut(&at) else { return };
        let mut actions = Vec::new();
        node.handle(self.now, event, &mut actions);
        let wake = node.wake_at();
        if let Some(before) = self.wake_of.remove(&at) {
            self.wakes.remove(&(before, at));
        }
        if let Some(wake) = wake {
            self.wakes.insert((wake, at));
            self.wake_of.insert(at, wake);
        }
        for action in actions {
            match action {
                Action::Send { to, bytes } => self.send(at, to, bytes),
                Action::Found { find, providers } => {
                    let look = self.finds.get_mut(&find).unwrap();
                    assert!(look.answers.is_none(), "found after the end");
                    look.found.extend(providers);
                }
                Action::FindEnded { find, answers } => {
                    let before = self.finds.get_mut(&find).unwrap().answers.replace(answers);
                    assert_eq!(before, None, "ended twice");
                }
                Action::Announced { key, nodes } => self.announced.push((at, key, nodes)),
            }
        }
    }

    pub(crate) fn send(&mut self, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        let packet = Packet { at: self.now, from, to, bytes };
        self.packets.push(packet.clone());
        if self.random.random_range(0..1_000) < self.loss {
            return;
        }
        self.next += 1;
        let delay = Duration::from_millis(self.random.random_range(self.delay_millis.clone()));
        self.queue.insert((self.now + delay, self.next), packet);
    }

    pub(crate) fn run_for(&mut self, duration: Duration) {
        self.run_until(duration, |_| false);
    }

    /// Lets time pass until `done`; false when it was not after `at_most`.
    pub(crate) fn run_until(&mut self, at_most: Duration, done: impl Fn(&World) -> bool) -> bool {
        let end = self.now + at_most;
        while !done(self) {
            let packet = self.queue.first_key_value().map(|((at, _), _)| *at);
            let wake = self.wakes.first().map(|(at, _)| *at);
            let Some(next) = packet.into_iter().chain(wake).min().filter(|next| *next <= end) else {
                self.now = end;
                return done(self);
            };
            self.now = self.now.max(next);
            if packet == Some(next) {
                self.deliver();
            } else if let Some(&(_, at)) = self.wakes.first() {
                if !matches!(self.hosts[&at], Host::Honest(_)) {
                    self.wakes.pop_first();
                    self.wake_of.remove(&at);
                    continue;
                }
                self.tell(at, Event::Woke);
                let armed = self.wake_of.get(&at).copied();
                assert!(armed.is_none_or(|armed| armed > self.now), "{at} would wake for ever");
            }
        }
        true
    }

    fn deliver(&mut self) {
        let Some((_, packet)) = self.queue.pop_first() else { return };
        match self.hosts.get_mut(&packet.to) {
            Some(Host::Honest(_)) => {
                self.tell(packet.to, Event::Datagram { from: packet.from, bytes: &packet.bytes });
            }
            Some(Host::Hostile(answer)) => {
                for (to, bytes) in answer(packet.to, packet.from, &packet.bytes) {
                    self.send(packet.to, to, bytes);
                }
            }
            Some(Host::Dead) | None => {}
        }
    }
}
