//! What is done for every chunk, and for every torrent.json. `make bench-hot` runs it.

#![expect(missing_docs, reason = "criterion's macros make functions without any")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use protocol::torrent::{ChunkHashes, ChunkSize, Layout, NewFile};
use protocol::{ChunkIndex, ChunkSet, FilePath, HashAlgorithm, Torrent};

const MIB: usize = 1 << 20;

fn hashing(c: &mut Criterion) {
    let bytes: Vec<u8> = (0_u8..251).cycle().take(MIB).collect();
    let mut group = c.benchmark_group("hash 1 MiB");
    group.throughput(Throughput::Bytes(MIB as u64));
    for algorithm in [HashAlgorithm::Blake3, HashAlgorithm::Sha256, HashAlgorithm::Sha1] {
        group.bench_function(algorithm.to_string(), |b| b.iter(|| algorithm.digest(black_box(&bytes))));
    }
    group.finish();
}

/// A folder of so many small files.
fn folder(files: u32) -> Torrent {
    let name = |at| FilePath::new(&format!("folder {:03}/file {at:05}", at / 100));
    let files: Vec<NewFile> = (0..files)
        .filter_map(|at| Some(NewFile { path: name(at).ok()?, size: 2048, executable: false }))
        .collect();
    let mut hashes = ChunkHashes::new(HashAlgorithm::Blake3);
    for file in &files {
        let _ = hashes.push(&HashAlgorithm::Blake3.digest(file.path.as_str().as_bytes()));
    }
    let (top, size) = (FilePath::name("tree"), ChunkSize::chosen(16 << 10));
    let layout = top.ok().zip(size.ok()).and_then(|(top, size)| Layout::folder(top, files, size).ok());
    let whole = hashes.combined();
    let torrent = layout.and_then(|layout| Torrent::new(layout, hashes, whole, None).ok());
    torrent.unwrap_or_else(|| unreachable!("made to be right"))
}

fn torrent_json(c: &mut Criterion) {
    let torrent = folder(10_000);
    let json = torrent.to_json();
    let mut group = c.benchmark_group("torrent.json of 10,000 files");
    group.throughput(Throughput::Bytes(json.len() as u64));
    group.bench_function("write", |b| b.iter(|| black_box(&torrent).to_json()));
    group.bench_function("read", |b| b.iter(|| Torrent::from_json(black_box(&json))));
    group.finish();
    let hash = torrent.chunk_hash(ChunkIndex::new(7_777));
    c.bench_function("find a chunk by its hash", |b| b.iter(|| torrent.chunks_with(black_box(&hash))));
}

fn bitmap(c: &mut Criterion) {
    let mut set = ChunkSet::empty(100_000);
    for chunk in (0..100_000).step_by(3) {
        set.insert(ChunkIndex::new(chunk));
    }
    c.bench_function("bitmap of 100,000 chunks to the wire", |b| b.iter(|| black_box(&set).to_wire()));
}

criterion_group!(benches, hashing, torrent_json, bitmap);
criterion_main!(benches);
