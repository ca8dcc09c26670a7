//! A hash of everything that happened, in order: two runs are the same run when their traces are equal.

use protocol::Time;

use crate::agenda::Happening;
use crate::requests::RequestId;

/// 64-bit FNV-1a over words instead of bytes: no protection against anybody, but a different event changes it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trace(u64);

impl Default for Trace {
    fn default() -> Self {
        Trace(0xcbf2_9ce4_8422_2325)
    }
}

impl Trace {
    pub(crate) const fn value(self) -> u64 {
        self.0
    }

    pub(crate) fn note(&mut self, at: Time, happening: &Happening, of: impl Fn(RequestId) -> u64) {
        let (kind, what) = match happening {
            Happening::Arrives(node) => (1, node.word()),
            Happening::Dies(node) => (2, node.word()),
            Happening::Leaves(node) => (3, node.word()),
            Happening::Wake(node) => (4, node.word()),
            Happening::Uplink(node) => (5, node.word()),
            Happening::Buffered(_, id) => (19, of(*id)),
            Happening::Round(node) => (6, node.word()),
            Happening::Meets(node, key) => (7, node.word() << 32 | u64::from(key.get())),
            Happening::Loses(node, key) => (8, node.word() << 32 | u64::from(key.get())),
            Happening::Hears(node, key) => (9, node.word() << 32 | u64::from(key.get())),
            Happening::Announces(node) => (10, node.word()),
            Happening::AtTracker(node) => (11, node.word()),
            Happening::Answered(node) => (12, node.word()),
            Happening::Asked(id) => (13, of(*id)),
            Happening::Withdrawn(id) => (14, of(*id)),
            Happening::Came(id, bytes) => (15, of(*id) ^ u64::from(*bytes)),
            Happening::Whole(id) => (16, of(*id)),
            Happening::Stored(id) => (17, of(*id)),
            Happening::Suggested(node, key, _) => (20, node.word() << 32 | u64::from(key.get())),
            Happening::Told(node, group) => (21, node.word() << 32 | u64::from(*group)),
            Happening::AsksBack(node) => (22, node.word()),
            Happening::AskedBack(node, other, _) => (23, node.word() << 32 | other.word()),
            Happening::Failed(node, fetch, _) => (18, node.word() << 40 ^ fetch.get()),
        };
        for word in [at.nanos(), kind, what] {
            self.0 = (self.0 ^ word).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}
