//! What the tracker remembers, told one short story at a time.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use protocol::Torrent;
use protocol::api::tracker::Have;
use registry::{Limits, NewAnnounce, NewTorrent, Publisher, Refusal, Seed};
use support::*;

#[test]
fn a_lease_lasts_three_intervals_and_not_a_nanosecond_longer() {
    let (mut world, torrent) = (World::new(Limits::default()), torrent("a", b"abc"));
    world.publish(at(0), &torrent);
    let answer = world.announce(at(0), torrent.id(), 1, Have::Complete).unwrap();
    assert_eq!(answer.interval, Duration::from_secs(5));
    assert_eq!(world.listed(at(14), torrent.id()), ["1"]);
    world.announce(at(14), torrent.id(), 1, Have::Complete).unwrap();
    assert_eq!(world.listed(at(28), torrent.id()), ["1"]);
    assert!(world.listed(at(29), torrent.id()).is_empty());
    assert_eq!(world.registry.sizes().holders, 0);
}

#[test]
fn an_announcer_hears_of_the_others_and_not_of_itself() {
    let (mut world, torrent) = (World::new(Limits::default()), torrent("a", b"abc"));
    world.publish(at(0), &torrent);
    assert!(world.announce(at(0), torrent.id(), 1, Have::Complete).unwrap().peers.is_empty());
    let answer = world.announce(at(0), torrent.id(), 2, have(&torrent, &[1])).unwrap();
    assert_eq!((answer.peers.len(), answer.peers[0].peer), (1, Some(peer(1))));
    let again = world.announce(at(1), torrent.id(), 2, have(&torrent, &[0, 1, 2])).unwrap();
    assert_eq!(again.peers.len(), 1, "it is listed once although it announced twice");
    let counts = world.registry.counts(at(1), torrent.id()).unwrap();
    assert_eq!((counts.seeds, counts.peers), (2, 2));
}

#[test]
fn lists_have_the_entry_of_the_last_announce_and_write_a_bitmap_of_everything_themselves() {
    let (mut world, torrent) = (World::new(Limits::default()), torrent("a", b"abc"));
    world.publish(at(0), &torrent);
    let all = Have::Bitmap(vec![0b1110_0000]);
    let (some, more) = (have(&torrent, &[0]), have(&torrent, &[0, 2]));
    for (said, listed) in [(&some, Some(entry(&some))), (&more, Some(entry(&more))), (&all, None)] {
        world.announce(at(0), torrent.id(), 1, said.clone()).unwrap();
        let peers = world.peers(at(0), torrent.id()).unwrap();
        assert_eq!(peers[0].entry, listed);
    }
    let peers = world.peers(at(0), torrent.id()).unwrap();
    assert_eq!(peers[0].have, Have::Complete);
}

#[test]
fn a_large_swarm_is_handed_out_in_random_parts_with_its_few_seeds_in_each() {
    let (mut world, torrent) = (World::new(Limits::default()), torrent("a", b"abc"));
    world.publish(at(0), &torrent);
    for number in 0..200 {
        let have = if number == 0 { Have::Complete } else { have(&torrent, &[1]) };
        world.announce(at(0), torrent.id(), number, have).unwrap();
    }
    let mut heard_of = std::collections::BTreeSet::new();
    for _ in 0..40 {
        let answer = world.announce(at(1), torrent.id(), 100, have(&torrent, &[1])).unwrap();
        assert_eq!(answer.peers.len(), 50);
        assert!(answer.peers.iter().any(|handed| handed.peer == Some(peer(0))), "the only seed");
        assert!(answer.peers.iter().all(|handed| handed.peer != Some(peer(100))), "not the announcer");
        heard_of.extend(answer.peers.iter().map(|handed| handed.peer));
    }
    assert!(heard_of.len() > 150, "{}", heard_of.len());
}

#[test]
fn a16_only_the_token_speaks_for_a_peer() {
    let (mut world, torrent) = (World::new(Limits::default()), torrent("a", b"abc"));
    world.publish(at(0), &torrent);
    world.announce(at(0), torrent.id(), 1, Have::Complete).unwrap();
    for shown in [None, Some(token(2))] {
        let refused = world.announce_as(at(1), torrent.id(), 1, url(9), Have::Complete, shown);
        assert_eq!(refused.unwrap_err(), Refusal::NotYours);
    }
    let id = torrent.id();
    assert_eq!(world.registry.leave(at(1), id, peer(1), &token(2)), Err(Refusal::NotYours));
    assert_eq!(world.listed(at(1), id), ["1"]);
    assert_eq!(world.registry.leave(at(1), id, peer(1), &token(1)), Ok(()));
    assert_eq!(world.registry.leave(at(1), id, peer(1), &token(1)), Err(Refusal::UnknownPeer));
    assert!(world.listed(at(1), id).is_empty());
}

#[test]
fn a_restarted_peer_takes_its_url_over_once_the_old_one_is_found_dead() {
    let (mut world, torrent) = (World::new(Limits::default()), torrent("a", b"abc"));
    let id = torrent.id();
    world.publish(at(0), &torrent);
    world.announce(at(0), id, 1, Have::Complete).unwrap();
    let restarted =
        |world: &mut World| world.announce_as(at(1), id, 2, url(1), Have::Complete, None).map(|_| ());
    assert_eq!(restarted(&mut world).unwrap_err(), Refusal::UrlTaken { by: peer(1) });
    let instead = |number, place, dead| {
        let instead_of = Some(peer(dead));
        NewAnnounce { instead_of, ..announce(number, url(place), Have::Complete, None) }
    };
    assert!(world.announce_new(at(1), id, &instead(3, 3, 1)).is_ok());
    assert_eq!(world.listed(at(1), id), ["1", "3"], "another URL proves nothing");
    assert!(world.announce_new(at(1), id, &instead(2, 1, 3)).is_err(), "nor does another peer");
    assert!(world.announce_new(at(1), id, &instead(2, 1, 1)).is_ok());
    assert_eq!(world.listed(at(1), id), ["2", "3"]);
}

#[test]
fn an_unknown_torrent_and_a_bitmap_of_another_are_refused() {
    let (mut world, torrent) = (World::new(Limits::default()), torrent("a", b"abc"));
    let refused = world.announce(at(0), torrent.id(), 1, Have::Complete);
    assert_eq!(refused.unwrap_err(), Refusal::UnknownTorrent);
    world.publish(at(0), &torrent);
    let refused = world.announce(at(0), torrent.id(), 1, Have::Bitmap(vec![0, 0]));
    assert!(matches!(refused, Err(Refusal::Bitmap(_))));
}

#[test]
fn one_registry_has_two_doors() {
    let (mut world, torrent) = (World::new(Limits::default()), torrent("a", b"abac"));
    let id = torrent.id();
    // The described client announces before the torrent is published, and once more after.
    let (early, late) = (address("10.0.0.7:80"), address("10.0.0.8:80"));
    world.registry.announce_chunks(at(0), &client(&early), &[hash(&torrent, 0)]).unwrap();
    world.publish(at(0), &torrent);
    world.registry.announce_chunks(at(0), &client(&late), &all_hashes(&torrent)).unwrap();
    let peers = world.peers(at(0), id).unwrap();
    let wire: std::collections::BTreeMap<_, _> =
        peers.into_iter().map(|handed| (handed.url.to_string(), handed.have)).collect();
    let expected = [("http://10.0.0.7", have(&torrent, &[0, 2])), ("http://10.0.0.8", Have::Complete)];
    assert_eq!(wire, expected.map(|(url, have)| (url.to_owned(), have)).into());
    // A native peer appears in the assignments; one that the described protocol cannot name does not.
    world.registry.announce_chunks(at(1), &client(&early), &[]).unwrap();
    world.announce(at(10), id, 1, have(&torrent, &[3])).unwrap();
    let behind = "https://site.example/p".parse().unwrap();
    world.announce_as(at(10), id, 2, behind, Have::Complete, None).unwrap();
    let later = at(16);
    let assigned = world.registry.assign(later, &mut world.rng, &all_hashes(&torrent));
    let hosts: Vec<_> = assigned.iter().map(|entry| entry.client_host.to_string()).collect();
    assert_eq!(hosts, ["10.0.0.1"], "the described ones are dead by now");
    assert_eq!(assigned[0].hash_list, [hash(&torrent, 3)]);
}

#[test]
fn a_described_announcer_lives_by_pings_and_is_gone_within_fifteen_seconds() {
    let mut world = World::new(Limits::default());
    let torrent = torrent("a", b"abc");
    let (hashes, living, dead) = (all_hashes(&torrent), address("10.0.0.7:80"), address("10.0.0.8:80"));
    for who in [&living, &dead] {
        world.registry.announce_chunks(at(0), &client(who), &hashes).unwrap();
    }
    let mut pings = 0;
    for second in 1..=60 {
        for due in world.registry.pings_due(at(second), 100) {
            if due.address == living {
                pings += 1;
                world.registry.ponged(at(second), due.announcer);
            }
        }
        let assigned = world.registry.assign(at(second), &mut world.rng, &hashes);
        let names_the_dead = assigned.iter().any(|entry| &entry.client_host == dead.host());
        assert!(second < 15 || !names_the_dead, "listed {second} s after dying");
        assert!(!assigned.is_empty(), "the living one stays");
    }
    assert_eq!((pings, world.registry.sizes().announcers), (12, 1));
}

#[test]
fn an_assignment_is_spread_over_the_holders_in_entries_of_a_quarter() {
    let mut world = World::new(Limits::default());
    let torrent = torrent("a", &(0..=255).collect::<Vec<u8>>());
    let hashes = all_hashes(&torrent);
    for port in 1..=8 {
        world.registry.announce_chunks(at(0), &client(&address(&format!("a:{port}"))), &hashes).unwrap();
    }
    let assigned = world.registry.assign(at(0), &mut world.rng, &hashes);
    assert_eq!(assigned.len(), 8);
    for entry in &assigned {
        assert!((24..=40).contains(&entry.hash_list.len()), "{}", entry.hash_list.len());
    }
    let three = &hashes[..3];
    for port in 2..=8 {
        assert!(
            world.registry.assign(at(0), &mut world.rng, three).iter().all(|e| e.hash_list.len() == 1),
            "{port}"
        );
    }
}

#[test]
fn a_hash_that_one_leecher_of_two_hundred_has_is_found() {
    let mut world = World::new(Limits::default());
    let contents: Vec<u8> = (0..=255).collect();
    let torrent = torrent("a", &contents);
    world.publish(at(0), &torrent);
    for number in 0..=199 {
        world.announce(at(0), torrent.id(), number, have(&torrent, &[u32::from(number)])).unwrap();
    }
    let assigned = world.registry.assign(at(0), &mut world.rng, &all_hashes(&torrent));
    let given: usize = assigned.iter().map(|entry| entry.hash_list.len()).sum();
    assert_eq!(given, 200, "each by its only holder; 56 nobody has");
}

#[test]
fn a36_a_clock_that_stands_still_or_goes_back_breaks_nothing() {
    let (mut world, torrent) = (World::new(Limits::default()), torrent("a", b"abc"));
    world.publish(at(100), &torrent);
    world.announce(at(100), torrent.id(), 1, Have::Complete).unwrap();
    world.announce(at(50), torrent.id(), 2, Have::Complete).unwrap();
    world.registry.announce_chunks(at(10), &client(&address("a:1")), &all_hashes(&torrent)).unwrap();
    assert_eq!(world.listed(at(0), torrent.id()).len(), 3);
    assert!(world.listed(at(200), torrent.id()).is_empty());
}

#[test]
fn a_torrent_given_up_while_it_is_indexed_leaves_nothing_and_can_come_back() {
    let mut world = World::new(Limits { torrents: 1, ..Limits::default() });
    let [first, second] = [b"abcdefgh", b"efghijkl"].map(|contents| torrent("a", contents));
    for torrent in [&first, &second, &first] {
        let new = NewTorrent::new(torrent.clone());
        world.registry.begin_publishing(at(0), new, None).unwrap();
        world.registry.settle(3);
    }
    while world.registry.settle(3) {}
    world.announce(at(0), first.id(), 1, Have::Complete).unwrap();
    let found = |world: &mut World, torrent: &Torrent| {
        let assigned = world.registry.assign(at(0), &mut world.rng, &all_hashes(torrent));
        assigned.iter().map(|entry| entry.hash_list.len()).sum::<usize>()
    };
    assert_eq!((found(&mut world, &first), found(&mut world, &second)), (8, 4));
}

#[test]
fn one_hash_of_content_that_repeats_is_all_its_chunks() {
    // More twins than are listed one by one, and fewer.
    let contents: Vec<u8> = (0..2000).map(|chunk| if chunk % 50 == 7 { b'b' } else { b'a' }).collect();
    let (mut world, torrent) = (World::new(Limits::default()), torrent("a", &contents));
    world.publish(at(0), &torrent);
    let [many, few] = [(0, "10.0.0.7:80"), (7, "10.0.0.8:80")].map(|(chunk, who)| {
        world.registry.announce_chunks(at(0), &client(&address(who)), &[hash(&torrent, chunk)]).unwrap();
        (0..2000).filter(|at| (at % 50 == 7) == (chunk == 7)).collect::<Vec<u32>>()
    });
    let mut peers = world.peers(at(0), torrent.id()).unwrap();
    peers.sort_by_key(|handed| handed.url.to_string());
    let held: Vec<Have> = peers.into_iter().map(|handed| handed.have).collect();
    assert_eq!(held, [have(&torrent, &many), have(&torrent, &few)]);
}

#[test]
fn the_plain_download_is_the_publishers_as_long_as_it_is_there() {
    let (mut world, torrent) = (World::new(Limits::default()), torrent("a", b"abc"));
    let id = torrent.id();
    let new = NewTorrent::new(torrent.clone());
    let publisher = Publisher::Target(target(url(1).address()));
    world.registry.begin_publishing(at(0), new, Some(publisher)).unwrap();
    for stranger in 2..=20 {
        world.announce(at(0), id, stranger, Have::Complete).unwrap();
    }
    let seed = |world: &mut World, now| world.registry.seed(now, &mut world.rng, id).unwrap();
    assert!(!seed(&mut world, at(0)).is_publisher);
    world.announce(at(0), id, 1, have(&torrent, &[0])).unwrap();
    assert!(!seed(&mut world, at(0)).is_publisher, "it has not all of it yet");
    world.announce(at(0), id, 1, Have::Complete).unwrap();
    for _ in 0..20 {
        assert_eq!(seed(&mut world, at(0)), Seed { url: url(1), is_publisher: true });
    }
    world.registry.set_publisher(id, url(5));
    assert_eq!(seed(&mut world, at(0)).url, url(5), "by its URL, when that was told");
    world.announce(at(10), id, 2, Have::Complete).unwrap();
    assert_eq!(seed(&mut world, at(16)), Seed { url: url(2), is_publisher: false }, "it is gone");
}
