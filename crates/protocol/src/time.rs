//! Monotonic time as the pure crates see it: a number that the shell hands in.

use std::time::Duration;

/// Nanoseconds since an epoch the shell chose (usually the start of the process).
///
/// Monotonic by contract: a clock that jumps (threat A36) never reaches the pure crates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

impl Time {
    /// The epoch itself.
    pub const ZERO: Time = Time(0);

    /// A time `nanos` nanoseconds after the epoch.
    pub const fn from_nanos(nanos: u64) -> Self {
        Time(nanos)
    }

    /// Nanoseconds since the epoch.
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub const fn since(self, earlier: Time) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl From<Duration> for Time {
    /// The time `elapsed` after the epoch; saturates after 584 years.
    fn from(elapsed: Duration) -> Self {
        Time(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl std::ops::Add<Duration> for Time {
    type Output = Time;

    fn add(self, later: Duration) -> Time {
        Time(self.0.saturating_add(Time::from(later).0))
    }
}
