//! The journal beside an unfinished or finished torrent: it only ever names what is durable.
//!
//! Append-only. A record is written after the data it names is synced, and synced itself before the next one is
//! written, so a crash can tear only the last. Its size needs no bound of its own: each chunk is named once per
//! `.part`, so a million chunks in a million groups and files are 60 MB.

mod record;
#[cfg(test)]
mod tests;

use std::io;

use protocol::Torrent;

pub(crate) use record::{Claims, Group, Record};

use crate::disk::{Access, Disk, DiskFile, Stamp};
use crate::error::{Obstacle, StoreError};
use crate::place::Place;

/// Largest journal that is read: four times what a torrent of the most chunks and files can make.
const MAX_JOURNAL: u64 = 256 << 20;

/// A journal opened for writing, and locked against other processes until it is dropped.
#[derive(Debug)]
pub(crate) struct Journal<F> {
    file: F,
    /// Where the next record goes: behind the last one known to be whole.
    end: u64,
    chain: record::Chain,
}

impl<F: DiskFile> Journal<F> {
    /// Opens and locks the journal at `place`, made when there is none, and says what it claims.
    pub(crate) fn open<D: Disk<File = F>>(
        disk: &D,
        place: &Place,
        torrent: &Torrent,
    ) -> Result<(Self, Claims), StoreError> {
        let failed = |op| move |error| StoreError::of(op, disk.path(place), error);
        let file = match disk.open(place, Access::Write) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => match disk.create(place) {
                // Somebody was quicker: the lock decides.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => disk.open(place, Access::Write),
                result => result,
            },
            result => result,
        }
        .map_err(failed("open"))?;
        let locked = file.try_lock().map_err(failed("lock"))?;
        if !locked || !file.metadata().map_err(failed("look at"))?.linked {
            return Err(StoreError::Busy { path: disk.path(place) });
        }
        let bytes = read_all(&file).map_err(failed("read"))?;
        let (header, chain) = record::header(torrent);
        let (whole, claims, chain) = match record::owner(&bytes, &header) {
            record::Owner::Ours => {
                let (claims, end, chain) = replay(&bytes, header.len(), chain, torrent);
                (&bytes[..end], claims, chain)
            }
            record::Owner::OursTorn => (&header[..], Claims::none(torrent), chain),
            owner => return Err(not_ours(disk, place, &owner)),
        };
        // Also what is there already is written and synced again. The process before may have been killed before
        // its sync, or the sync failed and the system holds the pages for clean: what follows must not be durable
        // behind something that is not.
        file.write_at(whole, 0).map_err(failed("write to"))?;
        file.sync_data().map_err(failed("sync"))?;
        Ok((Journal { file, end: whole.len() as u64, chain }, claims))
    }

    /// Adds a record and makes it durable. After an error the same place is written again, which also makes the
    /// system take up pages that a failed sync gave up.
    pub(crate) fn append(&mut self, record: &Record) -> io::Result<()> {
        self.write(record.encode(&self.chain))
    }

    /// Adds a [`Record::Durable`] likewise.
    pub(crate) fn append_durable(&mut self, group: &Group) -> io::Result<()> {
        self.write(group.encode_durable(&self.chain))
    }

    /// Adds a [`Record::Complete`] likewise.
    pub(crate) fn append_complete(&mut self, stamps: &[Stamp]) -> io::Result<()> {
        self.write(record::encode_complete(stamps, &self.chain))
    }

    fn write(&mut self, (bytes, chain): (Vec<u8>, record::Chain)) -> io::Result<()> {
        self.file.write_at(&bytes, self.end)?;
        self.file.sync_data()?;
        self.end += bytes.len() as u64;
        self.chain = chain;
        Ok(())
    }
}

/// What the journal at `place` claims, without opening it for writing or locking it; `None` when there is none of
/// this torrent.
pub(crate) fn claims<D: Disk>(disk: &D, place: &Place, torrent: &Torrent) -> io::Result<Option<Claims>> {
    let bytes = match disk.open(place, Access::Read).and_then(|file| read_all(&file)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        result => result?,
    };
    let (header, chain) = record::header(torrent);
    let ours = matches!(record::owner(&bytes, &header), record::Owner::Ours);
    Ok(ours.then(|| replay(&bytes, header.len(), chain, torrent).0))
}

/// Takes in every whole record behind the header: what they claim, where they end, and the chain there.
fn replay(
    bytes: &[u8],
    header: usize,
    mut chain: record::Chain,
    torrent: &Torrent,
) -> (Claims, usize, record::Chain) {
    let mut claims = Claims::none(torrent);
    let mut end = header;
    while let Some((record, length, next)) = Record::decode(&bytes[end..], &chain) {
        if !claims.add(record, torrent) {
            break;
        }
        end += length;
        chain = next;
    }
    (claims, end, chain)
}

fn read_all<F: DiskFile>(file: &F) -> io::Result<Vec<u8>> {
    let size = file.metadata()?.size;
    if size > MAX_JOURNAL {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "too large for a journal: remove it"));
    }
    let size = usize::try_from(size).unwrap_or_default();
    if size == 0 { Ok(Vec::new()) } else { Ok(file.read_new(size, 0)?.as_slice().to_vec()) }
}

fn not_ours<D: Disk>(disk: &D, place: &Place, owner: &record::Owner) -> StoreError {
    let why = match owner {
        record::Owner::Other(id) => Obstacle::OtherTorrent(*id),
        _ => Obstacle::UnknownJournal,
    };
    StoreError::InTheWay { path: disk.path(place), why }
}
