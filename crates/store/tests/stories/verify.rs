//! verify: which chunks are there, finished or not.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use protocol::ChunkIndex;
use store::{StoreError, verify};

use crate::support::{CHUNK, Swap, content};

fn right(swap: &Swap) -> Vec<u32> {
    let found = verify(&swap.torrent, swap.out.path(), &|_| {}).unwrap();
    found.right.iter().map(ChunkIndex::get).collect()
}

#[test]
fn every_damage_is_found_and_no_more() {
    let files = [("a", 3 * CHUNK), ("b", 2 * CHUNK), ("empty", 0), ("z", 10)];
    let swap = Swap::folder("tree", &files);
    assert_eq!(right(&swap), [0; 0], "nothing there");
    drop(swap.download());
    assert_eq!(right(&swap), [0, 1, 2, 3, 4, 5]);
    let a = File::options().write(true).open(swap.out("tree/a")).unwrap();
    a.write_all_at(b"!", CHUNK as u64).unwrap();
    assert_eq!(right(&swap), [0, 2, 3, 4, 5]);
    a.set_len(2 * CHUNK as u64 + 1).unwrap();
    assert_eq!(right(&swap), [0, 3, 4, 5], "cut short");
    fs::remove_file(swap.out("tree/b")).unwrap();
    assert_eq!(right(&swap), [0, 5], "missing");
    fs::write(swap.out("tree/z"), [content(10, 3), content(1, 1)].concat()).unwrap();
    assert_eq!(right(&swap), [0], "longer than it should be");
    fs::remove_file(swap.out("tree/empty")).unwrap();
    let missing = verify(&swap.torrent, swap.out.path(), &|_| {}).unwrap();
    assert_eq!(missing.wrong_empty_files, [2], "the empty file is missing");
    assert_eq!(right(&swap), [0], "and the chunks are judged all the same");
}

#[test]
fn an_unfinished_download_is_verified_where_it_is_and_left_alone() {
    let swap = Swap::file("x", &content(4 * CHUNK, 1));
    let partial = swap.partial();
    for chunk in [1, 3].map(ChunkIndex::new) {
        partial.write(&swap.chunk(chunk)).unwrap();
    }
    assert_eq!(right(&swap), [1, 3]);
    partial.sync().unwrap();
    assert_eq!(right(&swap), [1, 3]);
}

#[test]
fn a_folder_that_is_not_there_is_said_and_not_made() {
    let swap = Swap::file("x", b"x");
    let nowhere = swap.out("nowhere");
    assert!(matches!(verify(&swap.torrent, &nowhere, &|_| {}), Err(StoreError::Gone { .. })));
    assert!(!nowhere.exists());
}
