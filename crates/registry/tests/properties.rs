//! Whatever happens in whatever order: bounds hold, the dead are not listed, and an assignment covers what is known.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use protocol::api::tracker::Have;
use protocol::{HostPort, Time};
use registry::Limits;
use support::*;

#[derive(Clone, Debug)]
enum Step {
    Wait { millis: u64 },
    Publish { torrent: usize },
    Announce { torrent: usize, peer: u8, chunks: Vec<u32> },
    Leave { torrent: usize, peer: u8 },
    AnnounceChunks { port: u16, torrent: usize, chunks: Vec<u32> },
    Pings { answer: bool },
    Assign { torrent: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let chunks = || proptest::collection::vec(0u32..6, 0..6);
    prop_oneof![
        (0u64..9_000).prop_map(|millis| Step::Wait { millis }),
        (0usize..4).prop_map(|torrent| Step::Publish { torrent }),
        (0usize..4, 1u8..12, chunks()).prop_map(|(torrent, peer, chunks)| Step::Announce {
            torrent,
            peer,
            chunks
        }),
        (0usize..4, 1u8..12).prop_map(|(torrent, peer)| Step::Leave { torrent, peer }),
        (1u16..8, 0usize..4, chunks()).prop_map(|(port, torrent, chunks)| Step::AnnounceChunks {
            port,
            torrent,
            chunks
        }),
        any::<bool>().prop_map(|answer| Step::Pings { answer }),
        (0usize..4).prop_map(|torrent| Step::Assign { torrent }),
    ]
}

/// What must be true, kept the plain way.
#[derive(Default)]
struct Model {
    now: Time,
    /// Torrent and peer to the end of its lease and what it has.
    natives: BTreeMap<(usize, u8), (Time, BTreeSet<u32>)>,
    /// Address to the end of its life and the names it has.
    described: BTreeMap<HostPort, (Time, BTreeSet<String>)>,
}

impl Model {
    fn expire(&mut self) {
        let now = self.now;
        self.natives.retain(|_, (until, _)| *until > now);
        self.described.retain(|_, (until, _)| *until > now);
    }
}

const LIMITS: fn() -> Limits = || Limits {
    torrents: 3,
    holders: 12,
    // Fewer than the holders could have.
    bitmap_bytes: 300,
    described_bitmap_bytes: 1 << 9,
    announcers: 5,
    hashes: 12,
    pairs: 20,
    described_share: 2,
    ..Limits::default()
};

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn bounds_hold_and_nobody_is_listed_after_its_time(steps in proptest::collection::vec(step(), 1..120)) {
        // Chunk contents overlap, within a torrent and between them.
        let torrents = [torrent("a", b"aabcde"), torrent("b", b"abcdef"), torrent("c", b"uvwxyz"), torrent("d", b"zzzzzz")];
        let mut world = World::new(LIMITS());
        let mut model = Model::default();
        for step in steps {
            model.expire();
            apply(&mut world, &mut model, &torrents, step)?;
            check(&mut world, &model, &torrents)?;
        }
    }
}

fn apply(
    world: &mut World,
    model: &mut Model,
    torrents: &[std::sync::Arc<protocol::Torrent>],
    step: Step,
) -> Result<(), TestCaseError> {
    let now = model.now;
    match step {
        Step::Wait { millis } => model.now = now + Duration::from_millis(millis),
        Step::Publish { torrent } => {
            let torrent = &torrents[torrent];
            let _ = world.registry.publish(now, torrent);
        }
        Step::Announce { torrent: which, peer, chunks } => {
            let torrent = &torrents[which];
            if let Ok(answer) = world.announce(now, torrent.id(), peer, have(torrent, &chunks)) {
                let until = now + answer.interval * 3;
                model.natives.insert((which, peer), (until, chunks.into_iter().collect()));
            }
        }
        Step::Leave { torrent: which, peer: number } => {
            let left = world.registry.leave(now, torrents[which].id(), peer(number), &token(number));
            prop_assert_eq!(left.is_ok(), model.natives.remove(&(which, number)).is_some());
        }
        Step::AnnounceChunks { port, torrent, chunks } => {
            let address = address(&format!("10.1.1.{}:{port}", port % 3));
            let names: Vec<_> = chunks.iter().map(|chunk| hash(&torrents[torrent], *chunk)).collect();
            if world.registry.announce_chunks(now, &client(&address), &names).is_ok() {
                let (until, held) = model.described.entry(address).or_default();
                *until = now + Duration::from_secs(14);
                held.extend(names.iter().map(|name| name.as_str().to_owned()));
            }
        }
        Step::Pings { answer } => {
            for due in world.registry.pings_due(now, 3) {
                if answer {
                    world.registry.ponged(now, due.announcer);
                    model.described.entry(due.address).or_default().0 = now + Duration::from_secs(14);
                }
            }
        }
        Step::Assign { torrent } => assign(world, model, torrents, torrent)?,
    }
    Ok(())
}

/// Each hash that somebody listed has is given exactly once, to somebody who has it, in entries of a quarter.
fn assign(
    world: &mut World,
    model: &Model,
    torrents: &[std::sync::Arc<protocol::Torrent>],
    wanted: usize,
) -> Result<(), TestCaseError> {
    let hashes = all_hashes(&torrents[wanted]);
    let mut holders: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (address, (_, names)) in &model.described {
        for name in names {
            holders.entry(name.clone()).or_default().insert(address.to_string());
        }
    }
    for ((torrent, peer), (_, chunks)) in &model.natives {
        for chunk in chunks {
            let name = hash(&torrents[*torrent], *chunk).as_str().to_owned();
            holders.entry(name).or_default().insert(url(*peer).address().to_string());
        }
    }
    let assigned = world.registry.assign(model.now, &mut world.rng, &hashes);
    let mut given = BTreeSet::new();
    for entry in &assigned {
        prop_assert!((1..=hashes.len() / 4 + 1).contains(&entry.hash_list.len()));
        let address = format!("{}:{}", entry.client_host, entry.client_port.get());
        for name in &entry.hash_list {
            prop_assert!(
                holders[name.as_str()].contains(&address),
                "{} does not have {}",
                address,
                name.as_str()
            );
            prop_assert!(given.insert(name.as_str().to_owned()), "given twice");
        }
    }
    let known: BTreeSet<String> = hashes
        .iter()
        .map(|name| name.as_str().to_owned())
        .filter(|name| holders.contains_key(name))
        .collect();
    prop_assert_eq!(given, known);
    Ok(())
}

fn check(
    world: &mut World,
    model: &Model,
    torrents: &[std::sync::Arc<protocol::Torrent>],
) -> Result<(), TestCaseError> {
    let (limits, sizes) = (LIMITS(), world.registry.sizes());
    prop_assert!(sizes.torrents <= limits.torrents && sizes.holders <= limits.holders);
    let seeds = sizes.holders * entry(&Have::Complete).len();
    prop_assert!(sizes.bitmap_bytes <= limits.bitmap_bytes + seeds && sizes.announcers <= limits.announcers);
    prop_assert!(sizes.hashes <= limits.hashes && sizes.pairs <= limits.pairs);
    prop_assert!(sizes.described_bitmap_bytes <= limits.described_bitmap_bytes);
    let mut alive = BTreeSet::new();
    for (at, torrent) in torrents.iter().enumerate() {
        let Some(peers) = world.peers(model.now, torrent.id()) else { continue };
        for handed in peers {
            if let Some(peer) = handed.peer {
                let key = (at, peer.as_bytes()[0]);
                let (until, chunks) = &model.natives[&key];
                prop_assert!(*until > model.now, "listed after its lease");
                let chunks: Vec<u32> = chunks.iter().copied().collect();
                let said = have(torrent, &chunks);
                prop_assert_eq!(&handed.have, &said);
                prop_assert_eq!(handed.entry, Some(entry(&said)), "what it said last");
                alive.insert(key);
            } else {
                let (until, _) = &model.described[handed.url.address()];
                prop_assert!(*until > model.now, "listed after its life");
            }
        }
    }
    let living = model.natives.iter().filter(|(_, (until, _))| *until > model.now).count();
    prop_assert_eq!(alive.len(), living, "everybody with a lease is listed");
    prop_assert_eq!(world.registry.sizes().holders, living);
    if living == 0 && model.described.values().all(|(until, _)| *until <= model.now) {
        prop_assert_eq!(world.registry.sizes().bitmap_bytes, 0, "memory belongs to those who are there");
        prop_assert_eq!(world.registry.sizes().described_bitmap_bytes, 0);
        prop_assert_eq!(world.registry.sizes().pairs, 0);
    }
    Ok(())
}
