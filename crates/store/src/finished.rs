//! Content that stands under its final name already: whether it is the torrent's.

use std::sync::Arc;

use protocol::Torrent;
use protocol::torrent::Shape;

use crate::complete::Complete;
use crate::disk::{Access, Disk, Kind, Metadata, Stamp};
use crate::error::{Obstacle, StoreError};
use crate::hashing::{Progress, all_chunks, right_chunks};
use crate::journal::{self, Journal};
use crate::place::{Names, Place};
use crate::tree::Tree;

/// Opens what has the final name. Without reading a byte when the journal vouches for it; otherwise it is hashed,
/// and anything but the torrent's content is [`StoreError::InTheWay`], untouched.
pub(crate) fn open<D: Disk>(
    disk: &Arc<D>,
    torrent: &Arc<Torrent>,
    names: &Names,
    found: &Metadata,
    progress: Progress<'_>,
) -> Result<Complete<D>, StoreError> {
    let kind = match torrent.layout().shape() {
        Shape::File => Kind::File,
        Shape::Folder => Kind::Folder,
    };
    if found.kind != kind {
        return Err(StoreError::InTheWay { path: disk.path(&names.finished), why: Obstacle::Kind });
    }
    let tree = Tree::new(Arc::clone(disk), Arc::clone(torrent), names.finished.clone(), Access::Read);
    let stamps = stamps_of_right_size(&tree)?;
    // A journal that cannot be read only means that the content is.
    let claims = journal::claims(&**disk, &names.journal, torrent).ok().flatten();
    if claims.is_some_and(|claims| claims.complete.as_ref() == Some(&stamps)) {
        tidy_up(&**disk, names, found);
        return Ok(Complete::new(tree, stamps));
    }
    let right = right_chunks(&tree, &all_chunks(torrent.chunk_count()), progress)?;
    if let Some(wrong) = right.inverted().iter().next() {
        let path = tree.path(torrent.span(wrong).file);
        return Err(StoreError::InTheWay { path, why: Obstacle::Content(wrong) });
    }
    if stamps_of_right_size(&tree)? != stamps {
        return Err(StoreError::Changed { path: disk.path(&names.finished) });
    }
    if let Err(error) = vouch(&**disk, names, torrent, &stamps) {
        tracing::debug!(%error, "no journal: the content is hashed again at the next start");
    }
    Ok(Complete::new(tree, stamps))
}

/// Every file of the torrent, there and of its size.
fn stamps_of_right_size<D: Disk>(tree: &Tree<D>) -> Result<Vec<Stamp>, StoreError> {
    tree.metadata_of_all(|file, found| {
        let expected = tree.entry(file).size;
        let in_the_way = |why| Err(StoreError::InTheWay { path: tree.path(file), why });
        match found {
            None => in_the_way(Obstacle::Missing),
            Some(found) if found.kind != Kind::File => in_the_way(Obstacle::Kind),
            Some(found) if found.size != expected => in_the_way(Obstacle::Size { expected, got: found.size }),
            Some(found) => Ok(found.stamp()),
        }
    })
}

/// Ends what a crash may have cut short behind the rename. Best effort: the folder may be read-only by now.
fn tidy_up<D: Disk>(disk: &D, names: &Names, found: &Metadata) {
    // Where a rename is a link and an unlink, both names may stand for the same file.
    let second_name = matches!(disk.metadata(&names.part), Ok(Some(part)) if part.identity == found.identity);
    if second_name && let Err(error) = disk.remove(&names.part) {
        tracing::debug!(%error, "the .part name stays");
    }
    if let Err(error) = disk.sync_folder(&Place::top()) {
        tracing::debug!(%error, "could not sync the folder");
    }
}

/// Notes for the next start what the verified files are.
fn vouch<D: Disk>(disk: &D, names: &Names, torrent: &Torrent, stamps: &[Stamp]) -> Result<(), StoreError> {
    let failed = |error| StoreError::of("write to", disk.path(&names.journal), error);
    let (mut journal, _) = Journal::open(disk, &names.journal, torrent)?;
    // The content came by other hands and may not be durable: after a crash the same stamp could have other bytes.
    disk.sync_everything().map_err(failed)?;
    journal.append_complete(stamps).map_err(failed)
}
