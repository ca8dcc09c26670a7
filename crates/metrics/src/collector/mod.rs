//! What clients reported, within bounds: the memory of the metrics server. Pure; the time is an argument.
//!
//! Nothing here is ever dialled: a client's address is a name on a page.

mod client;
mod history;
mod totals;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use protocol::api::metrics::{ClientMetrics, Report, SILENT_AFTER};
use protocol::{HostPort, Time};

pub(crate) use client::{Client, Status};
pub(crate) use history::{History, Sample};
pub(crate) use totals::Totals;

/// A client that fell silent or left is still shown for so long: who looks an hour later sees how it ended.
pub(crate) const REMEMBERED: Duration = Duration::from_secs(3600);

/// Bounds of a collector (threat A27).
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Clients in all; the largest report takes about 12 KiB.
    pub clients: usize,
    /// Clients reported from one address: nobody can take all places, and a machine with thousands has room.
    pub clients_per_source: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { clients: 10_000, clients_per_source: 4_000 }
    }
}

/// Why a report is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("this client is reported from another address already")]
    Taken,
    #[error("{0} clients report from this address already: no room for another until one falls silent")]
    SourceFull(usize),
    #[error("{0} clients report already: no room for another until one falls silent")]
    Full(usize),
}

/// The clients, and how they did over time.
#[derive(Debug)]
pub(crate) struct Collector {
    limits: Limits,
    clients: BTreeMap<HostPort, Client>,
    history: History,
    /// What the next [`Collector::tick`] tells.
    changed: BTreeSet<HostPort>,
    gone: BTreeSet<HostPort>,
}

/// What is new since the last tick.
#[derive(Debug)]
pub(crate) struct Changes {
    /// Clients to be shown anew; each still is among [`Collector::clients`].
    pub(crate) changed: BTreeSet<HostPort>,
    /// Clients that are not there any more.
    pub(crate) gone: BTreeSet<HostPort>,
    /// The sample that was taken, if it was time for one.
    pub(crate) sample: Option<Sample>,
}

impl Collector {
    pub(crate) fn new(limits: Limits) -> Self {
        let history = History::default();
        Collector {
            limits,
            clients: BTreeMap::new(),
            history,
            changed: BTreeSet::new(),
            gone: BTreeSet::new(),
        }
    }

    /// Takes a report that came from `source`.
    pub(crate) fn report(&mut self, now: Time, source: IpAddr, report: Report) -> Result<(), Refused> {
        let source = source.to_canonical();
        let name = report.client.clone();
        match self.clients.get_mut(&name) {
            Some(client) if client.may_be_told_by(now, source) => client.take(now, source, report),
            Some(_) => return Err(Refused::Taken),
            None => {
                self.make_room(now, source)?;
                self.clients.insert(name.clone(), Client::new(now, source, report));
            }
        }
        self.gone.remove(&name);
        self.changed.insert(name);
        Ok(())
    }

    /// Takes back what an earlier process remembered; `false` when there is no room for it.
    pub(crate) fn restore(&mut self, client: Client) -> bool {
        let name = client.name().clone();
        let room = self.clients.len() < self.limits.clients;
        room && self.clients.insert(name, client).is_none()
    }

    /// Gives up the client that was silent longest when there are too many; live ones stay, whoever comes.
    fn make_room(&mut self, now: Time, source: IpAddr) -> Result<(), Refused> {
        let Limits { clients, clients_per_source } = self.limits;
        let from_there = self.clients.values().filter(|client| client.source() == source).count();
        if from_there >= clients_per_source {
            let freed = self.forget_one(now, |client| client.source() == source);
            return if freed { Ok(()) } else { Err(Refused::SourceFull(clients_per_source)) };
        }
        if self.clients.len() >= clients && !self.forget_one(now, |_| true) {
            return Err(Refused::Full(clients));
        }
        Ok(())
    }

    fn forget_one(&mut self, now: Time, among: impl Fn(&Client) -> bool) -> bool {
        let over = |client: &&Client| client.status(now) != Status::Live && among(client);
        let oldest = self.clients.values().filter(over).min_by_key(|client| client.last());
        let Some(name) = oldest.map(|client| client.name().clone()) else { return false };
        self.forget(&name);
        true
    }

    fn forget(&mut self, name: &HostPort) {
        self.clients.remove(name);
        self.changed.remove(name);
        self.gone.insert(name.clone());
    }

    /// Everybody remembered, in order of their addresses.
    pub(crate) fn clients(&self) -> impl ExactSizeIterator<Item = &Client> {
        self.clients.values()
    }

    /// One of them.
    pub(crate) fn client(&self, name: &HostPort) -> Option<&Client> {
        self.clients.get(name)
    }

    /// The described list: who reported within the last 15 seconds.
    pub(crate) fn reporting(&self, now: Time) -> Vec<ClientMetrics> {
        let heard = self.clients.values().filter(|client| now.since(client.last()) < SILENT_AFTER);
        heard.map(|client| client.report().into()).collect()
    }

    /// Sums over live clients.
    pub(crate) fn totals(&self, now: Time) -> Totals {
        Totals::of(self.clients.values().filter(|client| client.status(now) == Status::Live))
    }

    /// How it went.
    pub(crate) const fn history(&self) -> &History {
        &self.history
    }

    /// The same, to put back what was remembered.
    pub(crate) const fn history_mut(&mut self) -> &mut History {
        &mut self.history
    }

    /// Lets time pass: forgets who was silent for too long, takes a sample when it is time. Call it every second.
    pub(crate) fn tick(&mut self, now: Time) -> Changes {
        let over = self.clients.values().filter(|client| now.since(client.last()) >= REMEMBERED);
        let over: Vec<HostPort> = over.map(|client| client.name().clone()).collect();
        for name in over {
            self.forget(&name);
        }
        for client in self.clients.values_mut() {
            if client.is_shown_otherwise(now) {
                self.changed.insert(client.name().clone());
            }
        }
        let is_time = self.history.is_due(now) && (!self.clients.is_empty() || !self.history.is_empty());
        let sample = is_time.then(|| {
            let downloads = Totals::of(self.clients.values().filter(|client| client.counts(now)));
            Sample::of(now, &self.totals(now), &downloads)
        });
        if let Some(sample) = sample {
            self.history.push(sample);
        }
        Changes { changed: std::mem::take(&mut self.changed), gone: std::mem::take(&mut self.gone), sample }
    }
}

#[cfg(test)]
mod tests;
