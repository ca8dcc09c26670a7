//! The journal against torn tails, stale records, hostile bytes and other torrents.

use std::sync::Arc;

use proptest::prelude::*;
use protocol::torrent::{ChunkHashes, ChunkSize, Layout};
use protocol::{ChunkIndex, FilePath, HashAlgorithm, Torrent};

use super::{Claims, Group, Journal, Record, claims};
use crate::disk::memory::MemoryDisk;
use crate::disk::{Disk, Identity, Stamp};
use crate::error::{Obstacle, StoreError};
use crate::place::Place;

const ROOT: Identity = Identity { inode: 7, born: 9 };

fn torrent(content: &[u8]) -> Torrent {
    let layout =
        Layout::file(FilePath::name("x").unwrap(), content.len() as u64, false, ChunkSize::new(1).unwrap());
    let mut hashes = ChunkHashes::new(HashAlgorithm::Blake3);
    for byte in content {
        hashes.push(&HashAlgorithm::Blake3.digest(&[*byte])).unwrap();
    }
    let whole = hashes.combined();
    Torrent::new(layout.unwrap(), hashes, whole, None).unwrap()
}

fn place() -> Place {
    Place::top().child(".x.http-torrent")
}

fn group(runs: &[(u32, u32)]) -> Group {
    let runs = runs.iter().map(|(first, last)| (ChunkIndex::new(*first), ChunkIndex::new(*last)));
    Group { files: vec![(0, ROOT)], runs: runs.collect() }
}

fn grown(runs: &[(u32, u32)]) -> Record {
    Record::Durable(Group { files: Vec::new(), ..group(runs) })
}

fn held(claims: &Claims) -> Vec<u32> {
    claims.chunks.iter().map(ChunkIndex::get).collect()
}

fn open(disk: &MemoryDisk, torrent: &Torrent) -> Result<Claims, StoreError> {
    Journal::open(disk, &place(), torrent).map(|(_, claims)| claims)
}

/// A journal with three records, and its bytes.
fn written(torrent: &Torrent) -> (MemoryDisk, Vec<u8>) {
    let disk = MemoryDisk::new();
    let (mut journal, _) = Journal::open(&disk, &place(), torrent).unwrap();
    journal.append(&Record::Root(ROOT, group(&[(0, 1)]))).unwrap();
    journal.append(&grown(&[(3, 3), (5, 6)])).unwrap();
    journal.append(&Record::Complete(vec![Stamp { inode: 7, size: 9, modified: -1 }])).unwrap();
    drop(journal);
    let bytes = disk.content(&place()).unwrap();
    (disk, bytes)
}

#[test]
fn what_was_appended_is_claimed() {
    let torrent = torrent(b"123456789");
    let (disk, _) = written(&torrent);
    for claims in [open(&disk, &torrent).unwrap(), claims(&disk, &place(), &torrent).unwrap().unwrap()] {
        assert_eq!((claims.root, held(&claims)), (Some(ROOT), vec![0, 1, 3, 5, 6]));
        assert_eq!(claims.complete, Some(vec![Stamp { inode: 7, size: 9, modified: -1 }]));
    }
}

#[test]
fn a35_a_torn_tail_ends_the_journal_and_is_written_over() {
    let torrent = torrent(b"123456789");
    let (_, bytes) = written(&torrent);
    let mut claimed = Vec::new();
    for length in 0..bytes.len() {
        let disk = MemoryDisk::new();
        disk.put(&place(), &bytes[..length]);
        let (mut journal, claims) = Journal::open(&disk, &place(), &torrent).unwrap();
        claimed.push(held(&claims).len());
        journal.append(&Record::Root(ROOT, group(&[(8, 8)]))).unwrap();
        drop(journal);
        assert_eq!(held(&open(&disk, &torrent).unwrap()), [8], "cut at {length}");
    }
    claimed.dedup();
    assert_eq!(claimed, [0, 2, 5]);
}

#[test]
fn a35_a_stale_record_behind_a_new_one_is_not_taken_for_its_successor() {
    let torrent = torrent(b"123456789");
    let (_, bytes) = written(&torrent);
    let disk = MemoryDisk::new();
    disk.put(&place(), &bytes);
    // The first record is torn, so it is written anew, as long as before, and the old second one follows.
    let mut torn = bytes.clone();
    torn[super::record::HEADER + 6] ^= 1;
    disk.put(&place(), &torn);
    let (mut journal, claims) = Journal::open(&disk, &place(), &torrent).unwrap();
    assert!(held(&claims).is_empty());
    journal.append(&Record::Root(ROOT, group(&[(0, 0)]))).unwrap();
    drop(journal);
    assert_eq!(held(&open(&disk, &torrent).unwrap()), [0]);
}

#[test]
fn a_file_made_anew_takes_back_what_was_said_of_it() {
    let torrent = torrent(b"123456789");
    let (disk, _) = written(&torrent);
    let (mut journal, _) = Journal::open(&disk, &place(), &torrent).unwrap();
    journal.append(&Record::Durable(group(&[(2, 2)]))).unwrap();
    drop(journal);
    assert_eq!(held(&open(&disk, &torrent).unwrap()), [2]);
}

#[test]
fn other_journals_are_in_the_way_and_stay_as_they_are() {
    let (mine, other) = (torrent(b"123"), torrent(b"456"));
    let (disk, bytes) = written(&torrent(b"123456789"));
    let why = |disk: &MemoryDisk, torrent: &Torrent| match open(disk, torrent) {
        Err(StoreError::InTheWay { why, .. }) => why,
        result => panic!("{result:?}"),
    };
    assert_eq!(why(&disk, &mine), Obstacle::OtherTorrent(torrent(b"123456789").id()));
    let mut newer = bytes.clone();
    newer[16] = 2;
    for unknown in [newer, b"somebody's notes".to_vec(), vec![0; 500]] {
        disk.put(&place(), &unknown);
        assert_eq!(why(&disk, &other), Obstacle::UnknownJournal);
        assert_eq!(disk.content(&place()), Some(unknown));
    }
}

#[test]
fn a_journal_is_locked_as_long_as_it_is_open() {
    let torrent = torrent(b"123");
    let disk = MemoryDisk::new();
    let first = Journal::open(&disk, &place(), &torrent).unwrap();
    assert!(matches!(open(&disk, &torrent), Err(StoreError::Busy { .. })));
    assert!(
        claims(&disk, &place(), &torrent).unwrap().is_some(),
        "looking needs no lock and takes none away"
    );
    assert!(matches!(open(&disk, &torrent), Err(StoreError::Busy { .. })));
    drop(first);
    assert!(open(&disk, &torrent).is_ok());
}

proptest! {
    #[test]
    fn any_record_comes_back(
        files in proptest::collection::vec((0..9usize, any::<u64>(), any::<i64>()), 0..5),
        runs in proptest::collection::vec((any::<u32>(), any::<u32>()), 0..9),
        stamps in proptest::collection::vec((any::<u64>(), any::<u64>(), any::<i64>()), 0..9),
    ) {
        let files = files.into_iter().map(|(file, inode, born)| (file, Identity { inode, born })).collect();
        let runs = runs.into_iter().map(|(a, b)| (ChunkIndex::new(a), ChunkIndex::new(b))).collect();
        let group = Group { files, runs };
        let stamps = stamps.into_iter().map(|(inode, size, modified)| Stamp { inode, size, modified }).collect();
        for record in [Record::Root(ROOT, group.clone()), Record::Durable(group), Record::Complete(stamps)] {
            let chain = [3; 16];
            let (mut bytes, next) = record.encode(&chain);
            let length = bytes.len();
            bytes.extend_from_slice(b"and more");
            prop_assert_eq!(Record::decode(&bytes, &chain), Some((record.clone(), length, next)));
            prop_assert_eq!(Record::decode(&bytes, &next), None);
        }
    }

    #[test]
    fn a_flipped_byte_never_adds_a_claim(at in 0..300usize, flip in 1..=255u8) {
        let torrent = torrent(b"123456789");
        let (disk, mut bytes) = written(&torrent);
        let at = at % bytes.len();
        bytes[at] ^= flip;
        disk.put(&place(), &bytes);
        if let Ok(claims) = open(&disk, &torrent) {
            let prefixes = [vec![], vec![0, 1], vec![0, 1, 3, 5, 6]];
            prop_assert!(prefixes.contains(&held(&claims)));
        }
    }
}

#[test]
fn opening_makes_the_header_durable_before_anything_follows_it() {
    let torrent = Arc::new(torrent(b"123"));
    let disk = MemoryDisk::new();
    drop(Journal::open(&disk, &place(), &torrent).unwrap());
    disk.sync_folder(&Place::top()).unwrap();
    let after = disk.after_power_loss(&mut crate::disk::memory::Dice(3));
    assert_eq!(after.content(&place()).map(|bytes| bytes.len()), Some(super::record::HEADER));
}
