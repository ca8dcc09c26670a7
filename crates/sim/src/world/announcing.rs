//! The tracker is told, and tells: as `peer/src/tracker_client`.

use std::time::Duration;

use protocol::ChunkSet;

use super::World;
use crate::agenda::Happening;
use crate::node::NodeId;
use crate::roster::Origin;

/// Two announces are never closer than this, however often they are asked for.
const GAP: Duration = Duration::from_millis(500);
/// Pause after a failure; it doubles up to the last.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_LAST: Duration = Duration::from_secs(8);
/// Request and answer in bytes, without bitmaps, and each peer in the answer.
const ANNOUNCE: (u64, u64) = (500, 400);
const ENTRY: u64 = 110;

impl World<'_> {
    /// Announce soon.
    pub(super) fn hurry(&mut self, id: NodeId) {
        let announcer = &mut self.node(id).announcer;
        let (Some(due), Some(answered)) = (announcer.due, announcer.answered) else {
            // On its way for the first time, or waiting for the first time.
            announcer.hurried = announcer.due.is_none();
            return;
        };
        let soon = (answered + GAP).max(self.now);
        if soon < due {
            self.announce_at(id, soon);
        }
    }

    fn announce_at(&mut self, id: NodeId, at: protocol::Time) {
        self.node(id).announcer.due = Some(at);
        self.agenda.plan(at, Happening::Announces(id));
    }

    pub(super) fn announces(&mut self, id: NodeId) {
        let now = self.now;
        let node = self.node(id);
        if node.announcer.due != Some(now) || !node.is_here() {
            return;
        }
        node.announcer.due = None;
        let one_way = node.link.delay;
        let bytes = ANNOUNCE.0 + bitmap(&self.nodes[id.slot()].held);
        self.control.peers += bytes;
        self.charge(Some(id), None, bytes);
        self.plan(one_way, Happening::AtTracker(id));
    }

    pub(super) fn at_tracker(&mut self, id: NodeId) {
        let away = self.is_tracker_away();
        let node = &self.nodes[id.slot()];
        let (one_way, shown) = (node.link.delay, node.announcer.token.clone());
        let answer = if away { None } else { self.tracker.announce(self.now, id, &node.held, shown) };
        self.node(id).announcer.answer = answer;
        self.plan(one_way, Happening::Answered(id));
    }

    pub(super) fn answered(&mut self, id: NodeId) {
        let now = self.now;
        let node = self.node(id);
        if !node.is_here() {
            return;
        }
        let announcer = &mut node.announcer;
        announcer.answered = Some(now);
        let Some(answer) = announcer.answer.take() else {
            let pause = RETRY_FIRST.saturating_mul(1 << announcer.failures.min(8)).min(RETRY_LAST);
            announcer.failures += 1;
            announcer.hurried = false;
            self.announce_at(id, now + pause);
            return;
        };
        announcer.failures = 0;
        announcer.token = Some(answer.token);
        let pause = if std::mem::take(&mut announcer.hurried) { GAP } else { answer.interval };
        self.announce_at(id, now + pause);
        let mut bytes = ANNOUNCE.1;
        for (of, held) in answer.peers {
            bytes += ENTRY + bitmap(&held);
            self.sighted(id, of, Some(held), true, Origin::Named);
        }
        self.control.peers += bytes;
        self.charge(None, Some(id), bytes);
    }
}

/// Bytes of a bitmap in base64; one word for a complete one.
fn bitmap(held: &ChunkSet) -> u64 {
    if held.is_full() { 10 } else { ChunkSet::wire_length(held.len()) as u64 * 4 / 3 }
}
