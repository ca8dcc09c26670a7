//! How far a download is, for people and machines.

use std::path::PathBuf;
use std::time::Duration;

use protocol::Time;

/// A snapshot of one torrent's download and upload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes held of those wanted.
    pub bytes: u64,
    /// Bytes wanted.
    pub total: u64,
    /// Neighbours at the moment.
    pub peers: u32,
    /// Payload bytes received a second, lately.
    pub down_bytes_per_s: u64,
    /// Payload bytes sent a second, lately.
    pub up_bytes_per_s: u64,
    /// Payload bytes sent.
    pub uploaded: u64,
    /// Where the bytes came from.
    pub sources: Sources,
    /// Why nothing moves, for people.
    pub waiting: Option<String>,
}

/// Where bytes came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// From peers that were complete.
    pub seed: u64,
    /// From peers that were not.
    pub peer: u64,
    /// Through an HTTP cache.
    pub cache: u64,
    /// From this machine's own disk.
    pub local: u64,
}

impl Sources {
    /// All bytes that came.
    pub(crate) const fn sum(&self) -> u64 {
        self.seed + self.peer + self.cache + self.local
    }
}

/// A download that is verified, durable and in its final place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completed {
    /// Where it lies.
    pub path: PathBuf,
    /// Its bytes.
    pub bytes: u64,
    /// From the start of the job.
    pub elapsed: Duration,
    /// Where the bytes came from.
    pub sources: Sources,
}

/// Bytes a second over the last few seconds: a total looked at now and then, smoothed.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    /// When it was looked at first, and last.
    seen: Option<(Time, Time, u64)>,
    rate: f64,
}

/// Time constant of the smoothing, in seconds.
const SMOOTHING_S: f64 = 3.0;

impl Meter {
    /// Looks at the total so far; returns bytes a second.
    #[expect(clippy::cast_precision_loss, reason = "a rate for people; 2^53 bytes a second is far")]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "never negative, and see above"
    )]
    pub(crate) fn look(&mut self, now: Time, total: u64) -> u64 {
        let Some((first, then, before)) = self.seen else {
            self.seen = Some((now, now, total));
            return 0;
        };
        let seconds = now.since(then).as_secs_f64();
        if seconds > 0.0 {
            let lately = total.saturating_sub(before) as f64 / seconds;
            // While it is young it is the plain average: a smoothed value that starts from nothing lags for seconds.
            let age = now.since(first).as_secs_f64();
            let weight = (seconds / age).max(1.0 - (-seconds / SMOOTHING_S).exp());
            self.rate += (lately - self.rate) * weight;
            self.seen = Some((first, now, total));
        }
        self.rate as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_right_from_the_first_look_and_forgets_what_has_stopped() {
        let mut meter = Meter::default();
        let at = |quarters: u64| Time::from(Duration::from_millis(250 * quarters));
        meter.look(at(0), 0);
        for quarter in 1..=8 {
            assert_eq!(meter.look(at(quarter), quarter * 1000), 4000, "steady from the start");
        }
        let stopped: Vec<u64> = (9..60).map(|quarter| meter.look(at(quarter), 8000)).collect();
        assert!(stopped.is_sorted_by(|a, b| a >= b) && stopped[50] < 100, "{stopped:?}");
    }
}
