//! Many threads at one registry: nobody waits for ever, and what they did is what was asked.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use protocol::api::tracker::Have;
use protocol::{Time, Torrent};
use rand::SeedableRng;
use rand::rngs::StdRng;
use registry::{Limits, NewTorrent, Refusal, Registry};
use support::*;

const THREADS: u8 = 8;
const ROUNDS: u32 = 300;

/// Each thread's life is short beside that of what it announces in it, and long beside that of what it announced before.
fn time(round: u64) -> Time {
    Time::ZERO + Duration::from_secs(10) + Duration::from_secs(10) * u32::try_from(round).unwrap() / ROUNDS
}

#[test]
fn both_doors_publishing_and_forgetting_at_once_end_and_leave_nothing_behind() {
    // Contents overlap, so that every hash leads to several parts. Fewer torrents have room than there are.
    let torrents: Vec<_> = (0..12).map(|at| torrent("a", &[at, at + 1, at + 2, at + 3])).collect();
    let registry = Registry::new(Limits { torrents: 9, ..Limits::default() });
    let (start, met) = (Barrier::new(THREADS.into()), AtomicUsize::new(0));
    thread::scope(|threads| {
        for thread in 0..THREADS {
            let (registry, torrents, start, met) = (&registry, &torrents, &start, &met);
            threads.spawn(move || {
                let before = client(&address(&format!("10.2.0.{thread}:80")));
                registry
                    .announce_chunks(Time::ZERO, &before, &all_hashes(&torrents[usize::from(thread)]))
                    .unwrap();
                let mut rng = StdRng::seed_from_u64(thread.into());
                start.wait();
                for round in 0..u64::from(ROUNDS) {
                    let which = usize::from(thread) * 5 + usize::try_from(round).unwrap() * 7;
                    let others = live(registry, &mut rng, time(round), &torrents[which % 12], thread, round);
                    met.fetch_max(others, Ordering::Relaxed);
                }
            });
        }
    });
    assert!(met.into_inner() > 0, "they never did");
    let sizes = registry.sizes();
    assert!((1..=9).contains(&sizes.torrents), "{}", sizes.torrents);
    assert_eq!(sizes.announcers, usize::from(THREADS), "those that were there before are gone");
    registry.expire(at(60));
    while registry.settle(100) {}
    let sizes = registry.sizes();
    assert_eq!((sizes.holders, sizes.bitmap_bytes), (0, 0));
    assert_eq!((sizes.announcers, sizes.hashes, sizes.pairs, sizes.described_bitmap_bytes), (0, 0, 0, 0));
}

/// A round of one thread's life at both doors. Returns how many others it was told of.
fn live(
    registry: &Registry,
    rng: &mut StdRng,
    now: Time,
    torrent: &Arc<Torrent>,
    thread: u8,
    round: u64,
) -> usize {
    let new = NewTorrent::new(torrent.clone());
    let _ = registry.begin_publishing(now, new, None);
    registry.settle(3);
    let held = if round.is_multiple_of(2) { Have::Complete } else { have(torrent, &[1]) };
    let new = announce(thread, url(thread), held, Some(token(thread)));
    let others = registry.announce(now, rng, torrent.id(), &new, |told| told.peers.len());
    if let Err(refused) = &others {
        assert_eq!(*refused, Refusal::UnknownTorrent, "it found no room, or made some for another");
    }
    let described = client(&address(&format!("10.1.0.{thread}:80")));
    registry.announce_chunks(now, &described, &all_hashes(torrent)).unwrap();
    let assigned = registry.assign(now, rng, &all_hashes(torrent));
    let given: usize = assigned.iter().map(|entry| entry.hash_list.len()).sum();
    assert_eq!(given, 4, "somebody holds each, for this one does");
    for due in registry.pings_due(now, 1) {
        if due.address == described.address {
            registry.ponged(now, due.announcer);
        }
    }
    if round.is_multiple_of(5) {
        let _ = registry.leave(now, torrent.id(), peer(thread), &token(thread));
        registry.expire(now);
    }
    others.unwrap_or(0)
}

#[test]
fn a14_more_at_once_than_have_room_get_no_more_than_there_is() {
    const ROOM: usize = 20;
    let torrents: Vec<_> = (0..8).map(|at| torrent("a", &[at])).collect();
    let registry = Registry::new(Limits { holders: ROOM, ..Limits::default() });
    for torrent in &torrents {
        registry.publish(at(0), torrent).unwrap();
    }
    let (start, taken) = (Barrier::new(THREADS.into()), AtomicUsize::new(0));
    thread::scope(|threads| {
        for thread in 0..THREADS {
            let (registry, torrent, start, taken) =
                (&registry, &torrents[usize::from(thread)], &start, &taken);
            threads.spawn(move || {
                let mut rng = StdRng::seed_from_u64(thread.into());
                start.wait();
                for number in 0..10 {
                    let new = announce(number, url(number), Have::Complete, None);
                    let told = registry.announce(at(0), &mut rng, torrent.id(), &new, |_| ());
                    taken.fetch_add(usize::from(told.is_ok()), Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!((taken.into_inner(), registry.sizes().holders), (ROOM, ROOM));
}
