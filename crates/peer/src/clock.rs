//! The one place where this crate reads a clock.

use protocol::Time;
use tokio::time::Instant;

/// Monotonic time since the peer started. Tokio's clock, so that a test can stand still or jump.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    epoch: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Clock { epoch: Instant::now() }
    }

    pub(crate) fn now(&self) -> Time {
        Time::from(self.epoch.elapsed())
    }

    /// The instant at which `now` will be `time`.
    pub(crate) fn instant(&self, time: Time) -> Instant {
        self.epoch + time.since(Time::ZERO)
    }
}
