//! Progress as a share of a thousand: exact, ordered, and the same in every world.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A share of a thousand; never more than all of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Permille(u16);

impl Permille {
    /// Nothing.
    pub const NONE: Permille = Permille(0);
    /// All of it.
    pub const ALL: Permille = Permille(1000);

    /// So many of a thousand; more than all is all.
    pub const fn new(value: u16) -> Self {
        Permille(if value > 1000 { 1000 } else { value })
    }

    /// `part` of `whole`, rounded down, so that [`Permille::ALL`] means all. Of nothing, all is there.
    pub fn of(part: u64, whole: u64) -> Self {
        let share = match whole {
            0 => 1000,
            _ => u128::from(part.min(whole)) * 1000 / u128::from(whole),
        };
        Permille(u16::try_from(share).unwrap_or(1000))
    }

    /// The mean; of nobody it is all.
    pub fn mean(shares: impl IntoIterator<Item = Permille>) -> Self {
        let (mut sum, mut count) = (0u64, 0u64);
        for share in shares {
            sum += u64::from(share.0);
            count += 1;
        }
        Permille::of(sum, count * 1000)
    }

    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// All of it.
    pub const fn is_all(self) -> bool {
        self.0 == 1000
    }
}

impl fmt::Display for Permille {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.0 / 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_said_only_of_all() {
        assert_eq!(Permille::of(u64::MAX - 1, u64::MAX).get(), 999);
        assert!(Permille::of(7, 7).is_all() && Permille::of(9, 7).is_all() && Permille::of(0, 0).is_all());
        assert_eq!(Permille::of(999, 1000).to_string(), "99 %");
        assert_eq!(Permille::mean([Permille::ALL, Permille::NONE, Permille::new(500)]).get(), 500);
    }
}
