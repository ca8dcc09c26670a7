//! The scenario file: a rollout as a person writes it, in TOML (docs/simulate.md has the form).
//!
//! `form` is what may stand there, `resolve` what it means and what is refused, `overrides` what a command line may change,
//! `text` how a rollout is written down again. Reading is checking: a [`NamedRollout`] that exists can be run.

mod form;
mod overrides;
mod resolve;
mod text;
mod wrong;

pub use overrides::Overrides;
pub use resolve::{MOST_CHUNKS, MOST_HELD, MOST_PEERS};
pub use wrong::{BadScenario, Wrong};

use super::Rollout;

/// The rollout that is simulated where no file says another one.
pub const DEFAULT: &str = include_str!("default.toml");

/// A rollout whose groups have names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedRollout {
    /// What is simulated.
    pub rollout: Rollout,
    /// What its groups are called, in their order.
    pub names: Vec<String>,
}

impl NamedRollout {
    /// Reads a scenario file, with what is to be other than it says.
    pub fn parse(text: &str, overrides: &Overrides) -> Result<Self, BadScenario> {
        let form: form::Form = toml::from_str(text).map_err(|error| BadScenario::from_toml(text, &error))?;
        resolve::resolve(form, overrides).map_err(|bad| bad.in_text(text))
    }

    /// A scenario file that says the same, with every value that was left to a default.
    pub fn to_toml(&self) -> String {
        text::write(self)
    }
}
