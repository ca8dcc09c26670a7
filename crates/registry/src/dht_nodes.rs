//! Ways into the DHT that nodes registered, for new ones to start from.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use protocol::{Host, HostPort, Time};

use crate::deadlines::Deadlines;

/// A node is listed for so long after it last registered; ours register every 5 minutes.
const LIFE: Duration = Duration::from_secs(3600);

/// Nodes in the order in which they first registered.
#[derive(Debug, Default)]
pub(crate) struct DhtNodes {
    by_age: BTreeMap<u64, HostPort>,
    age_of: HashMap<HostPort, u64>,
    per_host: HashMap<Host, usize>,
    lives: Deadlines<u64>,
    next: u64,
}

impl DhtNodes {
    /// Registers a node, again or for the first time. When the list is full, the node longest silent gives way.
    /// False when its host has its share already.
    pub(crate) fn register(&mut self, now: Time, node: HostPort, most: usize, most_per_host: usize) -> bool {
        if let Some(&age) = self.age_of.get(&node) {
            self.lives.set(age, now + LIFE);
            return true;
        }
        if self.per_host.get(node.host()).copied().unwrap_or(0) >= most_per_host {
            return false;
        }
        while self.by_age.len() >= most.max(1) {
            // Every node has a life, so that this ends.
            let Some(silent) = self.lives.pop_due(Time::from_nanos(u64::MAX)) else { break };
            self.forget(silent);
        }
        self.next += 1;
        *self.per_host.entry(node.host().clone()).or_default() += 1;
        self.age_of.insert(node.clone(), self.next);
        self.by_age.insert(self.next, node);
        self.lives.set(self.next, now + LIFE);
        true
    }

    /// The nodes, oldest first.
    pub(crate) fn list(&self) -> impl Iterator<Item = &HostPort> {
        self.by_age.values()
    }

    /// Forgets whose life is over.
    pub(crate) fn expire(&mut self, now: Time) {
        while let Some(age) = self.lives.pop_due(now) {
            self.forget(age);
        }
    }

    fn forget(&mut self, age: u64) {
        let Some(node) = self.by_age.remove(&age) else { return };
        self.age_of.remove(&node);
        if let Some(count) = self.per_host.get_mut(node.host()) {
            *count -= 1;
            if *count == 0 {
                self.per_host.remove(node.host());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(text: &str) -> HostPort {
        text.parse().unwrap()
    }

    fn minutes(minutes: u64) -> Time {
        Time::ZERO + Duration::from_secs(minutes * 60)
    }

    #[test]
    fn nodes_are_listed_oldest_first_for_an_hour_after_they_last_registered() {
        let mut nodes = DhtNodes::default();
        for (at, text) in [(0, "a:1"), (1, "b:1"), (30, "a:1")] {
            assert!(nodes.register(minutes(at), node(text), 10, 10));
        }
        assert_eq!(nodes.list().cloned().collect::<Vec<_>>(), [node("a:1"), node("b:1")]);
        nodes.expire(minutes(61));
        assert_eq!(nodes.list().cloned().collect::<Vec<_>>(), [node("a:1")]);
        nodes.expire(minutes(90));
        assert_eq!(nodes.list().count(), 0);
    }

    #[test]
    fn a14_the_list_is_bounded_in_all_and_for_a_host() {
        let mut nodes = DhtNodes::default();
        for port in 1..=5 {
            let taken = nodes.register(minutes(port), node(&format!("greedy:{port}")), 4, 3);
            assert_eq!(taken, port <= 3, "{port}");
        }
        for (at, text) in [(10, "b:1"), (11, "greedy:1"), (12, "c:1")] {
            assert!(nodes.register(minutes(at), node(text), 4, 3));
        }
        let listed: Vec<_> = nodes.list().map(ToString::to_string).collect();
        assert_eq!(listed, ["greedy:1", "greedy:3", "b:1", "c:1"], "greedy:2 was silent for longest");
    }
}
