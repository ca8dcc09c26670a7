//! What is not ours stays as it is: other files, other torrents, links that lead elsewhere.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use protocol::ChunkIndex;
use store::{Obstacle, Opened, StoreError};

use crate::support::{CHUNK, Swap, content, tree};

fn obstacle(result: Result<Opened, StoreError>) -> Obstacle {
    match result {
        Err(StoreError::InTheWay { why, .. }) => why,
        result => panic!("{result:?}"),
    }
}

/// Opens it, and everything in the folder is as before.
fn refused(swap: &Swap) -> Obstacle {
    let before = tree(swap.out.path());
    let why = obstacle(swap.open());
    assert_eq!(tree(swap.out.path()), before);
    why
}

#[test]
fn another_file_under_the_final_name_stays() {
    let swap = Swap::file("x", &content(3 * CHUNK, 1));
    fs::write(swap.out("x"), b"mine").unwrap();
    assert_eq!(refused(&swap), Obstacle::Size { expected: 3 * CHUNK as u64, got: 4 });
    let mut almost = content(3 * CHUNK, 1);
    almost[2 * CHUNK] ^= 1;
    fs::write(swap.out("x"), almost).unwrap();
    assert_eq!(refused(&swap), Obstacle::Content(ChunkIndex::new(2)));
    fs::remove_file(swap.out("x")).unwrap();
    fs::create_dir(swap.out("x")).unwrap();
    assert_eq!(refused(&swap), Obstacle::Kind);
}

#[test]
fn another_folder_under_the_final_name_stays() {
    let swap = Swap::folder("tree", &[("a", 5), ("empty", 0)]);
    fs::create_dir(swap.out("tree")).unwrap();
    fs::write(swap.out("tree/a"), content(5, 0)).unwrap();
    let error = swap.open().unwrap_err();
    assert!(error.is_in_the_way() && error.to_string().contains("tree/empty' is in the way"), "{error}");
    fs::write(swap.out("tree/empty"), b"not").unwrap();
    assert_eq!(refused(&swap), Obstacle::Size { expected: 0, got: 3 });
    fs::write(swap.out("tree/empty"), b"").unwrap();
    swap.complete();
}

#[test]
fn a_part_that_we_did_not_make_stays() {
    let swap = Swap::file("x", &content(3 * CHUNK, 2));
    fs::write(swap.out("x.part"), b"a browser's").unwrap();
    assert_eq!(refused(&swap), Obstacle::NotOurs);
    // Also when our own was there and was deleted.
    fs::remove_file(swap.out("x.part")).unwrap();
    let partial = swap.partial();
    partial.write(&swap.chunk(ChunkIndex::new(0))).unwrap();
    partial.sync().unwrap();
    drop(partial);
    fs::remove_file(swap.out("x.part")).unwrap();
    fs::write(swap.out("x.part"), vec![1; 3 * CHUNK]).unwrap();
    assert_eq!(obstacle(swap.open()), Obstacle::NotOurs);
    assert_eq!(fs::read(swap.out("x.part")).unwrap(), vec![1; 3 * CHUNK]);
}

#[test]
fn what_takes_the_final_name_meanwhile_stays() {
    let swap = Swap::file("x", &content(CHUNK, 3));
    let partial = swap.partial();
    partial.write(&swap.chunk(ChunkIndex::new(0))).unwrap();
    fs::write(swap.out("x"), b"mine").unwrap();
    let error = partial.finish().unwrap_err();
    assert!(error.is_in_the_way() && error.to_string().contains("/x' is in the way"), "{error}");
    assert_eq!(fs::read(swap.out("x")).unwrap(), b"mine");
    assert_eq!(fs::read(swap.out("x.part")).unwrap(), content(CHUNK, 3));
    fs::remove_file(swap.out("x")).unwrap();
    partial.finish().unwrap();
    swap.assert_finished();
}

#[test]
fn an_empty_folder_under_the_final_name_stays_too() {
    let swap = Swap::folder("tree", &[("a", 5)]);
    let partial = swap.partial();
    partial.write(&swap.chunk(ChunkIndex::new(0))).unwrap();
    fs::create_dir(swap.out("tree")).unwrap();
    assert!(partial.finish().unwrap_err().is_in_the_way());
    assert!(tree(&swap.out("tree")).is_empty());
}

#[test]
fn a_second_torrent_of_the_same_name_is_refused() {
    let first = Swap::file("x", &content(3 * CHUNK, 4));
    let mut second = Swap::file("x", &content(3 * CHUNK, 5));
    drop(first.partial());
    second.out = first.out;
    assert_eq!(refused(&second), Obstacle::OtherTorrent(first.torrent.id()));
}

#[test]
fn a_second_process_on_the_same_download_is_told() {
    let swap = Swap::file("x", &content(3 * CHUNK, 6));
    let partial = swap.partial();
    assert!(matches!(swap.open(), Err(StoreError::Busy { .. })));
    drop(partial);
    swap.partial();
}

#[test]
fn a_file_in_the_journals_place_stays() {
    let swap = Swap::file("x", &content(3 * CHUNK, 7));
    fs::write(swap.out(".x.http-torrent"), b"notes").unwrap();
    assert_eq!(refused(&swap), Obstacle::UnknownJournal);
}

/// Everything that a torrent may find as a link, each leading to a folder with a file of somebody else.
#[test]
fn a01_links_in_the_output_folder_are_not_followed() {
    let elsewhere = tempfile::tempdir().unwrap();
    let outside = elsewhere.path();
    let files = [("a/b", 2 * CHUNK), ("c", CHUNK)];
    let traps: [(&str, &str); 6] = [
        ("tree", ""),
        ("tree.part", ""),
        (".tree.http-torrent", "victim"),
        ("tree", "nothing-there"),
        ("tree.part", "nothing-there"),
        (".tree.http-torrent", "nothing-there"),
    ];
    for (name, target) in traps {
        fs::write(outside.join("victim"), b"precious").unwrap();
        let swap = Swap::folder("tree", &files);
        symlink(outside.join(target), swap.out(name)).unwrap();
        assert_eq!(obstacle(swap.open()), Obstacle::Kind, "{name} -> {target}");
        assert_untouched(outside);
        assert!(fs::symlink_metadata(swap.out(name)).unwrap().is_symlink());
    }
}

fn assert_untouched(outside: &Path) {
    assert_eq!(tree(outside), [("victim".into(), b"precious".to_vec())]);
}

#[test]
fn a01_links_put_into_an_unfinished_folder_are_not_followed() {
    let elsewhere = tempfile::tempdir().unwrap();
    let outside = elsewhere.path();
    fs::write(outside.join("victim"), b"precious").unwrap();
    let swap = Swap::folder("tree", &[("a/victim", 2 * CHUNK), ("c", CHUNK)]);
    drop(swap.partial());
    symlink(outside, swap.out("tree.part/a")).unwrap();
    symlink(outside.join("victim"), swap.out("tree.part/c")).unwrap();
    let partial = swap.partial();
    for chunk in swap.chunks() {
        let error = partial.write(&swap.chunk(chunk)).unwrap_err();
        assert!(error.is_in_the_way(), "{error}");
    }
    assert!(partial.have().is_empty());
    assert_untouched(outside);
}

#[test]
fn a01_links_put_into_a_finished_folder_are_not_followed() {
    let elsewhere = tempfile::tempdir().unwrap();
    let swap = Swap::folder("tree", &[("a/b", 2 * CHUNK)]);
    drop(swap.download());
    // The very content, but elsewhere: what a link leads to can change without any sign here.
    fs::rename(swap.out("tree/a"), elsewhere.path().join("a")).unwrap();
    symlink(elsewhere.path().join("a"), swap.out("tree/a")).unwrap();
    assert_eq!(obstacle(swap.open()), Obstacle::Kind);
}
