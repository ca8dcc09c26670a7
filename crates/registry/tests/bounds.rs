//! What one target, one flood or one torrent may take of the tracker's memory and time (threats A6, A14).

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;

use protocol::Torrent;
use protocol::api::tracker::{Have, OpaqueHash};
use registry::{Client, DescribedRefusal, Limits, NewTorrent, Refusal};
use support::*;

#[test]
fn a14_torrents_without_peers_make_room_and_those_with_peers_stay() {
    let limits = Limits { torrents: 2, ..Limits::default() };
    let mut world = World::new(limits);
    let [first, second, third, fourth] = ["a", "b", "c", "d"].map(|name| torrent(name, b"xyz"));
    world.publish(at(0), &first);
    world.announce(at(0), first.id(), 1, Have::Complete).unwrap();
    world.publish(at(1), &second);
    world.publish(at(2), &third);
    assert!(world.registry.torrent(second.id()).is_none(), "nobody held it");
    world.announce(at(3), third.id(), 1, Have::Complete).unwrap();
    let refused = world.registry.publish(at(4), &fourth);
    assert!(refused.is_err(), "both that are there are in use");
    // Hashes of the torrent that made room are found in the others still.
    let assigned = world.registry.assign(at(4), &mut world.rng, &all_hashes(&second));
    assert_eq!(assigned.iter().map(|entry| entry.hash_list.len()).sum::<usize>(), 3);
    world.publish(at(30), &fourth);
    assert!(world.registry.torrent(first.id()).is_none(), "its lease is over");
}

#[test]
fn a06_one_target_can_only_be_so_many_holders_whatever_its_names() {
    for hosts in [["10.0.0.1"; 5], ["a.x", "b.x", "c.x", "d.x", "e.x"]] {
        let limits = Limits { holders_per_target: 3, announcers_per_target: 3, ..Limits::default() };
        let (mut world, torrent) = (World::new(limits), torrent("a", b"abc"));
        world.publish(at(0), &torrent);
        for (number, host) in (1..).zip(hosts) {
            let url = format!("http://{host}:{number}").parse().unwrap();
            let native = world.announce_as(at(0), torrent.id(), number, url, Have::Complete, None);
            assert_eq!(native.is_ok(), number <= 3, "{host}");
            let described = address(&format!("{host}:{number}"));
            let described = world.registry.announce_chunks(at(0), &client(&described), &all_hashes(&torrent));
            assert_eq!(described.is_ok(), number <= 3, "{host}");
        }
        assert_eq!(world.listed(at(0), torrent.id()).len(), 6);
        assert!(
            world.announce(at(0), torrent.id(), 9, Have::Complete).is_ok(),
            "another target is not concerned"
        );
        assert!(world.announce(at(20), torrent.id(), 1, Have::Complete).is_ok(), "places come back");
    }
}

/// So many names that nobody else announces.
fn junk(from: &str, count: usize) -> Vec<OpaqueHash> {
    (0..count).map(|number| OpaqueHash::new(&format!("{from} {number}")).unwrap()).collect()
}

#[test]
fn a14_one_target_takes_its_share_of_the_described_tables_and_leaves_the_rest() {
    let limits = Limits { hashes: 80, pairs: 800, described_share: 8, ..Limits::default() };
    let mut world = World::new(limits);
    let announce = |world: &mut World, client: &Client, names: &[OpaqueHash]| {
        world.registry.announce_chunks(at(0), client, names)
    };
    let greedy = |port: u16| client(&address(&format!("10.0.0.66:{port}")));
    assert!(announce(&mut world, &greedy(1), &junk("greedy", 10)).is_ok());
    let refused = announce(&mut world, &greedy(2), &junk("more", 1));
    assert_eq!(refused, Err(DescribedRefusal::ShareTaken), "another port is no other target");
    assert!(announce(&mut world, &greedy(1), &[]).is_ok(), "it says that it lives, no more");
    for port in 2..=10 {
        assert!(announce(&mut world, &greedy(port), &junk("greedy", 10)).is_ok(), "the same hashes again");
    }
    assert_eq!(announce(&mut world, &greedy(11), &junk("greedy", 1)), Err(DescribedRefusal::ShareTaken));
    let honest = client(&address("10.0.0.7:1"));
    assert!(announce(&mut world, &honest, &junk("honest", 5)).is_ok());
    // The honest one holds what the greedy one announced first; it is charged for that when the greedy one is gone.
    assert!(announce(&mut world, &honest, &junk("greedy", 10)).is_ok());
    world.registry.announce_chunks(at(5), &honest, &[]).unwrap();
    let sizes = |world: &mut World| {
        world.registry.expire(at(14));
        let sizes = world.registry.sizes();
        (sizes.announcers, sizes.hashes, sizes.pairs)
    };
    assert_eq!(sizes(&mut world), (1, 15, 15));
    let refused = world.registry.announce_chunks(at(14), &honest, &junk("new", 1));
    assert_eq!(refused, Err(DescribedRefusal::ShareTaken));
    let back = world.registry.announce_chunks(at(14), &greedy(1), &junk("fresh", 10));
    assert!(back.is_ok(), "nothing of what it had is charged to it any longer");
}

#[test]
fn a14_bitmaps_for_single_hashes_leave_the_native_peers_theirs() {
    let limits =
        Limits { bitmap_bytes: 200, described_bitmap_bytes: 400, described_share: 4, ..Limits::default() };
    let (mut world, torrent) = (World::new(limits), torrent("a", b"abc"));
    world.publish(at(0), &torrent);
    for host in 1..=20 {
        for port in 1..=5 {
            let flood = client(&address(&format!("10.1.0.{host}:{port}")));
            world.registry.announce_chunks(at(0), &flood, &[hash(&torrent, 0)]).unwrap();
        }
    }
    let sizes = world.registry.sizes();
    assert!((1..=400).contains(&sizes.described_bitmap_bytes), "{}", sizes.described_bitmap_bytes);
    let hosts: std::collections::BTreeSet<_> = world.listed(at(0), torrent.id()).into_iter().collect();
    let first = hosts.iter().filter(|url| url.starts_with("http://10.1.0.1:")).count();
    assert!(first < hosts.len() && first > 0, "one target has not all of it: {hosts:?}");
    assert!(world.announce(at(0), torrent.id(), 1, have(&torrent, &[1])).is_ok());
    let unlisted = [hash(&torrent, 0)];
    assert_eq!(world.registry.assign(at(0), &mut world.rng, &unlisted).len(), 1, "and they are assigned");
}

#[test]
fn a14_a_torrent_that_finds_no_room_drives_nobody_out() {
    let limits = Limits { torrents: 2, ..Limits::default() };
    let room = |torrents: &[&Arc<Torrent>]| -> usize {
        let weigh = |torrent: &Arc<Torrent>| {
            let mut alone = World::new(Limits::default());
            alone.publish(at(0), torrent);
            alone.registry.sizes().torrent_bytes
        };
        torrents.iter().map(|torrent| weigh(torrent)).sum()
    };
    let [used, idle, next] = ["used", "idle", "next"].map(|name| torrent(name, b"xyz"));
    let large = torrent("large", &(0..=255).collect::<Vec<u8>>());
    let mut world = World::new(Limits { torrent_bytes: room(&[&used, &idle]), ..limits });
    world.publish(at(0), &used);
    world.announce(at(0), used.id(), 1, Have::Complete).unwrap();
    world.publish(at(0), &idle);
    assert!(world.registry.publish(at(1), &large).is_err());
    assert!(world.registry.torrent(idle.id()).is_some(), "giving it up would not have been enough");
    // Whoever is held by a described client only is held.
    let holder = client(&address("10.0.0.7:80"));
    world.registry.announce_chunks(at(2), &holder, &[hash(&idle, 0)]).unwrap();
    assert!(world.registry.publish(at(2), &next).is_err());
    assert!(world.registry.publish(at(30), &next).is_ok(), "both are idle now");
    assert_eq!(world.registry.sizes().torrents, 2);
}

#[test]
fn a14_a_torrent_is_indexed_a_few_steps_at_a_time_and_is_there_meanwhile() {
    let contents: Vec<u8> = (0..=255).collect();
    let (mut world, torrent) = (World::new(Limits::default()), torrent("a", &contents));
    let holders = ["10.0.0.7:80", "10.0.0.8:80"].map(|text| client(&address(text)));
    world.registry.announce_chunks(at(0), &holders[0], &all_hashes(&torrent)).unwrap();
    let new = NewTorrent::new(torrent.clone());
    world.registry.begin_publishing(at(0), new, None).unwrap();
    assert!(
        world.announce(at(0), torrent.id(), 1, have(&torrent, &[])).is_ok(),
        "who knows its id need not wait"
    );
    let mut rounds = 0;
    while world.registry.settle(20) {
        rounds += 1;
        if rounds == 5 {
            world.registry.announce_chunks(at(0), &holders[1], &all_hashes(&torrent)).unwrap();
        }
    }
    assert!(rounds >= 256 / 20, "{rounds} rounds for 256 chunks and their holders");
    let peers = world.peers(at(0), torrent.id()).unwrap();
    let complete = peers.iter().filter(|handed| handed.have == Have::Complete).count();
    assert_eq!(complete, 2, "who announced before, and who did meanwhile, has all of it");
}

#[test]
fn a14_who_dies_with_many_hashes_is_gone_at_once_and_they_are_forgotten_by_and_by() {
    const NAMES: usize = 10_000;
    let mut world = World::new(Limits::default());
    let names = junk("a", NAMES);
    let [dead, shared] = ["10.0.0.7:1", "10.0.0.8:1"].map(|text| client(&address(text)));
    world.registry.announce_chunks(at(0), &dead, &names).unwrap();
    world.registry.announce_chunks(at(10), &shared, &names[..10]).unwrap();
    world.registry.expire(at(14));
    let pairs = world.registry.sizes().pairs;
    assert!((NAMES / 2..NAMES).contains(&pairs), "one call forgets some and not all: {pairs}");
    for entry in world.registry.assign(at(14), &mut world.rng, &names) {
        assert_eq!(&entry.client_host, shared.address.host(), "the dead one is not handed out meanwhile");
    }
    world.registry.announce_chunks(at(14), &dead, &names[..1]).unwrap();
    let mut rounds = 0;
    while world.registry.settle(1000) {
        rounds += 1;
    }
    assert!(rounds > 1, "{rounds}");
    let sizes = world.registry.sizes();
    assert_eq!((sizes.announcers, sizes.hashes, sizes.pairs), (2, 10, 11), "what it announced since stays");
    let assigned = world.registry.assign(at(14), &mut world.rng, &names);
    assert_eq!(assigned.iter().map(|entry| entry.hash_list.len()).sum::<usize>(), 10);
}

#[test]
fn a14_bitmaps_that_fill_the_memory_keep_no_seed_out() {
    let (mut world, torrent) =
        (World::new(Limits { bitmap_bytes: 200, ..Limits::default() }), torrent("a", b"abc"));
    world.publish(at(0), &torrent);
    let part = || have(&torrent, &[1]);
    let refused = (1..50).find(|number| world.announce(at(0), torrent.id(), *number, part()).is_err());
    assert_eq!(
        world.announce(at(0), torrent.id(), 60, part()).err(),
        Some(Refusal::Full),
        "from {refused:?} on"
    );
    assert!(world.announce(at(0), torrent.id(), 61, Have::Complete).is_ok());
    assert!(world.announce(at(0), torrent.id(), 1, Have::Complete).is_ok(), "and who completes may say so");
    for seed in 62..100 {
        world.announce(at(0), torrent.id(), seed, Have::Complete).unwrap();
    }
    assert!(world.registry.sizes().bitmap_bytes > 200);
    assert!(world.announce(at(1), torrent.id(), 2, part()).is_ok(), "nor do they keep out who was there");
}

#[test]
fn a14_who_is_gone_from_a_torrent_that_nobody_asks_for_keeps_nobody_out_of_another() {
    // Ids are hashes, so that these are in several parts of the memory.
    let torrents: Vec<_> = (0..20).map(|content| torrent("a", &[content])).collect();
    let mut world = World::new(Limits { holders: 1, ..Limits::default() });
    for torrent in &torrents {
        world.publish(at(0), torrent);
    }
    for (round, torrent) in (0..).zip(&torrents) {
        world.announce(at(20 * round), torrent.id(), 1, Have::Complete).unwrap();
        let refused = world.announce(at(20 * round), torrents[0].id(), 2, Have::Complete);
        assert_eq!(refused.err(), Some(Refusal::Full));
    }
}
