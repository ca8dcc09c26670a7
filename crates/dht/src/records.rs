//! What others announced here: who provides which key, each for a while.
//!
//! A record is named by its key and its address, so that announcing again only prolongs it. Every number is bounded
//! (threat A23), and when all places are taken, whoever holds the most gives way: a flood from one source only ever
//! displaces itself.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use protocol::Time;

use crate::address::Source;
use crate::config::Config;
use crate::id::Key;

#[derive(Clone, Copy, Debug)]
struct Record {
    expires: Time,
    source: Source,
}

/// The records of one node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Records {
    of_key: BTreeMap<Key, BTreeMap<SocketAddr, Record>>,
    /// Every record, the first to expire first.
    by_end: BTreeSet<(Time, Key, SocketAddr)>,
    /// The same for each source.
    of_source: BTreeMap<Source, BTreeSet<(Time, Key, SocketAddr)>>,
    /// The sources, by how much they hold.
    by_size: BTreeSet<(usize, Source)>,
}

impl Records {
    /// Takes a record in, or prolongs it.
    pub(crate) fn insert(
        &mut self,
        now: Time,
        key: Key,
        provider: SocketAddr,
        source: Source,
        config: &Config,
    ) {
        self.expire(now);
        self.remove(key, provider);
        self.make_room(key, source, config);
        let expires = now + config.record_life;
        self.of_key.entry(key).or_default().insert(provider, Record { expires, source });
        self.by_end.insert((expires, key, provider));
        self.change_source(source, |held| held.insert((expires, key, provider)));
    }

    /// Up to `most` of the key's providers that may be told: a run of them that begins at a random place, so that of
    /// many each is told to somebody.
    pub(crate) fn providers(
        &mut self,
        now: Time,
        key: Key,
        most: usize,
        random: usize,
        may_be_told: impl Fn(&SocketAddr) -> bool,
    ) -> Vec<SocketAddr> {
        self.expire(now);
        let Some(records) = self.of_key.get(&key) else { return Vec::new() };
        let mut told: Vec<SocketAddr> = records.keys().copied().filter(may_be_told).collect();
        if told.len() > most {
            let start = random % told.len();
            told.rotate_left(start);
            told.truncate(most);
        }
        told
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.by_end.len()
    }

    fn make_room(&mut self, key: Key, source: Source, config: &Config) {
        while self
            .of_source
            .get(&source)
            .is_some_and(|held| held.len() >= config.records_most_of_source.max(1))
        {
            self.remove_first_of(source);
        }
        while self.len() >= config.records_most.max(1) {
            let Some(&(_, greediest)) = self.by_size.last() else { break };
            self.remove_first_of(greediest);
        }
        while let Some(provider) = self.displaced_in(key, source, config) {
            self.remove(key, provider);
        }
    }

    /// Whose place in the key's own list a new record of `source` takes; `None` while there is room.
    fn displaced_in(&self, key: Key, source: Source, config: &Config) -> Option<SocketAddr> {
        let records = self.of_key.get(&key)?;
        let own = records.values().filter(|record| record.source == source).count();
        let victim = if own >= config.records_most_of_key_and_source.max(1) {
            source
        } else if records.len() >= config.records_most_of_key.max(1) {
            let mut sizes: BTreeMap<Source, usize> = BTreeMap::new();
            for record in records.values() {
                *sizes.entry(record.source).or_default() += 1;
            }
            *sizes.iter().max_by_key(|(_, size)| **size)?.0
        } else {
            return None;
        };
        let of_victim = records.iter().filter(|(_, record)| record.source == victim);
        of_victim.min_by_key(|(_, record)| record.expires).map(|(provider, _)| *provider)
    }

    fn remove_first_of(&mut self, source: Source) {
        let first = self.of_source.get(&source).and_then(BTreeSet::first).copied();
        if let Some((_, key, provider)) = first {
            self.remove(key, provider);
        }
    }

    fn expire(&mut self, now: Time) {
        while let Some(&(end, key, provider)) = self.by_end.first()
            && end <= now
        {
            self.remove(key, provider);
        }
    }

    fn remove(&mut self, key: Key, provider: SocketAddr) {
        let Some(records) = self.of_key.get_mut(&key) else { return };
        let Some(record) = records.remove(&provider) else { return };
        if records.is_empty() {
            self.of_key.remove(&key);
        }
        self.by_end.remove(&(record.expires, key, provider));
        self.change_source(record.source, |held| held.remove(&(record.expires, key, provider)));
    }

    /// Changes what a source holds, and its place among the sources with it.
    fn change_source(
        &mut self,
        source: Source,
        change: impl FnOnce(&mut BTreeSet<(Time, Key, SocketAddr)>) -> bool,
    ) {
        let held = self.of_source.entry(source).or_default();
        self.by_size.remove(&(held.len(), source));
        change(held);
        if held.is_empty() {
            self.of_source.remove(&source);
        } else {
            self.by_size.insert((held.len(), source));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::id::Id;

    fn key(number: u8) -> Key {
        Key::at(Id::from_bytes([number; 20]))
    }

    /// Port `port` of the host number `host` on the internet.
    fn provider(host: u8, port: u16) -> SocketAddr {
        ([93, 184, 0, host], port).into()
    }

    fn small() -> Config {
        Config {
            records_most: 12,
            records_most_of_source: 8,
            records_most_of_key: 6,
            records_most_of_key_and_source: 3,
            ..Config::default()
        }
    }

    fn minutes(minutes: u64) -> Time {
        Time::ZERO + Duration::from_secs(minutes * 60)
    }

    fn add(records: &mut Records, now: Time, number: u8, host: u8, port: u16) {
        let provider = provider(host, port);
        records.insert(now, key(number), provider, Source::of(&provider), &small());
    }

    #[test]
    fn a_record_lives_45_minutes_after_it_was_last_announced_and_is_never_twice() {
        let mut records = Records::default();
        for at in [0, 0, 20, 40] {
            add(&mut records, minutes(at), 1, 1, 80);
        }
        assert_eq!(records.len(), 1);
        assert_eq!(records.providers(minutes(84), key(1), 9, 0, |_| true), [provider(1, 80)]);
        assert_eq!(records.providers(minutes(85), key(1), 9, 0, |_| true), []);
        assert_eq!(records.len(), 0);
    }

    #[test]
    fn of_many_providers_each_is_told_to_somebody() {
        let mut records = Records::default();
        for host in 0..6 {
            add(&mut records, minutes(0), 1, host, 80);
        }
        let mut told = BTreeSet::new();
        for random in 0..6 {
            let some = records.providers(minutes(1), key(1), 2, random, |_| true);
            assert_eq!(some.len(), 2);
            told.extend(some);
        }
        assert_eq!(told.len(), 6);
    }

    #[test]
    fn a23_a_flood_displaces_only_itself() {
        let mut records = Records::default();
        add(&mut records, minutes(0), 1, 1, 80);
        add(&mut records, minutes(0), 2, 2, 80);
        for port in 1..=1_000 {
            add(&mut records, minutes(1), 1, 66, port);
            add(&mut records, minutes(1), u8::try_from(port % 200).unwrap(), 67, port);
        }
        assert!(records.providers(minutes(2), key(1), 50, 0, |_| true).contains(&provider(1, 80)));
        assert!(records.providers(minutes(2), key(2), 50, 0, |_| true).contains(&provider(2, 80)));
        assert!(records.len() <= small().records_most);
    }

    proptest! {
        #[test]
        fn a23_every_bound_holds_and_the_tables_agree(
            steps in proptest::collection::vec((0u8..5, 0u8..8, 1u16..6, 0u64..20), 1..200),
        ) {
            let (mut records, mut now) = (Records::default(), 0);
            for (number, host, port, wait) in steps {
                now += wait;
                add(&mut records, minutes(now), number, host, port);
                prop_assert!(records.providers(minutes(now), key(number), 50, 0, |_| true).contains(&provider(host, port)));
                prop_assert!(records.len() <= 12);
                prop_assert_eq!(records.of_key.values().map(BTreeMap::len).sum::<usize>(), records.len());
                prop_assert_eq!(records.of_source.values().map(BTreeSet::len).sum::<usize>(), records.len());
                prop_assert_eq!(records.by_size.len(), records.of_source.len());
                prop_assert!(records.of_source.values().all(|held| (1..=8).contains(&held.len())));
                prop_assert!(records.of_key.values().all(|held| (1..=6).contains(&held.len())));
                prop_assert!(records.by_end.iter().all(|(end, ..)| *end > minutes(now)));
            }
        }
    }
}
