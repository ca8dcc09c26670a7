//! Fetches that do not move, and ends that must not wait for them.

use protocol::ChunkIndex;
use swarm::{DropReason, Event, PeerKey, Waiting};

use crate::world::{KIB, MIB, Manner, World, millis, seconds};

#[test]
fn a10_one_dripper_of_three_does_not_double_the_time() {
    let run = |third| {
        let mut world = World::new(256 * KIB, 200);
        world.seed(1, Manner::Serves(2 * MIB));
        world.seed(2, Manner::Serves(2 * MIB));
        world.seed(3, third);
        world.run_to_the_end(seconds(120))
    };
    let (honest, dripping) = (run(Manner::Serves(2 * MIB)), run(Manner::Drips));
    let without = seconds(25) / 2;
    assert!(dripping < without * 11 / 10, "two honest ones need {without:?}, it took {dripping:?}");
    assert!(dripping < honest * 2, "{honest:?} against {dripping:?}");
}

#[test]
fn a10_a_stuck_fetch_is_asked_for_elsewhere_and_cancelled_when_that_succeeds() {
    let mut world = World::new(64 * KIB, 1000);
    world.seed(1, Manner::Drips);
    world.seed(2, Manner::Serves((64 * KIB).into()));
    let stuck = world.open_of(1);
    assert_eq!(stuck.len(), 2);
    world.run_until(seconds(12), |world| stuck.iter().all(|asked| world.cancelled.contains(&asked.fetch)));
    for asked in &stuck {
        let of_chunk: Vec<u32> =
            world.asked.iter().filter(|other| other.chunk == asked.chunk).map(|other| other.peer).collect();
        assert_eq!(of_chunk, [1, 2]);
    }
    world.run_until(seconds(100), |world| world.dropped.contains_key(&1));
    assert_eq!(world.dropped[&1], DropReason::Failing, "three times stuck");
}

#[test]
fn a10_nothing_more_is_asked_of_a_neighbour_while_a_fetch_is_stuck_there() {
    let mut world = World::new(64 * KIB, 50);
    world.seed(1, Manner::Mute);
    let [moves, stuck] = world.open_of(1)[..] else { panic!("two fetches of an unmeasured neighbour") };
    world.tell(Event::BytesArrived { fetch: stuck.fetch, bytes: 1 });
    world.pass(seconds(6));
    world.tell(Event::Arrived { fetch: moves.fetch });
    world.tell(Event::ChunkStored { chunk: ChunkIndex::new(moves.chunk), bytes: 65_536 });
    assert_eq!(world.asked_of(1).len(), 2);
    world.tell(Event::BytesArrived { fetch: stuck.fetch, bytes: 60_000 });
    world.pass(seconds(6));
    assert!(world.asked_of(1).len() > 2, "it moves again");
}

#[test]
fn a10_a_stuck_chunk_is_asked_of_a_neighbour_that_has_nothing_else_to_give() {
    let mut world = World::new(64 * KIB, 3);
    world.holder(1, Manner::Mute, &[0]);
    world.holder(2, Manner::Serves(MIB), &[0]);
    world.run_until(seconds(6), |world| world.stored.contains(&0));
    assert_eq!(world.brain.waiting_reason(), Some(Waiting::NobodyHas(2)));
}

#[test]
fn a10_where_only_a_stuck_copy_is_left_whoever_has_the_chunk_and_is_idle_is_asked() {
    let mut world = World::new(64 * KIB, 3);
    world.holder(1, Manner::Mute, &[0]);
    world.holder(2, Manner::Mute, &[0]);
    world.run_until(seconds(8), |world| world.open_of(1).len() + world.open_of(2).len() == 2);
    // There are two copies under way, so it is not asked for a third; chunks 1 and 2 are missing all the time.
    world.holder(3, Manner::Serves(MIB), &[0]);
    assert_eq!(world.asked_of(3).len(), 0);
    let second = world.asked[1].peer;
    world.tell(Event::PeerLost { peer: PeerKey::new(second) });
    assert_eq!(world.asked_of(3).len(), 1);
}

#[test]
fn a10_a_mute_neighbour_is_given_up_even_when_nobody_else_has_the_chunk() {
    let mut world = World::new(64 * KIB, 2);
    world.seed(1, Manner::Mute);
    let first = world.open_of(1)[0].fetch;
    world.run_until(seconds(21), |world| world.cancelled.contains(&first));
    let pause = world.run_until(seconds(3), |world| world.asked.len() > 2);
    assert!(pause >= seconds(1), "that was a failure, and is followed by a pause: {pause:?}");
    assert!(world.dropped.is_empty(), "it is all there is");
}

#[test]
fn at_the_end_idle_neighbours_overtake_the_slowest() {
    let mut world = World::new(1024 * KIB, 12);
    world.seed(1, Manner::Serves(64 << 10));
    world.seed(2, Manner::Serves(10 * MIB));
    let took = world.run_to_the_end(seconds(60));
    assert!(took < seconds(4), "the slow one alone would need 32 s for its two chunks: {took:?}");
    for chunk in 0..12 {
        assert!(world.asked.iter().filter(|asked| asked.chunk == chunk).count() <= 2, "two copies at most");
    }
}

#[test]
fn who_falls_silent_at_the_end_is_overtaken_within_a_second() {
    let mut world = World::new(256 * KIB, 40);
    world.seed(1, Manner::Serves(2 * MIB));
    world.seed(2, Manner::Serves(2 * MIB));
    world.run_until(seconds(5), |world| world.stored.len() == 36);
    world.behave(1, Manner::Mute);
    let took = world.run_to_the_end(seconds(10));
    assert!(took < seconds(2), "four chunks at 8 a second from the other: {took:?}");
}

#[test]
fn equally_fast_neighbours_do_not_race_at_the_end() {
    let mut world = World::new(256 * KIB, 64);
    for peer in 0..4 {
        world.seed(peer, Manner::Serves(2 * MIB));
    }
    world.run_to_the_end(seconds(60));
    assert!(world.asked.len() <= 66, "{} fetches for 64 chunks", world.asked.len());
}

#[test]
fn the_only_chunk_does_not_wait_for_a_mute_neighbour_while_another_is_idle() {
    let mut world = World::new(64 * KIB, 1);
    world.seed(1, Manner::Mute);
    world.seed(2, Manner::Serves(MIB));
    assert_eq!(world.asked.len(), 1, "one copy at first");
    let took = world.run_to_the_end(seconds(60));
    assert!(took >= seconds(1) && took <= millis(1400), "{took:?}");
}
