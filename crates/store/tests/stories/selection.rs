//! Some files of a folder without the others.

use std::collections::BTreeSet;

use protocol::ChunkIndex;
use store::{Opened, StoreError};

use crate::support::{Swap, tree};

fn names(swap: &Swap) -> Vec<String> {
    let found = tree(&swap.out("album")).into_iter();
    found.map(|(path, _)| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn chosen_files_reach_the_final_name_without_the_others_and_the_rest_can_follow() {
    let swap = Swap::folder("album", &[("a", 50_000), ("b", 70_000), ("c/d", 40_000), ("empty", 0)]);
    let layout = swap.torrent.layout().clone();
    let chosen = BTreeSet::from([layout.find("b").unwrap(), layout.find("empty").unwrap()]);
    let partial = swap.partial();
    // Something of another file came, too.
    partial.write(&swap.chunk(ChunkIndex::new(layout.files()[0].first_chunk))).unwrap();
    assert!(matches!(partial.finish_selection(&chosen), Err(StoreError::Incomplete { .. })));
    let b = &layout.files()[layout.find("b").unwrap()];
    for chunk in b.first_chunk..b.first_chunk + b.chunk_count {
        partial.write(&swap.chunk(ChunkIndex::new(chunk))).unwrap();
    }
    assert_eq!(partial.finish_selection(&chosen).unwrap(), swap.out("album"));
    assert_eq!(names(&swap), ["b", "empty"]);
    assert_eq!(
        partial.read(ChunkIndex::new(b.first_chunk)).unwrap(),
        *swap.chunk(ChunkIndex::new(b.first_chunk)).bytes()
    );
    drop(partial);
    // The next start has what was chosen, without hashing, and brings the rest.
    let (opened, hashed) = swap.open_counting();
    let Ok(Opened::Partial(partial)) = opened else { panic!("an unfinished download again") };
    assert_eq!((partial.have().count(), hashed), (b.chunk_count, 0));
    drop(partial);
    swap.download();
    swap.assert_finished();
}

#[test]
fn a_folder_that_no_journal_calls_a_selection_is_not_taken_up() {
    let swap = Swap::folder("album", &[("a", 50_000), ("b", 70_000)]);
    std::fs::create_dir_all(swap.out("album")).unwrap();
    std::fs::write(swap.out("album").join("a"), "mine").unwrap();
    assert!(swap.open().is_err_and(|error| error.is_in_the_way()));
    assert_eq!(std::fs::read(swap.out("album").join("a")).unwrap(), b"mine");
}

/// An album with `b` finished by itself, as a user finds it.
fn album_with_b() -> Swap {
    let swap = Swap::folder("album", &[("a", 50_000), ("b", 70_000), ("c/d", 40_000), ("empty", 0)]);
    finish(&swap, "b");
    swap
}

fn finish(swap: &Swap, name: &str) {
    let file = swap.torrent.layout().find(name).unwrap();
    let entry = &swap.torrent.layout().files()[file];
    let partial = swap.partial();
    for chunk in entry.first_chunk..entry.first_chunk + entry.chunk_count {
        partial.write(&swap.chunk(ChunkIndex::new(chunk))).unwrap();
    }
    partial.finish_selection(&BTreeSet::from([file])).unwrap();
    // Late, by another connection: it would stand under the final name.
    let late = swap.torrent.layout().find("a").unwrap();
    let late = swap.chunk(ChunkIndex::new(swap.torrent.layout().files()[late].first_chunk));
    assert!(matches!(partial.write(&late), Err(StoreError::LeftOut)));
}

#[test]
fn a_file_chosen_before_stays_when_others_are_chosen() {
    let swap = album_with_b();
    finish(&swap, "c/d");
    assert_eq!(names(&swap), ["b", "d"]);
    finish(&swap, "c/d");
    assert_eq!(names(&swap), ["b", "d"]);
    swap.download();
    swap.assert_finished();
    // Complete, and no longer a selection: it keeps its name.
    let (opened, hashed) = swap.open_counting();
    assert!(matches!(opened, Ok(Opened::Complete(_))) && hashed == 0);
}

#[test]
fn what_the_user_puts_where_another_file_belongs_is_in_the_way() {
    let swap = album_with_b();
    let mine = swap.out("album").join("a");
    std::fs::write(&mine, "mine").unwrap();
    let error = swap.open().unwrap_err();
    assert!(error.is_in_the_way() && error.to_string().contains("album/a"), "{error}");
    assert_eq!(std::fs::read(&mine).unwrap(), b"mine");
    assert_eq!(names(&swap), ["a", "b"]);
    std::fs::remove_file(&mine).unwrap();
    swap.download();
    swap.assert_finished();
}

#[test]
fn a_chosen_file_that_the_user_changed_is_in_the_way_and_one_only_touched_is_not() {
    let swap = album_with_b();
    let path = swap.out("album").join("b");
    let right = std::fs::read(&path).unwrap();
    let mut wrong = right.clone();
    wrong[60_000] ^= 1;
    std::fs::write(&path, &wrong).unwrap();
    assert!(swap.open().is_err_and(|error| error.is_in_the_way()));
    assert_eq!(std::fs::read(&path).unwrap(), wrong);
    std::fs::write(&path, &right).unwrap();
    let (opened, hashed) = swap.open_counting();
    assert!(matches!(opened, Ok(Opened::Partial(_))) && hashed == 70_000, "{hashed}");
    drop(opened);
    swap.download();
    swap.assert_finished();
}

#[test]
fn what_the_user_adds_beside_the_torrents_files_stays() {
    let swap = album_with_b();
    std::fs::write(swap.out("album").join("notes"), "mine").unwrap();
    finish(&swap, "c/d");
    swap.download();
    assert_eq!(std::fs::read(swap.out("album").join("notes")).unwrap(), b"mine");
    assert_eq!(names(&swap), ["a", "b", "d", "empty", "notes"]);
}

#[test]
fn a_selection_whose_final_name_is_taken_loses_nothing() {
    let swap = Swap::folder("album", &[("a", 50_000), ("b", 10_000)]);
    let partial = swap.partial();
    let layout = swap.torrent.layout();
    for name in ["a", "b"] {
        let first = layout.files()[layout.find(name).unwrap()].first_chunk;
        partial.write(&swap.chunk(ChunkIndex::new(first))).unwrap();
    }
    std::fs::create_dir(swap.out("album")).unwrap();
    let chosen = BTreeSet::from([layout.find("b").unwrap()]);
    assert!(partial.finish_selection(&chosen).is_err_and(|error| error.is_in_the_way()));
    assert_eq!(partial.have().count(), 2);
    std::fs::remove_dir(swap.out("album")).unwrap();
    partial.finish_selection(&chosen).unwrap();
    assert_eq!(names(&swap), ["b"]);
}
