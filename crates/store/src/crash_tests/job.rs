//! One torrent, what a process does with it on a disk in memory, and what must hold whenever it stops.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use protocol::torrent::{ChunkHashes, ChunkSize, Layout, NewFile};
use protocol::{ChunkIndex, ChunkSet, FilePath, HashAlgorithm, Torrent, VerifiedChunk};

use crate::disk::memory::{Dice, MemoryDisk};
use crate::disk::{Access, Disk, DiskFile};
use crate::partial::{Partial, Step};
use crate::place::{Names, Place};
use crate::{Opened, StoreError, locked, open_on};

/// Bytes of a chunk: a few cells, so that a chunk can be torn.
const CHUNK: u64 = 16;
/// A file that is not ours, beside everything.
const NEIGHBOUR: (&str, &[u8]) = ("neighbour.part", b"not ours");

pub(crate) const RIGHT_ORDER: [Step; 2] = [Step::Data, Step::Journal];

/// A torrent with its content.
pub(crate) struct Job {
    pub(crate) name: &'static str,
    pub(crate) torrent: Arc<Torrent>,
    pub(crate) names: Names,
    /// Chunks written between two syncs.
    pub(crate) group: usize,
    /// Subsets of the unsynced writes tried at each cut.
    pub(crate) subsets: u64,
    /// Files that are finished by themselves, one set after another, before the rest is fetched.
    pub(crate) selections: Vec<BTreeSet<usize>>,
    contents: Vec<Vec<u8>>,
}

/// What a process got done before it ended.
#[derive(Debug)]
pub(crate) struct Life {
    /// Chunks that a successful sync, or opening, answered for.
    pub(crate) durable: ChunkSet,
    /// It said that the download is complete.
    pub(crate) finished: bool,
    /// It said that these files have the final name, and did not start again since.
    pub(crate) in_place: BTreeSet<usize>,
    /// Chunks of files that a selection left out: durable or not, they were given up.
    pub(crate) given_up: ChunkSet,
    /// Why it ended.
    pub(crate) error: Option<StoreError>,
}

impl Life {
    pub(crate) fn new(job: &Job) -> Self {
        let none = ChunkSet::empty(job.torrent.chunk_count());
        Life {
            durable: none.clone(),
            finished: false,
            in_place: BTreeSet::new(),
            given_up: none,
            error: None,
        }
    }

    /// A selection is about to be finished that leaves these out.
    pub(crate) fn give_up(&mut self, chunks: &ChunkSet) {
        for chunk in chunks.iter() {
            self.durable.remove(chunk);
            self.given_up.insert(chunk);
        }
    }
}

impl Job {
    pub(crate) fn file(name: &'static str, size: usize) -> Self {
        let layout = |chunk| Layout::file(FilePath::name("x").unwrap(), size as u64, true, chunk).unwrap();
        Job::of(name, layout(ChunkSize::new(CHUNK).unwrap()), |at| at * 7 + at / 5)
    }

    /// Equal chunks throughout.
    pub(crate) fn twins(name: &'static str, size: usize) -> Self {
        Job { name, ..Job::of(name, Job::file(name, size).torrent.layout().clone(), |_| 61) }
    }

    pub(crate) fn folder(name: &'static str, files: &[(&str, u64)]) -> Self {
        let files = files.iter().map(|(path, size)| NewFile {
            path: FilePath::new(path).unwrap(),
            size: *size,
            executable: path.ends_with("run"),
        });
        let mut files: Vec<_> = files.collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let chunk = ChunkSize::new(CHUNK).unwrap();
        let layout = Layout::folder(FilePath::name("x").unwrap(), files, chunk).unwrap();
        Job::of(name, layout, |at| at * 13 + at / 3)
    }

    fn of(name: &'static str, layout: Layout, number: impl Fn(usize) -> usize) -> Self {
        let mut at = 0;
        let mut hashes = ChunkHashes::new(HashAlgorithm::Blake3);
        let mut contents = Vec::new();
        for entry in layout.files() {
            let size = usize::try_from(entry.size).unwrap();
            let content: Vec<u8> = (at..at + size).map(|at| number(at).to_le_bytes()[0]).collect();
            for chunk in content.chunks(usize::try_from(CHUNK).unwrap()) {
                hashes.push(&HashAlgorithm::Blake3.digest(chunk)).unwrap();
            }
            contents.push(content);
            at += size;
        }
        let whole = hashes.combined();
        let torrent = Arc::new(Torrent::new(layout, hashes, whole, None).unwrap());
        Job {
            name,
            names: Names::of(&torrent),
            torrent,
            group: 3,
            subsets: 12,
            selections: Vec::new(),
            contents,
        }
    }

    pub(crate) fn fresh_disk() -> MemoryDisk {
        let disk = MemoryDisk::new();
        disk.put(&Place::top().child(NEIGHBOUR.0), NEIGHBOUR.1);
        disk.sync_everything().unwrap();
        disk
    }

    /// A disk on which other hands put the whole content, and nobody synced it.
    pub(crate) fn brought_disk(&self) -> MemoryDisk {
        let disk = Self::fresh_disk();
        for (file, content) in self.contents.iter().enumerate() {
            let place = self.place(&self.names.finished, file);
            disk.put(&place, content);
            if self.torrent.layout().files()[file].executable {
                let file = disk.open(&place, Access::Write).unwrap();
                file.set_executable().unwrap();
            }
        }
        disk
    }

    /// A disk with half a download, whose `.part` was replaced by a copy that nobody synced.
    pub(crate) fn copied_disk(&self) -> MemoryDisk {
        let disk = Self::fresh_disk();
        if let Ok(Opened::Partial(partial)) = self.open(&disk) {
            let chunks = (0..self.torrent.chunk_count() / 2).map(ChunkIndex::new);
            chunks.for_each(|chunk| partial.write(&self.chunk(chunk)).unwrap());
            partial.sync().unwrap();
        }
        disk.replace_by_copy(&self.names.part);
        disk
    }

    pub(crate) fn open(&self, disk: &MemoryDisk) -> Result<Opened<MemoryDisk>, StoreError> {
        open_on(&Arc::new(disk.clone()), &self.torrent, &|_| {})
    }

    pub(crate) fn chunk(&self, chunk: ChunkIndex) -> VerifiedChunk {
        VerifiedChunk::check(&self.torrent, chunk, Bytes::copy_from_slice(self.bytes(chunk))).unwrap()
    }

    pub(crate) fn bytes(&self, chunk: ChunkIndex) -> &[u8] {
        let span = self.torrent.span(chunk);
        let offset = usize::try_from(span.offset).unwrap();
        &self.contents[span.file][offset..][..span.length as usize]
    }

    fn place(&self, base: &Place, file: usize) -> Place {
        match self.torrent.layout().shape() {
            protocol::torrent::Shape::File => base.clone(),
            protocol::torrent::Shape::Folder => base.join(&self.torrent.layout().files()[file].path),
        }
    }

    /// Opens, fetches what is missing in some order with a sync every few chunks, and finishes; until something
    /// goes wrong.
    pub(crate) fn live(&self, disk: &MemoryDisk, order: [Step; 2], dice: &mut Dice) -> Life {
        let mut life = Life::new(self);
        life.error = self.live_until_error(disk, order, dice, &mut life).err();
        life
    }

    fn live_until_error(
        &self,
        disk: &MemoryDisk,
        order: [Step; 2],
        dice: &mut Dice,
        life: &mut Life,
    ) -> Result<(), StoreError> {
        for selection in self.selections.iter().map(Some).chain([None]) {
            life.in_place.clear();
            let partial = match self.open(disk)? {
                Opened::Complete(_) => {
                    // Unless the power went meanwhile: then nobody heard it.
                    life.finished = !disk.is_stopped();
                    return Ok(());
                }
                Opened::Partial(partial) => partial,
            };
            for group in self.shuffled(&partial.have(), selection, dice).chunks(self.group) {
                for chunk in group {
                    partial.write(&self.chunk(*chunk))?;
                }
                partial.commit(&mut locked(partial.journal()), order)?;
                life.durable = partial.have();
            }
            if let Some(selection) = selection {
                life.give_up(&self.left_out_by(selection));
                partial.finish_selection(selection)?;
                life.in_place.clone_from(selection);
            } else {
                partial.finish()?;
                life.finished = true;
            }
        }
        Ok(())
    }

    /// Chunks of files that are neither in this selection nor in one before it.
    pub(crate) fn left_out_by(&self, selection: &BTreeSet<usize>) -> ChunkSet {
        let before = self.selections.iter().take_while(|other| *other != selection);
        let kept: BTreeSet<usize> = before.chain([selection]).flatten().copied().collect();
        let mut left_out = ChunkSet::full(self.torrent.chunk_count());
        (0..self.torrent.chunk_count()).map(ChunkIndex::new).for_each(|chunk| {
            if kept.contains(&self.torrent.span(chunk).file) {
                left_out.remove(chunk);
            }
        });
        left_out
    }

    /// What is missing, in some order; of files that the selection leaves out, some.
    pub(crate) fn shuffled(
        &self,
        have: &ChunkSet,
        selection: Option<&BTreeSet<usize>>,
        dice: &mut Dice,
    ) -> Vec<ChunkIndex> {
        let mut missing: Vec<_> = have.inverted().iter().collect();
        if let Some(selection) = selection {
            missing.retain(|chunk| selection.contains(&self.torrent.span(*chunk).file) || dice.roll(3) == 0);
        }
        for at in (1..missing.len()).rev() {
            missing.swap(at, dice.roll(at + 1));
        }
        missing
    }

    /// What must hold on a disk that came back after `life`; ends with the download brought to its end.
    pub(crate) fn check(&self, disk: &MemoryDisk, life: &Life, dice: &mut Dice) -> Result<(), String> {
        self.check_final_place(disk)?;
        if life.finished && disk.metadata(&self.names.finished).unwrap().is_none() {
            return Err("complete, and not in its final place".into());
        }
        for file in &life.in_place {
            let place = self.place(&self.names.finished, *file);
            if disk.content(&place).as_ref() != Some(&self.contents[*file]) {
                return Err(format!("{place:?} was finished, and is not in its final place"));
            }
        }
        match self.open(disk).map_err(|error| format!("does not open again: {error}"))? {
            Opened::Complete(_) => {}
            Opened::Partial(_) if life.finished => return Err("complete, and then it was not".into()),
            Opened::Partial(partial) => self.check_partial(&partial, life)?,
        }
        let next = self.live(disk, RIGHT_ORDER, dice);
        if let Some(error) = next.error {
            return Err(format!("cannot go on: {error}"));
        }
        self.check_final_place(disk)?;
        let places = (0..self.contents.len()).map(|file| self.place(&self.names.finished, file));
        for (file, place) in places.enumerate() {
            let found = disk.metadata(&place).unwrap().ok_or(format!("{place:?} is missing"))?;
            if self.torrent.layout().files()[file].executable && !found.executable {
                return Err(format!("{place:?} is not executable"));
            }
        }
        Ok(())
    }

    fn check_partial(&self, partial: &Partial<MemoryDisk>, life: &Life) -> Result<(), String> {
        let have = partial.have();
        if let Some(lost) = life.durable.difference(&have).next() {
            return Err(format!("{lost:?} was durable and is lost"));
        }
        for chunk in have.iter() {
            let read = partial.read(chunk).map_err(|error| format!("{chunk:?} is claimed: {error}"))?;
            if read != self.bytes(chunk) {
                return Err(format!("{chunk:?} is claimed and wrong"));
            }
        }
        Ok(())
    }

    /// Never a wrong byte under the final name, and never a byte of anybody else's changed.
    fn check_final_place(&self, disk: &MemoryDisk) -> Result<(), String> {
        if disk.content(&Place::top().child(NEIGHBOUR.0)).as_deref() != Some(NEIGHBOUR.1) {
            return Err("the neighbour was touched".into());
        }
        if disk.metadata(&self.names.finished).unwrap().is_none() {
            return Ok(());
        }
        let places = || (0..self.contents.len()).map(|file| self.place(&self.names.finished, file));
        let there = |place: &Place| disk.metadata(place).unwrap().is_some();
        let whole = self.selections.is_empty() || places().all(|place| there(&place));
        for (file, (place, content)) in std::iter::zip(places(), &self.contents).enumerate() {
            let chosen = self.selections.iter().any(|selection| selection.contains(&file));
            if !whole && !chosen && there(&place) {
                return Err(format!("{place:?} stands in the final place and was not chosen"));
            }
            if (whole || there(&place)) && disk.content(&place).as_ref() != Some(content) {
                return Err(format!("{place:?} stands in the final place and is wrong"));
            }
        }
        Ok(())
    }
}

/// One of each kind.
pub(crate) fn jobs() -> Vec<Job> {
    let small: Vec<String> = (0..70).map(|file| format!("d{}/f{file}", file % 3)).collect();
    let small: Vec<_> = small.iter().map(|path| (path.as_str(), 5)).collect();
    let tree = [("a", 40), ("b/c/run", 20), ("b/empty", 0), ("b/d", 16), ("e/empty-run", 0), ("f", 1)];
    vec![
        Job::file("no byte", 0),
        Job::file("one byte", 1),
        Job::file("whole chunks", 16 * 9),
        Job::file("chunks and a tail", 16 * 12 + 5),
        Job::twins("equal chunks", 16 * 8),
        Job::folder("a tree", &tree),
        Job::folder("nothing but empty files", &[("a", 0), ("b/c", 0)]),
        Job { selections: vec![BTreeSet::from([1, 2])], ..Job::folder("some files, then the rest", &tree) },
        Job {
            group: 2,
            selections: vec![BTreeSet::from([0, 4]), BTreeSet::from([3]), BTreeSet::from([0])],
            ..Job::folder("some files, then others", &tree)
        },
        Job { group: 67, subsets: 3, ..Job::folder("more files than are synced one by one", &small) },
    ]
}
