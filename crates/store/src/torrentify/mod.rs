//! torrentify: a file or folder, streamed on all cores, becomes its description; the same content always the same.

mod memory;
mod walk;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use protocol::torrent::{
    ChunkHashes, ChunkSize, Layout, LayoutError, MAX_TORRENT_JSON, NewFile, Shape, TorrentError,
};
use protocol::{BaseUrl, ChunkIndex, FilePath, Hash, HashAlgorithm, NameError, Torrent};

use crate::cores;
use crate::disk::{Access, Disk, DiskFile, RealDisk, Stamp};
use crate::error::{Shown, StoreError};
use crate::hashing::{Progress, all_chunks, hash_chunks};
use crate::open_files::OpenFiles;
use crate::place::Place;

pub use memory::Memory;

/// Bytes that the whole-file hash reads at a time.
const SEQUENTIAL_READ: usize = 1 << 20;

/// How a torrent is made.
#[derive(Clone, Debug, Default)]
pub struct TorrentifyOptions {
    /// How its chunks are hashed.
    pub algorithm: HashAlgorithm,
    /// Bytes of a chunk; by default what the algorithm's readers expect for the size.
    pub chunk_size: Option<ChunkSize>,
    /// The tracker named in it.
    pub tracker: Option<BaseUrl>,
}

/// Why no torrent can be made of a path.
#[derive(Debug, thiserror::Error)]
pub enum TorrentifyError {
    /// A name that other systems could not take, or that leads elsewhere.
    #[error("'{}' cannot be shared: {reason}; rename it", Shown(path))]
    Name {
        /// The file.
        path: PathBuf,
        /// What is wrong with its name.
        reason: NameError,
    },
    /// A name that is not UTF-8: torrent.json is text.
    #[error("'{}' cannot be shared: its name is not UTF-8; rename it", Shown(path))]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// A link inside the folder. Left out silently it would be missed, followed it could share anything.
    #[error("'{}' is a symbolic link: replace it by what it points to, or move it away", Shown(path))]
    Link {
        /// The link.
        path: PathBuf,
    },
    /// A device, pipe or socket.
    #[error("'{}' is neither file nor folder: move it away", Shown(path))]
    Special {
        /// The device, pipe or socket.
        path: PathBuf,
    },
    /// A file changed while it was read.
    #[error("'{}' changed while it was read: run it again when nobody writes to it", Shown(path))]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// Too many chunks or files.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// Names and hashes together are more than anybody reads.
    #[error(
        "its torrent.json would be over 128 MiB: share fewer files, or choose a larger chunk size (16M at most)"
    )]
    TooLarge,
    /// The disk.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The hashes do not make a torrent: a defect here, as they were made for it.
    #[error(transparent)]
    Torrent(#[from] TorrentError),
}

/// Where a torrent's content was hashed, and what its files were then: for [`crate::Complete::of_torrentified`].
#[derive(Debug)]
pub struct Source {
    pub(crate) disk: Arc<RealDisk>,
    pub(crate) base: Place,
    pub(crate) stamps: Vec<Stamp>,
}

/// Describes the file or folder at `path`. Memory: one chunk a core, and the table of hashes. A link at `path` itself
/// is followed, links inside a folder are refused; folders without files in them are left out.
pub fn torrentify(
    path: &Path,
    options: TorrentifyOptions,
    progress: Progress<'_>,
) -> Result<Torrent, TorrentifyError> {
    torrentify_source(path, options, None, progress).map(|(torrent, _)| torrent)
}

/// As [`torrentify`], and tells what the files were, so that sharing notices any change since. Of what `memory` has, and did not change
/// since, not a byte is read.
pub fn torrentify_source(
    path: &Path,
    options: TorrentifyOptions,
    memory: Option<&Memory>,
    progress: Progress<'_>,
) -> Result<(Torrent, Source), TorrentifyError> {
    let began = SystemTime::now();
    let name = name_of(path)?;
    let (disk, base) = locate(path)?;
    let (shape, files, found) = walk::walk(&disk, &base, &name)?;
    let layout = layout_of(name, shape, files, &options)?;
    let entry = memory.map(|memory| memory.entry(&disk.path(&base), &found, &layout, options.algorithm));
    let recalled = entry.as_ref().and_then(|entry| entry.recall(options.algorithm, layout.chunk_count()));
    let (hashes, file_hash) = if let Some(recalled) = recalled {
        recalled
    } else {
        let reading = Reading { disk: &disk, base: &base, layout: &layout, open: OpenFiles::new() };
        let (hashes, whole) = reading.hashes(options.algorithm, progress)?;
        reading.check_unchanged(&found.stamps)?;
        let file_hash = whole.unwrap_or_else(|| hashes.combined());
        entry.inspect(|entry| entry.remember(began, &found, &hashes, &file_hash));
        (hashes, file_hash)
    };
    let torrent = Torrent::new(layout, hashes, file_hash, options.tracker)?;
    if torrent.json_length() > MAX_TORRENT_JSON {
        return Err(TorrentifyError::TooLarge);
    }
    Ok((torrent, Source { disk: Arc::new(disk), base, stamps: found.stamps }))
}

fn layout_of(
    name: FilePath,
    shape: Shape,
    mut files: Vec<NewFile>,
    options: &TorrentifyOptions,
) -> Result<Layout, LayoutError> {
    let size = files.iter().map(|file| file.size).fold(0, u64::saturating_add);
    let chunk_size = options.chunk_size.unwrap_or_else(|| match options.algorithm {
        HashAlgorithm::Sha1 => ChunkSize::described_for(size),
        HashAlgorithm::Blake3 | HashAlgorithm::Sha256 => ChunkSize::default_for(size),
    });
    match (shape, files.pop()) {
        (Shape::File, Some(file)) => Layout::file(file.path, file.size, file.executable, chunk_size),
        (_, last) => {
            files.extend(last);
            Layout::folder(name, files, chunk_size)
        }
    }
}

/// The folder that `path` lies in, and its place there. Links in `path` are resolved: the user named it.
pub(crate) fn locate(path: &Path) -> Result<(RealDisk, Place), StoreError> {
    let failed = |error| StoreError::of("open", path.to_owned(), error);
    let real = path.canonicalize().map_err(failed)?;
    let missing = || failed(std::io::Error::other("it has no name that is text"));
    let (parent, name) =
        real.parent().zip(real.file_name().and_then(|name| name.to_str())).ok_or_else(missing)?;
    let disk = RealDisk::open(parent).map_err(failed)?;
    Ok((disk, Place::top().child(name)))
}

/// What the torrent is called: as `path` ends, also when that is a link; `.` is called what it really is.
fn name_of(path: &Path) -> Result<FilePath, TorrentifyError> {
    let real;
    let name = if let Some(name) = path.file_name() {
        name
    } else {
        real = path.canonicalize().map_err(|error| StoreError::of("open", path.to_owned(), error))?;
        real.file_name().unwrap_or_default()
    };
    let text = name.to_str().ok_or_else(|| TorrentifyError::NotText { path: path.to_owned() })?;
    FilePath::name(text).map_err(|reason| TorrentifyError::Name { path: path.to_owned(), reason })
}

/// The content while it is hashed.
struct Reading<'a> {
    disk: &'a RealDisk,
    base: &'a Place,
    layout: &'a Layout,
    open: OpenFiles<<RealDisk as Disk>::File>,
}

impl Reading<'_> {
    /// The chunk hashes, and for sha1 the hash of everything: the described programs want it, and it takes a second
    /// reader that goes from front to back beside the others.
    fn hashes(
        &self,
        algorithm: HashAlgorithm,
        progress: Progress<'_>,
    ) -> Result<(ChunkHashes, Option<Hash>), TorrentifyError> {
        if algorithm != HashAlgorithm::Sha1 {
            return Ok((self.chunk_hashes(algorithm, progress)?, None));
        }
        std::thread::scope(|scope| {
            let whole = scope.spawn(|| self.whole_hash(algorithm));
            let chunks = self.chunk_hashes(algorithm, progress);
            Ok((chunks?, Some(cores::joined(whole)?)))
        })
    }

    fn chunk_hashes(
        &self,
        algorithm: HashAlgorithm,
        progress: Progress<'_>,
    ) -> Result<ChunkHashes, TorrentifyError> {
        let count = self.layout.chunk_count();
        let read = |chunk, buffer: &mut [u8]| self.read_chunk(chunk, buffer).map(|()| true);
        let each = algorithm.length();
        let mut table = vec![0; count as usize * each];
        hash_chunks(self.layout, algorithm, &all_chunks(count), &read, progress, |chunk, hash| {
            if let Some(hash) = hash {
                table[chunk.slot() * each..][..each].copy_from_slice(hash.as_bytes());
            }
        })?;
        Ok(ChunkHashes::from_raw(algorithm, table).unwrap_or_else(|_| unreachable!("whole hashes")))
    }

    fn read_chunk(&self, chunk: ChunkIndex, buffer: &mut [u8]) -> Result<(), TorrentifyError> {
        let span = self.layout.span(chunk);
        let handle = self.open.get(span.file, || {
            let handle = self.disk.open(&self.place(span.file), Access::Read);
            handle.inspect(DiskFile::advise_sequential).map_err(|error| self.failed("open", span.file, error))
        })?;
        let read =
            handle.read_at(buffer, span.offset).map_err(|error| self.failed("read", span.file, error))?;
        if read == buffer.len() { Ok(()) } else { Err(self.changed(span.file)) }
    }

    fn whole_hash(&self, algorithm: HashAlgorithm) -> Result<Hash, TorrentifyError> {
        let mut hasher = algorithm.hasher();
        let mut buffer = vec![0; SEQUENTIAL_READ];
        for (file, entry) in self.layout.files().iter().enumerate() {
            let open = self.disk.open(&self.place(file), Access::Read);
            let handle = open.map_err(|error| self.failed("open", file, error))?;
            handle.advise_sequential();
            let mut at = 0;
            while at < entry.size {
                let due = usize::try_from(entry.size - at)
                    .map_or(SEQUENTIAL_READ, |left| left.min(SEQUENTIAL_READ));
                let read = handle.read_at(&mut buffer[..due], at);
                if read.map_err(|error| self.failed("read", file, error))? != due {
                    return Err(self.changed(file));
                }
                hasher.update(&buffer[..due]);
                at += due as u64;
            }
        }
        Ok(hasher.finish())
    }

    /// Every file is still what it was when the walk found it.
    fn check_unchanged(&self, stamps: &[Stamp]) -> Result<(), TorrentifyError> {
        let mut looks = self.disk.looks();
        for (file, stamp) in stamps.iter().enumerate() {
            let found = looks(&self.place(file));
            let found = found.map_err(|error| self.failed("look at", file, error))?;
            if found.map(|found| found.stamp()) != Some(*stamp) {
                return Err(self.changed(file));
            }
        }
        Ok(())
    }

    fn place(&self, file: usize) -> Place {
        match self.layout.shape() {
            Shape::File => self.base.clone(),
            Shape::Folder => self.base.join(&self.layout.files()[file].path),
        }
    }

    fn failed(&self, op: &'static str, file: usize, error: std::io::Error) -> TorrentifyError {
        StoreError::of(op, self.disk.path(&self.place(file)), error).into()
    }

    fn changed(&self, file: usize) -> TorrentifyError {
        TorrentifyError::Changed { path: self.disk.path(&self.place(file)) }
    }
}
