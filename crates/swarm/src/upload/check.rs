//! What must always hold, asserted. Looks at everything, so it is for tests and simulations, not for the shell.

use super::Upload;

impl Upload {
    /// Asserts that the counts agree and the limits hold; for tests and simulations.
    ///
    /// # Panics
    /// When they do not: that is a defect of this crate.
    #[doc(hidden)]
    pub fn check_invariants(&self) {
        let slots_most = self.config.slots_most.max(self.config.slots_first).max(self.config.slots);
        assert!(self.active.len() <= slots_most, "more bodies than slots");
        assert!(self.waiting.len() <= self.config.queue, "the queue is too long");
        let most = self.config.requesters.max(slots_most + self.config.queue);
        assert!(self.requesters.len() <= most, "too many requesters remembered");
        let bytes: u64 = self.waiting.values().map(|waiting| u64::from(waiting.bytes)).sum();
        assert_eq!(bytes, self.waiting_bytes, "bytes held waiting");
        for (requester, account) in &self.requesters {
            let active = self.active.values().filter(|one| one.requester == *requester).count();
            let waiting = self.waiting.values().filter(|one| one.requester == *requester).count();
            assert_eq!((active, waiting), (account.active, account.waiting), "in hand for {requester:?}");
            assert!(active <= self.config.slots_per_requester, "too many slots for {requester:?}");
            assert!(waiting <= self.config.queue_per_requester, "too many waiting for {requester:?}");
        }
        assert!(self.sent.len() <= self.config.contents, "too many contents remembered");
        let active_bytes: u64 = self.active.values().map(|active| u64::from(active.bytes)).sum();
        assert_eq!(active_bytes, self.active_bytes, "bytes of bodies");
        let few = self.active.len() <= self.config.slots_large;
        assert!(few || active_bytes <= self.config.slots_bytes, "bodies of {active_bytes} bytes in memory");
        match self.held_for {
            Some(ticket) => {
                let bytes = self.waiting.get(&ticket).map(|waiting| waiting.bytes);
                assert!(bytes.is_some_and(|bytes| !self.has_slot(bytes)), "the next one could be served");
            }
            None => assert!(
                self.active.len() >= self.slots.limit() || self.least_served().is_none(),
                "a slot is free and somebody waits for it"
            ),
        }
    }
}
