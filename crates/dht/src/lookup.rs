//! One search for the nodes nearest to a place (Kademlia §2.3): ask the nearest known, learn of nearer ones, until the
//! [`K`] nearest that are there have answered.
//!
//! A node that is slow is passed over and still listened to. Of one source on the internet only [`OF_A_SOURCE`] nodes
//! count among the nearest, so that one host with many ids near a key cannot be all of them (threat A21).

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use crate::address::{Source, may_teach};
use crate::config::{ALPHA, K};
use crate::id::{Distance, Id};
use crate::message::Contact;

/// Nodes of one source that count among the nearest.
const OF_A_SOURCE: usize = 2;
/// Addresses of one id that are tried at a time: who names a node first may lie about where it is.
const ADDRESSES_OF_AN_ID: u8 = 2;
/// Nodes kept in mind; farther ones are forgotten.
const CANDIDATES_MOST: usize = 64;
/// Nodes of one answer that are looked at. Honest answers hold [`K`], libtorrent's up to 16.
const NODES_OF_AN_ANSWER: usize = 16;
/// Queries of one look-up, whatever it learns: bounds what lies about ever nearer nodes cost.
const QUERIES_MOST: u32 = 48;

/// How a candidate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Fresh,
    Asked,
    /// Asked, and passed over; its answer still counts.
    Slow,
    Answered,
    Failed,
}

#[derive(Clone, Debug)]
struct Candidate {
    contact: Contact,
    state: State,
    token: Option<Vec<u8>>,
}

impl Candidate {
    const fn is_useless(&self) -> bool {
        matches!(self.state, State::Slow | State::Failed)
    }
}

/// Where a candidate stands: how far it is, then which of the addresses of its id it is.
type Place = (Distance, u8);

/// A node that answered, with what it wants to see before it takes an announcement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) contact: Contact,
    pub(crate) token: Vec<u8>,
}

/// A search in progress.
#[derive(Clone, Debug)]
pub(crate) struct Lookup {
    own: Id,
    target: Id,
    candidates: BTreeMap<Place, Candidate>,
    /// Ways in whose ids are not known. They are asked first, since nobody knows how near they are.
    unnamed: BTreeMap<SocketAddr, State>,
    /// Every address that ever was a candidate, so that none is asked twice under two ids.
    addresses: BTreeSet<SocketAddr>,
    queries: u32,
}

impl Lookup {
    /// A search for `target` by the node `own`.
    pub(crate) fn new(
        own: Id,
        target: Id,
        known: Vec<Contact>,
        ways_in: impl Iterator<Item = SocketAddr>,
    ) -> Self {
        let mut lookup = Lookup {
            own,
            target,
            candidates: BTreeMap::new(),
            unnamed: BTreeMap::new(),
            addresses: BTreeSet::new(),
            queries: 0,
        };
        for contact in known {
            lookup.add(contact);
        }
        for address in ways_in.take(K) {
            if lookup.addresses.insert(address) {
                lookup.unnamed.insert(address, State::Fresh);
            }
        }
        lookup
    }

    pub(crate) const fn target(&self) -> Id {
        self.target
    }

    /// The nodes to be asked now, nearest first: as many as may be in flight, and no more than the search needs.
    pub(crate) fn to_ask(&self) -> Vec<(SocketAddr, Option<Id>)> {
        let in_flight = self.in_state(State::Asked);
        let room =
            ALPHA.saturating_sub(in_flight).min((QUERIES_MOST - self.queries.min(QUERIES_MOST)) as usize);
        let unnamed =
            self.unnamed.iter().filter(|(_, state)| **state == State::Fresh).map(|(at, _)| (*at, None));
        let named = self.nearest().filter(|candidate| candidate.state == State::Fresh);
        unnamed.chain(named.map(|c| (c.contact.address, Some(c.contact.id)))).take(room).collect()
    }

    /// A query was sent there.
    pub(crate) fn asked(&mut self, address: &SocketAddr) {
        self.queries += 1;
        self.set(address, State::Asked);
    }

    /// It takes longer than usual.
    pub(crate) fn slow(&mut self, address: &SocketAddr) {
        self.set(address, State::Slow);
    }

    /// It is not there, or is not what it was said to be.
    pub(crate) fn failed(&mut self, address: &SocketAddr) {
        self.set(address, State::Failed);
    }

    /// It answered, and knows these nodes. What it is called it says itself: a way in has no name before, and who told us
    /// of the others may have given them false ones, so that they would not count.
    pub(crate) fn answered(&mut self, from: Contact, token: Option<Vec<u8>>, nodes: &[Contact]) {
        let is_misnamed = |candidate: &Candidate| {
            candidate.contact.address == from.address && candidate.contact.id != from.id
        };
        let misnamed =
            self.candidates.iter().find(|(_, candidate)| is_misnamed(candidate)).map(|(at, _)| *at);
        let was_misnamed = misnamed.and_then(|at| self.candidates.remove(&at)).is_some();
        if self.unnamed.remove(&from.address).is_some() || was_misnamed {
            self.addresses.remove(&from.address);
            self.add(from);
            // Also when there was no place: it is not asked again.
            self.addresses.insert(from.address);
        }
        if let Some(candidate) = self.candidates.values_mut().find(|candidate| candidate.contact == from) {
            candidate.state = State::Answered;
            candidate.token = token;
        }
        let mut ids = BTreeSet::new();
        for node in nodes.iter().take(NODES_OF_AN_ANSWER) {
            let same_family = node.address.is_ipv4() == from.address.is_ipv4();
            // One teller does not take all places of an id.
            if same_family && may_teach(&from.address, &node.address) && ids.insert(node.id) {
                self.add(*node);
            }
        }
    }

    /// Nobody is left whose answer would bring it nearer.
    pub(crate) fn is_done(&self) -> bool {
        let waiting = |state| matches!(state, State::Asked | State::Fresh);
        let asked_out = self.queries >= QUERIES_MOST;
        let named = self.nearest().any(|candidate| {
            if asked_out { candidate.state == State::Asked } else { waiting(candidate.state) }
        });
        let unnamed = self
            .unnamed
            .values()
            .any(|state| if asked_out { *state == State::Asked } else { waiting(*state) });
        !named && !unnamed
    }

    /// How many answered.
    pub(crate) fn answers(&self) -> usize {
        self.in_state(State::Answered)
    }

    /// The nearest that answered and take announcements.
    pub(crate) fn holders(&self) -> Vec<Holder> {
        let answered = self.nearest().filter(|candidate| candidate.state == State::Answered);
        answered.filter_map(|c| Some(Holder { contact: c.contact, token: c.token.clone()? })).collect()
    }

    fn add(&mut self, contact: Contact) {
        if contact.id == self.own || self.addresses.contains(&contact.address) {
            return;
        }
        let Some(place) = self.place_for(contact.id.distance(self.target)) else { return };
        self.addresses.insert(contact.address);
        // The address that it displaces stays among those that are not asked again.
        self.candidates.insert(place, Candidate { contact, state: State::Fresh, token: None });
        if self.candidates.len() > CANDIDATES_MOST {
            let farthest =
                self.candidates.iter().rev().find(|(_, c)| c.state == State::Fresh).map(|(at, _)| *at);
            if let Some(forgotten) = farthest.and_then(|at| self.candidates.remove(&at)) {
                self.addresses.remove(&forgotten.contact.address);
            }
        }
    }

    /// Where another address of an id can stand: beside the first, else instead of one that proved useless.
    fn place_for(&self, distance: Distance) -> Option<Place> {
        let places = || (0..ADDRESSES_OF_AN_ID).map(|which| (distance, which));
        let state = |at: &Place| self.candidates.get(at).map(|candidate| candidate.state);
        [None, Some(State::Failed), Some(State::Slow)]
            .into_iter()
            .find_map(|wanted| places().find(|at| state(at) == wanted))
    }

    /// Whether a node is known by its name.
    pub(crate) fn knows_anybody(&self) -> bool {
        !self.candidates.is_empty()
    }

    /// The [`K`] nearest that have not proved useless.
    fn nearest(&self) -> impl Iterator<Item = &Candidate> {
        let mut of_source: BTreeMap<Source, usize> = BTreeMap::new();
        let useful = self.candidates.values().filter(|candidate| !candidate.is_useless());
        let counted = useful.filter(move |candidate| {
            let source = Source::of(&candidate.contact.address);
            let held = of_source.entry(source).or_default();
            *held += 1;
            !source.is_global() || *held <= OF_A_SOURCE
        });
        counted.take(K)
    }

    fn in_state(&self, wanted: State) -> usize {
        let named = self.candidates.values().map(|candidate| candidate.state);
        named.chain(self.unnamed.values().copied()).filter(|state| *state == wanted).count()
    }

    fn set(&mut self, address: &SocketAddr, state: State) {
        if let Some(unnamed) = self.unnamed.get_mut(address) {
            *unnamed = state;
        } else if let Some(candidate) = self.candidates.values_mut().find(|c| c.contact.address == *address) {
            candidate.state = state;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Id = Id::from_bytes([0xff; 20]);
    const TARGET: Id = Id::from_bytes([0; 20]);

    /// A node at this distance of the target, on a host of its own.
    fn node(distance: u8) -> Contact {
        let mut id = [0; 20];
        id[0] = distance;
        Contact { id: Id::from_bytes(id), address: ([93, 184, 1, distance], 7).into() }
    }

    fn lookup(known: &[u8]) -> Lookup {
        Lookup::new(OWN, TARGET, known.iter().map(|at| node(*at)).collect(), std::iter::empty())
    }

    fn ask(lookup: &mut Lookup) -> Vec<u8> {
        let asked = lookup.to_ask();
        for (address, _) in &asked {
            lookup.asked(address);
        }
        asked.iter().map(|(_, id)| id.map_or(0, |id| id.as_bytes()[0])).collect()
    }

    fn answer(lookup: &mut Lookup, from: u8, nodes: &[u8]) {
        let nodes: Vec<_> = nodes.iter().map(|at| node(*at)).collect();
        lookup.answered(node(from), Some(vec![from]), &nodes);
    }

    #[test]
    fn it_asks_the_nearest_and_ends_when_the_eight_nearest_have_answered() {
        let mut lookup = lookup(&[200, 100, 150, 250]);
        assert_eq!(ask(&mut lookup), [100, 150, 200]);
        assert!(ask(&mut lookup).is_empty(), "three are in flight");
        answer(&mut lookup, 150, &[1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(ask(&mut lookup), [1]);
        for nearest in 1..=8 {
            assert!(!lookup.is_done());
            answer(&mut lookup, nearest, &[]);
            ask(&mut lookup);
        }
        assert!(lookup.is_done(), "although 100 and 200 may still answer");
        let holders: Vec<u8> = lookup.holders().iter().map(|holder| holder.token[0]).collect();
        assert_eq!(holders, [1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn the_slow_are_passed_over_and_still_listened_to() {
        let mut lookup = lookup(&[1, 2, 3, 4]);
        assert_eq!(ask(&mut lookup), [1, 2, 3]);
        lookup.slow(&node(1).address);
        assert_eq!(ask(&mut lookup), [4]);
        for from in [2, 3, 4] {
            answer(&mut lookup, from, &[]);
        }
        assert!(lookup.is_done());
        answer(&mut lookup, 1, &[]);
        assert_eq!(lookup.holders().len(), 4);
    }

    #[test]
    fn a_way_in_gets_its_name_by_answering() {
        let way_in = node(77);
        let mut lookup = Lookup::new(OWN, TARGET, vec![node(5)], [way_in.address].into_iter());
        assert_eq!(ask(&mut lookup), [0, 5]);
        answer(&mut lookup, 77, &[5, 6]);
        answer(&mut lookup, 5, &[]);
        assert_eq!(ask(&mut lookup), [6]);
        answer(&mut lookup, 6, &[]);
        assert!(lookup.is_done());
        assert_eq!(lookup.answers(), 3);
    }

    #[test]
    fn a21_who_names_a_node_first_does_not_say_where_it_is() {
        let mut lookup = lookup(&[100, 101, 102]);
        let elsewhere = |at: u8| Contact { address: ([45, 0, 0, at], 7).into(), ..node(at) };
        let true_ones: Vec<u8> = (1..=8).collect();
        ask(&mut lookup);
        // A liar answers first, and sends us where nobody is. Nor does it help it to name two places for each.
        let lies: Vec<Contact> = (true_ones.iter())
            .flat_map(|at| [elsewhere(*at), Contact { address: ([46, 0, 0, *at], 7).into(), ..node(*at) }])
            .collect();
        lookup.answered(node(100), None, &lies);
        answer(&mut lookup, 101, &true_ones);
        let mut answered = BTreeSet::new();
        while !lookup.is_done() {
            let to_ask = lookup.to_ask();
            for (address, id) in to_ask {
                let contact = Contact { id: id.unwrap(), address };
                lookup.asked(&address);
                if contact == node(contact.id.as_bytes()[0]) {
                    lookup.answered(contact, Some(vec![]), &[]);
                    answered.insert(contact.id.as_bytes()[0]);
                } else {
                    lookup.slow(&address);
                }
            }
            lookup.failed(&node(102).address);
        }
        assert!(true_ones.iter().all(|at| answered.contains(at)), "{answered:?}");
    }

    #[test]
    fn a21_a_dead_address_gives_way_to_another_of_the_same_id() {
        let dead = |last: u8| Contact { address: ([45, 0, 0, last], 7).into(), ..node(1) };
        let mut lookup = lookup(&[200, 201, 202]);
        for liar in [200, 201] {
            lookup.answered(node(liar), None, &[dead(liar)]);
        }
        lookup.answered(node(202), None, &[node(1)]);
        assert!(!lookup.to_ask().contains(&(node(1).address, Some(node(1).id))), "two are enough at a time");
        lookup.failed(&dead(200).address);
        lookup.answered(node(202), None, &[node(1)]);
        assert!(lookup.to_ask().contains(&(node(1).address, Some(node(1).id))));
    }

    #[test]
    fn a21_a_node_under_a_false_name_counts_under_its_own() {
        let mut lookup = lookup(&[200]);
        ask(&mut lookup);
        lookup.answered(node(200), None, &[Contact { id: node(1).id, ..node(9) }]);
        let asked = lookup.to_ask();
        assert_eq!(asked, [(node(9).address, Some(node(1).id))]);
        lookup.asked(&asked[0].0);
        lookup.answered(node(9), Some(vec![9]), &[]);
        assert!(lookup.is_done());
        assert_eq!(lookup.holders().iter().map(|holder| holder.contact).collect::<Vec<_>>(), [node(9)]);
    }

    #[test]
    fn a21_one_host_with_many_ids_is_two_of_the_nearest() {
        let honest: Vec<u8> = (100..106).collect();
        let mut lookup = lookup(&honest);
        let sybils = (1..=16).map(|at| Contact { address: ([93, 184, 9, 9], at.into()).into(), ..node(at) });
        lookup.answered(node(100), None, &sybils.collect::<Vec<_>>());
        let mut asked = Vec::new();
        while !lookup.is_done() {
            for (address, id) in lookup.to_ask() {
                lookup.asked(&address);
                let contact = Contact { id: id.unwrap(), address };
                asked.push(contact.id.as_bytes()[0]);
                lookup.answered(contact, Some(vec![]), &[]);
            }
        }
        assert_eq!(asked, [1, 2, 101, 102, 103, 104, 105]);
    }

    #[test]
    fn a21_lies_about_ever_nearer_nodes_come_to_an_end() {
        let mut lookup = lookup(&[255]);
        let mut asked = 0;
        while !lookup.is_done() {
            for (address, _) in lookup.to_ask() {
                lookup.asked(&address);
                asked += 1;
                let liar = node(address.ip().to_string().rsplit('.').next().unwrap().parse().unwrap());
                let nearer = node(liar.id.as_bytes()[0] - 1);
                lookup.answered(liar, None, &[nearer]);
            }
        }
        assert_eq!(asked, QUERIES_MOST);
    }

    #[test]
    fn a06_no_victim_becomes_a_candidate() {
        let mut lookup = lookup(&[9]);
        let at = |text: &str, distance| Contact { address: text.parse().unwrap(), ..node(distance) };
        let victims = [
            at("127.0.0.1:80", 1),
            at("10.0.0.1:53", 2),
            at("224.0.0.1:5", 3),
            at("93.184.0.9:0", 4),
            at("[2001:db8::1]:9", 5),
        ];
        lookup.answered(node(9), None, &victims);
        assert!(lookup.to_ask().is_empty());
        assert!(lookup.is_done());
    }
}
