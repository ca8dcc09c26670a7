//! Sums over the live clients.

use super::Client;

/// What all live clients do together. Sums stop at the largest number instead of starting anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) clients: u64,
    pub(crate) complete: u64,
    pub(crate) with_dht: u64,
    pub(crate) with_tracker: u64,
    pub(crate) downloaded_chunks: u64,
    pub(crate) uploaded_chunks: u64,
    pub(crate) total_chunks: u64,
    pub(crate) downloaded_bytes: u64,
    pub(crate) uploaded_bytes: u64,
    pub(crate) total_bytes: u64,
    pub(crate) down: u64,
    pub(crate) up: u64,
}

impl Totals {
    /// Of clients that are all live.
    pub(crate) fn of<'a>(clients: impl Iterator<Item = &'a Client>) -> Self {
        let mut totals = Totals::default();
        for client in clients {
            totals.add(client);
        }
        totals
    }

    fn add(&mut self, client: &Client) {
        let (report, rates) = (client.report(), client.rates(client.last()));
        let figures = report.figures;
        for (sum, value) in [
            (&mut self.clients, 1),
            (&mut self.complete, u64::from(report.is_complete())),
            (&mut self.with_dht, u64::from(figures.dht_enabled)),
            (&mut self.with_tracker, u64::from(figures.tracker_status_up)),
            (&mut self.downloaded_chunks, figures.downloaded_chunks),
            (&mut self.uploaded_chunks, figures.uploaded_chunks),
            (&mut self.total_chunks, figures.total_chunks),
            (&mut self.downloaded_bytes, report.downloaded_bytes()),
            (&mut self.uploaded_bytes, report.uploaded_bytes()),
            (&mut self.total_bytes, report.total_bytes()),
            (&mut self.down, rates.down),
            (&mut self.up, rates.up),
        ] {
            *sum = sum.saturating_add(value);
        }
    }
}
