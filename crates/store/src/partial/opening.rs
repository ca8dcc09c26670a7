//! Opening an unfinished download: what survived, and whether it is ours at all.
//!
//! The journal is made before the `.part`, and names the `.part` before anything is written into it. So a `.part`
//! with content that no journal names is somebody else's (browsers use the ending, too) and is never written to.

use std::io;
use std::sync::{Arc, Mutex, OnceLock, RwLock};

use protocol::torrent::Shape;
use protocol::{ChunkIndex, ChunkSet, Torrent};

use super::notes::Notes;
use super::{Partial, State};
use crate::disk::{Access, Disk, DiskFile, Identity, Kind, Metadata};
use crate::error::{Obstacle, StoreError};
use crate::hashing::{Progress, all_chunks, right_chunks};
use crate::journal::{Claims, Group, Journal, Record};
use crate::locked;
use crate::place::{Names, Place};
use crate::tree::Tree;

/// Opens or begins the download of `torrent`.
pub(crate) fn open<D: Disk>(
    disk: &Arc<D>,
    torrent: &Arc<Torrent>,
    names: &Names,
    progress: Progress<'_>,
) -> Result<Partial<D>, StoreError> {
    let in_the_way = |why| StoreError::InTheWay { path: disk.path(&names.part), why };
    let part = look(&**disk, &names.part)?;
    if let Some(found) = &part {
        if found.kind != kind_of(torrent) {
            return Err(in_the_way(Obstacle::Kind));
        }
        // Before a journal of our own is put beside it.
        let journal = look(&**disk, &names.journal)?;
        if journal.is_none() && !is_empty(&**disk, &names.part, found)? {
            return Err(in_the_way(Obstacle::NotOurs));
        }
    }
    let (mut journal, mut claims) = Journal::open(&**disk, &names.journal, torrent)?;
    let tree = Tree::new(Arc::clone(disk), Arc::clone(torrent), names.part.clone(), Access::Write);
    let known = part.as_ref().is_some_and(|found| claims.root == Some(found.identity));
    if !known {
        let begun = match part {
            None => begin(&**disk, torrent, names)?,
            Some(found) if is_empty(&**disk, &names.part, &found)? => {
                Record::Root(found.identity, Group::default())
            }
            Some(found) => adopt(&tree, &found, progress)?.ok_or_else(|| in_the_way(Obstacle::NotOurs))?,
        };
        sync_top(&**disk)?;
        let failed = |error| StoreError::of("write to", disk.path(&names.journal), error);
        journal.append(&begun).map_err(failed)?;
        claims = Claims::of(begun, torrent);
    } else if claims.selection.is_some() {
        // It may have got the name of a `.part` again just now, or by a process that was killed. Were that still to
        // be lost, what is written from here on would stand under the final name.
        sync_top(&**disk)?;
    }
    resume(tree, names, journal, claims, progress)
}

/// The journal's claims, those that the files on the disk bear out.
fn resume<D: Disk>(
    tree: Tree<D>,
    names: &Names,
    journal: Journal<D::File>,
    claims: Claims,
    progress: Progress<'_>,
) -> Result<Partial<D>, StoreError> {
    let torrent = Arc::clone(&tree.torrent);
    let (mut have, mut in_journal, mut doubtful) =
        (ChunkSet::empty(torrent.chunk_count()), Vec::new(), Vec::new());
    // Only chunks of files that the journal named: a claim without a file to check it by is none.
    for (file, identity) in claims.files {
        let entry = tree.entry(file);
        let chunks = (entry.first_chunk..entry.first_chunk + entry.chunk_count).map(ChunkIndex::new);
        let claimed = chunks.filter(|chunk| claims.chunks.contains(*chunk));
        match tree.metadata(file)? {
            Some(found) if found.identity == identity && found.size == entry.size => {
                in_journal.push((file, identity));
                for chunk in claimed {
                    have.insert(chunk);
                }
            }
            Some(_) => doubtful.extend(claimed),
            None => {}
        }
    }
    let right = if doubtful.is_empty() {
        ChunkSet::empty(torrent.chunk_count())
    } else {
        tracing::warn!(torrent = %torrent.name(), chunks = doubtful.len(), "files were replaced: hashing them");
        right_chunks(&tree, &doubtful, progress)?
    };
    let notes = Notes::new(torrent.layout().files().len(), in_journal);
    let partial = Partial {
        torrent,
        names: names.clone(),
        tree,
        journal: Mutex::new(journal),
        state: Mutex::new(State::new(have, notes)),
        finished_before: claims.selection.unwrap_or_default().into_keys().collect(),
        left: RwLock::new(false),
        finished: OnceLock::new(),
    };
    for chunk in right.iter() {
        let span = partial.torrent.span(chunk);
        let handle = partial.writable(span.file)?;
        let mut state = locked(&partial.state);
        let failures = state.failures;
        state.written(chunk, &span, handle, failures);
    }
    Ok(partial)
}

/// Makes the empty `.part`.
fn begin<D: Disk>(disk: &D, torrent: &Torrent, names: &Names) -> Result<Record, StoreError> {
    let failed = |error: io::Error| StoreError::of("make", disk.path(&names.part), error);
    let identity = match torrent.layout().shape() {
        Shape::File => disk.create(&names.part).and_then(|file| file.metadata()).map_err(failed)?.identity,
        Shape::Folder => {
            disk.create_folder(&names.part).map_err(failed)?;
            let made = disk.metadata(&names.part).map_err(failed)?;
            made.ok_or_else(|| StoreError::Gone { path: disk.path(&names.part) })?.identity
        }
    };
    Ok(Record::Root(identity, Group::default()))
}

/// A `.part` that is not the one the journal means, but perhaps a copy of it (moved by `cp`, or from a backup):
/// ours if a single chunk in it is right. `None` if none is.
fn adopt<D: Disk>(
    tree: &Tree<D>,
    found: &Metadata,
    progress: Progress<'_>,
) -> Result<Option<Record>, StoreError> {
    tracing::warn!(torrent = %tree.torrent.name(), "the unfinished download was replaced: hashing it");
    let right = right_chunks(tree, &all_chunks(tree.torrent.chunk_count()), progress)?;
    if right.is_empty() {
        return Ok(None);
    }
    // The copy itself may not be durable yet.
    let failed = |error| StoreError::of("sync", tree.disk.path(&tree.base()), error);
    tree.disk.sync_everything().map_err(failed)?;
    let mut files: Vec<(usize, Identity)> = Vec::new();
    for chunk in right.iter() {
        let file = tree.torrent.span(chunk).file;
        if files.last().is_none_or(|(last, _)| *last != file)
            && let Some(there) = tree.metadata(file)?
        {
            files.push((file, there.identity));
        }
    }
    Ok(Some(Record::Root(found.identity, Group { files, runs: right.runs() })))
}

pub(super) fn sync_top<D: Disk>(disk: &D) -> Result<(), StoreError> {
    let top = Place::top();
    disk.sync_folder(&top).map_err(|error| StoreError::of("sync", disk.path(&top), error))
}

fn kind_of(torrent: &Torrent) -> Kind {
    match torrent.layout().shape() {
        Shape::File => Kind::File,
        Shape::Folder => Kind::Folder,
    }
}

fn look<D: Disk>(disk: &D, place: &Place) -> Result<Option<Metadata>, StoreError> {
    disk.metadata(place).map_err(|error| StoreError::of("look at", disk.path(place), error))
}

/// Nothing is in it, so nothing can be lost by using it: our own, from before its first write.
fn is_empty<D: Disk>(disk: &D, place: &Place, found: &Metadata) -> Result<bool, StoreError> {
    match found.kind {
        Kind::File => Ok(found.size == 0),
        Kind::Folder => {
            disk.is_empty_folder(place).map_err(|error| StoreError::of("look at", disk.path(place), error))
        }
        Kind::Other => Ok(false),
    }
}
