//! The last hour in a few numbers every three seconds, so that a page opened late still shows how it went.

use std::collections::VecDeque;
use std::time::Duration;

use protocol::Time;
use serde::{Deserialize, Serialize};

use super::Totals;
use crate::clock::millis;

/// Between two samples: as often as clients report.
const EVERY: Duration = Duration::from_secs(3);
/// Samples kept: an hour.
const MOST: usize = 1200;

/// All live clients at one moment. Stands in JSON as a list of its fields, in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Row", into = "Row")]
pub(crate) struct Sample {
    /// When, in milliseconds of the server's clock.
    pub(crate) at_ms: u64,
    /// Live clients.
    pub(crate) clients: u64,
    /// Downloads that are complete, also of clients that left since.
    pub(crate) complete: u64,
    /// Payload bytes a second that they receive together.
    pub(crate) down: u64,
    /// And send.
    pub(crate) up: u64,
    /// Bytes of all downloads so far; who brought the content does not count.
    pub(crate) held: u64,
    /// Bytes of all downloads.
    pub(crate) wanted: u64,
}

impl Sample {
    /// Of all live clients, and of the downloads that count.
    pub(crate) fn of(now: Time, live: &Totals, downloads: &Totals) -> Self {
        Sample {
            at_ms: millis(now),
            clients: live.clients,
            complete: downloads.complete,
            down: live.down,
            up: live.up,
            held: downloads.downloaded_bytes,
            wanted: downloads.total_bytes,
        }
    }
}

type Row = (u64, u64, u64, u64, u64, u64, u64);

impl From<Row> for Sample {
    fn from((at_ms, clients, complete, down, up, held, wanted): Row) -> Self {
        Sample { at_ms, clients, complete, down, up, held, wanted }
    }
}

impl From<Sample> for Row {
    fn from(Sample { at_ms, clients, complete, down, up, held, wanted }: Sample) -> Self {
        (at_ms, clients, complete, down, up, held, wanted)
    }
}

/// Samples, oldest first.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub(crate) struct History(VecDeque<Sample>);

impl History {
    /// Whether it is time for the next sample.
    pub(crate) fn is_due(&self, now: Time) -> bool {
        let due = |last: &Sample| now.since(Time::from(Duration::from_millis(last.at_ms))) >= EVERY;
        self.0.back().is_none_or(due)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a sample; the oldest make room.
    pub(crate) fn push(&mut self, sample: Sample) {
        if self.0.back().is_none_or(|last| last.at_ms < sample.at_ms) {
            self.0.push_back(sample);
        }
        while self.0.len() > MOST {
            self.0.pop_front();
        }
    }

    #[cfg(test)]
    pub(crate) fn samples(&self) -> impl ExactSizeIterator<Item = &Sample> {
        self.0.iter()
    }
}
