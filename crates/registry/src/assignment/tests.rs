//! What an assignment may cost.

use std::collections::HashSet;
use std::sync::Arc;

use protocol::api::tracker::{Have, Token};
use protocol::torrent::{ChunkHashes, ChunkSize, Layout};
use protocol::{BaseUrl, ChunkIndex, ChunkSet, FilePath, HashAlgorithm, PeerId, Time, Torrent};
use rand::SeedableRng;
use rand::rngs::SmallRng;

use super::*;
use crate::{Limits, NewAnnounce, Registry, Target};

const CHUNKS: u16 = 1000;
const LEECHERS: u32 = 10_000;

/// A torrent with ten thousand leechers, each of which has chunk 0 only.
fn crowded() -> (Registry, SmallRng, Torrent) {
    let mut hashes = ChunkHashes::new(HashAlgorithm::Blake3);
    for chunk in 0..CHUNKS {
        hashes.push(&HashAlgorithm::Blake3.digest(&chunk.to_be_bytes())).unwrap();
    }
    let name = FilePath::name("a").unwrap();
    let layout = Layout::file(name, u64::from(CHUNKS), false, ChunkSize::new(1).unwrap()).unwrap();
    let combined = hashes.combined();
    let torrent = Torrent::new(layout, hashes, combined, None).unwrap();
    let registry = Registry::new(Limits::default());
    registry.publish(Time::ZERO, &Arc::new(torrent.clone())).unwrap();
    let mut rng = SmallRng::seed_from_u64(1);
    let mut first = ChunkSet::empty(CHUNKS.into());
    first.insert(ChunkIndex::new(0));
    for number in 0..LEECHERS {
        announce(&registry, &mut rng, &torrent, number, "http", Have::of(&first));
    }
    (registry, rng, torrent)
}

fn announce(
    registry: &Registry,
    rng: &mut SmallRng,
    torrent: &Torrent,
    number: u32,
    scheme: &str,
    have: Have,
) {
    let address = std::net::Ipv4Addr::from_bits(0x0a00_0000 + number);
    let url: BaseUrl = format!("{scheme}://{address}:8000").parse().unwrap();
    let peer = PeerId::from_bytes(u128::from(number).to_be_bytes());
    let (target, fresh) = (Target::of(address.into()), Token::new(number.to_string()));
    let new = NewAnnounce { peer, url, target, have, entry: None, shown: None, instead_of: None, fresh };
    registry.announce(Time::ZERO, rng, torrent.id(), &new, |_| ()).unwrap();
}

fn names(torrent: &Torrent, chunks: std::ops::Range<u16>) -> Vec<OpaqueHash> {
    let hash = |chunk: u16| torrent.chunk_hash(ChunkIndex::new(chunk.into())).to_string();
    chunks.map(|chunk| OpaqueHash::new(&hash(chunk)).unwrap()).collect()
}

fn given(assigned: &Assigned) -> usize {
    assigned.assignments.iter().map(|entry| entry.hash_list.len()).sum()
}

#[test]
fn a15_what_nobody_has_is_sought_among_some_of_ten_thousand_and_not_among_all() {
    let (registry, mut rng, torrent) = crowded();
    for wanted in [1..2, 1..50, 1..CHUNKS] {
        let wanted = names(&torrent, wanted);
        let assigned = registry.assigned(Time::ZERO, &mut rng, &wanted);
        // The last holder looked at may take it over the bound by what was sought.
        let most = sweep::most_steps(wanted.len()) + wanted.len();
        assert!((1..=most).contains(&assigned.swept), "{} of {most}", assigned.swept);
        assert_eq!(given(&assigned), 0);
    }
    let one = registry.assigned(Time::ZERO, &mut rng, &names(&torrent, 1..2));
    assert!(one.swept < LEECHERS as usize, "{} steps for one hash", one.swept);
}

#[test]
fn a15_one_seed_among_ten_thousand_leechers_is_found_without_a_sweep() {
    let (registry, mut rng, torrent) = crowded();
    announce(&registry, &mut rng, &torrent, LEECHERS, "http", Have::Complete);
    let assigned = registry.assigned(Time::ZERO, &mut rng, &names(&torrent, 1..CHUNKS));
    assert_eq!((given(&assigned), assigned.swept), (usize::from(CHUNKS) - 1, 0));
    let hosts: HashSet<_> = assigned.assignments.iter().map(|entry| entry.client_host.to_string()).collect();
    assert_eq!(hosts, HashSet::from(["10.0.39.16".to_owned()]));
}

#[test]
fn a_rare_chunk_is_found_by_asking_again() {
    let (registry, mut rng, torrent) = crowded();
    // This seed cannot be named, and only one leecher besides it has chunk 7.
    announce(&registry, &mut rng, &torrent, LEECHERS, "https", Have::Complete);
    let mut rare = ChunkSet::empty(CHUNKS.into());
    rare.insert(ChunkIndex::new(7));
    announce(&registry, &mut rng, &torrent, LEECHERS + 1, "http", Have::of(&rare));
    let wanted = names(&torrent, 7..8);
    let found = (0..200).filter(|_| given(&registry.assigned(Time::ZERO, &mut rng, &wanted)) == 1).count();
    assert!((1..200).contains(&found), "{found} of 200 times");
}
