//! The shell's random choices, all from one seed: a run can be made again.

use std::sync::{Mutex, PoisonError};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// A generator that tasks share. What it makes tells nothing of the seed.
pub(crate) struct Chance(Mutex<StdRng>);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Chance(Mutex::new(StdRng::seed_from_u64(seed)))
    }

    /// Uses the generator; nothing slow belongs into `choose`.
    pub(crate) fn with<T>(&self, choose: impl FnOnce(&mut StdRng) -> T) -> T {
        choose(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A number below 2^32.
    pub(crate) fn number(&self) -> u64 {
        self.with(|rng| u64::from(rng.random::<u32>()))
    }
}
