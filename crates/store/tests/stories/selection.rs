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
