//! A brain is told what happened, and what it decides is done: as `peer/src/download`.

use protocol::Time;
use swarm::{Action, Download, Event, PeerKey};

use super::World;
use crate::agenda::Happening;
use crate::node::NodeId;

/// Neighbours asked at a time whom they know.
const ASKED: usize = 2;

impl World<'_> {
    /// Tells a peer's brain, if it still has one, and performs what it says.
    pub(super) fn tell(&mut self, id: NodeId, event: Event) {
        let now = self.now;
        let Some(mut brain) = self.node(id).brain.take() else { return };
        let mut actions = std::mem::take(&mut self.actions);
        let (before, stores) = (brain.remaining(), matches!(event, Event::ChunkStored { .. }));
        let armed = brain.wake_at();
        brain.handle(now, event, &mut actions);
        // Most events change nothing about it, and nothing need be looked at then.
        if brain.wake_at() != armed {
            self.arm(id, brain.wake_at());
        }
        self.node(id).brain = Some(brain);
        self.check(id, before, stores);
        for action in actions.drain(..) {
            self.perform(id, action);
        }
        self.actions = actions;
    }

    /// Plans the brain's timer, unless an event that is planned comes first: that one looks again.
    fn arm(&mut self, id: NodeId, wake: Option<Time>) {
        let Some(at) = wake else { return };
        let node = self.node(id);
        if node.wake.is_none_or(|planned| at < planned) {
            node.wake = Some(at);
            self.agenda.plan(at, Happening::Wake(id));
        }
    }

    pub(super) fn wakes(&mut self, id: NodeId) {
        let now = self.now;
        let node = self.node(id);
        if node.wake != Some(now) {
            return;
        }
        node.wake = None;
        let Some(at) = node.brain.as_deref().and_then(Download::wake_at) else { return };
        if at <= now {
            self.tell(id, Event::Woke);
        } else {
            self.arm(id, Some(at));
        }
    }

    fn perform(&mut self, id: NodeId, action: Action) {
        match action {
            Action::FindPeers => {
                self.hurry(id);
                for _ in 0..ASKED {
                    if let Some(key) = self.node(id).roster.ask_next() {
                        self.ask_whom(id, key);
                    }
                }
            }
            Action::Fetch { fetch, peer, chunk } => self.fetch(id, fetch, peer, chunk),
            Action::Cancel { fetch } => self.cancel(id, fetch),
            Action::Announce => self.hurry(id),
            Action::Tell => self.tell_at_once(id),
            Action::Drop { peer, reason } => {
                let now = self.now;
                self.withdraw_all(id, peer);
                self.node(id).roster.ban(now, peer, reason);
            }
            Action::Finish => self.finishes(id),
        }
    }

    fn finishes(&mut self, id: NodeId) {
        let (now, lingers) = (self.now, self.rollout.groups[self.nodes[id.slot()].group].lingers);
        self.check_finish(id);
        let node = self.node(id);
        node.finished = Some(now);
        node.brain = None;
        node.roster.clear();
        node.fetches = Vec::new();
        self.unfinished -= 1;
        self.hurry(id);
        if let Some(lingers) = lingers {
            self.plan(lingers, Happening::Leaves(id));
        }
    }

    /// A neighbour is gone: the roster forgets it, its requests are given up, and the brain hears of it.
    pub(super) fn lose(&mut self, id: NodeId, key: PeerKey) {
        let now = self.now;
        self.withdraw_all(id, key);
        self.node(id).roster.lost(now, key);
        self.tell(id, Event::PeerLost { peer: key });
    }
}
