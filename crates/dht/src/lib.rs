//! A node of a distributed hash table: who provides a torrent or a chunk, without a tracker.
//!
//! Compatible with the Mainline DHT of `BitTorrent` (BEP 5, IPv6 as in BEP 32, read-only nodes as in BEP 43), yet private by
//! default: a node knows only the nodes it is given and whom it reaches through them.
//!
//! Pure: no clock, socket, file, thread or random source. Datagrams and the time come in, datagrams go out, and the same
//! seed and events give the same packets. [`Node::handle`] is the one way in, [`Node::wake_at`] the one timer.
//!
//! The map: `node` is the surface and joins the others, each of which owns one thing and knows nothing of the node:
//! `message` (over `bencode`) is the wire; `routing_table` whom we know; `records` what others announced here;
//! `announcements` what we announce; `lookup` one search; `requests` what we wait for; `tokens`, `rate`, `address` and
//! `remembered` keep strangers in their bounds. `config` holds the limits.

mod address;
mod announcements;
mod bencode;
mod config;
mod id;
mod lookup;
pub mod message;
mod node;
mod rate;
mod records;
mod remembered;
mod requests;
mod routing_table;
mod tokens;

pub use address::is_dialable;
pub use announcements::Urgency;
pub use config::{ALPHA, Config, K};
pub use id::{Distance, Id, Key};
pub use node::{Action, Event, Family, FindId, Node};
