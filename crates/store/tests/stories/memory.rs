//! What was hashed before and did not change is not read again.

use std::fs::{self, File};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use protocol::{HashAlgorithm, Torrent};
use store::{Memory, TorrentifyOptions, torrentify, torrentify_with_memory};

use crate::support::{ALGORITHMS, CHUNK, content, options, write_file};

/// Written to an hour ago, as far as anybody can tell: what was written just now is never remembered.
fn settle(path: &Path) {
    let file = File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
}

/// The torrent, and how many bytes were read for it.
fn described(path: &Path, memory: &Memory, algorithm: HashAlgorithm) -> (Torrent, u64) {
    let read = AtomicU64::new(0);
    let count = |more| {
        read.fetch_add(more, Ordering::Relaxed);
    };
    let options = TorrentifyOptions { algorithm, ..options() };
    let (torrent, _) = torrentify_with_memory(path, options.clone(), memory, &count).unwrap();
    assert_eq!(torrent, torrentify(path, options, &|_| {}).unwrap(), "remembered or not, it is the same");
    (torrent, read.into_inner())
}

#[test]
fn a_file_is_read_once_as_long_as_nobody_touches_it() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::open(&folder.path().join("cache/shares")).unwrap();
    let path = folder.path().join("x");
    let size = 3 * CHUNK as u64 + 5;
    fs::write(&path, content(3 * CHUNK + 5, 1)).unwrap();
    for algorithm in ALGORITHMS {
        let read = || described(&path, &memory, algorithm).1;
        assert_eq!([read(), read()], [size, size], "it was written to just now");
        settle(&path);
        assert_eq!([read(), read(), read()], [size, 0, 0], "{algorithm}");
        fs::write(&path, content(3 * CHUNK + 5, 2)).unwrap();
        settle(&path);
        assert_eq!(read(), size, "another file in its place, though as old");
        fs::rename(&path, folder.path().join("y")).unwrap();
        fs::rename(folder.path().join("y"), &path).unwrap();
        assert_eq!(read(), 0);
        fs::write(&path, content(3 * CHUNK + 5, 1)).unwrap();
    }
}

#[test]
fn a_folder_is_read_again_when_anything_in_it_is_another() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::open(&folder.path().join("cache")).unwrap();
    let top = folder.path().join("tree");
    for name in ["a", "b/c", "b/d"] {
        write_file(&top.join(name), &content(CHUNK, 1));
        settle(&top.join(name));
    }
    let read = || described(&top, &memory, HashAlgorithm::Blake3).1;
    assert_eq!([read(), read()], [3 * CHUNK as u64, 0]);
    fs::rename(top.join("b/d"), top.join("b/e")).unwrap();
    assert_eq!([read(), read()], [3 * CHUNK as u64, 0], "a name is part of the torrent");
    fs::remove_file(top.join("a")).unwrap();
    assert_eq!([read(), read()], [2 * CHUNK as u64, 0]);
}

#[test]
fn what_is_wrong_with_the_memory_only_costs_time() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let memory = Memory::open(&cache).unwrap();
    let path = folder.path().join("x");
    fs::write(&path, content(CHUNK, 1)).unwrap();
    settle(&path);
    let read = || described(&path, &memory, HashAlgorithm::Blake3).1;
    assert_eq!([read(), read()], [CHUNK as u64, 0]);
    let entry = fs::read_dir(&cache).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&entry).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&entry, &bytes).unwrap();
    assert_eq!([read(), read()], [CHUNK as u64, 0]);
    fs::remove_dir_all(&cache).unwrap();
    assert_eq!([read(), read()], [CHUNK as u64, CHUNK as u64]);
}

#[test]
fn a_bounded_number_of_shares_is_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let memory = Memory::open(&cache).unwrap();
    let path = |at: usize| folder.path().join(format!("file {at}"));
    for at in 0..70 {
        fs::write(path(at), content(CHUNK, 1)).unwrap();
        settle(&path(at));
        described(&path(at), &memory, HashAlgorithm::Blake3);
    }
    assert_eq!(fs::read_dir(&cache).unwrap().count(), 64);
    assert_eq!(described(&path(69), &memory, HashAlgorithm::Blake3).1, 0);
}
