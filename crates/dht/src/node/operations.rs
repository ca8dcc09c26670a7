//! Our own searches: which begin, what they send, and what answers mean to them.

use std::net::SocketAddr;

use protocol::Time;
use rand::RngExt;

use super::operation::{Operation, OperationId, Purpose, Rank};
use super::{Action, DEAD_FOR, FindId, Node, PROVEN_FOR};
use crate::address::may_teach;
use crate::announcements::Urgency;
use crate::config::K;
use crate::id::{Id, Key};
use crate::lookup::Lookup;
use crate::message::{Answer, Contact};
use crate::requests::Overdue;
use crate::routing_table::Missed;

/// Providers from our own records that a look-up begins with.
const OWN_RECORDS_TOLD: usize = 50;

impl Node {
    pub(super) fn find(&mut self, find: FindId, key: Key, actions: &mut Vec<Action>) {
        if self.finds.len() < self.config.finds_waiting_most {
            self.finds.push_back((find, key));
        } else {
            actions.push(Action::FindEnded { find, answers: 0 });
        }
    }

    pub(super) fn stop_finding(&mut self, stopped: FindId) {
        self.finds.retain(|(find, _)| *find != stopped);
        self.operations.retain(
            |_, operation| !matches!(operation.purpose, Purpose::Find { find, .. } if find == stopped),
        );
    }

    /// Whether another announcement of this urgency may begin: chunks leave half of the places to all others.
    pub(super) fn may_announce(&self, urgency: Urgency) -> bool {
        let most = self.config.operations_most;
        let chunks = self.operations.keys().filter(|id| id.rank == Rank::Chunk).count();
        self.operations.len() < most && (urgency == Urgency::Torrent || chunks < most.div_ceil(2))
    }

    /// Begins what may begin, and sends what may be sent, until nothing moves.
    pub(super) fn drive(&mut self, now: Time, actions: &mut Vec<Action>) {
        loop {
            self.begin_due(now, actions);
            let ids: Vec<OperationId> = self.operations.keys().copied().collect();
            let mut any_over = false;
            for id in ids {
                // Out of the map while it is driven, so that both can be changed.
                let Some(mut operation) = self.operations.remove(&id) else { continue };
                if self.drive_one(now, id, &mut operation, actions) {
                    any_over = true;
                    self.ended(now, &operation, actions);
                } else {
                    self.operations.insert(id, operation);
                }
            }
            if !any_over {
                return;
            }
        }
    }

    pub(super) fn begin(&mut self, purpose: Purpose, target: Id) {
        let known = self.table.nearest(target, K);
        let ways_in = if known.len() < K { self.upkeep.ways_in() } else { &[] };
        let lookup = Lookup::new(self.own, target, known, ways_in.iter().copied());
        self.next_operation += 1;
        let id = OperationId { rank: purpose.rank(), number: self.next_operation };
        self.operations.insert(id, Operation::new(purpose, lookup));
    }

    fn begin_due(&mut self, now: Time, actions: &mut Vec<Action>) {
        while self.operations.len() < self.config.operations_most
            && let Some((find, key)) = self.finds.pop_front()
        {
            let known = self.records.providers(
                now,
                key,
                OWN_RECORDS_TOLD,
                self.random.random::<u32>() as usize,
                |_| true,
            );
            let number = self.next_operation + 1;
            self.begin(Purpose::Find { find, key }, key.place());
            if let Some(operation) = self.operations.get_mut(&OperationId { rank: Rank::Find, number }) {
                tell(operation, known.into_iter(), actions);
            }
        }
        for urgency in [Urgency::Torrent, Urgency::Chunk] {
            while self.may_announce(urgency)
                && let Some(key) = self.announcements.begin(now, urgency)
            {
                self.begin(Purpose::Announce { key, urgency }, key.place());
            }
        }
    }

    /// Sends what one operation may send; true when it is over.
    fn drive_one(
        &mut self,
        now: Time,
        id: OperationId,
        operation: &mut Operation,
        actions: &mut Vec<Action>,
    ) -> bool {
        let port = match operation.purpose {
            Purpose::Announce { key, .. } => match self.announcements.port(key) {
                // Nobody wants it announced any more.
                None => return true,
                port => port,
            },
            _ => None,
        };
        let is_joining = operation.purpose == Purpose::Join;
        loop {
            if operation.is_over() {
                return true;
            }
            let mut moved = false;
            for wanted in operation.wanted(port) {
                // A way in that is dead costs a query each time; without it there may be nobody to ask.
                let only_way = wanted.expected.is_none() && (is_joining || !operation.lookup.knows_anybody());
                if !only_way && self.dead.holds(now, &wanted.to) {
                    operation.failed(&wanted.to);
                    moved = true;
                } else if self.may_query(now, wanted.to, id.rank) {
                    operation.asked(&wanted.to);
                    self.send_query(now, wanted.to, Some(id), wanted.query, actions);
                    moved = true;
                }
            }
            if !moved {
                return false;
            }
        }
    }

    fn ended(&mut self, now: Time, operation: &Operation, actions: &mut Vec<Action>) {
        let answers = operation.lookup.answers();
        match operation.purpose {
            Purpose::Find { find, .. } => actions.push(Action::FindEnded { find, answers }),
            Purpose::Announce { key, .. } => {
                // A tenth sooner or later, so that not everybody's announcements meet.
                let refresh = self.config.refresh.mul_f64(self.random.random_range(0.9..=1.0));
                let (taken_by, asked) = operation.taken_by();
                self.announcements.ended(now, key, taken_by, asked, refresh);
                actions.push(Action::Announced { key, nodes: taken_by.len() });
            }
            Purpose::Join => self.joined(now, answers),
            Purpose::Refresh => self.refreshed(now),
        }
    }

    /// An answer came, to something that we asked or may never have asked.
    pub(super) fn answer(
        &mut self,
        now: Time,
        from: SocketAddr,
        transaction: &[u8],
        answer: Answer,
        actions: &mut Vec<Action>,
    ) {
        let Some(request) = self.requests.answered(now, transaction, &from) else { return };
        let contact = Contact { id: answer.sender, address: from };
        if contact.id == self.own {
            // We were told of ourselves.
            self.fail(request.operation, &from);
            return;
        }
        self.dead.forget(&from);
        self.proven.remember(now, from, now + PROVEN_FOR);
        if self.table.answered(now, contact) {
            // What it was told before it holds for as long.
            if !self.met.holds(now, &contact.id) {
                self.announcements.node_appeared(now, contact.id);
            }
            self.met.remember(now, contact.id, now + self.config.record_life);
        }
        let Some(operation) = request.operation.and_then(|id| self.operations.get_mut(&id)) else { return };
        let believable = answer.values.iter().filter(|value| may_teach(&from, value)).copied();
        tell(operation, believable, actions);
        operation.answered(contact, answer);
    }

    /// An error came instead.
    pub(super) fn refused(&mut self, now: Time, from: SocketAddr, transaction: &[u8]) {
        if let Some(request) = self.requests.answered(now, transaction, &from) {
            self.fail(request.operation, &from);
        }
    }

    /// Passes over the slow, and remembers the dead.
    pub(super) fn give_up_overdue(&mut self, now: Time) {
        while let Some(overdue) = self.requests.overdue(now) {
            match overdue {
                Overdue::Slow(request) => {
                    if let Some(operation) = request.operation.and_then(|id| self.operations.get_mut(&id)) {
                        operation.slow(&request.to);
                    }
                }
                Overdue::Missed(request) => {
                    self.fail(request.operation, &request.to);
                    match self.table.missed(now, &request.to, request.sent) {
                        Missed::Before => {}
                        // Where packets are lost, it may well be there: one more question, out of turn.
                        Missed::Once => _ = self.check(request.to),
                        Missed::NowBad => {
                            self.dead.remember(now, request.to, now + DEAD_FOR);
                            self.check(request.to);
                        }
                        Missed::Again => self.dead.remember(now, request.to, now + DEAD_FOR),
                    }
                }
            }
        }
    }

    fn fail(&mut self, operation: Option<OperationId>, from: &SocketAddr) {
        if let Some(operation) = operation.and_then(|id| self.operations.get_mut(&id)) {
            operation.failed(from);
        }
    }
}

/// Tells what is new among `values`, if the operation is a look-up.
fn tell(operation: &mut Operation, values: impl Iterator<Item = SocketAddr>, actions: &mut Vec<Action>) {
    if let Purpose::Find { find, .. } = operation.purpose {
        let providers = operation.news(values);
        if !providers.is_empty() {
            actions.push(Action::Found { find, providers });
        }
    }
}
