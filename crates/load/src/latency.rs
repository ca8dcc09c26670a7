//! How long answers took.

use std::time::Duration;

/// Times of answers, in microseconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Latencies(Vec<u32>);

impl Latencies {
    pub(crate) fn note(&mut self, took: Duration) {
        self.0.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
    }

    pub(crate) fn absorb(&mut self, mut other: Latencies) {
        self.0.append(&mut other.0);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The time within which so many in a thousand were answered, in milliseconds: the nearest rank. `None` of none.
    pub(crate) fn within_ms(&mut self, permille: usize) -> Option<f64> {
        self.0.sort_unstable();
        let rank = (self.0.len() * permille).div_ceil(1000).max(1);
        self.0.get(rank - 1).map(|micros| f64::from(*micros) / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.within_ms(500), None);
        for millis in (1..=100).rev() {
            latencies.note(Duration::from_millis(millis));
        }
        assert_eq!(latencies.within_ms(500), Some(50.0));
        assert_eq!(latencies.within_ms(990), Some(99.0));
        assert_eq!((latencies.within_ms(1000), latencies.within_ms(0)), (Some(100.0), Some(1.0)));
    }
}
