//! Sites: the lines that all peers of a place share to all other places.

use std::time::Duration;

use protocol::Time;
use scenario::rollout::{Site, time_for};

use crate::network::Downlink;

/// Both directions of each site's line, each a queue like a downlink.
#[derive(Debug, Default)]
pub(crate) struct Sites {
    lines: Vec<Line>,
    /// Payload bytes that went from one site to another.
    pub(crate) crossed: u64,
}

#[derive(Debug)]
struct Line {
    out: Downlink,
    into: Downlink,
    up: u64,
    down: u64,
    delay: Duration,
}

impl Sites {
    pub(crate) fn new(sites: &[Site]) -> Self {
        let line = |site: &Site| Line {
            out: Downlink::default(),
            into: Downlink::default(),
            up: site.up,
            down: site.down,
            delay: site.delay,
        };
        Sites { lines: sites.iter().map(line).collect(), crossed: 0 }
    }

    /// Whether nobody is anywhere else than the others, as in most rollouts.
    pub(crate) const fn is_one(&self) -> bool {
        self.lines.len() < 2
    }

    /// What the lines between two sites add to the way; `None` where there are none between.
    pub(crate) fn line(&self, one: usize, other: usize) -> Option<Duration> {
        if one == other {
            return None;
        }
        Some(self.lines.get(one)?.delay + self.lines.get(other)?.delay)
    }

    /// Queues a slice of `payload` bytes, `wire` with headers, whose sending takes `sending`; when it is through both
    /// lines.
    pub(crate) fn pass(
        &mut self,
        now: Time,
        (from, to): (usize, usize),
        (payload, wire): (u32, u64),
        sending: Duration,
    ) -> Option<Time> {
        self.line(from, to)?;
        self.crossed += u64::from(payload);
        let (up, down) = (self.lines[from].up, self.lines[to].down);
        let out = self.lines[from].out.receive(now, time_for(wire, up), sending);
        let into = self.lines[to].into.receive(now, time_for(wire, down), sending);
        Some(out.max(into))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(up: u64, down: u64) -> Site {
        Site { name: String::new(), up, down, delay: Duration::from_millis(5) }
    }

    #[test]
    fn what_crosses_waits_for_the_slower_of_two_lines_and_what_stays_for_none() {
        let mut sites = Sites::new(&[site(1000, 1000), site(1000, 100)]);
        let mut pass = |from, to| sites.pass(Time::ZERO, (from, to), (100, 100), Duration::ZERO);
        assert_eq!(pass(0, 0), None);
        assert_eq!(pass(0, 1), Some(Time::from(Duration::from_secs(1))));
        assert_eq!(pass(0, 1), Some(Time::from(Duration::from_secs(2))), "behind the first");
        assert_eq!(
            pass(1, 0),
            Some(Time::from(Duration::from_millis(100))),
            "the line out of 0 is busy, its line in is not"
        );
        assert_eq!((sites.crossed, sites.line(0, 1)), (300, Some(Duration::from_millis(10))));
    }
}
