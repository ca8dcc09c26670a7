//! Neighbours and disks that fail, and what becomes of them.

use protocol::{ChunkIndex, ChunkSet, Time};
use swarm::{Action, Config, Download, DropReason, Event, Failure, FetchId, Gained, PeerKey, Waiting};

use crate::world::{Asked, KIB, MIB, Manner, World, millis, seconds};

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
    world.run_until(seconds(60), |world| world.asked_of(2).len() > 50);
    world.behave(2, Manner::Breaks(2));
    world.run_to_the_end(seconds(60));
    assert!(world.dropped.is_empty(), "never three in a row");
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
fn a_neighbour_that_fails_is_kept_while_it_alone_is_sending_some_chunk() {
    let mut world = World::new(64 * KIB, 2);
    world.holder(1, Manner::Mute, &[0, 1]);
    world.holder(2, Manner::Mute, &[1]);
    for _ in 0..4 {
        world.run_until(seconds(60), |world| world.open_of(1).iter().any(|asked| asked.chunk == 1));
        for Asked { fetch, chunk, .. } in world.open_of(1) {
            if chunk == 1 {
                world.fail(fetch, Failure::Transport);
            } else {
                world.tell(Event::BytesArrived { fetch, bytes: 40_000 });
            }
        }
    }
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
fn one_who_is_always_busy_gives_up_its_place_to_those_who_serve() {
    let mut world = World::new(64 * KIB, 400);
    world.seed(1, Manner::Busy(u32::MAX, millis(100)));
    world.seed(2, Manner::Serves(MIB / 4));
    world.run_to_the_end(seconds(300));
    assert_eq!(world.dropped.get(&1), Some(&DropReason::Failing));
    assert!(!world.dropped.contains_key(&2));
}

#[test]
fn the_only_holder_is_never_too_busy() {
    let mut world = World::new(64 * KIB, 10);
    world.seed(1, Manner::Busy(200, millis(100)));
    world.run_to_the_end(seconds(300));
    assert!(world.dropped.is_empty());
}

#[test]
fn no_limit_of_zero_makes_the_shell_spin() {
    let zero = millis(0);
    let pauses = Config { busy_least: zero, backoff_first: zero, find_first: zero, ..Config::default() };
    let mut world = World::with(Config { patience: zero, endgame_every: zero, ..pauses }, 5);
    world.seed(1, Manner::Busy(20, zero));
    world.run_to_the_end(seconds(60));
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
fn nothing_is_fetched_for_a_full_disk_and_nobody_is_blamed() {
    let config = Config { in_flight_most: 2, ..Config::default() };
    let mut world = World::with(config, 100);
    world.seed(1, Manner::Mute);
    let asked = world.asked.len();
    world.tell(Event::DiskFails);
    for Asked { fetch, chunk, .. } in world.open_of(1) {
        world.tell(Event::Arrived { fetch });
        world.fail_to_store(fetch, chunk);
    }
    assert_eq!(world.brain.waiting_reason(), Some(Waiting::Disk));
    world.pass(seconds(3600));
    assert_eq!(world.asked.len(), asked, "not a byte for nothing");
    assert!(world.dropped.is_empty());

    // The shell kept one of them, and now the disk has taken it.
    let actions =
        world.tell(Event::ChunkStored { chunk: ChunkIndex::new(world.asked[0].chunk), bytes: 65_536 });
    assert_eq!(actions.iter().filter(|action| matches!(action, Action::Fetch { .. })).count(), 0);
    let actions = world.tell(Event::DiskWorks);
    assert_eq!(actions.iter().filter(|action| matches!(action, Action::Fetch { .. })).count(), 2);
}

#[test]
fn those_who_were_refused_together_do_not_come_back_together() {
    let back = |seed| {
        let mut brain = Download::new(Config::default(), 1, ChunkSet::full(1), seed);
        let (peer, mut actions) = (PeerKey::new(1), Vec::new());
        for event in [Event::PeerFound { peer }, Event::PeerGained { peer, chunks: Gained::All }] {
            brain.handle(Time::ZERO, event, &mut actions);
        }
        let Some(Action::Fetch { fetch, .. }) = actions.pop() else { panic!("no fetch") };
        let failure = Failure::Busy { retry_after: seconds(20) };
        brain.handle(Time::ZERO, Event::FetchFailed { fetch, failure }, &mut actions);
        let Some(Waiting::BackingOff { until }) = brain.waiting_reason() else { panic!("not waiting") };
        until.since(Time::ZERO)
    };
    let times: Vec<_> = (0..20).map(back).collect();
    let (first, last) = (*times.iter().min().unwrap(), *times.iter().max().unwrap());
    assert!(
        first >= seconds(20) && last <= seconds(25) && last > first + seconds(3),
        "{first:?} to {last:?}"
    );
}

#[test]
fn of_two_pauses_the_longer_one_holds() {
    let mut world = World::new(64 * KIB, 10);
    world.seed(1, Manner::Mute);
    let [first, second] = world.open_of(1)[..] else { panic!("two fetches of an unmeasured neighbour") };
    world.fail(first.fetch, Failure::Busy { retry_after: seconds(20) });
    world.fail(second.fetch, Failure::Busy { retry_after: seconds(1) });
    let pause = world.run_until(seconds(30), |world| !world.open_of(1).is_empty());
    assert!(pause >= seconds(20), "{pause:?}");
}
