//! What a case came to.

use std::iter::Sum;
use std::time::Instant;

use serde::Serialize;

use crate::LoadedTracker;
use crate::latency::Latencies;
use crate::tracker::Taken;

/// The figures of one case. What only the tracker's process could tell is `None` when that was not named.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// Which case.
    pub case: &'static str,
    /// Requests answered while the clock ran.
    pub requests: u64,
    /// Of them, those answered with anything but 2xx.
    pub refused: u64,
    /// How long the clock ran.
    pub seconds: f64,
    /// Requests a second of the clock: on a machine with other work, or with the load on the same core, the lesser figure.
    pub requests_per_s: f64,
    /// Requests a CPU second of the tracker: what one core can do that does nothing else.
    pub requests_per_cpu_s: Option<f64>,
    /// Hashes in each request.
    pub hashes_per_request: u64,
    /// Time within which half were answered.
    pub p50_ms: Option<f64>,
    /// Time within which 99 in 100 were answered.
    pub p99_ms: Option<f64>,
    /// The longest.
    pub longest_ms: Option<f64>,
    /// CPU time of the tracker while the clock ran.
    pub cpu_s: Option<f64>,
    /// CPU time of this process meanwhile: well below the tracker's, or the load is what limits.
    pub load_cpu_s: Option<f64>,
    /// Peers or clients that the tracker lists at the end.
    pub listed: u64,
    /// Peers in an answer to an announce, the least that was seen.
    pub peers_in_answer: Option<u64>,
    /// Memory that the tracker had before anything of this case was there.
    pub resident_before_bytes: Option<u64>,
    /// Memory that it has at the end.
    pub resident_bytes: Option<u64>,
}

/// What the connections counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counted {
    pub(crate) latencies: Latencies,
    pub(crate) refused: u64,
    /// Least number of peers in an answer that was looked at.
    pub(crate) peers_in_answer: Option<u64>,
}

impl Counted {
    pub(crate) fn absorb(&mut self, other: Counted) {
        self.latencies.absorb(other.latencies);
        self.refused += other.refused;
        self.peers_in_answer = match (self.peers_in_answer, other.peers_in_answer) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
}

/// What all connections counted together.
impl Sum for Counted {
    fn sum<I: Iterator<Item = Self>>(each: I) -> Self {
        each.fold(Counted::default(), |mut sum, counted| {
            sum.absorb(counted);
            sum
        })
    }
}

/// What stands in the figures besides times.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About {
    pub(crate) case: &'static str,
    pub(crate) hashes_per_request: u64,
    pub(crate) listed: u64,
    /// The tracker's memory before the case.
    pub(crate) resident_before_bytes: Option<u64>,
}

/// A clock that runs, and what the tracker's process had taken when it was started.
pub(crate) struct Clock {
    began: Instant,
    taken: Taken,
}

impl Clock {
    pub(crate) fn start(tracker: &LoadedTracker) -> Self {
        Clock { taken: tracker.taken(), began: Instant::now() }
    }

    /// Stops the clock.
    pub(crate) fn stop(self, tracker: &LoadedTracker, about: About, mut counted: Counted) -> Figures {
        let seconds = self.began.elapsed().as_secs_f64();
        let now = tracker.taken();
        let spent = |now: Option<f64>, before: Option<f64>| Some(now? - before?);
        let cpu_s = spent(now.cpu_seconds, self.taken.cpu_seconds);
        let requests = counted.latencies.len() as u64;
        #[expect(clippy::cast_precision_loss, reason = "nobody sends 2^52 requests")]
        let per = |seconds: f64| rounded(requests as f64 / seconds.max(0.001), 1.0);
        Figures {
            case: about.case,
            requests,
            refused: counted.refused,
            seconds: rounded(seconds, 1000.0),
            requests_per_s: per(seconds),
            // Of less than a tenth of a second the ticks tell nothing.
            requests_per_cpu_s: cpu_s.filter(|cpu_s| *cpu_s >= 0.1).map(per),
            hashes_per_request: about.hashes_per_request,
            p50_ms: counted.latencies.within_ms(500),
            p99_ms: counted.latencies.within_ms(990),
            longest_ms: counted.latencies.within_ms(1000),
            cpu_s: cpu_s.map(|cpu_s| rounded(cpu_s, 100.0)),
            load_cpu_s: spent(now.own_cpu_seconds, self.taken.own_cpu_seconds).map(|own| rounded(own, 100.0)),
            listed: about.listed,
            peers_in_answer: counted.peers_in_answer,
            resident_before_bytes: about.resident_before_bytes,
            resident_bytes: now.resident_bytes,
        }
    }
}

fn rounded(number: f64, parts: f64) -> f64 {
    (number * parts).round() / parts
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_connections_counted_adds_up() {
        let each = [(1, 0, Some(50)), (2, 3, None), (3, 0, Some(49))].map(|(millis, refused, peers)| {
            let mut one = Counted { refused, peers_in_answer: peers, ..Counted::default() };
            one.latencies.note(Duration::from_millis(millis));
            one
        });
        let all: Counted = each.into_iter().sum();
        assert_eq!((all.latencies.len(), all.refused, all.peers_in_answer), (3, 3, Some(49)));
    }

    #[test]
    fn without_a_process_there_is_a_rate_but_no_cost() {
        let tracker = LoadedTracker {
            address: "127.0.0.1:1".parse().unwrap(),
            host: String::new(),
            process: None,
            net: net::Net::default(),
        };
        let mut counted = Counted::default();
        counted.latencies.note(Duration::from_millis(7));
        let about = About { case: "x", hashes_per_request: 0, listed: 1, resident_before_bytes: None };
        let figures = Clock::start(&tracker).stop(&tracker, about, counted);
        assert_eq!((figures.requests, figures.p99_ms), (1, Some(7.0)));
        assert!(figures.requests_per_s > 0.0);
        assert_eq!((figures.cpu_s, figures.requests_per_cpu_s, figures.resident_bytes), (None, None, None));
    }
}
