//! What is asked for, in which order, and how much at a time.

use protocol::{ChunkIndex, ChunkSet, Time};
use swarm::{Action, Config, Download, Event, Gained, Need, Order, PeerKey};

use crate::world::{Asked, KIB, MIB, Manner, World, millis, seconds};

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
    let mut brain = Download::new(Config { chunk_bytes: 64 << 10, ..Config::default() }, 10, missing, 1);
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
        brain.handle(
            Time::ZERO,
            Event::ChunkStored { chunk: ChunkIndex::new(chunk), bytes: 65_536 },
            &mut actions,
        );
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
    for (chunk_bytes, first, most) in [
        (2 * KIB, 64, 512),
        (16 * KIB, 8, 256),
        (256 * KIB, 1, 16),
        (1024 * KIB, 1, 4),
        (16 * 1024 * KIB, 1, 2),
    ] {
        let mut world = World::new(chunk_bytes, 2000);
        world.seed(1, Manner::Serves(100 * MIB));
        assert_eq!(world.brain.in_flight(), first, "{chunk_bytes} bytes, before anything is known");
        world.run_until(seconds(60), |world| world.stored.len() >= 300);
        assert_eq!(world.brain.in_flight(), most, "{chunk_bytes} bytes, at full speed");
    }
}

#[test]
fn who_has_sent_nothing_is_asked_for_one_large_chunk_and_for_the_next_once_half_of_it_came() {
    let mut world = World::new(1024 * KIB, 100);
    world.seed(1, Manner::Mute);
    let [first] = world.open_of(1)[..] else { panic!("one fetch") };
    world.tell(Event::BytesArrived { fetch: first.fetch, bytes: 512 * KIB - 1 });
    assert_eq!(world.asked_of(1).len(), 1, "not quite half");
    world.tell(Event::BytesArrived { fetch: first.fetch, bytes: 1 });
    assert_eq!(world.asked_of(1).len(), 2, "while the other half comes");
}

#[test]
fn all_neighbours_together_stay_below_the_limit_in_bytes() {
    let limit = 8 * MIB;
    let config = Config {
        chunk_bytes: 1024 * KIB,
        in_flight_bytes: limit,
        in_flight_bytes_most: limit,
        ..Config::default()
    };
    let mut world = World::with(config, 1000);
    for peer in 0..20 {
        world.seed(peer, Manner::Serves(MIB));
    }
    assert_eq!(world.brain.in_flight(), 8);
    let took = world.run_to_the_end(seconds(300));
    assert!(took < seconds(140), "8 of 20 links of 1 MiB/s kept busy: {took:?}");
}

#[test]
fn past_that_limit_many_neighbours_are_asked_for_a_chunk_each_up_to_another_one() {
    let (limit, most) = (8 * MIB, 16 * MIB);
    let config = Config {
        chunk_bytes: 1024 * KIB,
        in_flight_bytes: limit,
        in_flight_bytes_most: most,
        ..Config::default()
    };
    let mut world = World::with(config, 1000);
    let mut in_flight = Vec::new();
    for peer in 0..20 {
        world.seed(peer, Manner::Serves(MIB));
        for half in world.open_of(peer) {
            world.tell(Event::BytesArrived { fetch: half.fetch, bytes: 512 * KIB });
        }
        in_flight.push(world.brain.in_flight());
    }
    assert_eq!((in_flight[3], in_flight[11], in_flight[19]), (8, 12, 16), "{in_flight:?}");
}

#[test]
fn what_a_neighbour_suggests_is_asked_for_next_while_it_is_missing() {
    let config = Config { chunk_bytes: 1024 * KIB, neighbours_wanted: 0, ..Config::default() };
    let mut world = World::with(config, 1000);
    world.seed(1, Manner::Serves(MIB));
    let (first, suggested) = (world.open_of(1), [900, 901, 5000]);
    let stored = first[0];
    for chunk in suggested.into_iter().map(ChunkIndex::new) {
        world.tell(Event::Suggested { peer: PeerKey::new(1), chunk });
    }
    world.run_until(seconds(60), |world| world.stored.len() == 4);
    let asked = world.asked_of(1);
    assert_eq!(asked[first.len()..first.len() + 2], [900, 901], "after {stored:?}, of {asked:?}");
}

/// A seed that says with every chunk it sends what nobody has yet, as ours does: the chunks after it.
fn tell_what_follows(world: &mut World, chunk: u32) {
    for next in (chunk + 1..chunk + 4).map(ChunkIndex::new) {
        world.tell(Event::Suggested { peer: PeerKey::new(1), chunk: next });
    }
}

#[test]
fn what_a_reader_waits_for_comes_before_what_a_neighbour_suggests() {
    let config = Config { chunk_bytes: 64 * KIB, neighbours_wanted: 0, ..Config::default() };
    let mut world = World::with(config, 1000);
    world.seed(1, Manner::Serves(MIB));
    world.run_until(seconds(60), |world| !world.stored.is_empty());
    tell_what_follows(&mut world, 10);
    let before = world.asked.len();
    world.tell(Event::RangeWanted { first: ChunkIndex::new(900), last: ChunkIndex::new(902) });
    world.run_until(seconds(60), |world| world.asked.len() >= before + 5);
    let asked = world.asked_of(1);
    assert_eq!(asked[before..before + 5], [900, 901, 902, 11, 12], "of {asked:?}");
}

#[test]
fn in_sequential_order_no_suggestion_comes_between() {
    let config = Config { order: Order::Sequential, chunk_bytes: 256 * KIB, ..Config::default() };
    let mut world = World::with(config, 100);
    world.seed(1, Manner::Serves(4 * MIB));
    tell_what_follows(&mut world, 50);
    world.run_to_the_end(seconds(60));
    assert!(world.asked_of(1).is_sorted());
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
fn a_slow_neighbour_leaves_scarce_chunks_to_a_fast_one_that_holds_them() {
    let config = Config { neighbours_wanted: 0, ..Config::default() };
    let mut world = World::with(Config { chunk_bytes: 256 * KIB, ..config }, 400);
    let common: Vec<u32> = (100..400).collect();
    world.holder(3, Manner::Mute, &common);
    world.holder(4, Manner::Mute, &common);
    world.seed(1, Manner::Serves(MIB));
    world.seed(2, Manner::Serves(5 * MIB));
    world.run_until(seconds(60), |world| (0..100).all(|chunk| world.stored.contains(&chunk)));
    let measured = world.asked_of(1).into_iter().skip(4);
    let (scarce, others): (Vec<u32>, Vec<u32>) = measured.partition(|&chunk| chunk < 100);
    assert!(scarce.is_empty() && others.len() > 8, "{scarce:?} against {others:?}");
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
    let actions = world.tell(Event::ChunkStored { chunk: ChunkIndex::new(chunk), bytes: 65_536 });
    assert!(actions.contains(&Action::Cancel { fetch }));
    assert!(
        actions.iter().any(|action| matches!(action, Action::Fetch { .. })),
        "to lose a race is no failure"
    );
    let unasked = (0..50).find(|chunk| !world.asked_of(1).contains(chunk)).unwrap();
    world.tell(Event::ChunkStored { chunk: ChunkIndex::new(unasked), bytes: 65_536 });
    world.tell(Event::ChunkStored { chunk: ChunkIndex::new(unasked), bytes: 65_536 });
    assert_eq!(world.brain.remaining(), 48);
}

#[test]
fn whoever_is_asked_can_be_told_how_much_comes_and_how_many_others_have_it() {
    let mut world = World::new(64 * KIB, 2000);
    world.seed(1, Manner::Serves(MIB));
    world.seed(2, Manner::Serves(MIB));
    world.holder(3, Manner::Mute, &[5]);
    let need = |world: &World, chunk| world.brain.need(world.now, ChunkIndex::new(chunk));
    assert_eq!(need(&world, 5), Need { rate: None, others: 2 });
    assert_eq!(need(&world, 6).others, 1);
    let then = world.now + seconds(8);
    world.run_until(seconds(10), |world| world.now >= then);
    let rate = need(&world, 6).rate.unwrap();
    assert!((1_900_000..2_200_000).contains(&rate), "{rate} bytes per second of two MiB");
}

/// Whether a brain with so many neighbours besides a seed, of which so many hold chunk 0, has it told at once when it is stored; and whether
/// it has anything told at once while nothing, and while one body is being sent.
fn tells_at_once(neighbours: u32, holders: u32) -> (bool, bool, bool) {
    let mut brain = Download::new(Config::default(), 10, ChunkSet::full(10), 1);
    let mut actions = Vec::new();
    let mut tell = |event| brain.handle(Time::ZERO, event, &mut actions);
    for peer in (0..neighbours).map(PeerKey::new) {
        tell(Event::PeerFound { peer });
        if peer.get() < holders {
            tell(Event::PeerGained {
                peer,
                chunks: Gained::Runs(vec![(ChunkIndex::new(0), ChunkIndex::new(0))]),
            });
        }
    }
    let seed = PeerKey::new(neighbours);
    tell(Event::PeerFound { peer: seed });
    tell(Event::PeerGained { peer: seed, chunks: Gained::All });
    tell(Event::ChunkStored { chunk: ChunkIndex::new(0), bytes: 65_536 });
    (actions.contains(&Action::Tell), brain.tells_at_once(0), brain.tells_at_once(1))
}

#[test]
fn in_a_large_swarm_what_hardly_anybody_has_is_told_at_once_and_all_while_nothing_is_sent() {
    let Config { rare_among, rare_most, .. } = Config::default();
    let (many, few) = (u32::try_from(rare_among).unwrap(), u32::from(rare_most));
    assert_eq!(tells_at_once(many, 0), (true, true, false));
    assert_eq!(tells_at_once(many, few), (true, true, false));
    assert_eq!(tells_at_once(many, few + 1), (false, true, false));
    let in_a_small_one = tells_at_once(many / 2, 0);
    assert_eq!(in_a_small_one, (false, false, false), "gathered: telling costs it more than it brings");
}

/// Which chunks a neighbour that holds everything is asked for, in their order.
fn order_asked(world: &mut World) -> Vec<u32> {
    world.seed(9, Manner::Serves(10 * MIB));
    world.run_to_the_end(seconds(60));
    world.asked.iter().filter(|asked| asked.peer == 9).map(|asked| asked.chunk).collect()
}

#[test]
fn small_chunks_are_asked_for_in_runs_as_they_lie_in_the_files() {
    let order = order_asked(&mut World::new(2 * KIB, 1000));
    let runs: Vec<&[u32]> = order.chunk_by(|one, next| one + 1 == *next && next % 32 > 0).collect();
    assert_eq!(runs.len(), 1000_usize.div_ceil(32), "64 KiB are 32 of them");
    assert!(runs.iter().all(|run| run[0] % 32 == 0), "each from its beginning");
    assert!(!runs.is_sorted(), "the runs come in random order");
    let large = order_asked(&mut World::new(64 * KIB, 100));
    let follow = large.windows(2).filter(|pair| pair[0] + 1 == pair[1]).count();
    assert!(follow < 20, "large chunks come in random order: {large:?}");
}

#[test]
fn a_run_ends_where_chunks_are_less_rare_or_there_already() {
    let mut world = World::new(2 * KIB, 64);
    // Somebody silent holds all but a few, which are rarer.
    world.holder(1, Manner::Mute, &(0..64).filter(|chunk| !(8..12).contains(chunk)).collect::<Vec<_>>());
    let there = |chunk: &u32| world.asked.iter().any(|asked| asked.chunk == *chunk);
    assert!(!(8..12).any(|chunk| there(&chunk)));
    let order = order_asked(&mut world);
    assert_eq!(order[..4], [8, 9, 10, 11], "the rare ones first");
}

#[test]
fn what_a_reader_waits_for_interrupts_a_run() {
    let mut world = World::new(2 * KIB, 5000);
    world.seed(1, Manner::Serves(MIB));
    let before = world.asked.len();
    let (first, last) = (ChunkIndex::new(4000), ChunkIndex::new(4005));
    world.tell(Event::RangeWanted { first, last });
    world.run_until(seconds(10), |world| world.asked.len() > before + 200);
    let wanted: Vec<usize> =
        (4000..=4005).filter_map(|chunk| world.asked.iter().position(|asked| asked.chunk == chunk)).collect();
    assert!(wanted.len() == 6 && wanted.iter().all(|at| *at < before + 200), "{before}: {wanted:?}");
}
