//! The journal's bytes: a header, then records that each prove the one before (`docs/storage.md` has the table).

use std::collections::BTreeMap;

use protocol::torrent::FileEntry;
use protocol::{ChunkIndex, ChunkSet, Torrent, TorrentId};

use crate::disk::{Identity, Stamp};

const MAGIC: &[u8; 16] = b"http-torrent jnl";
const VERSION: u32 = 1;
/// Magic, version, torrent id, chunk count, checksum. Within one sector, so that it is there or not.
pub(super) const HEADER: usize = 16 + 4 + 32 + 4 + CHECK;
/// Bytes of a checksum: BLAKE3, cut. It finds torn writes; it need not withstand anybody.
const CHECK: usize = 16;
const LENGTH: usize = 4;

const ROOT: u8 = 1;
const DURABLE: u8 = 2;
const COMPLETE: u8 = 3;
const SELECTION: u8 = 4;

/// One thing that became durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Record {
    /// The `.part` is this file or folder; nothing said before counts any more.
    Root(Identity, Group),
    /// These chunks are on the disk.
    Durable(Group),
    /// Everything is, and these are the files in the torrent's order.
    Complete(Vec<Stamp>),
    /// These files, and no others, are to have the final name. What was said about chunks of others no longer counts.
    Selection(BTreeMap<usize, Stamp>),
}

/// Chunks that became durable together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Group {
    /// Files that the journal has not named yet, or that were made anew: what was said about their chunks before
    /// no longer counts.
    pub(crate) files: Vec<(usize, Identity)>,
    /// The chunks, in runs of first and last.
    pub(crate) runs: Vec<(ChunkIndex, ChunkIndex)>,
}

/// What a journal says, all records together.
#[derive(Debug)]
pub(crate) struct Claims {
    /// Which `.part` it is about.
    pub(crate) root: Option<Identity>,
    /// Which files in it the chunks were written to.
    pub(crate) files: BTreeMap<usize, Identity>,
    /// The durable chunks.
    pub(crate) chunks: ChunkSet,
    /// The finished files.
    pub(crate) complete: Option<Vec<Stamp>>,
    /// The files that were given the final name without the others, as they were then.
    pub(crate) selection: Option<BTreeMap<usize, Stamp>>,
}

/// Links each record to all before it, so that a stale one behind a rewritten one is never taken for its successor.
pub(super) type Chain = [u8; CHECK];

fn chained(before: &[u8], body: &[u8]) -> Chain {
    let hash = blake3::Hasher::new().update(before).update(body).finalize();
    let mut chain = [0; CHECK];
    chain.copy_from_slice(&hash.as_bytes()[..CHECK]);
    chain
}

/// The header of `torrent`'s journal, and the chain's start.
pub(super) fn header(torrent: &Torrent) -> (Vec<u8>, Chain) {
    let mut bytes = Vec::with_capacity(HEADER);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(torrent.id().as_bytes());
    bytes.extend_from_slice(&torrent.chunk_count().to_le_bytes());
    let chain = chained(&[], &bytes);
    bytes.extend_from_slice(&chain);
    (bytes, chain)
}

/// Whose header it is.
pub(super) enum Owner {
    /// The torrent's own.
    Ours,
    /// The torrent's own, but it never became whole: nothing after it counts.
    OursTorn,
    /// Another torrent's of the same name.
    Other(TorrentId),
    /// No journal of this version.
    Unknown,
}

/// Looks at the start of a file in the journal's place.
pub(super) fn owner(bytes: &[u8], expected: &[u8]) -> Owner {
    if bytes.starts_with(expected) {
        return Owner::Ours;
    }
    // A crash leaves a new file empty, short, or with zeros where bytes did not arrive.
    if bytes.len() <= HEADER && bytes.iter().zip(expected).all(|(byte, ours)| byte == ours || *byte == 0) {
        return Owner::OursTorn;
    }
    let known = bytes.len() >= HEADER && bytes[..20] == expected[..20];
    if known && chained(&[], &bytes[..HEADER - CHECK]) == bytes[HEADER - CHECK..HEADER] {
        let mut id = [0; 32];
        id.copy_from_slice(&bytes[20..52]);
        return Owner::Other(TorrentId::from_bytes(id));
    }
    Owner::Unknown
}

impl Record {
    /// The record's bytes, and the chain after it.
    pub(super) fn encode(&self, chain: &Chain) -> (Vec<u8>, Chain) {
        framed(self.longest(), chain, |body| self.write(body))
    }

    fn write(&self, body: &mut Vec<u8>) {
        match self {
            Record::Root(identity, group) => {
                body.push(ROOT);
                put_identity(body, identity);
                group.write(body);
            }
            Record::Durable(group) => group.write_durable(body),
            Record::Selection(files) => {
                body.push(SELECTION);
                put_count(body, files.len());
                for (file, stamp) in files {
                    put_count(body, *file);
                    put_stamp(body, stamp);
                }
            }
            Record::Complete(stamps) => write_complete(stamps, body),
        }
    }

    /// Bytes of its body, or somewhat more.
    fn longest(&self) -> usize {
        match self {
            Record::Root(_, group) | Record::Durable(group) => group.longest(),
            Record::Complete(stamps) => longest_complete(stamps),
            Record::Selection(files) => SMALL + files.len() * (4 + 24),
        }
    }

    /// The first record in `bytes`, its length and the chain after it; `None` where the journal ends: at the end of
    /// the bytes, a torn record, or a stale one.
    pub(super) fn decode(bytes: &[u8], chain: &Chain) -> Option<(Record, usize, Chain)> {
        let mut reader = Reader(bytes);
        let length = reader.u32()? as usize;
        let body = reader.take(length)?;
        let check = reader.take(CHECK)?;
        let next = chained(chain, body);
        if check != next {
            return None;
        }
        let mut reader = Reader(body);
        let record = match reader.take(1)? {
            [ROOT] => Record::Root(reader.identity()?, Group::decode(&mut reader)?),
            [DURABLE] => Record::Durable(Group::decode(&mut reader)?),
            [COMPLETE] => {
                let count = reader.u32()?;
                let stamps = (0..count).map(|_| reader.stamp());
                Record::Complete(stamps.collect::<Option<_>>()?)
            }
            [SELECTION] => {
                let count = reader.u32()?;
                let files = (0..count).map(|_| Some((reader.u32()? as usize, reader.stamp()?)));
                Record::Selection(files.collect::<Option<_>>()?)
            }
            _ => return None,
        };
        reader.0.is_empty().then_some((record, LENGTH + length + CHECK, next))
    }
}

/// What stands in a record beside its lists: kind, identity, and how long they are.
const SMALL: usize = 1 + 16 + 2 * 4;

/// A record around what `write` writes, and the chain after it. In one allocation: of fifty thousand files a record is as large as all
/// that is remembered of them.
fn framed(longest: usize, chain: &Chain, write: impl FnOnce(&mut Vec<u8>)) -> (Vec<u8>, Chain) {
    let mut bytes = Vec::with_capacity(LENGTH + longest + CHECK);
    put_count(&mut bytes, 0);
    write(&mut bytes);
    let length = count(bytes.len() - LENGTH);
    bytes[..LENGTH].copy_from_slice(&length);
    let chain = chained(chain, &bytes[LENGTH..]);
    bytes.extend_from_slice(&chain);
    (bytes, chain)
}

/// The bytes of a [`Record::Complete`] of these, and the chain after it.
pub(super) fn encode_complete(stamps: &[Stamp], chain: &Chain) -> (Vec<u8>, Chain) {
    framed(longest_complete(stamps), chain, |body| write_complete(stamps, body))
}

const fn longest_complete(stamps: &[Stamp]) -> usize {
    SMALL + stamps.len() * 24
}

fn write_complete(stamps: &[Stamp], body: &mut Vec<u8>) {
    body.push(COMPLETE);
    put_count(body, stamps.len());
    for stamp in stamps {
        put_stamp(body, stamp);
    }
}

impl Group {
    /// The bytes of a [`Record::Durable`] of this, and the chain after it.
    pub(super) fn encode_durable(&self, chain: &Chain) -> (Vec<u8>, Chain) {
        framed(self.longest(), chain, |body| self.write_durable(body))
    }

    fn longest(&self) -> usize {
        SMALL + self.files.len() * (4 + 16) + self.runs.len() * 8
    }

    fn write_durable(&self, body: &mut Vec<u8>) {
        body.push(DURABLE);
        self.write(body);
    }

    fn write(&self, body: &mut Vec<u8>) {
        put_count(body, self.files.len());
        for (file, identity) in &self.files {
            put_count(body, *file);
            put_identity(body, identity);
        }
        put_count(body, self.runs.len());
        for (first, last) in &self.runs {
            body.extend_from_slice(&first.get().to_le_bytes());
            body.extend_from_slice(&last.get().to_le_bytes());
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Option<Self> {
        let count = reader.u32()?;
        let files = (0..count).map(|_| Some((reader.u32()? as usize, reader.identity()?)));
        let files = files.collect::<Option<_>>()?;
        let count = reader.u32()?;
        let runs = (0..count).map(|_| Some((ChunkIndex::new(reader.u32()?), ChunkIndex::new(reader.u32()?))));
        Some(Group { files, runs: runs.collect::<Option<_>>()? })
    }
}

impl Claims {
    pub(super) fn none(torrent: &Torrent) -> Self {
        let chunks = ChunkSet::empty(torrent.chunk_count());
        Claims { root: None, files: BTreeMap::new(), chunks, complete: None, selection: None }
    }

    /// What a single record says.
    pub(crate) fn of(record: Record, torrent: &Torrent) -> Self {
        let mut claims = Claims::none(torrent);
        if claims.add(record, torrent) { claims } else { Claims::none(torrent) }
    }

    /// Adds what the next record says; false when it speaks of files or chunks that the torrent does not have.
    #[must_use]
    pub(super) fn add(&mut self, record: Record, torrent: &Torrent) -> bool {
        match record {
            Record::Root(identity, group) => {
                *self = Claims { root: Some(identity), ..Claims::none(torrent) };
                self.add_group(&group, torrent)
            }
            Record::Durable(group) => self.add_group(&group, torrent),
            Record::Selection(files) => self.select(files, torrent),
            Record::Complete(stamps) => {
                self.selection = None;
                let fits = stamps.len() == torrent.layout().files().len();
                self.complete = fits.then_some(stamps);
                fits
            }
        }
    }

    fn select(&mut self, files: BTreeMap<usize, Stamp>, torrent: &Torrent) -> bool {
        let entries = torrent.layout().files();
        if files.last_key_value().is_some_and(|(last, _)| *last >= entries.len()) {
            return false;
        }
        for (_, entry) in entries.iter().enumerate().filter(|(file, _)| !files.contains_key(file)) {
            self.remove_chunks(entry);
        }
        self.files.retain(|file, _| files.contains_key(file));
        self.selection = Some(files);
        true
    }

    fn remove_chunks(&mut self, entry: &FileEntry) {
        for chunk in entry.first_chunk..entry.first_chunk + entry.chunk_count {
            self.chunks.remove(ChunkIndex::new(chunk));
        }
    }

    fn add_group(&mut self, group: &Group, torrent: &Torrent) -> bool {
        for (file, identity) in &group.files {
            let Some(entry) = torrent.layout().files().get(*file) else { return false };
            self.files.insert(*file, *identity);
            self.remove_chunks(entry);
        }
        for (first, last) in &group.runs {
            if first > last || last.get() >= torrent.chunk_count() {
                return false;
            }
            for chunk in first.get()..=last.get() {
                self.chunks.insert(ChunkIndex::new(chunk));
            }
        }
        true
    }
}

fn put_identity(body: &mut Vec<u8>, identity: &Identity) {
    body.extend_from_slice(&identity.inode.to_le_bytes());
    body.extend_from_slice(&identity.born.to_le_bytes());
}

fn put_stamp(body: &mut Vec<u8>, stamp: &Stamp) {
    body.extend_from_slice(&stamp.inode.to_le_bytes());
    body.extend_from_slice(&stamp.size.to_le_bytes());
    body.extend_from_slice(&stamp.modified.to_le_bytes());
}

#[expect(clippy::cast_possible_truncation, reason = "files and chunks are at most 2^20, a body under 2^26")]
const fn count(count: usize) -> [u8; LENGTH] {
    (count as u32).to_le_bytes()
}

fn put_count(body: &mut Vec<u8>, number: usize) {
    body.extend_from_slice(&count(number));
}

/// Reads little-endian numbers; `None` at the end.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_le_bytes)
    }

    fn stamp(&mut self) -> Option<Stamp> {
        Some(Stamp { inode: self.u64()?, size: self.u64()?, modified: self.i64()? })
    }

    fn identity(&mut self) -> Option<Identity> {
        Some(Identity { inode: self.u64()?, born: self.i64()? })
    }
}
