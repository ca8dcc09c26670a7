//! Who gives way when somebody comes and all places are taken.

use protocol::Time;
use swarm::{Config, PeerKey};

use crate::world::{KIB, MIB, Manner, World, seconds};

/// Two seeds, and two more that hold some chunks, have all the places for some seconds.
fn full_house() -> World {
    let config =
        Config { neighbours_most: 4, renew_every: seconds(5), chunk_bytes: 256 * KIB, ..Config::default() };
    let mut world = World::with(config, 200);
    world.seed(1, Manner::Serves(MIB));
    world.seed(2, Manner::Serves(MIB));
    world.holder(3, Manner::Serves(MIB), &[0, 1, 2, 3]);
    world.holder(4, Manner::Serves(MIB), &[7]);
    world
}

fn gives_way(world: &mut World) -> Option<u32> {
    let now: Time = world.now;
    world.brain.gives_way(now).map(PeerKey::get)
}

#[test]
fn the_neighbour_that_brought_least_gives_way_to_a_newcomer_and_then_nobody_for_a_while() {
    let mut world = full_house();
    world.pass(seconds(6));
    assert_eq!(gives_way(&mut world), Some(4), "it brought one chunk at most");
    world.lose(4);
    world.seed(5, Manner::Serves(4 * MIB));
    assert_eq!(gives_way(&mut world), None, "one at a time");
    world.pass(seconds(5));
    assert!(!world.asked_of(5).is_empty(), "the newcomer is asked");
    assert_eq!(gives_way(&mut world), Some(3), "and those who bring more stay");
}

#[test]
fn nobody_gives_way_before_it_had_time_to_bring_anything() {
    let mut world = full_house();
    world.pass(seconds(4));
    assert_eq!(gives_way(&mut world), None);
    world.pass(seconds(2));
    assert!(gives_way(&mut world).is_some());
}

#[test]
fn who_is_being_fetched_from_stays_however_little_it_brings() {
    let config =
        Config { neighbours_most: 4, renew_every: seconds(2), chunk_bytes: 256 * KIB, ..Config::default() };
    let mut world = World::with(config, 200);
    world.seed(1, Manner::Serves(MIB));
    world.seed(2, Manner::Serves(MIB));
    world.holder(3, Manner::Mute, &[197, 198, 199]);
    world.holder(4, Manner::Serves(MIB), &[7]);
    world.pass(seconds(3));
    assert!(!world.open_of(3).is_empty() && world.stored.contains(&7));
    assert_eq!(gives_way(&mut world), Some(4), "it has nothing more to give; 3 may be about to");
}

#[test]
fn one_of_the_few_that_hold_a_missing_chunk_stays_although_it_never_brought_a_byte() {
    let config =
        Config { neighbours_most: 3, renew_every: seconds(5), chunk_bytes: 256 * KIB, ..Config::default() };
    let mut world = World::with(config, 10);
    for peer in 0..2 {
        world.holder(peer, Manner::Busy(1000, seconds(30)), &[0, 9]);
    }
    world.holder(2, Manner::Serves(MIB), &[0, 1, 2]);
    world.pass(seconds(6));
    assert_eq!(world.stored.len(), 3);
    assert_eq!(gives_way(&mut world), Some(2), "it has nothing more to give, and the others hold chunk 9");
    world.lose(2);
    world.pass(seconds(6));
    assert_eq!(gives_way(&mut world), None);
}
