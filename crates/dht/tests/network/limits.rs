//! No node sends more than it may, whoever asks it to, and a flood of look-ups ends.

use std::collections::BTreeMap;
use std::time::Duration;

use dht::{Config, Event, FindId, Urgency};

use crate::world::{Packet, World, address, key, minutes, seconds};

/// The most that fell into one second.
fn busiest_second(packets: &[&Packet]) -> usize {
    let inside = |start: usize| {
        let end = packets[start].at + Duration::from_secs(1);
        packets[start..].iter().take_while(|packet| packet.at < end).count()
    };
    (0..packets.len()).map(inside).max().unwrap_or(0)
}

#[test]
fn a06_nobody_sends_more_than_fifty_queries_a_second_or_four_to_one_address() {
    let mut world = World::of_nodes(1, 30);
    for number in 0..1_500 {
        world.announce(3, key(number), Urgency::Chunk);
    }
    for number in 0..100 {
        world.find(address(3), key(number));
    }
    world.run_for(minutes(3));
    let sent: Vec<&Packet> = world.packets.iter().filter(|p| p.from == address(3) && p.is_query()).collect();
    assert!(sent.len() > 3_000, "it is busy: {}", sent.len());
    assert!(busiest_second(&sent) <= 50);
    let mut to_one: BTreeMap<_, Vec<&Packet>> = BTreeMap::new();
    for packet in sent {
        to_one.entry(packet.to).or_default().push(packet);
    }
    assert!(to_one.values().all(|packets| busiest_second(packets) <= 4));
}

#[test]
fn whoever_waits_for_a_look_up_does_not_wait_behind_announcements() {
    let mut world = World::of_nodes(2, 30);
    world.announce(9, key(7_777), Urgency::Torrent);
    world.run_for(seconds(5));
    for number in 0..1_500 {
        world.announce(3, key(number), Urgency::Chunk);
    }
    world.run_for(seconds(5));
    let before = world.now;
    assert_eq!(world.look_up(address(3), key(7_777)).len(), 1);
    assert!(world.now.since(before) < seconds(3));
}

#[test]
fn a_torrent_does_not_wait_behind_a_thousand_chunks_even_with_one_neighbour() {
    for nodes in [2, 20] {
        let mut world = World::of_nodes(3, nodes);
        for number in 0..1_000 {
            world.announce(1, key(number), Urgency::Chunk);
        }
        world.run_for(seconds(5));
        world.announce(1, key(7_777), Urgency::Torrent);
        let announced = |world: &World| world.announced.iter().any(|(_, done, _)| *done == key(7_777));
        assert!(world.run_until(seconds(3), announced), "among {nodes} nodes");
    }
}

#[test]
fn more_keys_than_can_be_refreshed_are_not_taken_and_the_others_stay_alive() {
    let mut world = World::of_nodes(4, 12);
    let most = u64::try_from(Config::default().announcements_most).unwrap();
    for number in 0..most + 500 {
        world.announce(3, key(number), Urgency::Chunk);
    }
    assert_eq!(world.node(address(3)).announcing(), Config::default().announcements_most);
    // Hours later each of them is still there: refreshing keeps up.
    world.run_for(minutes(150));
    world.forget_packets();
    for number in (0..most).step_by(41) {
        assert_eq!(world.look_up(address(7), key(number)).len(), 1, "key {number}");
    }
}

#[test]
fn look_ups_past_the_bound_end_at_once_and_the_others_all_end() {
    let mut world = World::of_nodes(5, 12);
    let finds: Vec<FindId> = (0..400).map(|number| world.find(address(3), key(number))).collect();
    let ended = finds.iter().filter(|find| world.finds[find].answers == Some(0)).count();
    assert_eq!(ended, 400 - 64 - 256);
    world.tell(address(3), Event::StopFinding { find: finds[70] });
    assert!(world.run_until(minutes(10), |world| {
        finds.iter().filter(|find| world.finds[find].answers.is_none()).count() == 1
    }));
    assert_eq!(world.finds[&finds[70]].answers, None, "nobody wanted to know");
}
