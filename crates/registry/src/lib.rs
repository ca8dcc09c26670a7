//! The tracker's memory: who has what, leases, hand-outs, assignments. Pure.
//!
//! One registry, two doors. Native peers announce a torrent with a bitmap and live by leases; described clients
//! announce hashes and live by pings. Each kind is handed out at both doors: described holders of a published
//! torrent's hashes are among its peers, native holders among the assignments.
//!
//! Invariants:
//! - Nobody is handed out after its lease or life ended, whether or not anything swept in between: every call that
//!   hands somebody out forgets first what ended where it looks.
//! - Every table is bounded by [`Limits`]; a refused call leaves nothing behind.
//! - Torrents are in parts with a lock each, and announces take one of them: a swarm waits for no other's. Locks are
//!   taken in one order, the directory's, then the parts' in theirs.
//! - No call takes long: what a million hashes need is left to [`Registry::settle`], a few thousand at a time, and what
//!   is not settled yet is never handed out wrongly, only later.
//! - Time and randomness are arguments, and no result depends on the order of a hash table.
//!
//! Deliberately absent: addresses' truth (the shell checks who may announce what), HTTP, and any wait.

mod announce;
mod assignment;
mod budget;
mod deadlines;
mod described;
mod dht_nodes;
mod directory;
mod hand_out;
mod hash_index;
mod lease;
mod limits;
mod listing;
mod names;
mod pings;
mod publishing;
mod registry;
mod shard;
mod sharded;
mod swarm;
mod target;
mod torrents;
mod twins;

pub use announce::{Announced, NewAnnounce, Refusal};
pub use described::{AnnouncerId, Client, DescribedRefusal};
pub use hand_out::{Handed, Held};
pub use limits::Limits;
pub use pings::PingDue;
pub use publishing::PublishRefusal;
pub use registry::{Counts, Registry, Seed, Sizes};
pub use target::Target;
pub use torrents::{NewTorrent, Publisher};
