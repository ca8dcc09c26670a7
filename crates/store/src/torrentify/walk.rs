//! What is to be shared: the files under a path, in the torrent's order.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use protocol::FilePath;
use protocol::torrent::layout::MAX_FILES;
use protocol::torrent::{LayoutError, NewFile, Shape};

use super::TorrentifyError;
use crate::disk::{Disk, Kind, Metadata, RealDisk, Stamp};
use crate::error::StoreError;
use crate::place::Place;

/// What files were when they were found, in the torrent's order.
pub(super) struct Found {
    pub(super) stamps: Vec<Stamp>,
    pub(super) times: Vec<Times>,
}

/// Of a file, in nanoseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// When it was made.
    pub(super) born: i64,
    /// When anything about it last changed.
    pub(super) changed: i64,
}

/// Everything at `base`, sorted by the bytes of the paths; a single file is called `name`.
pub(super) fn walk(
    disk: &RealDisk,
    base: &Place,
    name: &FilePath,
) -> Result<(Shape, Vec<NewFile>, Found), TorrentifyError> {
    let found = look(disk, base)?;
    if found.kind == Kind::File {
        let file = NewFile { path: name.clone(), size: found.size, executable: found.executable };
        let (stamps, times) = (vec![found.stamp()], vec![times(&found)]);
        return Ok((Shape::File, vec![file], Found { stamps, times }));
    }
    let mut files: Vec<(NewFile, (Stamp, Times))> = Vec::new();
    // Folders yet to be read, and their paths within the torrent.
    let mut folders = vec![(base.clone(), String::new())];
    while let Some((folder, inside)) = folders.pop() {
        let names = disk.list(&folder).map_err(|error| StoreError::of("list", disk.path(&folder), error))?;
        let mut looks = disk.looks();
        for name in names {
            let path = disk.path(&folder).join(OsStr::from_bytes(&name));
            let Ok(name) = String::from_utf8(name) else { return Err(TorrentifyError::NotText { path }) };
            let place = folder.child(&name);
            let inside = if inside.is_empty() { name } else { format!("{inside}/{name}") };
            let checked = FilePath::new(&inside).map_err(|reason| TorrentifyError::Name { path, reason })?;
            let found = kind_of(looks(&place), disk.path(&place))?;
            if found.kind == Kind::Folder {
                folders.push((place, inside));
                continue;
            }
            if files.len() == MAX_FILES {
                return Err(LayoutError::TooManyFiles.into());
            }
            let file = NewFile { path: checked, size: found.size, executable: found.executable };
            files.push((file, (found.stamp(), times(&found))));
        }
    }
    files.sort_unstable_by(|(a, _), (b, _)| a.path.cmp(&b.path));
    let (files, states): (Vec<_>, Vec<_>) = files.into_iter().unzip();
    let (stamps, times) = states.into_iter().unzip();
    Ok((Shape::Folder, files, Found { stamps, times }))
}

const fn times(found: &Metadata) -> Times {
    Times { born: found.identity.born, changed: found.changed }
}

/// A file or folder; anything else is refused.
fn look(disk: &RealDisk, place: &Place) -> Result<Metadata, TorrentifyError> {
    kind_of(disk.metadata(place), disk.path(place))
}

fn kind_of(found: io::Result<Option<Metadata>>, path: PathBuf) -> Result<Metadata, TorrentifyError> {
    match found.map_err(|error| StoreError::of("look at", path.clone(), error))? {
        None => Err(TorrentifyError::Changed { path }),
        Some(found) if found.kind != Kind::Other => Ok(found),
        Some(_) if path.is_symlink() => Err(TorrentifyError::Link { path }),
        Some(_) => Err(TorrentifyError::Special { path }),
    }
}
