//! Thousands of peers on the real brains, in virtual time.
//!
//! Every simulated peer runs the very [`swarm::Download`] and [`swarm::Upload`] that a real one runs, and the tracker
//! is the very [`registry::Registry`]; the shell round them is modelled after `peer` (who is a neighbour, how gains
//! are followed, when the tracker hears of what). Only the network is arithmetic: links with an upload rate, a
//! download rate and a delay, shared slice by slice (`network`).
//!
//! Pure: no clock, socket, file, thread or random source. The same [`Rollout`](scenario::rollout::Rollout) gives the same run to the event;
//! [`Outcome::trace`](scenario::rollout::Outcome) is a hash of all of them. After every event the invariants of what changed are asserted, and of
//! everything where [`Checks::Everything`] asks for it: a broken one is a defect of a brain, and panics.
//!
//! The map: `scenario::rollout` says what is simulated and what came of it, `settings` what with; `world` turns events
//! into events, a file a concern; `agenda`, `network`, `node`, `roster`, `requests` and `tracker` hold the state;
//! `stories` makes small random rollouts out of a number.

mod agenda;
mod network;
mod node;
mod requests;
mod roster;
mod settings;
mod sites;
mod stories;
mod trace;
mod tracker;
mod world;

pub use settings::{Brains, Checks, Settings};
pub use stories::story;
pub use world::run;
