//! The tracker: HTTP over the registry.
//!
//! One process, two protocols: the described routes (`/chunk`, `/dht`, `/ping`) answered as their original did, plain
//! text on errors; the native ones (`/torrent/{id}` and its peers) with problem details. `docs/protocol.md` has both.
//!
//! Where to look: [`Tracker`] holds the state and the routes; `described`, `native` and `publish` are the handlers, one
//! door each; `source` decides who may announce what (threat A5), `dial` is the only place that connects out; `body`
//! reads what comes in within bounds. Who has what is `registry`'s business, and it is never asked while anything waits.

mod allow;
mod answer;
mod body;
mod browser;
mod config;
mod described;
mod dial;
mod native;
mod peer_list;
mod pinger;
mod publish;
mod resolver;
mod shortcut;
mod source;
mod tracker;

pub use allow::{AllowRule, BadRule};
pub use config::TrackerConfig;
pub use registry::PublishRefusal;
pub use tracker::Tracker;
