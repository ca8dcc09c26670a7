//! A seed asks some of those that it gave first copies for one of them. As `peer/src/asking_back.rs`.
//!
//! The body takes its room on both links like other small things and has no slot: there is one for each peer and minute at most.

use std::time::Duration;

use protocol::ChunkIndex;
use scenario::rollout::{Conduct, time_for};
use swarm::AskedBack;

use super::World;
use super::serving::{ANSWER, CONNECT};
use crate::Checks;
use crate::agenda::Happening;
use crate::node::NodeId;

impl World<'_> {
    /// First copies were sent, or an answer came: makes sure that who is to be asked back is asked in time.
    pub(super) fn arm_asking_back(&mut self, id: NodeId) {
        let now = self.now;
        let node = self.node(id);
        let Some(at) = node.firsts.ask_back_at().map(|at| at.max(now)) else { return };
        if node.asks_back_at.is_none_or(|armed| at < armed) {
            node.asks_back_at = Some(at);
            self.agenda.plan(at, Happening::AsksBack(id));
        }
    }

    /// Asks whoever is due.
    pub(super) fn asks_back(&mut self, id: NodeId) {
        let now = self.now;
        if self.node(id).asks_back_at != Some(now) {
            return;
        }
        self.node(id).asks_back_at = None;
        if !self.node(id).is_here() {
            return;
        }
        while let Some((who, chunk)) = self.node(id).firsts.ask_back(now) {
            let other = NodeId::from(who);
            let (after, what) = self.answer_to_asking_back(id, other, chunk);
            self.plan(after, Happening::AskedBack(id, other, what));
        }
        self.arm_asking_back(id);
    }

    pub(super) fn is_asked_back(&mut self, id: NodeId, other: NodeId, what: AskedBack) {
        let now = self.now;
        self.node(id).firsts.asked_back(now, other.into(), what);
        if self.settings.checks == Checks::Everything {
            self.node(id).firsts.check_invariants();
        }
        self.arm_asking_back(id);
    }

    /// What comes of asking `other` for `chunk`, and when.
    fn answer_to_asking_back(
        &mut self,
        id: NodeId,
        other: NodeId,
        chunk: ChunkIndex,
    ) -> (Duration, AskedBack) {
        let there_and_back = self.delay(id, other) + self.message_delay(other, id);
        let node = &self.nodes[other.slot()];
        if !node.is_here() {
            return (there_and_back, AskedBack::Failed);
        }
        if !node.dialable {
            return (CONNECT, AskedBack::Failed);
        }
        if node.conduct == Conduct::FreeRider || !node.held.contains(chunk) {
            return (there_and_back, AskedBack::Unclear);
        }
        let what = if node.conduct == Conduct::Liar { AskedBack::Failed } else { AskedBack::Came };
        let (up, body) = (node.link.up, ANSWER + u64::from(self.length(chunk)));
        self.control.requests += body;
        self.charge(Some(other), Some(id), body);
        (there_and_back + time_for(body, up), what)
    }
}
