//! Ways into the DHT that nodes registered, for new ones to start from.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use protocol::{HostPort, Time};

use crate::Limits;
use crate::deadlines::Deadlines;
use crate::target::{Tally, Target};

/// A node is listed for so long after it last registered; ours register every 5 minutes.
const LIFE: Duration = Duration::from_secs(3600);

/// Nodes in the order in which they first registered.
#[derive(Debug, Default)]
pub(crate) struct DhtNodes {
    by_age: BTreeMap<u64, (HostPort, Target)>,
    age_of: HashMap<HostPort, u64>,
    per_target: Tally,
    lives: Deadlines<u64>,
    next: u64,
}

impl DhtNodes {
    /// Registers a node, again or for the first time. When the list is full, the node longest silent gives way.
    /// False when its target has its share already.
    pub(crate) fn register(&mut self, now: Time, node: HostPort, target: Target, limits: &Limits) -> bool {
        if let Some(&age) = self.age_of.get(&node) {
            self.lives.set(age, now + LIFE);
            return true;
        }
        if self.per_target.of(target) >= limits.dht_nodes_per_target {
            return false;
        }
        while self.by_age.len() >= limits.dht_nodes.max(1) {
            // Every node has a life, so that this ends.
            let Some(silent) = self.lives.pop_due(Time::from_nanos(u64::MAX)) else { break };
            self.forget(silent);
        }
        self.next += 1;
        self.per_target.add(target, 1);
        self.age_of.insert(node.clone(), self.next);
        self.by_age.insert(self.next, (node, target));
        self.lives.set(self.next, now + LIFE);
        true
    }

    /// A node leaves the list.
    pub(crate) fn remove(&mut self, node: &HostPort) {
        if let Some(&age) = self.age_of.get(node) {
            self.lives.remove(age);
            self.forget(age);
        }
    }

    /// The nodes, oldest first.
    pub(crate) fn list(&self) -> impl Iterator<Item = &HostPort> {
        self.by_age.values().map(|(node, _)| node)
    }

    /// Forgets whose life is over.
    pub(crate) fn expire(&mut self, now: Time) {
        while let Some(age) = self.lives.pop_due(now) {
            self.forget(age);
        }
    }

    fn forget(&mut self, age: u64) {
        let Some((node, target)) = self.by_age.remove(&age) else { return };
        self.age_of.remove(&node);
        self.per_target.sub(target, 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(text: &str) -> HostPort {
        text.parse().unwrap()
    }

    fn target(number: u8) -> Target {
        Target::of([10, 0, 0, number].into())
    }

    fn minutes(minutes: u64) -> Time {
        Time::ZERO + Duration::from_secs(minutes * 60)
    }

    #[test]
    fn nodes_are_listed_oldest_first_for_an_hour_after_they_last_registered() {
        let mut nodes = DhtNodes::default();
        for (at, text) in [(0, "a:1"), (1, "b:1"), (30, "a:1")] {
            assert!(nodes.register(minutes(at), node(text), target(1), &Limits::default()));
        }
        assert_eq!(nodes.list().cloned().collect::<Vec<_>>(), [node("a:1"), node("b:1")]);
        nodes.expire(minutes(61));
        assert_eq!(nodes.list().cloned().collect::<Vec<_>>(), [node("a:1")]);
        nodes.expire(minutes(90));
        assert_eq!(nodes.list().count(), 0);
    }

    #[test]
    fn a_node_that_left_is_not_listed_and_may_come_back() {
        let mut nodes = DhtNodes::default();
        assert!(nodes.register(minutes(0), node("a:1"), target(1), &Limits::default()));
        nodes.remove(&node("a:1"));
        nodes.remove(&node("a:1"));
        assert_eq!(nodes.list().count(), 0);
        assert!(nodes.register(minutes(0), node("a:1"), target(1), &Limits::default()));
        nodes.expire(minutes(59));
        assert_eq!(nodes.list().count(), 1);
    }

    #[test]
    fn a14_the_list_is_bounded_in_all_and_for_a_target_whatever_its_names() {
        let limits = Limits { dht_nodes: 4, dht_nodes_per_target: 3, ..Limits::default() };
        let mut nodes = DhtNodes::default();
        for number in 1..=5 {
            let name = node(&format!("n{number}.greedy:1"));
            assert_eq!(nodes.register(minutes(number), name, target(1), &limits), number <= 3, "{number}");
        }
        for (at, text, number) in [(10, "b:1", 2), (11, "n1.greedy:1", 1), (12, "c:1", 3)] {
            assert!(nodes.register(minutes(at), node(text), target(number), &limits));
        }
        let listed: Vec<_> = nodes.list().map(ToString::to_string).collect();
        assert_eq!(listed, ["n1.greedy:1", "n3.greedy:1", "b:1", "c:1"], "n2 was silent for longest");
    }
}
