//! What was hashed before and did not change is not read again.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use protocol::{HashAlgorithm, Torrent};
use store::{Memory, TorrentifyOptions, torrentify, torrentify_source};

use crate::support::{ALGORITHMS, CHUNK, content, options, write_file};

/// Waits until what is there counts as settled: two seconds after its last change, which nobody can set back.
fn settle(memory: &Memory, path: &Path, algorithm: HashAlgorithm) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while described(path, memory, algorithm).1 > 0 {
        assert!(Instant::now() < deadline, "it is never remembered");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// The torrent, and how many bytes were read for it.
fn described(path: &Path, memory: &Memory, algorithm: HashAlgorithm) -> (Torrent, u64) {
    let read = AtomicU64::new(0);
    let count = |more| {
        read.fetch_add(more, Ordering::Relaxed);
    };
    let options = TorrentifyOptions { algorithm, ..options() };
    let (torrent, _) = torrentify_source(path, options.clone(), Some(memory), &count).unwrap();
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
    let old = SystemTime::now() - Duration::from_secs(3600);
    File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
    let read = |algorithm| described(&path, &memory, algorithm).1;
    assert_eq!(read(HashAlgorithm::Blake3), size, "it was changed just now, whatever its time says");
    assert_eq!(read(HashAlgorithm::Blake3), size, "and was not remembered");
    for algorithm in ALGORITHMS {
        settle(&memory, &path, algorithm);
        assert_eq!(read(algorithm), 0, "{algorithm}");
    }
    // Other bytes, and the size and the time as they were.
    fs::write(&path, content(3 * CHUNK + 5, 2)).unwrap();
    File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
    assert_eq!(read(HashAlgorithm::Blake3), size);
}

#[test]
fn what_is_remembered_is_for_its_user_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cache/shares");
    Memory::open(&path).unwrap();
    for made in [path.parent().unwrap(), &path] {
        assert_eq!(fs::metadata(made).unwrap().permissions().mode() & 0o777, 0o700, "{}", made.display());
    }
    // What is there already is the user's choice.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    Memory::open(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o755);
}

#[test]
fn a_folder_is_read_again_when_anything_in_it_is_another() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::open(&folder.path().join("cache")).unwrap();
    let top = folder.path().join("tree");
    for name in ["a", "b/c", "b/d"] {
        write_file(&top.join(name), &content(CHUNK, 1));
    }
    settle(&memory, &top, HashAlgorithm::Blake3);
    let read = || described(&top, &memory, HashAlgorithm::Blake3).1;
    fs::rename(top.join("b/d"), top.join("b/e")).unwrap();
    assert_eq!(read(), 3 * CHUNK as u64, "a name is part of the torrent");
    fs::remove_file(top.join("a")).unwrap();
    assert_eq!(read(), 2 * CHUNK as u64);
}

#[test]
fn what_is_wrong_with_the_memory_only_costs_time() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let memory = Memory::open(&cache).unwrap();
    let path = folder.path().join("x");
    fs::write(&path, content(CHUNK, 1)).unwrap();
    settle(&memory, &path, HashAlgorithm::Blake3);
    let read = || described(&path, &memory, HashAlgorithm::Blake3).1;
    let entry = fs::read_dir(&cache).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&entry).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&entry, &bytes).unwrap();
    assert_eq!([read(), read()], [CHUNK as u64, 0], "what is damaged is replaced");
    let again = Memory::open(&cache).unwrap().reading_again();
    assert_eq!(described(&path, &again, HashAlgorithm::Blake3).1, CHUNK as u64);
    assert_eq!(read(), 0, "and remembered anew");
    fs::remove_dir_all(&cache).unwrap();
    assert_eq!([read(), read()], [CHUNK as u64, CHUNK as u64]);
}

#[test]
fn a_bounded_number_of_shares_is_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let memory = Memory::open(&cache).unwrap();
    fs::write(cache.join("somebody else's"), b"stays").unwrap();
    let path = |at: usize| folder.path().join(format!("file {at}"));
    for at in 0..70 {
        fs::write(path(at), content(CHUNK, 1)).unwrap();
    }
    for at in 0..70 {
        settle(&memory, &path(at), HashAlgorithm::Blake3);
    }
    assert_eq!(fs::read_dir(&cache).unwrap().count(), 64 + 1);
    assert_eq!(described(&path(69), &memory, HashAlgorithm::Blake3).1, 0);
}
