//! What this node announces, and when each is due again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use protocol::Time;

use crate::config::K;
use crate::id::{Distance, Id, Key};

/// A torrent for which there were too few nodes, or for which a nearer node appeared, is announced again this long after
/// the last time; at once when nobody took it at all.
const TORRENT_AGAIN: Duration = Duration::from_secs(5);
/// The same for a chunk. Longer, so that a network which grows node by node is not told of thousands of them each time.
const CHUNK_AGAIN: Duration = Duration::from_secs(30);
/// The same when no more than half of those asked took it.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// What is announced first. In the order of their urgency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// A whole torrent: enough to find a peer, who tells the rest.
    Torrent,
    /// One chunk: for programs that know nothing else, when there is time.
    Chunk,
}

#[derive(Clone, Debug)]
struct Announcement {
    port: u16,
    urgency: Urgency,
    /// In which order they were asked for.
    number: u64,
    /// `None` while it is being announced.
    due: Option<Time>,
    announced: Option<Time>,
    /// Nobody took it then.
    unheard: bool,
    /// The farthest of the nodes that took it; `None` when the network had fewer than [`K`](crate::K), so that any new one is
    /// welcome.
    reach: Option<Distance>,
}

/// Every key that is announced.
#[derive(Clone, Debug, Default)]
pub(crate) struct Announcements {
    of: BTreeMap<Key, Announcement>,
    due: BTreeSet<(Urgency, Time, u64, Key)>,
    next: u64,
}

impl Announcements {
    /// Announces `key` from now on. When there are `most`, a torrent displaces the chunk that came last, and a chunk is
    /// not taken: false.
    pub(crate) fn add(&mut self, now: Time, key: Key, port: u16, urgency: Urgency, most: usize) -> bool {
        let known = self.of.get(&key).is_some_and(|known| known.port == port && known.urgency == urgency);
        if known {
            return true;
        }
        self.remove(key);
        if self.of.len() >= most {
            let chunks = self.of.iter().filter(|(_, known)| known.urgency == Urgency::Chunk);
            let last = chunks.max_by_key(|(_, known)| known.number).map(|(key, _)| *key);
            match (urgency, last) {
                (Urgency::Torrent, Some(last)) => self.remove(last),
                _ => return false,
            }
        }
        self.next += 1;
        let (number, due) = (self.next, Some(now));
        self.due.insert((urgency, now, number, key));
        self.of.insert(
            key,
            Announcement { port, urgency, number, due, announced: None, unheard: true, reach: None },
        );
        true
    }

    pub(crate) fn remove(&mut self, key: Key) {
        if let Some(Announcement { urgency, number, due: Some(due), .. }) = self.of.remove(&key) {
            self.due.remove(&(urgency, due, number, key));
        }
    }

    /// How many keys are announced.
    pub(crate) fn len(&self) -> usize {
        self.of.len()
    }

    /// The port under which `key` is announced.
    pub(crate) fn port(&self, key: Key) -> Option<u16> {
        self.of.get(&key).map(|announcement| announcement.port)
    }

    /// Takes the first key of this urgency that is due, which is being announced from now on.
    pub(crate) fn begin(&mut self, now: Time, urgency: Urgency) -> Option<Key> {
        let due = self.first(urgency).filter(|(_, due, ..)| *due <= now)?;
        self.due.remove(&due);
        let key = due.3;
        self.of.get_mut(&key)?.due = None;
        Some(key)
    }

    /// When the next one of this urgency is due.
    pub(crate) fn wake_at(&self, urgency: Urgency) -> Option<Time> {
        self.first(urgency).map(|(_, due, ..)| due)
    }

    /// An announcement came to its end: of the nodes that were asked, these took it. It is due again after `refresh`,
    /// which the caller varies.
    pub(crate) fn ended(&mut self, now: Time, key: Key, taken_by: &[Id], asked: usize, refresh: Duration) {
        let Some(announcement) = self.of.get_mut(&key) else { return };
        let farthest = taken_by.iter().map(|id| id.distance(key.place())).max();
        announcement.reach = farthest.filter(|_| asked >= K);
        announcement.announced = Some(now);
        announcement.unheard = taken_by.is_empty();
        let due = now + if taken_by.len() * 2 <= asked { RETRY_AFTER } else { refresh };
        self.set_due(key, due);
    }

    /// A node appeared: what it should hold, being nearer than one that does, is announced again soon.
    pub(crate) fn node_appeared(&mut self, now: Time, node: Id) {
        let sooner: Vec<(Key, Time)> = (self.of.iter())
            .filter_map(|(key, announcement)| {
                let (due, announced) = (announcement.due?, announcement.announced?);
                let nearer = announcement.reach.is_none_or(|reach| node.distance(key.place()) < reach);
                let pause = match announcement.urgency {
                    _ if announcement.unheard => Duration::ZERO,
                    Urgency::Torrent => TORRENT_AGAIN,
                    Urgency::Chunk => CHUNK_AGAIN,
                };
                let again = now.max(announced + pause);
                (nearer && again < due).then_some((*key, again))
            })
            .collect();
        for (key, again) in sooner {
            self.set_due(key, again);
        }
    }

    fn set_due(&mut self, key: Key, due: Time) {
        let Some(announcement) = self.of.get_mut(&key) else { return };
        let (urgency, number) = (announcement.urgency, announcement.number);
        if let Some(before) = announcement.due.replace(due) {
            self.due.remove(&(urgency, before, number, key));
        }
        self.due.insert((urgency, due, number, key));
    }

    fn first(&self, urgency: Urgency) -> Option<(Urgency, Time, u64, Key)> {
        let before_all = (urgency, Time::ZERO, 0, Key::at(Id::from_bytes([0; Id::LENGTH])));
        self.due.range(before_all..).next().copied().filter(|first| first.0 == urgency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFRESH: Duration = Duration::from_secs(1_200);

    fn key(number: u8) -> Key {
        Key::at(Id::from_bytes([number; 20]))
    }

    fn seconds(seconds: u64) -> Time {
        Time::ZERO + Duration::from_secs(seconds)
    }

    fn ids(numbers: std::ops::Range<u8>) -> Vec<Id> {
        numbers.map(|number| Id::from_bytes([number; 20])).collect()
    }

    fn with(keys: &[(u8, Urgency)], most: usize) -> Announcements {
        let mut all = Announcements::default();
        for (number, urgency) in keys {
            all.add(seconds(0), key(*number), 80, *urgency, most);
        }
        all
    }

    #[test]
    fn chunks_come_in_the_order_given_and_torrents_do_not_wait_for_them() {
        use Urgency::{Chunk, Torrent};
        let mut all = with(&[(9, Chunk), (2, Chunk), (5, Torrent), (1, Chunk)], 9);
        let order: Vec<Key> = std::iter::from_fn(|| all.begin(seconds(1), Chunk)).collect();
        assert_eq!(order, [key(9), key(2), key(1)]);
        assert_eq!((all.begin(seconds(1), Torrent), all.begin(seconds(1), Torrent)), (Some(key(5)), None));
    }

    #[test]
    fn what_cannot_be_refreshed_is_not_announced() {
        use Urgency::{Chunk, Torrent};
        let mut all = with(&[(1, Chunk), (2, Chunk)], 2);
        assert!(!all.add(seconds(1), key(3), 80, Chunk, 2));
        assert!(all.add(seconds(1), key(4), 80, Torrent, 2), "a torrent takes the place of the last chunk");
        assert_eq!((all.len(), all.port(key(2)), all.port(key(1))), (2, None, Some(80)));
        assert!(all.add(seconds(2), key(5), 80, Torrent, 2) && !all.add(seconds(2), key(6), 80, Torrent, 2));
        assert_eq!(all.due.len(), 2);
    }

    #[test]
    fn it_is_refreshed_and_sooner_when_nobody_took_it_or_a_nearer_node_appears() {
        let mut all = with(&[(0, Urgency::Torrent)], 9);
        assert_eq!(all.begin(seconds(0), Urgency::Torrent), Some(key(0)));
        assert_eq!(
            (all.begin(seconds(0), Urgency::Torrent), all.wake_at(Urgency::Torrent)),
            (None, None),
            "it is under way"
        );
        all.ended(seconds(1), key(0), &[], 0, REFRESH);
        assert_eq!(all.wake_at(Urgency::Torrent), Some(seconds(11)));
        all.node_appeared(seconds(3), Id::from_bytes([200; 20]));
        assert_eq!(all.wake_at(Urgency::Torrent), Some(seconds(3)), "somebody at last");
        all.begin(seconds(11), Urgency::Torrent);
        all.ended(seconds(12), key(0), &ids(10..18), 8, REFRESH);
        assert_eq!(all.wake_at(Urgency::Torrent), Some(seconds(1_212)));
        all.node_appeared(seconds(13), Id::from_bytes([18; 20]));
        assert_eq!(all.wake_at(Urgency::Torrent), Some(seconds(1_212)), "farther than those who have it");
        all.node_appeared(seconds(13), Id::from_bytes([1; 20]));
        assert_eq!(all.wake_at(Urgency::Torrent), Some(seconds(17)));
        all.begin(seconds(42), Urgency::Torrent);
        all.ended(seconds(43), key(0), &ids(10..13), 3, REFRESH);
        all.node_appeared(seconds(100), Id::from_bytes([200; 20]));
        assert_eq!(
            all.wake_at(Urgency::Torrent),
            Some(seconds(100)),
            "three hold it, a fourth is welcome wherever it is"
        );
        all.begin(seconds(100), Urgency::Torrent);
        all.ended(seconds(101), key(0), &ids(10..14), 8, REFRESH);
        assert_eq!(all.wake_at(Urgency::Torrent), Some(seconds(111)), "half of it was lost");
        all.remove(key(0));
        assert_eq!((all.wake_at(Urgency::Torrent), all.len()), (None, 0));
    }
}
