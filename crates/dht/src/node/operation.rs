//! One operation: a search, and for an announcement the storing that follows it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::FindId;
use crate::announcements::Urgency;
use crate::id::{Id, Key};
use crate::lookup::{Holder, Lookup};
use crate::message::{Answer, Contact, Query, Want};

/// Providers told of one look-up: eight nodes with 50 each, and some more.
const PROVIDERS_MOST: usize = 512;
/// Values of one answer that are looked at, so that one liar cannot fill the look-up alone (threat A20).
const VALUES_OF_AN_ANSWER: usize = 50;

/// Operations are served in the order of their rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    /// Somebody waits.
    Find,
    /// Without the table nothing works.
    Upkeep,
    /// Somebody will look for it, and find everything else through it.
    Torrent,
    /// There is time.
    Chunk,
}

/// An operation, by its rank and the order in which they began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct OperationId {
    pub(crate) rank: Rank,
    pub(crate) number: u64,
}

/// What for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Find {
        find: FindId,
        key: Key,
    },
    Announce {
        key: Key,
        urgency: Urgency,
    },
    /// Find ourselves: whom we meet on the way is whom we need to know.
    Join,
    /// Find somebody of a region that was not heard of for a while.
    Refresh,
}

impl Purpose {
    pub(super) const fn rank(self) -> Rank {
        match self {
            Purpose::Find { .. } => Rank::Find,
            Purpose::Join | Purpose::Refresh => Rank::Upkeep,
            Purpose::Announce { urgency: Urgency::Torrent, .. } => Rank::Torrent,
            Purpose::Announce { urgency: Urgency::Chunk, .. } => Rank::Chunk,
        }
    }
}

/// The second half of an announcement.
#[derive(Clone, Debug)]
struct Storing {
    /// How many nodes should hold it: [`K`](crate::K) unless the network is smaller.
    holders: usize,
    left: Vec<Holder>,
    waits_for: BTreeMap<SocketAddr, Holder>,
    /// Whom it was sent a second time: a packet may be lost, two are a sign.
    again: BTreeSet<SocketAddr>,
    taken_by: Vec<Id>,
}

/// An operation in progress.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(super) purpose: Purpose,
    pub(super) lookup: Lookup,
    told: BTreeSet<SocketAddr>,
    storing: Option<Storing>,
}

/// A query that an operation wants to send.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(super) to: SocketAddr,
    pub(super) expected: Option<Id>,
    pub(super) query: Query,
}

impl Operation {
    pub(super) const fn new(purpose: Purpose, lookup: Lookup) -> Self {
        Operation { purpose, lookup, told: BTreeSet::new(), storing: None }
    }

    /// What it would ask now; `port` is what is announced, if anything is.
    pub(super) fn wanted(&self, port: Option<u16>) -> Vec<Wanted> {
        if let (Some(storing), Some(port), Purpose::Announce { key, .. }) =
            (&self.storing, port, self.purpose)
        {
            let store = |holder: &Holder| Wanted {
                to: holder.contact.address,
                expected: Some(holder.contact.id),
                query: Query::AnnouncePeer { key, port, implied_port: false, token: holder.token.clone() },
            };
            return storing.left.iter().map(store).collect();
        }
        let query = match self.purpose {
            Purpose::Find { key, .. } | Purpose::Announce { key, .. } => {
                Query::GetPeers { key, want: Want::default() }
            }
            Purpose::Join | Purpose::Refresh => {
                Query::FindNode { target: self.lookup.target(), want: Want::default() }
            }
        };
        let ask = |(to, expected)| Wanted { to, expected, query: query.clone() };
        self.lookup.to_ask().into_iter().map(ask).collect()
    }

    /// One of them was sent.
    pub(super) fn asked(&mut self, to: &SocketAddr) {
        match &mut self.storing {
            Some(storing) => {
                if let Some(at) = storing.left.iter().position(|holder| holder.contact.address == *to) {
                    storing.waits_for.insert(*to, storing.left.remove(at));
                }
            }
            None => self.lookup.asked(to),
        }
    }

    /// It takes longer than usual.
    pub(super) fn slow(&mut self, from: &SocketAddr) {
        match &mut self.storing {
            Some(storing) => {
                if let Some(holder) = storing.waits_for.remove(from)
                    && storing.again.insert(*from)
                {
                    storing.left.push(holder);
                }
            }
            None => self.lookup.slow(from),
        }
    }

    /// It is not there, refused, or is not who it was said to be.
    pub(super) fn failed(&mut self, from: &SocketAddr) {
        match &mut self.storing {
            Some(storing) => {
                storing.left.retain(|holder| holder.contact.address != *from);
                storing.waits_for.remove(from);
            }
            None => self.lookup.failed(from),
        }
    }

    /// An answer came.
    pub(super) fn answered(&mut self, from: Contact, answer: Answer) {
        match &mut self.storing {
            Some(storing) => {
                // Also when it was passed over, or asked twice; but not when this is a late answer to the search.
                let was_sent = storing.waits_for.remove(&from.address).is_some()
                    || storing.again.contains(&from.address);
                if was_sent && !storing.taken_by.contains(&from.id) {
                    storing.taken_by.push(from.id);
                }
                storing.left.retain(|holder| holder.contact.address != from.address);
            }
            None => self.lookup.answered(from, answer.token, &answer.nodes),
        }
    }

    /// Which of `values` have not been told yet.
    pub(super) fn news(&mut self, values: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
        let room = PROVIDERS_MOST.saturating_sub(self.told.len()).min(VALUES_OF_AN_ANSWER);
        values.filter(|value| self.told.insert(*value)).take(room).collect()
    }

    /// Whether it is over. An announcement whose search is over goes on to storing.
    pub(super) fn is_over(&mut self) -> bool {
        match &self.storing {
            Some(storing) => storing.left.is_empty() && storing.waits_for.is_empty(),
            None if !self.lookup.is_done() => false,
            None if !matches!(self.purpose, Purpose::Announce { .. }) => true,
            None => {
                let left = self.lookup.holders();
                let over = left.is_empty();
                self.storing = Some(Storing {
                    holders: left.len(),
                    left,
                    waits_for: BTreeMap::new(),
                    again: BTreeSet::new(),
                    taken_by: Vec::new(),
                });
                over
            }
        }
    }

    /// Who took the announcement, and how many should have.
    pub(super) fn taken_by(&self) -> (&[Id], usize) {
        self.storing.as_ref().map_or((&[], 0), |storing| (&storing.taken_by, storing.holders))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(number: u8) -> Contact {
        Contact { id: Id::from_bytes([number; 20]), address: ([93, 184, 0, number], 7).into() }
    }

    /// What it asks now is sent.
    fn send(operation: &mut Operation) -> Vec<SocketAddr> {
        assert!(!operation.is_over());
        let sent: Vec<SocketAddr> = operation.wanted(Some(80)).into_iter().map(|wanted| wanted.to).collect();
        for to in &sent {
            operation.asked(to);
        }
        sent
    }

    #[test]
    fn a_late_answer_to_the_search_is_not_one_to_the_announcement() {
        let key = Key::at(Id::from_bytes([0; 20]));
        let known = vec![node(1), node(2), node(3)];
        let lookup = Lookup::new(node(99).id, key.place(), known, std::iter::empty());
        let mut operation = Operation::new(Purpose::Announce { key, urgency: Urgency::Torrent }, lookup);
        assert_eq!(send(&mut operation).len(), 3);
        let with_token = |number: u8| Answer { token: Some(vec![1]), ..Answer::from(node(number).id) };
        operation.slow(&node(1).address);
        operation.answered(node(2), with_token(2));
        operation.answered(node(3), with_token(3));
        assert_eq!(send(&mut operation), [node(2).address, node(3).address]);
        // What the first says now, it says to the search.
        operation.answered(node(1), with_token(1));
        operation.answered(node(2), Answer::from(node(2).id));
        // The third is slow, is sent it again, and answers the first of the two.
        operation.slow(&node(3).address);
        assert_eq!(send(&mut operation), [node(3).address]);
        operation.slow(&node(3).address);
        operation.answered(node(3), Answer::from(node(3).id));
        assert!(operation.is_over());
        assert_eq!(operation.taken_by(), (&[node(2).id, node(3).id][..], 2));
    }
}
