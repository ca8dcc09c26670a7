//! Downloads that begin, stop, resume and end.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use protocol::ChunkIndex;
use store::{Opened, StoreError};

use crate::support::{CHUNK, CHUNK32, Swap, content, write_file};

#[test]
fn files_of_every_awkward_size_arrive() {
    for size in [0, 1, CHUNK - 1, CHUNK, 3 * CHUNK, 3 * CHUNK + 1] {
        let swap = Swap::file("x.bin", &content(size, 1));
        let complete = swap.download();
        swap.assert_finished();
        assert_eq!(complete.path(), swap.out("x.bin"));
        for chunk in swap.chunks() {
            assert_eq!(complete.read(chunk).unwrap(), swap.chunk(chunk).bytes(), "{size}");
        }
    }
}

#[test]
fn equal_chunks_arrive() {
    let swap = Swap::file("same", &vec![7; 5 * CHUNK]);
    swap.download();
    swap.assert_finished();
}

#[test]
fn a_folder_arrives_with_empty_files_and_who_may_execute_what() {
    let files = [("a", 2 * CHUNK + 5), ("b/c/run", 10), ("b/empty", 0), ("e/f/empty too", 0), ("z", 1)];
    let mut swap = Swap::folder("tree", &files);
    for path in ["b/c/run", "b/empty"] {
        let path = swap.source.path().join("tree").join(path);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = swap.source.path().join("tree");
    swap.torrent = store::torrentify(&path, crate::support::options(), &|_| {}).unwrap().into();
    swap.download();
    swap.assert_finished();
    let executable = |path: &str| fs::metadata(swap.out("tree").join(path)).unwrap().mode() & 0o100 != 0;
    assert!(executable("b/c/run") && executable("b/empty") && !executable("a"));
}

#[test]
fn ten_thousand_small_files_arrive() {
    let names: Vec<String> = (0..10_000).map(|file| format!("{}/{file}", file % 100)).collect();
    let files: Vec<_> = names.iter().enumerate().map(|(at, name)| (name.as_str(), at % 40)).collect();
    let swap = Swap::folder("many", &files);
    let partial = swap.partial();
    for (at, chunk) in swap.chunks().enumerate() {
        partial.write(&swap.chunk(chunk)).unwrap();
        if at % 4_000 == 3_999 {
            partial.sync().unwrap();
        }
    }
    partial.finish().unwrap();
    swap.assert_finished();
    let (opened, hashed) = swap.open_counting();
    assert!(matches!(opened, Ok(Opened::Complete(_))) && hashed == 0);
}

#[test]
fn a_stopped_download_goes_on_with_what_was_synced_and_hashes_nothing() {
    let swap = Swap::file("x", &content(10 * CHUNK, 2));
    let partial = swap.partial();
    assert_eq!((partial.have().count(), partial.unsynced_bytes()), (0, 0));
    for chunk in [0, 3, 4, 7].map(ChunkIndex::new) {
        partial.write(&swap.chunk(chunk)).unwrap();
    }
    assert_eq!(partial.unsynced_bytes(), 4 * CHUNK as u64);
    partial.sync().unwrap();
    assert_eq!(partial.unsynced_bytes(), 0);
    let late = ChunkIndex::new(5);
    partial.write(&swap.chunk(late)).unwrap();
    assert_eq!(partial.read(late).unwrap(), swap.chunk(late).bytes(), "readable before it is durable");
    // As kill -9 would: no sync, no goodbye.
    drop(partial);

    let (opened, hashed) = swap.open_counting();
    let Ok(Opened::Partial(partial)) = opened else { panic!("{opened:?}") };
    let have: Vec<_> = partial.have().iter().map(ChunkIndex::get).collect();
    assert_eq!((have, hashed), (vec![0, 3, 4, 7], 0));
    drop(partial);
    swap.download();
    swap.assert_finished();
}

#[test]
fn what_is_complete_is_known_at_the_next_start_without_reading_it() {
    let swap = Swap::folder("tree", &[("a", 3 * CHUNK), ("b/c", 5)]);
    swap.download();
    let (opened, hashed) = swap.open_counting();
    assert!(matches!(opened, Ok(Opened::Complete(_))) && hashed == 0, "{opened:?}");

    // Touched, but the same: hashed once, then known again.
    write_file(&swap.out("tree/b/c"), &fs::read(swap.out("tree/b/c")).unwrap());
    let (opened, hashed) = swap.open_counting();
    assert!(matches!(opened, Ok(Opened::Complete(_))) && hashed == swap.torrent.size(), "{opened:?}");
    let (_, hashed) = swap.open_counting();
    assert_eq!(hashed, 0);
}

#[test]
fn content_that_came_by_other_hands_is_hashed_once() {
    let swap = Swap::file("x", &content(3 * CHUNK, 3));
    fs::copy(swap.source.path().join("x"), swap.out("x")).unwrap();
    let (opened, hashed) = swap.open_counting();
    assert!(matches!(opened, Ok(Opened::Complete(_))) && hashed == swap.torrent.size());
    assert_eq!(swap.open_counting().1, 0);
}

#[test]
fn a_part_that_was_deleted_begins_anew() {
    let swap = Swap::file("x", &content(3 * CHUNK, 4));
    let partial = swap.partial();
    partial.write(&swap.chunk(ChunkIndex::new(0))).unwrap();
    partial.sync().unwrap();
    drop(partial);
    fs::remove_file(swap.out("x.part")).unwrap();
    assert!(swap.partial().have().is_empty());
    swap.download();
    swap.assert_finished();
}

#[test]
fn a_part_that_was_copied_is_hashed_and_goes_on() {
    let swap = Swap::file("x", &content(4 * CHUNK, 5));
    let partial = swap.partial();
    for chunk in [0, 2].map(ChunkIndex::new) {
        partial.write(&swap.chunk(chunk)).unwrap();
    }
    partial.sync().unwrap();
    drop(partial);
    fs::copy(swap.out("x.part"), swap.out("copy")).unwrap();
    fs::rename(swap.out("copy"), swap.out("x.part")).unwrap();
    let (opened, hashed) = swap.open_counting();
    let Ok(Opened::Partial(partial)) = opened else { panic!("{opened:?}") };
    assert_eq!(partial.have().iter().map(ChunkIndex::get).collect::<Vec<_>>(), [0, 2]);
    assert!(hashed >= swap.torrent.size());
    drop(partial);
    assert_eq!(swap.open_counting().1, 0, "hashed once");
}

#[test]
fn a_file_replaced_inside_the_part_is_hashed_alone() {
    let swap = Swap::folder("tree", &[("a", 2 * CHUNK), ("b", 2 * CHUNK)]);
    let partial = swap.partial();
    for chunk in [0, 1, 2].map(ChunkIndex::new) {
        partial.write(&swap.chunk(chunk)).unwrap();
    }
    partial.sync().unwrap();
    drop(partial);
    let mut changed = fs::read(swap.out("tree.part/a")).unwrap();
    changed[0] ^= 1;
    fs::write(swap.out("new"), changed).unwrap();
    fs::rename(swap.out("new"), swap.out("tree.part/a")).unwrap();
    let (opened, hashed) = swap.open_counting();
    let Ok(Opened::Partial(partial)) = opened else { panic!("{opened:?}") };
    assert_eq!(partial.have().iter().map(ChunkIndex::get).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(hashed, 2 * CHUNK as u64);
    drop(partial);
    swap.download();
    swap.assert_finished();
}

#[test]
fn only_what_is_there_is_read() {
    let swap = Swap::folder("tree", &[("a", 3 * CHUNK), ("b", 5)]);
    let partial = swap.partial();
    partial.write(&swap.chunk(ChunkIndex::new(1))).unwrap();
    let source = fs::read(swap.source.path().join("tree/a")).unwrap();
    let edge = CHUNK as u64;
    assert_eq!(partial.read_range(0, edge + 3, 10).unwrap(), source[CHUNK + 3..][..10]);
    assert_eq!(partial.read_range(0, edge, CHUNK32).unwrap(), source[CHUNK..2 * CHUNK]);
    assert!(partial.read_range(0, edge, 0).unwrap().is_empty());
    for (file, offset, length) in [(0, edge - 1, 2), (0, 2 * edge - 1, 2), (1, 0, 1), (1, 5, 1), (9, 0, 1)] {
        let read = partial.read_range(file, offset, length);
        assert!(matches!(read, Err(StoreError::NotHere)), "{file} {offset} {length}");
    }
    assert!(matches!(partial.read(ChunkIndex::new(0)), Err(StoreError::NotHere)));
    assert!(matches!(partial.read(ChunkIndex::new(99)), Err(StoreError::NotHere)));
    assert!(matches!(partial.finish(), Err(StoreError::Incomplete { missing: 3 })));
    drop(partial);
    let complete = swap.download();
    assert_eq!(complete.read_range(0, 1, 2 * CHUNK32).unwrap(), source[1..=2 * CHUNK]);
    assert!(matches!(complete.read_range(1, 5, 1), Err(StoreError::NotHere)));
}

#[test]
fn what_was_read_from_can_be_read_from_while_and_after_it_is_finished() {
    let swap = Swap::folder("tree", &[("a", 3 * CHUNK), ("b", 5)]);
    let partial = swap.partial();
    for chunk in swap.chunks() {
        partial.write(&swap.chunk(chunk)).unwrap();
    }
    let complete = partial.finish().unwrap();
    for chunk in swap.chunks() {
        assert_eq!(partial.read(chunk).unwrap(), complete.read(chunk).unwrap());
    }
    partial.sync().unwrap();
    assert_eq!(partial.finish().unwrap().path(), complete.path(), "finishing twice is finishing once");
}

#[test]
fn threads_write_read_and_sync_at_once() {
    let swap = Swap::folder("tree", &[("a", 40 * CHUNK), ("b", 40 * CHUNK + 9)]);
    let partial = swap.partial();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let writers: Vec<_> = (0..3)
            .map(|writer| {
                let (swap, partial) = (&swap, &partial);
                scope.spawn(move || {
                    for chunk in swap.chunks().skip(writer) {
                        partial.write(&swap.chunk(chunk)).unwrap();
                        assert_eq!(partial.read(chunk).unwrap(), swap.chunk(chunk).bytes());
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                partial.sync().unwrap();
                thread::yield_now();
            }
        });
        for writer in writers {
            writer.join().unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    partial.finish().unwrap();
    swap.assert_finished();
}

#[test]
fn a03_nothing_is_allocated_for_what_has_not_come() {
    // 16 GiB claimed, with a consistent table of hashes, as a stranger may send it.
    let hash = "0".repeat(40);
    let hashes = (0..1024).map(|chunk| format!("{{\"orderNumber\":{chunk},\"hash\":\"{hash}\"}}"));
    let hashes = hashes.collect::<Vec<_>>().join(",");
    let json = format!(
        "{{\"fileName\":\"big\",\"chunkSize\":16777216,\"trackerUrl\":\"\",\"fileHash\":\"{}\",\
         \"fileSize\":17179869184,\"chunks\":[{hashes}]}}",
        "0".repeat(40)
    );
    let mut swap = Swap::file("small", b"x");
    swap.torrent = protocol::Torrent::from_json(json.as_bytes()).unwrap().into();
    let partial = swap.partial();
    partial.sync().unwrap();
    let used: u64 = ["big.part", ".big.http-torrent"]
        .map(|name| fs::metadata(swap.out(name)).unwrap().blocks() * 512)
        .iter()
        .sum();
    assert!(used < 1 << 20, "{used} bytes");
}

#[test]
fn a_name_of_255_bytes_is_downloaded_too() {
    let name = "n".repeat(255);
    let swap = Swap::file(&name, &content(CHUNK + 1, 6));
    swap.download();
    assert_eq!(fs::read(swap.out(&name)).unwrap(), content(CHUNK + 1, 6));
    assert_eq!(swap.open_counting().1, 0);
}

#[test]
fn the_output_folder_is_made() {
    let mut swap = Swap::file("x", b"content");
    let inner = swap.out("a/b");
    let opened = store::open(swap.torrent.clone(), &inner, &|_| {}).unwrap();
    let Opened::Partial(partial) = opened else { panic!("{opened:?}") };
    partial.write(&swap.chunk(ChunkIndex::new(0))).unwrap();
    partial.finish().unwrap();
    assert_eq!(fs::read(inner.join("x")).unwrap(), b"content");
    swap.name.clear();
}
