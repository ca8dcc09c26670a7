//! What is done for every chunk on the disk, here in memory where that is offered. `make bench-hot` runs it.

#![expect(missing_docs, reason = "criterion's macros make functions without any")]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on ends")]

use std::path::Path;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use protocol::{ChunkIndex, VerifiedChunk};
use store::{Opened, TorrentifyOptions, torrentify};

const CHUNK: usize = 1 << 20;
const CHUNKS: usize = 16;

fn chunks(c: &mut Criterion) {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
    let content: Vec<u8> = (0_u8..251).cycle().take(CHUNKS * CHUNK).collect();
    let path = folder.path().join("x");
    std::fs::write(&path, &content).unwrap();
    let mut group = c.benchmark_group("chunks of 1 MiB");
    group.throughput(Throughput::Bytes(content.len() as u64));
    let options = TorrentifyOptions {
        chunk_size: protocol::torrent::ChunkSize::chosen(CHUNK as u64).ok(),
        ..TorrentifyOptions::default()
    };
    group.bench_function("torrentify", |b| b.iter(|| torrentify(&path, options.clone(), &|_| {}).unwrap()));
    let torrent = Arc::new(torrentify(&path, options, &|_| {}).unwrap());
    let verified: Vec<VerifiedChunk> = content
        .chunks(CHUNK)
        .zip(0..)
        .map(|(bytes, at)| {
            VerifiedChunk::check(&torrent, ChunkIndex::new(at), bytes.to_vec().into()).unwrap()
        })
        .collect();
    let fresh = || {
        let into = tempfile::tempdir_in(folder.path()).unwrap();
        let Opened::Partial(partial) = store::open(torrent.clone(), into.path(), &|_| {}).unwrap() else {
            panic!("nothing is there yet")
        };
        (into, partial)
    };
    let write = |(into, partial): (tempfile::TempDir, store::Partial)| {
        for chunk in &verified {
            partial.write(chunk).unwrap();
        }
        (into, partial)
    };
    group.bench_function("write", |b| b.iter_batched(fresh, write, BatchSize::PerIteration));
    let (_into, partial) = write(fresh());
    let all = || (0..).take(CHUNKS).map(ChunkIndex::new);
    group.bench_function("read", |b| b.iter(|| all().for_each(|chunk| drop(partial.read(chunk).unwrap()))));
    group.bench_function("find where it lies", |b| {
        b.iter(|| all().filter_map(|chunk| partial.in_file(chunk)).count());
    });
    group.finish();
}

criterion_group!(benches, chunks);
criterion_main!(benches);
