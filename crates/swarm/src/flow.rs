//! What was gained lately, in bytes per second: what a download says of itself when it asks a seed.

use std::time::Duration;

use protocol::Time;

/// The rate is over the last one to two of these: long enough that some seconds at the start or the end of a download, in which hardly
/// anything comes, do not look like hunger; short beside any download for which an uplink matters.
const STRETCH: Duration = Duration::from_millis(2500);
/// At the start it is over what there is, from this on. Somebody new soon gets what a swarm has to give.
const FIRST: Duration = Duration::from_millis(500);

/// Bytes gained, and what they were at the last two marks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flow {
    bytes: u64,
    marks: Option<[(Time, u64); 2]>,
}

impl Flow {
    /// Something was asked for: from the first time on, it counts how long that takes.
    pub(crate) fn asked(&mut self, now: Time) {
        self.marks.get_or_insert([(now, self.bytes); 2]);
    }

    /// `bytes` more are there.
    pub(crate) fn gained(&mut self, now: Time, bytes: u64) {
        self.bytes += bytes;
        let Some([_, last]) = self.marks else { return };
        if now.since(last.0) >= STRETCH {
            self.marks = Some([last, (now, self.bytes)]);
        }
    }

    /// In bytes per second; `None` before it was measured for long enough.
    pub(crate) fn rate(&self, now: Time) -> Option<u64> {
        let [(since, before), _] = self.marks?;
        let length = now.since(since);
        let rate = u128::from(self.bytes - before) * 1_000_000_000 / length.as_nanos().max(1);
        (length >= FIRST).then(|| u64::try_from(rate).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Time {
        Time::from_nanos(millis * 1_000_000)
    }

    /// Gains 100 bytes every 100 ms from then on, after that, until then.
    fn gain(flow: &mut Flow, from: u64, until: u64) {
        flow.asked(at(from));
        (from + 100..=until).step_by(100).for_each(|millis| flow.gained(at(millis), 100));
    }

    #[test]
    fn nothing_is_said_of_the_first_moments() {
        let mut flow = Flow::default();
        flow.gained(at(50), 100);
        assert_eq!(flow.rate(at(60_000)), None, "found on the disk");
        gain(&mut flow, 60_000, 60_500);
        assert_eq!((flow.rate(at(60_499)), flow.rate(at(60_500))), (None, Some(1000)));
    }

    #[test]
    fn it_is_of_the_last_seconds_whatever_was_before() {
        let mut flow = Flow::default();
        flow.asked(at(0));
        flow.gained(at(50), 1_000_000);
        gain(&mut flow, 100, 20_000);
        assert_eq!(flow.rate(at(20_000)), Some(1000));
        assert!(flow.rate(at(40_000)) < Some(250), "and less with each second in which nothing comes");
    }
}
