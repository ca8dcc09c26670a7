//! What a network of honest nodes does: who is announced is found, by everybody, at a known price, for as long as it
//! is there.

use std::collections::BTreeSet;

use dht::{Config, Event, Urgency};
use protocol::Time;

use crate::world::{World, address, key, minutes, provider, seconds};

const NODES: u16 = 40;
const KEYS: u64 = 1_000;

/// The three nodes that provide a key.
fn providers_of(number: u64) -> [u16; 3] {
    [number, number + 13, number + 27].map(|at| u16::try_from(at % u64::from(NODES)).unwrap())
}

/// 40 nodes, 1,000 keys with three providers each, all announced. Returns the packets of an announcement.
fn announced_world(seed: u64, loss: u32) -> (World, f64) {
    let mut world = World::of_nodes(seed, NODES);
    world.loss = loss;
    for number in 0..KEYS {
        for provider in providers_of(number) {
            world.announce(provider, key(number), Urgency::Chunk);
        }
    }
    let announcements = usize::try_from(KEYS).unwrap() * 3;
    let first_times =
        |world: &World| world.announced.iter().map(|(at, key, _)| (at, key)).collect::<BTreeSet<_>>().len();
    while first_times(&world) < announcements {
        assert!(world.now < Time::ZERO + minutes(10), "{} of {announcements}", first_times(&world));
        world.run_for(seconds(1));
    }
    let announcements = world.announced.len();
    #[expect(clippy::cast_precision_loss, reason = "some thousands")]
    let price = world.packets.len() as f64 / announcements as f64;
    world.forget_packets();
    (world, price)
}

/// Looks every key up from some node that is alive. Returns how many look-ups found all three, and their price.
fn look_all_up(world: &mut World, alive: &[u16]) -> (u64, f64) {
    world.forget_packets();
    let mut complete = 0;
    for number in 0..KEYS {
        let from = alive[usize::try_from(number * 7).unwrap() % alive.len()];
        let found = world.look_up(address(from), key(number));
        complete += u64::from(found == providers_of(number).map(provider).into_iter().collect());
    }
    #[expect(clippy::cast_precision_loss, reason = "some thousands")]
    let price = world.packets.len() as f64 / KEYS as f64;
    (complete, price)
}

#[test]
fn every_look_up_finds_all_three_providers_and_still_does_with_12_of_40_nodes_dead() {
    let (mut world, announcing) = announced_world(1, 0);
    let everybody: Vec<u16> = (0..NODES).collect();
    let (complete, looking) = look_all_up(&mut world, &everybody);
    println!("packets: {announcing:.1} an announcement, {looking:.1} a look-up");
    assert_eq!(complete, KEYS);
    assert!(announcing <= 40.0 && looking <= 25.0);

    for dead in 0..12 {
        world.kill(address(dead * 3));
    }
    let alive: Vec<u16> = everybody.into_iter().filter(|number| number % 3 != 0 || *number >= 36).collect();
    assert_eq!(alive.len(), 28);
    let (complete, looking) = look_all_up(&mut world, &alive);
    println!("packets: {looking:.1} a look-up with 12 of 40 nodes dead");
    assert_eq!(complete, KEYS);
    assert!(looking <= 25.0);
}

#[test]
fn with_one_packet_in_ten_lost_a_provider_is_missed_in_one_look_up_of_a_hundred_at_most() {
    let (mut world, announcing) = announced_world(2, 100);
    let everybody: Vec<u16> = (0..NODES).collect();
    let (complete, looking) = look_all_up(&mut world, &everybody);
    println!(
        "packets with a tenth lost: {announcing:.1} an announcement, {looking:.1} a look-up, {complete} complete"
    );
    assert!(complete >= KEYS - KEYS / 100);
}

#[test]
fn the_same_seed_gives_the_same_packets() {
    let run = |seed| {
        let mut world = World::of_nodes(seed, 12);
        world.loss = 50;
        world.announce(3, key(1), Urgency::Torrent);
        world.run_for(minutes(30));
        world.look_up(address(7), key(1));
        world.packets
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5), run(6));
}

#[test]
fn a_provider_is_found_for_hours_and_forgotten_45_minutes_after_it_stopped() {
    let mut world = World::of_nodes(3, 20);
    world.announce(4, key(1), Urgency::Torrent);
    for hour in 0..4 {
        world.run_for(minutes(60));
        assert_eq!(world.look_up(address(9), key(1)), BTreeSet::from([provider(4)]), "after {hour} hours");
    }
    world.tell(address(4), Event::StopAnnouncing { key: key(1) });
    world.run_for(minutes(46));
    assert_eq!(world.look_up(address(9), key(1)), BTreeSet::new());
    assert!((0..20).all(|number| world.node(address(number)).records() == 0));
}

#[test]
fn whoever_announced_alone_is_found_when_a_network_grew_round_it() {
    let mut world = World::new(4);
    world.add(address(0));
    world.announce(0, key(1), Urgency::Torrent);
    world.run_for(minutes(5));
    for number in 1..40 {
        world.add(address(number));
        world.introduce(address(number), address(0));
        world.run_for(seconds(2));
    }
    world.run_for(minutes(2));
    for number in 1..40 {
        assert_eq!(world.look_up(address(number), key(1)), BTreeSet::from([provider(0)]), "from {number}");
    }
}

#[test]
fn a_newcomer_with_one_way_in_finds_at_once() {
    let mut world = World::of_nodes(5, 30);
    world.announce(4, key(1), Urgency::Torrent);
    world.run_for(seconds(10));
    world.add(address(77));
    world.introduce(address(77), address(11));
    assert_eq!(world.look_up(address(77), key(1)), BTreeSet::from([provider(4)]), "while it still joins");
}

#[test]
fn two_nodes_are_a_network() {
    let mut world = World::new(6);
    world.add(address(0));
    world.add(address(1));
    world.introduce(address(1), address(0));
    world.announce(1, key(1), Urgency::Torrent);
    world.announce(0, key(2), Urgency::Torrent);
    world.run_for(seconds(15));
    assert_eq!(world.look_up(address(0), key(1)), BTreeSet::from([provider(1)]), "from its own records");
    assert_eq!(world.look_up(address(1), key(2)), BTreeSet::from([provider(0)]));
}

#[test]
fn a_lone_provider_tells_of_itself() {
    let mut world = World::new(9);
    world.add(address(0));
    world.announce(0, key(1), Urgency::Torrent);
    world.add_with(address(1), Config { read_only: true, ..Config::default() });
    world.introduce(address(1), address(0));
    assert_eq!(world.look_up(address(1), key(1)), BTreeSet::new(), "it does not know its address");
    world.tell(address(0), Event::OwnAddress { ip: address(0).ip() });
    assert_eq!(world.look_up(address(1), key(1)), BTreeSet::from([provider(0)]));
    assert_eq!(world.look_up(address(1), key(2)), BTreeSet::new(), "of what it announces");
    world.tell(address(0), Event::StopAnnouncing { key: key(1) });
    assert_eq!(world.look_up(address(1), key(1)), BTreeSet::new(), "and no longer");
    // Nobody is told an address that is nearer than they are.
    world.announce(0, key(1), Urgency::Torrent);
    world.tell(address(0), Event::OwnAddress { ip: [192, 168, 1, 2].into() });
    assert_eq!(world.look_up(address(1), key(1)), BTreeSet::new());
}

#[test]
fn read_only_nodes_find_and_are_in_nobodys_table() {
    let mut world = World::of_nodes(7, 10);
    world.announce(4, key(1), Urgency::Torrent);
    world.run_for(seconds(10));
    world.add_with(address(50), Config { read_only: true, ..Config::default() });
    world.introduce(address(50), address(0));
    world.forget_packets();
    assert_eq!(world.look_up(address(50), key(1)), BTreeSet::from([provider(4)]));
    world.run_for(minutes(20));
    let asked = world.packets.iter().filter(|packet| packet.to == address(50) && packet.is_query()).count();
    assert_eq!(asked, 0, "nobody asks it anything");
    assert!((0..10).all(|number| !world.node(address(number)).good_nodes(world.now).contains(&address(50))));
    // And it answers nobody.
    let before = world.packets.len();
    world.send(address(1), address(50), b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe".to_vec());
    world.run_for(seconds(1));
    assert!(world.packets[before..].iter().all(|packet| packet.from != address(50)));
}

#[test]
fn ipv6_is_a_network_of_its_own() {
    let at = |number: u16| (std::net::Ipv6Addr::new(0x2001, 0xdb8, number, 0, 0, 0, 0, 1), 6_881).into();
    let mut world = World::new(8);
    for number in 0..12 {
        world.add(at(number));
        world.introduce(at(number), at(0));
    }
    world.run_for(minutes(1));
    let port = std::num::NonZeroU16::new(80).unwrap();
    world.tell(at(3), Event::Announce { key: key(1), port, urgency: Urgency::Torrent });
    world.run_for(seconds(10));
    let found: std::net::SocketAddr = (at(3).ip(), 80).into();
    assert_eq!(world.look_up(at(9), key(1)), BTreeSet::from([found]));
    // The other family is not even spoken to.
    world.tell(at(9), Event::AddNode { address: address(1) });
    world.run_for(minutes(5));
    assert!(world.packets.iter().all(|packet| packet.to != address(1)));
}
