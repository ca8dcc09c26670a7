//! Content that is shared, and what happens when somebody changes it meanwhile (threat A34).

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use protocol::ChunkIndex;
use store::{Complete, StoreError, torrentify_source};

use crate::support::{CHUNK, Swap, content, options};

const FIRST: ChunkIndex = ChunkIndex::new(0);
const SECOND: ChunkIndex = ChunkIndex::new(1);

fn shared(swap: &Swap) -> Complete {
    let path = swap.source.path().join(&swap.name);
    let complete = Complete::of_source(Arc::clone(&swap.torrent), &path).unwrap();
    for chunk in swap.chunks() {
        assert_eq!(complete.read(chunk).unwrap(), swap.chunk(chunk).bytes());
    }
    complete
}

fn assert_changed(complete: &Complete, chunk: ChunkIndex) {
    assert!(matches!(complete.read(chunk), Err(StoreError::Changed { .. })));
}

/// Overwrites a byte, and waits until the file system's clock shows it.
fn overwrite(path: &std::path::Path, at: usize) {
    let before = fs::metadata(path).unwrap().modified().unwrap();
    let file = File::options().write(true).open(path).unwrap();
    while fs::metadata(path).unwrap().modified().unwrap() == before {
        file.write_all_at(b"!", at as u64).unwrap();
    }
}

#[test]
fn a34_a_changed_chunk_is_not_served_and_its_neighbours_are_after_a_recheck() {
    let swap = Swap::file("x", &content(3 * CHUNK, 1));
    let complete = shared(&swap);
    let good = swap.chunk(SECOND);
    overwrite(&swap.source.path().join("x"), 5);
    assert_changed(&complete, FIRST);
    assert_changed(&complete, SECOND);
    assert!(complete.recheck(SECOND) && !complete.recheck(FIRST));
    assert_eq!(complete.read(SECOND).unwrap(), good.bytes());
    assert_changed(&complete, FIRST);
    let range = complete.read_range(0, CHUNK as u64 - 1, 2);
    assert!(matches!(range, Err(StoreError::Changed { .. })), "a range has a wrong chunk in it");
    assert!(complete.read_range(0, CHUNK as u64, 2).is_ok());
}

/// More than one thread looks at: with their parts in another order every file would seem changed.
#[test]
fn of_ten_thousand_files_each_is_looked_at_as_itself_and_the_missing_one_is_named() {
    let paths: Vec<String> = (0..10_000).map(|at| format!("{:02}/{at:05}", at % 37)).collect();
    let files: Vec<(&str, usize)> = paths.iter().map(|path| (path.as_str(), 1 + path.len() % 5)).collect();
    let swap = Swap::folder("many", &files);
    shared(&swap);
    let gone = swap.source.path().join("many").join(&paths[9_999]);
    fs::remove_file(&gone).unwrap();
    let refused = Complete::of_source(Arc::clone(&swap.torrent), &swap.source.path().join("many"));
    assert!(matches!(refused, Err(StoreError::Gone { path }) if path.ends_with(&paths[9_999])));
}

#[test]
fn a34_what_is_sent_from_the_file_itself_is_looked_after_likewise() {
    let swap = Swap::file("x", &content(3 * CHUNK, 1));
    let complete = shared(&swap);
    // Some file systems (FUSE, old overlays) do not tell what is in memory: there everything is read.
    let Some(second) = complete.in_file(SECOND) else { return };
    assert_eq!((second.offset(), second.length() as usize), (CHUNK as u64, CHUNK));
    assert_eq!(second.read().unwrap(), swap.chunk(SECOND).bytes());
    assert!(second.is_as_it_was() && second.part(3, 5).is_as_it_was());
    assert!(complete.in_open_file(SECOND).is_some_and(|file| file.offset() == second.offset()));
    assert_eq!((second.part(3, 5).offset(), second.part(3, 5).length()), (CHUNK as u64 + 3, 5));
    overwrite(&swap.source.path().join("x"), 5);
    assert!(!second.is_as_it_was() && second.read().is_none());
    assert!(complete.in_open_file(FIRST).is_none() && complete.in_open_file(SECOND).is_none());
    assert!(complete.in_file(FIRST).is_none() && complete.in_file(SECOND).is_none());
    assert!(complete.recheck(SECOND) && !complete.recheck(FIRST));
    assert!(
        complete.in_file(SECOND).is_some_and(|file| file.is_as_it_was()) && complete.in_file(FIRST).is_none()
    );
    assert!(complete.in_open_file(SECOND).is_some() && complete.in_open_file(FIRST).is_none());
    fs::remove_file(swap.source.path().join("x")).unwrap();
    assert!(complete.in_open_file(SECOND).is_none(), "it is open still, and nobody's any more");
}

#[test]
fn a34_a_change_that_is_undone_is_served_again() {
    let swap = Swap::file("x", &content(2 * CHUNK, 2));
    let complete = shared(&swap);
    let path = swap.source.path().join("x");
    overwrite(&path, 5);
    assert_changed(&complete, FIRST);
    fs::write(&path, content(2 * CHUNK, 2)).unwrap();
    assert!(complete.recheck(FIRST) && complete.read(FIRST).is_ok());
}

#[test]
fn a34_a_file_that_was_cut_replaced_or_deleted_is_not_served() {
    let swap =
        Swap::folder("tree", &[("cut", CHUNK), ("deleted", CHUNK), ("replaced", CHUNK), ("same", CHUNK)]);
    let complete = shared(&swap);
    let path = |name: &str| swap.source.path().join("tree").join(name);
    File::options().write(true).open(path("cut")).unwrap().set_len(10).unwrap();
    fs::remove_file(path("deleted")).unwrap();
    fs::write(path("new"), content(CHUNK, 99)).unwrap();
    fs::rename(path("new"), path("replaced")).unwrap();
    let [cut, deleted, replaced, same] = [0, 1, 2, 3].map(ChunkIndex::new);
    assert_changed(&complete, cut);
    assert!(matches!(complete.read(deleted), Err(StoreError::Gone { .. })));
    assert_changed(&complete, replaced);
    for chunk in [cut, deleted, replaced] {
        assert!(!complete.recheck(chunk), "{chunk:?}");
    }
    assert!(complete.read(same).is_ok(), "other files are not concerned");
}

#[test]
fn a34_a_change_between_torrentify_and_sharing_is_noticed() {
    let swap = Swap::file("x", &content(2 * CHUNK, 3));
    let path = swap.source.path().join("x");
    let (torrent, source) = torrentify_source(&path, options(), None, &|_| {}).unwrap();
    overwrite(&path, 0);
    let complete = Complete::of_torrentified(Arc::new(torrent), source);
    assert_changed(&complete, SECOND);
    assert!(complete.recheck(SECOND) && !complete.recheck(FIRST));
}

#[test]
fn a_source_of_another_name_is_shared_and_one_of_another_size_is_not() {
    let swap = Swap::file("x", &content(CHUNK, 4));
    let renamed = swap.source.path().join("called otherwise");
    fs::rename(swap.source.path().join("x"), &renamed).unwrap();
    let complete = Complete::of_source(Arc::clone(&swap.torrent), &renamed).unwrap();
    assert_eq!(complete.read(FIRST).unwrap(), content(CHUNK, 4));
    fs::write(&renamed, b"short").unwrap();
    let refused = Complete::of_source(Arc::clone(&swap.torrent), &renamed);
    assert!(matches!(refused, Err(StoreError::Changed { .. })));
}

#[test]
fn a_read_only_folder_is_shared_from() {
    let swap = Swap::file("x", &content(CHUNK, 5));
    let before = fs::read_dir(swap.source.path()).unwrap().count();
    shared(&swap);
    assert_eq!(fs::read_dir(swap.source.path()).unwrap().count(), before, "sharing writes nothing there");
}

#[test]
fn what_the_shell_shares_between_threads_can_be_shared() {
    fn shared_between_threads<T: Send + Sync>() {}
    shared_between_threads::<Complete>();
    shared_between_threads::<store::Partial>();
    shared_between_threads::<StoreError>();
}
