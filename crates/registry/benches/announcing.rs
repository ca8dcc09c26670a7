//! What a tracker does for every announce. `make bench-hot` runs it.

#![expect(missing_docs, reason = "criterion's macros make functions without any")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use protocol::api::tracker::{Have, Token};
use protocol::torrent::{ChunkHashes, ChunkSize, Layout};
use protocol::{BaseUrl, ChunkIndex, ChunkSet, FilePath, HashAlgorithm, PeerId, Time, Torrent};
use rand::SeedableRng;
use rand::rngs::StdRng;
use registry::{Announced, Limits, NewAnnounce, Registry, Target};

const CHUNKS: u32 = 256;
const PEERS: u32 = 200;

fn torrent() -> Option<Torrent> {
    let mut hashes = ChunkHashes::new(HashAlgorithm::Blake3);
    for chunk in 0..CHUNKS {
        hashes.push(&HashAlgorithm::Blake3.digest(&chunk.to_le_bytes())).ok()?;
    }
    let size = ChunkSize::chosen(64 << 10).ok()?;
    let layout = Layout::file(FilePath::name("x").ok()?, u64::from(CHUNKS) << 16, false, size).ok()?;
    let whole = hashes.combined();
    Torrent::new(layout, hashes, whole, None).ok()
}

fn announce(number: u32) -> Option<NewAnnounce> {
    let mut held = ChunkSet::empty(CHUNKS);
    for chunk in (0..CHUNKS).filter(|chunk| (chunk * number).is_multiple_of(3)) {
        held.insert(ChunkIndex::new(chunk));
    }
    let [_, _, high, low] = number.to_be_bytes();
    let url: BaseUrl = format!("http://10.0.{high}.{low}:8000").parse().ok()?;
    let token = Token::new(format!("token {number}"));
    Some(NewAnnounce {
        peer: PeerId::from_bytes([number.to_be_bytes(); 4].concat().try_into().ok()?),
        target: Target::of(url.address().host().as_ip()?),
        url,
        have: Have::of(&held),
        entry: Some(vec![b'x'; 128].into()),
        shown: Some(token.clone()),
        instead_of: None,
        fresh: token,
    })
}

fn announcing(c: &mut Criterion) {
    let torrent = Arc::new(torrent().unwrap_or_else(|| unreachable!("made to be right")));
    let announces: Vec<NewAnnounce> = (1..=PEERS).filter_map(announce).collect();
    let (registry, mut rng) = (Registry::new(Limits::default()), StdRng::seed_from_u64(7));
    let _ = registry.publish(Time::ZERO, &torrent);
    let mut next = announces.iter().cycle();
    c.bench_function("announce among 200 peers, 50 handed out", |b| {
        b.iter(|| {
            let id = torrent.id();
            let told = |told: Announced<'_>| black_box(&told).peers.len();
            next.next().map(|new| registry.announce(Time::ZERO, &mut rng, id, new, told))
        });
    });
}

criterion_group!(benches, announcing);
criterion_main!(benches);
