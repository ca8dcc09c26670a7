//! Who is a neighbour, and when more are looked for.

use protocol::{ChunkIndex, ChunkSet};
use swarm::{Config, Event, Gained, PeerKey, Waiting};

use crate::world::{KIB, MIB, Manner, World, seconds};

#[test]
fn neighbours_are_looked_for_at_once_and_then_ever_less_often() {
    let mut world = World::new(64 * KIB, 10);
    world.tell(Event::Woke);
    assert_eq!(world.brain.waiting_reason(), Some(Waiting::NoPeers));
    let start = world.now;
    world.pass(seconds(100));
    let searches: Vec<u64> = world.searches.iter().map(|at| at.since(start).as_secs()).collect();
    assert_eq!(searches, [0, 1, 3, 7, 15, 31, 61, 91]);
}

#[test]
fn few_neighbours_are_a_reason_to_look_for_more_although_the_download_runs() {
    let mut world = World::new(1024 * KIB, 100);
    world.seed(1, Manner::Serves(MIB));
    world.pass(seconds(40));
    assert_eq!(world.searches.len(), 6);
}

#[test]
fn who_loses_its_last_neighbour_looks_for_others_within_a_second() {
    let mut world = World::new(1024 * KIB, 1000);
    world.seed(1, Manner::Serves(MIB));
    world.pass(seconds(65));
    let searches = world.searches.len();
    world.lose(1);
    world.run_until(seconds(1), |world| world.searches.len() > searches);
}

#[test]
fn neighbours_are_looked_for_while_nobody_has_some_chunk_however_many_there_are() {
    let mut world = World::new(64 * KIB, 10);
    for peer in 0..40 {
        world.holder(peer, Manner::Serves(MIB), &[0, 1, 2]);
    }
    world.pass(seconds(5));
    assert_eq!(world.brain.waiting_reason(), Some(Waiting::NobodyHas(7)));
    let searches = world.searches.len();
    world.pass(seconds(60));
    assert!(world.searches.len() > searches);
    world.seed(99, Manner::Serves(MIB));
    let searches = world.searches.len();
    world.run_to_the_end(seconds(60));
    assert_eq!(world.searches.len(), searches, "enough neighbours, and everything is held");
}

#[test]
fn no_more_neighbours_are_taken_in_than_the_limit() {
    let config = Config { neighbours_most: 3, ..Config::default() };
    let mut world = World::with(config, 10);
    for peer in 0..5 {
        world.seed(peer, Manner::Mute);
    }
    assert_eq!(world.brain.neighbours(), 3);
    assert!(world.asked_of(4).is_empty());
}

#[test]
fn gains_past_the_end_or_of_another_torrent_are_ignored() {
    let mut world = World::new(64 * KIB, 10);
    world.newcomer(1, Manner::Mute);
    let peer = PeerKey::new(1);
    let runs =
        vec![(ChunkIndex::new(8), ChunkIndex::new(u32::MAX)), (ChunkIndex::new(50), ChunkIndex::new(60))];
    assert_eq!(world.tell(Event::PeerGained { peer, chunks: Gained::Set(ChunkSet::full(11)) }), []);
    world.tell(Event::PeerGained { peer, chunks: Gained::Runs(runs) });
    let mut asked = world.asked_of(1);
    asked.sort_unstable();
    assert_eq!(asked, [8, 9]);
}
