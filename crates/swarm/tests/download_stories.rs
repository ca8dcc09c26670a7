//! What a download does, told as stories: one world, some neighbours, and what must come of it.

mod world;

use protocol::{ChunkIndex, ChunkSet, Time};
use swarm::{Action, Config, Download, DropReason, Event, Failure, FetchId, Gained, Order, PeerKey, Waiting};
use world::{Asked, KIB, MIB, Manner, World, millis, seconds};

#[test]
fn a_download_with_nothing_missing_finishes_at_its_first_event_and_once() {
    let mut brain = Download::new(Config::default(), 5, ChunkSet::empty(5), 1);
    assert!(!brain.is_finished());
    let mut actions = Vec::new();
    brain.handle(Time::ZERO, Event::PeerFound { peer: PeerKey::new(1) }, &mut actions);
    brain.handle(Time::ZERO, Event::Woke, &mut actions);
    assert_eq!(actions, [Action::Finish]);
    assert_eq!((brain.is_finished(), brain.remaining(), brain.wake_at()), (true, 0, None));
}

#[test]
fn a_seed_gives_everything_and_the_first_chunk_and_the_end_are_announced() {
    let mut world = World::new(64 * KIB, 200);
    world.seed(1, Manner::Serves(10 * MIB));
    world.run_until(seconds(5), |world| world.stored.len() == 2);
    assert_eq!(world.announces, 1);
    let took = world.run_to_the_end(seconds(5));
    assert_eq!((world.stored.len(), world.asked.len(), world.announces, world.finishes), (200, 200, 2, 1));
    assert!(took <= millis(1300), "12.5 MiB at 10 MiB/s took {took:?}");
    assert!(world.brain.waiting_reason().is_none());
    assert_eq!(world.tell(Event::Woke), [], "nothing follows the end");
}

#[test]
fn only_wanted_chunks_are_fetched() {
    let mut missing = ChunkSet::empty(10);
    missing.insert(ChunkIndex::new(3));
    missing.insert(ChunkIndex::new(8));
    let mut brain = Download::new(Config::default(), 10, missing, 1);
    let mut actions = Vec::new();
    let peer = PeerKey::new(1);
    brain.handle(Time::ZERO, Event::PeerFound { peer }, &mut actions);
    brain.handle(
        Time::ZERO,
        Event::PeerGained { peer, chunks: Gained::Set(ChunkSet::full(10)) },
        &mut actions,
    );
    let mut chunks: Vec<u32> = actions
        .iter()
        .filter_map(|action| match action {
            Action::Fetch { chunk, .. } => Some(chunk.get()),
            _ => None,
        })
        .collect();
    chunks.sort_unstable();
    assert_eq!(chunks, [3, 8]);
    for chunk in chunks {
        brain.handle(Time::ZERO, Event::ChunkStored { chunk: ChunkIndex::new(chunk) }, &mut actions);
    }
    assert_eq!(actions.last(), Some(&Action::Finish));
}

#[test]
fn the_rarest_chunk_is_asked_for_first() {
    let mut world = World::new(1024 * KIB, 40);
    for peer in 1..=3 {
        world.holder(peer, Manner::Mute, &(0..39).collect::<Vec<_>>());
    }
    let before = world.asked.len();
    world.seed(9, Manner::Mute);
    assert_eq!(world.asked[before].chunk, 39, "which only the newcomer holds");
}

#[test]
fn many_tiny_chunks_and_few_large_ones_fly_at_a_time() {
    for (chunk_bytes, first, most) in
        [(16 * KIB, 8, 64), (256 * KIB, 2, 16), (1024 * KIB, 2, 4), (16 * 1024 * KIB, 2, 2)]
    {
        let mut world = World::new(chunk_bytes, 2000);
        world.seed(1, Manner::Serves(100 * MIB));
        assert_eq!(world.brain.in_flight(), first, "{chunk_bytes} bytes, before anything is known");
        world.run_until(seconds(60), |world| world.stored.len() >= 300);
        assert_eq!(world.brain.in_flight(), most, "{chunk_bytes} bytes, at full speed");
    }
}

#[test]
fn all_neighbours_together_stay_below_the_limit_in_bytes() {
    let config = Config { chunk_bytes: 1024 * KIB, in_flight_bytes: 8 * MIB, ..Config::default() };
    let mut world = World::with(config, 1000);
    for peer in 0..20 {
        world.seed(peer, Manner::Serves(MIB));
    }
    assert_eq!(world.brain.in_flight(), 8);
    let took = world.run_to_the_end(seconds(300));
    assert!(took < seconds(140), "8 of 20 links of 1 MiB/s kept busy: {took:?}");
}

#[test]
fn a_small_torrent_is_spread_over_everybody() {
    let mut world = World::new(16 * KIB, 16);
    for peer in 0..8 {
        world.newcomer(peer, Manner::Serves(MIB));
    }
    let local = Event::PeerGained { peer: PeerKey::new(0), chunks: Gained::All };
    world.tell(local);
    assert_eq!(world.open_of(0).len(), 2, "the first of eight gets its share, not everything");
}

#[test]
fn a08_who_sends_wrong_bytes_is_dropped_at_once_and_the_chunks_come_from_elsewhere() {
    let mut world = World::new(64 * KIB, 300);
    for peer in 0..10 {
        // Three of ten lie, and they are the fastest.
        let manner = if peer % 3 == 2 { Manner::Lies(20 * MIB) } else { Manner::Serves(MIB) };
        world.seed(peer, manner);
    }
    world.run_to_the_end(seconds(60));
    let liars = [2, 5, 8].map(|peer| (peer, DropReason::WrongBytes));
    assert_eq!(world.dropped.into_iter().collect::<Vec<_>>(), liars);
    assert_eq!(world.brain.neighbours(), 7);
}

#[test]
fn a08_a_liar_that_hangs_up_after_its_body_is_still_found_out() {
    let mut world = World::new(64 * KIB, 4);
    world.seed(1, Manner::Mute);
    let Asked { fetch, .. } = world.open_of(1)[0];
    world.tell(Event::Arrived { fetch });
    world.lose(1);
    let actions = world.tell(Event::FetchFailed { fetch, failure: Failure::WrongBytes });
    assert!(actions.contains(&Action::Drop { peer: PeerKey::new(1), reason: DropReason::WrongBytes }));
}

#[test]
fn a08_three_failures_in_a_row_and_a_neighbour_is_dropped_with_growing_pauses_before() {
    let mut world = World::new(1024 * KIB, 100);
    world.seed(1, Manner::Serves(MIB));
    world.seed(2, Manner::Breaks(u32::MAX));
    world.run_until(seconds(60), |world| world.dropped.contains_key(&2));
    assert_eq!(world.dropped[&2], DropReason::Failing);
    let mut times: Vec<Time> =
        world.asked.iter().filter(|asked| asked.peer == 2).map(|asked| asked.at).collect();
    times.dedup();
    let pauses: Vec<_> = times.windows(2).map(|pair| pair[1].since(pair[0]).as_secs()).collect();
    assert_eq!(pauses, [1, 2]);
    world.run_to_the_end(seconds(120));
}

#[test]
fn a_success_between_failures_forgives_them() {
    let mut world = World::new(64 * KIB, 400);
    world.seed(1, Manner::Serves(MIB));
    world.seed(2, Manner::Breaks(2));
    world.run_to_the_end(seconds(60));
    assert!(world.dropped.is_empty());
    assert!(world.asked_of(2).len() > 50, "it is a full member again");
}

#[test]
fn the_only_seed_is_not_given_up_however_long_its_network_is_down() {
    let mut world = World::new(64 * KIB, 20);
    world.seed(1, Manner::Breaks(8));
    world.run_until(seconds(2), |world| world.brain.waiting_reason().is_some());
    assert!(matches!(world.brain.waiting_reason(), Some(Waiting::BackingOff { .. })));
    world.run_to_the_end(seconds(200));
    assert!(world.dropped.is_empty());
}

#[test]
fn a_busy_neighbour_is_left_alone_as_long_as_it_asked() {
    let mut world = World::new(1024 * KIB, 10);
    world.seed(1, Manner::Busy(2, seconds(3)));
    let start = world.now;
    world.run_to_the_end(seconds(60));
    let asked_while_busy = |asked: &&Asked| {
        let since = asked.at.since(start);
        since > millis(20) && since < seconds(3)
    };
    assert_eq!(world.asked.iter().filter(asked_while_busy).count(), 0);
    assert!(world.dropped.is_empty(), "to be busy is no failure");
}

#[test]
fn who_lacks_a_chunk_is_not_asked_for_it_again_until_it_gains_it() {
    let mut world = World::new(64 * KIB, 3);
    world.holder(1, Manner::Lacks, &[0, 1]);
    world.pass(seconds(5));
    let mut asked = world.asked_of(1);
    asked.sort_unstable();
    assert_eq!((asked, world.brain.waiting_reason()), (vec![0, 1], Some(Waiting::NobodyHas(3))));
    world.holder(1, Manner::Serves(MIB), &[1]);
    world.run_until(seconds(5), |world| world.stored.contains(&1));
}

#[test]
fn one_who_claims_everything_and_has_nothing_does_not_cost_a_round_trip_a_chunk() {
    let mut world = World::new(16 * KIB, 1000);
    world.seed(1, Manner::Lacks);
    world.seed(2, Manner::Serves(MIB));
    world.run_to_the_end(seconds(60));
    assert!(world.asked_of(1).len() < 100, "{} requests in vain", world.asked_of(1).len());
    assert_eq!(world.dropped.get(&1), Some(&DropReason::Failing));
}

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
    let mut world = World::new(1024 * KIB, 1000);
    world.seed(1, Manner::Drips);
    world.seed(2, Manner::Serves(MIB));
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
fn a10_a_mute_neighbour_is_given_up_even_when_nobody_else_has_the_chunk() {
    let mut world = World::new(64 * KIB, 2);
    world.seed(1, Manner::Mute);
    let first = world.open_of(1)[0].fetch;
    world.run_until(seconds(21), |world| world.cancelled.contains(&first));
    world.run_until(seconds(3), |world| world.asked.len() > 2);
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
fn equally_fast_neighbours_do_not_race_at_the_end() {
    let mut world = World::new(256 * KIB, 64);
    for peer in 0..4 {
        world.seed(peer, Manner::Serves(2 * MIB));
    }
    world.run_to_the_end(seconds(60));
    assert!(world.asked.len() <= 66, "{} fetches for 64 chunks", world.asked.len());
}

#[test]
fn a_slow_neighbour_leaves_scarce_chunks_to_a_fast_one_that_holds_them() {
    let config = Config { neighbours_wanted: 0, ..Config::default() };
    let mut world = World::with(Config { chunk_bytes: 256 * KIB, ..config }, 400);
    let common: Vec<u32> = (100..400).collect();
    world.holder(3, Manner::Mute, &common);
    world.holder(4, Manner::Mute, &common);
    world.seed(1, Manner::Serves(MIB / 8));
    world.seed(2, Manner::Serves(16 * MIB));
    world.run_until(seconds(60), |world| (0..100).all(|chunk| world.stored.contains(&chunk)));
    let later = world.asked_of(1).into_iter().skip(2);
    assert_eq!(later.filter(|&chunk| chunk < 100).count(), 0, "once both are measured");
}

#[test]
fn what_a_reader_waits_for_comes_first_and_in_order() {
    let mut world = World::new(1024 * KIB, 500);
    world.seed(1, Manner::Serves(4 * MIB));
    world.run_until(seconds(10), |world| world.stored.len() == 10);
    let (first, last) = (ChunkIndex::new(200), ChunkIndex::new(209));
    let before = world.asked.len();
    world.tell(Event::RangeWanted { first, last });
    world.run_until(seconds(10), |world| (200..210).all(|chunk| world.stored.contains(&chunk)));
    let asked: Vec<u32> = world.asked[before..].iter().map(|asked| asked.chunk).take(10).collect();
    let wanted: Vec<u32> = (200..210).filter(|chunk| asked.contains(chunk)).collect();
    assert_eq!(asked[..wanted.len()], wanted);
    assert!(wanted.len() >= 9, "at most one of them was there before: {asked:?}");
    world.tell(Event::RangeWanted { first: ChunkIndex::new(900), last: ChunkIndex::new(999) });
    world.tell(Event::RangeWanted { first: last, last: first });
    world.run_to_the_end(seconds(200));
}

#[test]
fn in_sequential_order_chunks_come_as_they_lie_in_the_file() {
    let config = Config { order: Order::Sequential, chunk_bytes: 256 * KIB, ..Config::default() };
    let mut world = World::with(config, 100);
    world.seed(1, Manner::Serves(4 * MIB));
    world.run_to_the_end(seconds(60));
    assert!(world.asked_of(1).is_sorted());
}

#[test]
fn a_local_copy_needs_no_fetch_and_cancels_those_under_way() {
    let mut world = World::new(1024 * KIB, 50);
    world.seed(1, Manner::Mute);
    let Asked { fetch, chunk, .. } = world.open_of(1)[0];
    let actions = world.tell(Event::ChunkStored { chunk: ChunkIndex::new(chunk) });
    assert!(actions.contains(&Action::Cancel { fetch }));
    let unasked = (0..50).find(|chunk| !world.asked_of(1).contains(chunk)).unwrap();
    world.tell(Event::ChunkStored { chunk: ChunkIndex::new(unasked) });
    world.tell(Event::ChunkStored { chunk: ChunkIndex::new(unasked) });
    assert_eq!(world.brain.remaining(), 48);
}

#[test]
fn a_lost_neighbours_chunks_are_asked_for_elsewhere_at_once() {
    let mut world = World::new(1024 * KIB, 4);
    world.seed(1, Manner::Mute);
    world.seed(2, Manner::Serves(MIB));
    let stuck: Vec<u32> = world.open_of(1).iter().map(|asked| asked.chunk).collect();
    world.lose(1);
    world.run_to_the_end(seconds(5));
    assert!(stuck.iter().all(|chunk| world.asked_of(2).contains(chunk)));
}

#[test]
fn events_about_what_the_brain_has_forgotten_change_nothing() {
    let mut world = World::new(64 * KIB, 50);
    world.seed(1, Manner::Mute);
    let old: Vec<FetchId> = world.open_of(1).iter().map(|asked| asked.fetch).collect();
    world.lose(1);
    for fetch in old {
        for failure in [Failure::Transport, Failure::WrongBytes, Failure::Missing] {
            assert_eq!(world.tell(Event::FetchFailed { fetch, failure }), []);
        }
        assert_eq!(world.tell(Event::BytesArrived { fetch, bytes: 5 }), []);
        assert_eq!(world.tell(Event::Arrived { fetch }), []);
    }
    let peer = PeerKey::new(1);
    assert_eq!(world.tell(Event::PeerGained { peer, chunks: Gained::All }), []);
    assert_eq!(world.tell(Event::PeerLost { peer }), []);
}

#[test]
fn a_full_disk_slows_the_fetching_down_and_blames_nobody() {
    let config = Config { in_flight_most: 2, ..Config::default() };
    let mut world = World::with(config, 100);
    world.seed(1, Manner::Mute);
    let mut pauses = Vec::new();
    for _ in 0..4 {
        for Asked { fetch, chunk, .. } in world.open_of(1) {
            world.tell(Event::Arrived { fetch });
            world.fail_to_store(fetch, chunk);
        }
        assert!(matches!(world.brain.waiting_reason(), Some(Waiting::Disk { .. })));
        pauses.push(world.run_until(seconds(60), |world| !world.open_of(1).is_empty()).as_secs());
    }
    assert_eq!(pauses, [1, 2, 4, 8]);
    assert!(world.dropped.is_empty());
}

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
