//! The metrics server: what clients report, as a list, as an exposition for Prometheus, and as a live page.
//!
//! Where to look: [`MetricsServer`] holds the state and the routes; `collector` is the memory, pure and bounded; `report`
//! takes what clients say, `listing` gives it to programs, `live` to the page; `guard` keeps foreign pages out;
//! `state_file` survives a restart. This crate can connect to nobody: it has no client.

mod answer;
mod clock;
mod collector;
mod exposition;
mod guard;
mod listing;
mod live;
mod page;
mod report;
mod server;
mod state_file;
mod view;

pub use collector::Limits;
pub use server::{Config, MetricsServer};
pub use state_file::StateError;
