//! What must hold after every event. Looks at what the event changed, and at everything of the peer it happened to
//! where the rollout asks for that.

use protocol::ChunkIndex;

use super::World;
use crate::Checks;
use crate::node::NodeId;

impl World<'_> {
    /// A brain has decided, and missed so many chunks before. What it misses is what is not here: that was so before, and only a chunk
    /// that was stored changes it, on either side.
    pub(super) fn check(&self, id: NodeId, before: u32, stores: bool) {
        let node = &self.nodes[id.slot()];
        let Some(brain) = &node.brain else { return };
        if stores || brain.remaining() != before {
            let missing = node.held.len() - node.held.count();
            assert_eq!(brain.remaining(), missing, "{id:?}: chunks that its brain misses");
        }
        if self.settings.checks == Checks::Everything {
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
        let sending = node.uplink.flows().iter().filter(|flow| flow.slot.is_some()).count()
            + usize::from(node.uplink.finishing.is_some());
        assert_eq!(sending, node.upload.active(), "{id:?}: bodies against slots");
        assert_eq!(node.queued.len(), node.upload.queue_len(), "{id:?}: requests held waiting");
    }
}
