//! The brains of a peer: [`Download`] decides what to fetch from whom, [`Upload`] decides who is served.
//!
//! Pure: no clock, socket, file, thread or random source. Time and a seed are arguments, so that the same events
//! give the same actions, and ten thousand of these run in one simulation. Facts come in as [`Event`]s, decisions
//! go out as [`Action`]s; bytes and addresses never come here. A failure of the world is an event; a broken
//! invariant is an assertion.
//!
//! A wanted chunk is in exactly one state at any time. `download::chunk_table` is the only place that changes it:
//!
//! | from | to | when |
//! | --- | --- | --- |
//! | `Missing` | `InFlight` | [`Action::Fetch`] |
//! | `InFlight` | `Missing` | its last fetch failed, was cancelled, or its peer was lost |
//! | `InFlight` | `Storing` | [`Event::Arrived`] |
//! | `Storing` | `Missing`, or `InFlight` while a second copy flies | the bytes were wrong, or could not be written |
//! | any | `Stored` | [`Event::ChunkStored`]; this is final |
//!
//! The map: `event` and `action` are the surface, `config` holds every limit; `download` is the state machine over
//! `availability` (who counts), `picker` (what next), `scoring` (from whom), `inflight` (what was asked for);
//! `upload` and `rate` are the serving side and know nothing of the others.

mod action;
mod availability;
mod config;
mod download;
mod event;
mod finder;
mod flow;
mod gathering;
mod index_set;
mod inflight;
mod peer_key;
mod picker;
mod rate;
mod scoring;
mod upload;

pub use action::{Action, DropReason};
pub use config::{Config, Order, UploadConfig};
pub use download::{Download, Waiting};
pub use event::{Event, Failure, Gained};
pub use gathering::Gathering;
pub use peer_key::{FetchId, PeerKey};
pub use rate::TokenBucket;
pub use upload::{Answer, AskedBack, Asker, Content, Demand, FirstCopies, Need, Requester, Ticket, Upload};
