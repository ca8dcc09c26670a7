//! What must hold after every event. Looks at what the event changed, and at everything of the peer it happened to
//! where the rollout asks for that.

use protocol::ChunkIndex;

use super::World;
use crate::Checks;
use crate::node::NodeId;

impl World<'_> {
    /// A brain has decided, because a chunk was stored or for another reason. Nothing else changes what is missing, and most events are
    /// gains.
    pub(super) fn check(&self, id: NodeId, stores: bool) {
        let is_all = self.settings.checks == Checks::Everything;
        if !stores && !is_all {
            return;
        }
        let node = &self.nodes[id.slot()];
        let Some(brain) = &node.brain else { return };
        let missing = node.held.len() - node.held.count();
        assert_eq!(brain.remaining(), missing, "{id:?}: chunks that its brain misses");
        if is_all {
            brain.check_invariants();
            node.upload.check_invariants();
        }
    }

    /// A brain asks for a chunk: one that is not here, and of which not too many are under way.
    pub(super) fn check_fetch(&self, id: NodeId, chunk: ChunkIndex) {
        let node = &self.nodes[id.slot()];
        assert!(!node.held.contains(chunk), "{id:?} fetches chunk {} that it holds", chunk.get());
        let config = &self.settings.brains.download;
        assert!(node.fetches.len() <= config.in_flight_most, "{id:?} fetches too much at a time");
        if self.settings.checks == Checks::Everything {
            let copies = node
                .fetches
                .iter()
                .filter_map(|&(_, request)| self.requests.get(request))
                .filter(|request| request.chunk == chunk)
                .count();
            assert!(copies <= 1, "{id:?} fetches chunk {} for the third time at once", chunk.get());
        }
    }

    /// A brain says that it is done.
    pub(super) fn check_finish(&self, id: NodeId) {
        let node = &self.nodes[id.slot()];
        assert!(node.held.is_full(), "{id:?} finishes with {:?}", node.held);
    }

    /// Uploads began or ended.
    pub(super) fn check_uploads(&self, id: NodeId) {
        let node = &self.nodes[id.slot()];
        let sending = node.uplink.flows.iter().filter(|flow| flow.slot.is_some()).count()
            + usize::from(node.uplink.finishing.is_some());
        assert_eq!(sending, node.upload.active(), "{id:?}: bodies against slots");
        assert_eq!(node.queued.len(), node.upload.queue_len(), "{id:?}: requests held waiting");
    }
}
