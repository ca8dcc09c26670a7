//! Others' queries: what they are told, and how much of it before they have proved that they are where they say
//! (threat A19: nobody is to make us flood a victim by asking in its name).

use std::net::SocketAddr;

use protocol::Time;
use rand::RngExt;

use super::{Action, Family, Node, PROVEN_FOR};
use crate::address::{Source, may_teach};
use crate::config::K;
use crate::id::{Id, Key};
use crate::message::{Answer, Body, Contact, Message, Query, Want};

/// An unproven asker gets at most so many bytes for each byte of its query.
const AMPLIFICATION_MOST: usize = 3;
/// Values of an answer: with eight nodes, some 700 bytes of IPv4 and 1,000 of IPv6, which no network cuts in two.
const fn values_most(family: Family) -> usize {
    match family {
        Family::V4 => 50,
        Family::V6 => 30,
    }
}
/// Bytes around a list of nodes: `5:nodes`, `6:nodes6`, and the length of what follows.
const AROUND_NODES: usize = 12;
/// Bytes around a list of values: `6:valuesle`.
const AROUND_VALUES: usize = 10;
/// Bytes of a ping of ours.
const PING: usize = 58;

/// A query that came.
pub(super) struct Asked {
    pub(super) from: SocketAddr,
    /// Of the whole datagram, in bytes.
    pub(super) length: usize,
    pub(super) sender: Id,
    pub(super) read_only: bool,
    pub(super) transaction: Vec<u8>,
}

/// How many bytes an asker may be sent because of its query.
#[derive(Clone, Copy)]
enum Allowance {
    /// It receives where it says that it is.
    Proven,
    Bytes(usize),
}

impl Node {
    pub(super) fn query(&mut self, now: Time, asked: &Asked, query: &Query, actions: &mut Vec<Action>) {
        // Our own query, back through an address that we did not know to be ours.
        if asked.sender == self.own || self.config.read_only {
            return;
        }
        if !self.may_answer(now, asked.from) {
            return;
        }
        let allowance = self.allowance_of(now, asked);
        let answer = match query {
            Query::Ping => Answer::from(self.own),
            Query::FindNode { target, want } => self.nodes_near(now, asked, allowance, *target, *want),
            Query::GetPeers { key, want } => self.providers_of(now, asked, allowance, *key, *want),
            Query::AnnouncePeer { key, port, implied_port, token } => {
                let port = if *implied_port { asked.from.port() } else { *port };
                if !self.tokens.accepts(now, asked.from.ip(), token) || port == 0 {
                    let why = if port == 0 { "No Port" } else { "Bad Token" };
                    self.refuse(now, asked.from, asked.transaction.clone(), 203, why, actions);
                    return;
                }
                self.proven.remember(now, asked.from, now + PROVEN_FOR);
                let provider = SocketAddr::new(asked.from.ip(), port);
                self.records.insert(now, *key, provider, Source::of(&asked.from), &self.config);
                Answer::from(self.own)
            }
        };
        self.reply(now, asked.from, asked.transaction.clone(), Body::Answer(answer), actions);
    }

    /// Notes that it asked, and what it may be sent. A ping that finds out whether it is there counts, since the victim
    /// gets that, too.
    fn allowance_of(&mut self, now: Time, asked: &Asked) -> Allowance {
        let proven = self.table.knows(now, &asked.from) || self.proven.holds(now, &asked.from);
        let contact = Contact { id: asked.sender, address: asked.from };
        let pinged = !asked.read_only && self.table.asked(now, contact) && self.meet(now, asked.from);
        if proven {
            return Allowance::Proven;
        }
        let ping = if pinged { PING } else { 0 };
        Allowance::Bytes((asked.length * AMPLIFICATION_MOST).saturating_sub(ping))
    }

    /// Answers with an error.
    pub(super) fn refuse(
        &mut self,
        now: Time,
        to: SocketAddr,
        transaction: Vec<u8>,
        code: i64,
        text: &str,
        actions: &mut Vec<Action>,
    ) {
        if !self.config.read_only && self.may_answer(now, to) {
            let body = Body::Error { code, text: text.as_bytes().to_vec() };
            self.reply(now, to, transaction, body, actions);
        }
    }

    fn may_answer(&mut self, now: Time, to: SocketAddr) -> bool {
        self.answered.wait(now, 0).is_none() && self.answered_to.wait(now, Source::of(&to), 0).is_none()
    }

    fn reply(
        &mut self,
        now: Time,
        to: SocketAddr,
        transaction: Vec<u8>,
        body: Body,
        actions: &mut Vec<Action>,
    ) {
        self.answered.take(now);
        self.answered_to.take(now, Source::of(&to));
        actions.push(Action::Send { to, bytes: Message { transaction, body }.encode() });
    }

    fn nodes_near(&self, now: Time, asked: &Asked, allowance: Allowance, target: Id, want: Want) -> Answer {
        let room = room(allowance, asked, &Answer::from(self.own));
        let nodes = self.nodes_to_tell(now, asked, target, want, room);
        Answer { nodes, ..Answer::from(self.own) }
    }

    fn providers_of(
        &mut self,
        now: Time,
        asked: &Asked,
        allowance: Allowance,
        key: Key,
        want: Want,
    ) -> Answer {
        let token = Some(self.tokens.token(now, asked.from.ip()));
        let mut answer = Answer { token, ..Answer::from(self.own) };
        let mut room = room(allowance, asked, &answer);
        // Half of the room for providers: who holds more may be a node further on.
        let value = value_bytes(self.family);
        let most = values_most(self.family).min((room / 2).saturating_sub(AROUND_VALUES) / value);
        answer.values = self.providers_to_tell(now, asked, key, most);
        if !answer.values.is_empty() {
            room -= (answer.values.len() * value + AROUND_VALUES).min(room);
        }
        answer.nodes = self.nodes_to_tell(now, asked, key.place(), want, room);
        answer
    }

    /// Up to `most` providers: ourselves, if we are one, then those that announced here.
    fn providers_to_tell(&mut self, now: Time, asked: &Asked, key: Key, most: usize) -> Vec<SocketAddr> {
        let ours = self.ip.zip(self.announcements.port(key)).map(SocketAddr::from);
        let told = |value: &SocketAddr| may_teach(&asked.from, value);
        let mut values: Vec<SocketAddr> = ours.into_iter().filter(told).take(most).collect();
        let random = self.random.random::<u32>() as usize;
        let others = |value: &SocketAddr| told(value) && Some(*value) != ours;
        values.extend(self.records.providers(now, key, most - values.len(), random, others));
        values
    }

    /// Good nodes near `target` that fit into `room` bytes.
    fn nodes_to_tell(&self, now: Time, asked: &Asked, target: Id, want: Want, room: usize) -> Vec<Contact> {
        let wanted = match self.family {
            Family::V4 => want.v4,
            Family::V6 => want.v6,
        };
        if !wanted && want != Want::default() {
            return Vec::new();
        }
        // One more than are told, for the asker may be among them.
        let mut nodes = self.table.nearest_good(now, target, K + 1);
        nodes.retain(|node| node.address != asked.from && may_teach(&asked.from, &node.address));
        nodes.truncate(K.min(room.saturating_sub(AROUND_NODES) / (Id::LENGTH + address_bytes(self.family))));
        nodes
    }
}

/// How many bytes may be added to `answer`.
fn room(allowance: Allowance, asked: &Asked, answer: &Answer) -> usize {
    let Allowance::Bytes(bytes) = allowance else { return usize::MAX };
    let body = Body::Answer(answer.clone());
    bytes.saturating_sub(Message { transaction: asked.transaction.clone(), body }.encode().len())
}

/// Bytes of an address with its port.
const fn address_bytes(family: Family) -> usize {
    match family {
        Family::V4 => 6,
        Family::V6 => 18,
    }
}

/// Bytes of an address as a value of its own, its length included.
const fn value_bytes(family: Family) -> usize {
    match family {
        Family::V4 => 2 + 6,
        Family::V6 => 3 + 18,
    }
}
