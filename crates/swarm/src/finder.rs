//! When to look for more neighbours: at once when they are needed, then ever less often while that does not help.

use std::time::Duration;

use protocol::Time;

use crate::Config;

/// Paces [`Action::FindPeers`](crate::Action::FindPeers).
#[derive(Clone, Debug)]
pub(crate) struct Finder {
    needed: bool,
    /// The earliest time of the next search.
    earliest: Time,
    /// The pause after the next search.
    pause: Duration,
    /// Since when no search is needed.
    calm_since: Time,
}

impl Finder {
    pub(crate) fn new(config: &Config) -> Self {
        Finder { needed: false, earliest: Time::ZERO, pause: config.find_first, calm_since: Time::ZERO }
    }

    /// The last neighbour is gone: what was tried before counts no more.
    pub(crate) fn lonely(&mut self, now: Time, config: &Config) {
        self.pause = config.find_first;
        self.earliest = self.earliest.min(now + config.find_first);
    }

    /// Whether to search now, given whether more neighbours are needed.
    pub(crate) fn consider(&mut self, now: Time, needed: bool, config: &Config) -> bool {
        if !needed {
            if self.needed {
                self.calm_since = now;
            }
            self.needed = false;
            return false;
        }
        // A need that comes and goes keeps its pace; only a lasting calm makes the next one urgent again.
        if !self.needed && now.since(self.calm_since) >= self.pause {
            self.pause = config.find_first;
        }
        self.needed = true;
        if now < self.earliest {
            return false;
        }
        self.earliest = now + self.pause;
        self.pause = self.pause.saturating_mul(2).min(config.find_last);
        true
    }

    /// When to consider again.
    pub(crate) fn wake_at(&self) -> Option<Time> {
        self.needed.then_some(self.earliest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Time {
        Time::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn searches_thin_out_while_they_do_not_help() {
        let config = Config::default();
        let mut finder = Finder::new(&config);
        let mut searches = Vec::new();
        for second in 0..130 {
            if finder.consider(at(second), true, &config) {
                searches.push(second);
            }
        }
        assert_eq!(searches, [0, 1, 3, 7, 15, 31, 61, 91, 121]);
    }

    #[test]
    fn a_need_that_flickers_does_not_search_more_often() {
        let config = Config::default();
        let mut finder = Finder::new(&config);
        let searches =
            (0..130).filter(|&second| finder.consider(at(second), second % 2 == 0, &config)).count();
        assert!(searches <= 9, "{searches} searches");
    }

    #[test]
    fn after_a_calm_or_alone_again_the_next_search_is_urgent() {
        let config = Config::default();
        let mut finder = Finder::new(&config);
        (0..100).for_each(|second| _ = finder.consider(at(second), true, &config));
        assert!(!finder.consider(at(100), false, &config));
        assert_eq!(finder.wake_at(), None);
        assert!(finder.consider(at(200), true, &config));
        assert_eq!(finder.wake_at(), Some(at(201)));
        (201..300).for_each(|second| _ = finder.consider(at(second), true, &config));
        finder.lonely(at(300), &config);
        assert!(finder.wake_at() <= Some(at(301)));
    }
}
