//! A neighbour says that others will have a chunk soon: it is asked for other chunks, and for that one later.

use protocol::{ChunkSet, Time};
use swarm::Config;

use crate::world::{Asked, KIB, MIB, Manner, World, millis, seconds};

#[test]
fn what_a_neighbour_turns_away_is_asked_of_another_at_once_and_of_it_not_before_the_time() {
    let mut world = World::new(64 * KIB, 40);
    world.seed(1, Manner::TurnsAway(3, seconds(2)));
    let turned: Vec<Asked> = world.open_of(1);
    world.seed(2, Manner::Serves(MIB));
    world.run_to_the_end(seconds(30));
    for Asked { at, chunk, .. } in turned {
        let again = |asked: &&Asked| asked.chunk == chunk && asked.at > at;
        let next = world.asked.iter().find(again).expect("it is asked for again");
        assert!(next.peer == 2 || next.at.since(at) >= seconds(2), "chunk {chunk}: {next:?}");
    }
    assert!(world.dropped.is_empty(), "to know somebody better is no failure");
}

#[test]
fn a_neighbour_that_turns_one_chunk_away_goes_on_giving_others() {
    let mut world = World::new(64 * KIB, 40);
    world.seed(1, Manner::TurnsAway(1, seconds(20)));
    let start = world.now;
    world.run_until(seconds(15), |world| world.stored.len() == 39);
    assert!(world.now.since(start) < seconds(10), "39 of 40 come without a pause");
    world.run_to_the_end(seconds(20));
    assert!(world.now.since(start) >= seconds(20), "and the last one after it");
}

#[test]
fn whoever_turns_everything_away_is_asked_a_few_times_a_pause_and_not_more() {
    let mut world = World::new(64 * KIB, 1000);
    world.seed(1, Manner::TurnsAway(u32::MAX, seconds(5)));
    // Before the pause takes hold, as many as a neighbour is asked at a time may be under way.
    let (start, a_round) = (world.now, Config::default().avoided_most + 4);
    world.run_until(seconds(30), |world| world.asked.len() > 2 * a_round);
    assert!(world.now.since(start) >= seconds(10), "the third round is two pauses later");
}

#[test]
fn a_pause_of_nothing_makes_no_hot_loop() {
    let mut world = World::new(64 * KIB, 5);
    world.seed(1, Manner::TurnsAway(50, millis(0)));
    let start: Time = world.now;
    world.run_to_the_end(seconds(60));
    let times = 50 / 5 - 1;
    assert!(world.now.since(start) >= Config::default().busy_least * times);
    assert_eq!(ChunkSet::full(5).count() as usize, world.stored.len());
}
