//! Restarts, partitions, slow links: the network comes back by itself.

use std::collections::BTreeSet;

use dht::{Config, Urgency};

use crate::world::{Host, World, address, key, minutes, provider, seconds};

#[test]
fn a_node_cut_off_until_it_forgot_everybody_joins_again_by_itself() {
    let mut world = World::of_nodes(1, 8);
    world.announce(2, key(1), Urgency::Torrent);
    world.run_for(seconds(10));
    let others: Vec<_> = (0..8).filter(|number| *number != 5).map(address).collect();
    let hosts: Vec<Host> = others.iter().map(|at| world.hosts.insert(*at, Host::Dead).unwrap()).collect();
    world.run_for(minutes(60));
    assert_eq!(world.node(address(5)).good_count(world.now), 0);
    for (at, host) in others.iter().zip(hosts) {
        world.hosts.insert(*at, host);
    }
    world.run_for(minutes(3));
    assert!(world.node(address(5)).good_count(world.now) > 0, "the way in is tried again and again");
}

#[test]
fn a_way_in_that_is_not_there_yet_is_tried_until_it_is() {
    let mut world = World::new(2);
    world.add(address(1));
    world.introduce(address(1), address(0));
    world.announce(1, key(1), Urgency::Torrent);
    assert_eq!(world.look_up(address(1), key(2)), BTreeSet::new());
    world.run_for(minutes(10));
    world.add(address(0));
    world.run_for(minutes(2));
    assert_eq!(world.look_up(address(0), key(1)), BTreeSet::from([provider(1)]));
}

#[test]
fn everybody_restarted_from_saved_nodes_is_a_network_again() {
    let mut world = World::of_nodes(3, 20);
    let saved: Vec<_> = (0..20).map(|number| world.node(address(number)).good_nodes(world.now)).collect();
    assert!(saved.iter().all(|nodes| nodes.len() > 10));
    for number in 0..20 {
        world.add(address(number));
    }
    for (number, nodes) in (0..20).zip(saved) {
        for node in nodes.into_iter().take(8) {
            world.introduce(address(number), node);
        }
    }
    world.announce(3, key(1), Urgency::Torrent);
    world.run_for(minutes(1));
    for number in 0..20 {
        assert_eq!(world.look_up(address(number), key(1)), BTreeSet::from([provider(3)]));
    }
}

#[test]
fn round_trips_of_most_of_a_second_are_only_slow() {
    let mut world = World::new(4);
    world.delay_millis = 200..450;
    for number in 0..20 {
        world.add(address(number));
        world.introduce(address(number), address(0));
    }
    world.run_for(minutes(2));
    world.announce(3, key(1), Urgency::Torrent);
    world.run_for(minutes(1));
    for number in 0..20 {
        assert_eq!(world.look_up(address(number), key(1)), BTreeSet::from([provider(3)]));
    }
}

#[test]
fn dead_nodes_cost_fractions_of_a_second() {
    let mut world = World::of_nodes(5, 40);
    world.announce(1, key(1), Urgency::Torrent);
    world.run_for(seconds(10));
    for dead in 0..12 {
        world.kill(address(dead * 3));
    }
    let before = world.now;
    assert_eq!(world.look_up(address(2), key(1)), BTreeSet::from([provider(1)]));
    let took = world.now.since(before);
    println!("a look-up with 12 of 40 nodes freshly dead: {took:?}");
    assert!(took < seconds(1), "{took:?}");
}

#[test]
fn ways_in_that_are_dead_are_not_asked_by_every_look_up() {
    let mut world = World::of_nodes(7, 3);
    for number in 0..8 {
        world.introduce(address(1), address(500 + number));
    }
    world.run_for(seconds(30));
    world.forget_packets();
    for number in 0..10 {
        world.look_up(address(1), key(number));
    }
    let to_dead = world.packets.iter().filter(|packet| !world.hosts.contains_key(&packet.to)).count();
    assert!(to_dead <= 8, "joining may ask them, ten look-ups not: {to_dead}");
}

#[test]
fn a_look_up_without_anybody_to_ask_ends_at_once() {
    let mut world = World::new(6);
    world.add_with(address(0), Config { read_only: true, ..Config::default() });
    let find = world.find(address(0), key(1));
    assert_eq!(world.finds[&find].answers, Some(0));
}
