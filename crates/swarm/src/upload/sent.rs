//! What was sent lately, so that an uplink brings new things into the swarm instead of the same thing again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use protocol::Time;

use super::Content;

/// How often each content was sent lately.
#[derive(Clone, Debug, Default)]
pub(super) struct Sent {
    times: BTreeMap<Content, (Time, u32)>,
    /// The same by when each was sent last, oldest first.
    by_time: BTreeSet<(Time, Content)>,
    /// When the first of these was sent, or before: every request and every body asks whether something is old, and hardly ever
    /// anything is.
    oldest: Option<Time>,
}

impl Sent {
    /// How often `content` was sent since it was last forgotten.
    pub(super) fn times(&self, content: Content) -> u32 {
        self.times.get(&content).map_or(0, |&(_, times)| times)
    }

    /// `content` is sent now. Past `most` contents the one sent longest ago is forgotten.
    pub(super) fn note(&mut self, now: Time, content: Content, most: usize) {
        let (last, times) = self.times.get(&content).copied().unwrap_or((now, 0));
        self.by_time.remove(&(last, content));
        self.times.insert(content, (now, times.saturating_add(1)));
        self.by_time.insert((now, content));
        self.oldest = self.oldest.or(Some(now));
        if self.times.len() > most
            && let Some((_, oldest)) = self.by_time.pop_first()
        {
            self.times.remove(&oldest);
        }
    }

    /// Forgets what was not sent for `memory`: it may be sent again as if it were new.
    pub(super) fn forget(&mut self, now: Time, memory: Duration) {
        if self.oldest.is_none_or(|oldest| now.since(oldest) < memory) {
            return;
        }
        while let Some(&(last, content)) = self.by_time.first()
            && now.since(last) >= memory
        {
            self.by_time.pop_first();
            self.times.remove(&content);
        }
        self.oldest = self.by_time.first().map(|&(last, _)| last);
    }

    pub(super) fn len(&self) -> usize {
        assert_eq!(self.times.len(), self.by_time.len(), "both sides of what was sent");
        self.times.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Time {
        Time::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn what_was_sent_counts_until_it_was_not_sent_for_a_while() {
        let (mut sent, one, other) = (Sent::default(), Content::new(1), Content::new(2));
        for second in [0, 5] {
            sent.note(at(second), one, 9);
        }
        sent.note(at(6), other, 9);
        sent.forget(at(14), Duration::from_secs(10));
        assert_eq!((sent.times(one), sent.times(other)), (2, 1));
        sent.forget(at(15), Duration::from_secs(10));
        assert_eq!((sent.times(one), sent.times(other), sent.len()), (0, 1, 1));
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_goes_first() {
        let mut sent = Sent::default();
        for number in 0..10 {
            sent.note(at(number), Content::new(number), 3);
        }
        assert_eq!((sent.len(), sent.times(Content::new(6)), sent.times(Content::new(7))), (3, 0, 1));
    }
}
