//! A rollout: one file, many machines, and the question how long it takes until all have it.
//!
//! [`Rollout`] says who takes part over which links and what goes wrong, [`Bounds`] what arithmetic allows at best, and
//! [`Outcome`] what came of it; [`NamedRollout`] reads it from a file. Here it is data; `sim` runs it.

mod bounds;
mod figures;
mod file;
mod outcome;
mod page;
mod plan;

use std::time::Duration;

pub use bounds::{Bounds, chunked, fluid};
pub use figures::{Figures, GroupFigures};
pub use file::{BadScenario, DEFAULT, MOST_CHUNKS, MOST_HELD, MOST_PEERS, NamedRollout, Overrides, Wrong};
pub use outcome::{Control, Outcome, PeerOutcome, Sample};
pub use page::RolloutPage;
pub use plan::{Arrival, Conduct, Faults, Group, Link, Network, Role, Rollout, SeedDeath, Site, Vanishing};

/// How long `bytes` take at `rate` bytes per second. A rate of 0 is as slow as one byte a second.
pub fn time_for(bytes: u64, rate: u64) -> Duration {
    // Below 2^34 bytes at a time: the product fits.
    Duration::from_nanos(bytes.saturating_mul(1_000_000_000) / rate.max(1))
}
