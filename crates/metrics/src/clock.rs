//! The server's time: since 1970, so that what a state file remembers still means something after a restart; it runs
//! evenly from the start on, wherever the system's clock is set meanwhile (threat A36).

use std::time::{Duration, SystemTime};

use protocol::Time;
use tokio::time::Instant;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    began: Duration,
    since: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        let began = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Clock { began, since: Instant::now() }
    }

    pub(crate) fn now(&self) -> Time {
        Time::from(self.began + self.since.elapsed())
    }
}

/// Milliseconds since 1970.
pub(crate) fn millis(time: Time) -> u64 {
    time.nanos() / 1_000_000
}

/// The time that is so many milliseconds after 1970.
pub(crate) fn from_millis(millis: u64) -> Time {
    Time::from(Duration::from_millis(millis))
}
