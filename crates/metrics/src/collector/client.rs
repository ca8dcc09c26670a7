//! One client: its last report, when it came, and how fast it went.

use std::net::IpAddr;
use std::time::Duration;

use protocol::api::metrics::{MAX_COUNT, Report, SILENT_AFTER};
use protocol::{HostPort, Time};
use serde::Serialize;

/// How a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// It reports.
    Live,
    /// It has not reported for 15 seconds, and did not say why.
    Silent,
    /// It said that it ends.
    Left,
}

/// Payload bytes a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rates {
    pub(crate) down: u64,
    pub(crate) up: u64,
}

/// A client that reported.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    report: Report,
    source: IpAddr,
    first: Time,
    last: Time,
    rates: Rates,
    /// Whether it held everything from the start: it brought the content and downloads nothing.
    brought: bool,
    /// As it was told last.
    shown: Status,
}

/// Reports closer than this say nothing about a rate.
const SHORTEST_STEP: Duration = Duration::from_millis(500);

impl Client {
    pub(crate) fn new(now: Time, source: IpAddr, report: Report) -> Self {
        let brought = report.is_complete();
        Client::remembered((now, now), source.to_canonical(), report, brought)
    }

    /// As an earlier process knew it: when it was heard first and last.
    pub(crate) fn remembered(
        (first, last): (Time, Time),
        source: IpAddr,
        report: Report,
        brought: bool,
    ) -> Self {
        let rates = Rates {
            down: report.native.down_bytes_per_s.unwrap_or(0),
            up: report.native.up_bytes_per_s.unwrap_or(0),
        };
        Client { report, source, first, last, rates, brought, shown: Status::Live }
    }

    /// Whether a report about this client is believed when it comes from `source`: whoever reported it so far, and the
    /// client's own address always. Once it is silent, anybody.
    pub(crate) fn may_be_told_by(&self, now: Time, source: IpAddr) -> bool {
        source == self.source
            || self.name().host().as_ip() == Some(source)
            || self.status(now) != Status::Live
    }

    /// Takes its next report.
    pub(crate) fn take(&mut self, now: Time, source: IpAddr, report: Report) {
        let another = self.report.native.peer.is_some() && self.report.native.peer != report.native.peer;
        if another {
            *self = Client::new(now, source, report);
            return;
        }
        let step = now.since(self.last);
        let computed = if step < SHORTEST_STEP { self.rates } else { self.rates_until(step, &report) };
        self.rates = Rates {
            down: report.native.down_bytes_per_s.unwrap_or(computed.down),
            up: report.native.up_bytes_per_s.unwrap_or(computed.up),
        };
        (self.report, self.source, self.last) = (report, source, now);
    }

    /// For clients that report no rates. Counters that went back belong to a client that was started again.
    fn rates_until(&self, step: Duration, report: &Report) -> Rates {
        let a_second = |before: u64, after: u64| {
            let per_second = u128::from(after.saturating_sub(before)) * 1000 / step.as_millis().max(1);
            u64::try_from(per_second).unwrap_or(MAX_COUNT).min(MAX_COUNT)
        };
        Rates {
            down: a_second(self.report.downloaded_bytes(), report.downloaded_bytes()),
            up: a_second(self.report.uploaded_bytes(), report.uploaded_bytes()),
        }
    }

    pub(crate) fn status(&self, now: Time) -> Status {
        if self.report.native.leaving == Some(true) {
            Status::Left
        } else if now.since(self.last) < SILENT_AFTER {
            Status::Live
        } else {
            Status::Silent
        }
    }

    /// Whether its status is another than when this was asked last.
    pub(crate) fn is_shown_otherwise(&mut self, now: Time) -> bool {
        let status = self.status(now);
        std::mem::replace(&mut self.shown, status) != status
    }

    pub(crate) const fn name(&self) -> &HostPort {
        &self.report.client
    }

    pub(crate) const fn report(&self) -> &Report {
        &self.report
    }

    /// Whether it held everything from the start.
    pub(crate) const fn brought(&self) -> bool {
        self.brought
    }

    /// Whether its download counts in what all have got so far: it is under way, or it was finished.
    pub(crate) fn counts(&self, now: Time) -> bool {
        let ended_well = self.status(now) == Status::Left && self.report.is_complete();
        !self.brought && (self.status(now) == Status::Live || ended_well)
    }

    /// Where its reports come from.
    pub(crate) const fn source(&self) -> IpAddr {
        self.source
    }

    pub(crate) const fn first(&self) -> Time {
        self.first
    }

    pub(crate) const fn last(&self) -> Time {
        self.last
    }

    /// How fast it goes; nothing when it is not live.
    pub(crate) fn rates(&self, now: Time) -> Rates {
        if self.status(now) == Status::Live { self.rates } else { Rates::default() }
    }
}
