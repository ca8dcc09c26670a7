//! What the brain costs a chunk. `make bench-hot` runs it.

#![expect(missing_docs, reason = "criterion's macros make functions without any")]

use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use protocol::{ChunkIndex, ChunkSet, Time};
use swarm::{Action, Config, Download, Event, Gained, PeerKey};

const CHUNKS: u32 = 3072;
const NEIGHBOURS: u32 = 60;

/// A download whose neighbours each hold two chunks in three.
fn begun() -> (Download, Vec<Action>) {
    let mut brain = Download::new(Config::default(), CHUNKS, ChunkSet::full(CHUNKS), 7);
    let mut actions = Vec::new();
    for peer in 0..NEIGHBOURS {
        let mut held = ChunkSet::empty(CHUNKS);
        for chunk in (0..CHUNKS).filter(|chunk| !(chunk + peer).is_multiple_of(3)) {
            held.insert(ChunkIndex::new(chunk));
        }
        let key = PeerKey::new(peer);
        brain.handle(Time::ZERO, Event::PeerFound { peer: key }, &mut actions);
        brain.handle(Time::ZERO, Event::PeerGained { peer: key, chunks: Gained::Set(held) }, &mut actions);
    }
    (brain, actions)
}

/// Everything that is asked for comes, a millisecond apart.
fn downloaded((mut brain, mut actions): (Download, Vec<Action>)) -> Download {
    let (mut now, mut at) = (Time::ZERO, 0);
    while let Some(action) = actions.get(at).copied() {
        at += 1;
        let Action::Fetch { fetch, chunk, .. } = action else { continue };
        now = now + Duration::from_millis(1);
        let bytes = Config::default().chunk_bytes;
        for event in [
            Event::BytesArrived { fetch, bytes },
            Event::Arrived { fetch },
            Event::ChunkStored { chunk, bytes: bytes.into() },
        ] {
            brain.handle(now, event, &mut actions);
        }
    }
    brain
}

fn downloading(c: &mut Criterion) {
    let mut group = c.benchmark_group("60 neighbours");
    group.throughput(Throughput::Elements(CHUNKS.into()));
    group.sample_size(20);
    group.bench_function("a download of 3,072 chunks", |b| {
        b.iter_batched(begun, downloaded, BatchSize::LargeInput);
    });
    group.finish();
}

criterion_group!(benches, downloading);
criterion_main!(benches);
