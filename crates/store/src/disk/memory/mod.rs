//! A disk in memory that can be stopped, robbed of what was not synced, or made to fail, at any operation.
//!
//! Two images of everything: what programs see, and what is on the platter. A change goes to the first and waits
//! for a sync to reach the second. Stricter than real file systems: after a power loss any subset of the waiting
//! changes, data and names alike, is kept, lost or torn; and a failed sync drops what it should have written while
//! reading still shows it, as Linux does.

mod node;

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use rustix::io::Errno;

use super::{Access, Disk, DiskFile, Kind, Metadata};
use crate::locked;
use crate::place::Place;
use node::{NameChange, Node, Nodes};

/// Numbers that look random and are the same in every run (a `SplitMix64` generator).
#[derive(Clone, Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % sides.max(1) as u64).unwrap()
    }
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// The machine stops at the so-manieth changing operation, which may or may not have been done.
    Stop { at: usize },
    /// The operations from the so-manieth on fail, `count` of them, also those that only look.
    Fail { from: usize, count: usize, errno: Errno, cache: Cache },
    /// So many syncs of data fail.
    FailSyncs { count: usize, cache: Cache },
    /// Syncs of data say yes and do nothing.
    DeafToData,
    /// Syncs of folders say yes and do nothing.
    DeafToNames,
}

/// What reading shows of data that a failed sync did not write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cache {
    /// The data, as if nothing had happened (ext4).
    Kept,
    /// What is on the platter (XFS, btrfs).
    Dropped,
}

/// One machine's disk. Clones are the same disk.
#[derive(Clone)]
pub(crate) struct MemoryDisk {
    world: Arc<Mutex<World>>,
    during_next_sync: Arc<Mutex<Option<Interruption>>>,
    after_next_write: Arc<Mutex<Option<Interruption>>>,
    after_next_read: Arc<Mutex<Option<Interruption>>>,
}

/// Something that happens in the middle of an operation.
type Interruption = Box<dyn FnOnce() + Send>;

struct World {
    nodes: Nodes,
    fault: Fault,
    /// Operations that changed something, or made it durable.
    changes: usize,
    /// All operations.
    operations: usize,
    stopped: bool,
}

/// How an operation ends.
enum Verdict {
    Done,
    /// Done as far as programs can see, but nobody hears of it.
    LastBreath,
    Fails(Errno),
}

impl World {
    fn step(&mut self, changes: bool) -> io::Result<Verdict> {
        if self.stopped {
            return Err(power_is_off());
        }
        self.operations += 1;
        self.changes += usize::from(changes);
        match self.fault {
            Fault::Stop { at } if changes && self.changes == at => {
                self.stopped = true;
                Ok(Verdict::LastBreath)
            }
            Fault::Fail { from, count, errno, .. } if (from..from + count).contains(&self.operations) => {
                Ok(Verdict::Fails(errno))
            }
            _ => Ok(Verdict::Done),
        }
    }

    fn look(&mut self) -> io::Result<&mut Nodes> {
        match self.step(false)? {
            Verdict::Fails(errno) => Err(errno.into()),
            _ => Ok(&mut self.nodes),
        }
    }

    /// Changes what programs see; durable later or never.
    fn change<T>(&mut self, change: impl FnOnce(&mut Nodes) -> io::Result<T>) -> io::Result<T> {
        match self.step(true)? {
            Verdict::Fails(errno) => Err(errno.into()),
            Verdict::LastBreath => change(&mut self.nodes).and(Err(power_is_off())),
            Verdict::Done => change(&mut self.nodes),
        }
    }

    fn sync(&mut self, nodes: &[usize], deaf: Fault) -> io::Result<()> {
        let mut verdict = self.step(true)?;
        let mut dropped = matches!(self.fault, Fault::Fail { cache: Cache::Dropped, .. });
        if let Fault::FailSyncs { count: count @ 1.., cache } = &mut self.fault {
            *count -= 1;
            dropped = *cache == Cache::Dropped;
            verdict = Verdict::Fails(Errno::IO);
        }
        match verdict {
            Verdict::LastBreath => Err(power_is_off()),
            Verdict::Done if self.fault == deaf => Ok(()),
            Verdict::Done => {
                for node in nodes {
                    self.nodes.make_durable(*node);
                }
                Ok(())
            }
            Verdict::Fails(errno) => {
                for node in nodes {
                    self.nodes.fail_sync(*node, dropped);
                }
                Err(errno.into())
            }
        }
    }
}

fn power_is_off() -> io::Error {
    io::Error::other("the power is off")
}

impl MemoryDisk {
    pub(crate) fn new() -> Self {
        Self::of(Nodes::new())
    }

    fn of(nodes: Nodes) -> Self {
        let world = World { nodes, fault: Fault::None, changes: 0, operations: 0, stopped: false };
        MemoryDisk {
            world: Arc::new(Mutex::new(world)),
            during_next_sync: Arc::default(),
            after_next_write: Arc::default(),
            after_next_read: Arc::default(),
        }
    }

    /// From now on, counting from here.
    pub(crate) fn set_fault(&self, fault: Fault) {
        let mut world = locked(&self.world);
        (world.fault, world.changes, world.operations) = (fault, 0, 0);
    }

    /// Operations since the fault was set: those that change something, and all.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let world = locked(&self.world);
        (world.changes, world.operations)
    }

    pub(crate) fn is_stopped(&self) -> bool {
        locked(&self.world).stopped
    }

    /// The disk after the power failed now and came back.
    pub(crate) fn after_power_loss(&self, dice: &mut Dice) -> Self {
        Self::of(locked(&self.world).nodes.after_power_loss(dice))
    }

    /// The disk after only the process was killed: what it did stays, and still waits to become durable.
    pub(crate) fn after_kill(&self) -> Self {
        Self::of(locked(&self.world).nodes.after_kill())
    }

    /// Runs in the middle of the next sync of a file.
    pub(crate) fn during_next_sync(&self, what: impl FnOnce() + Send + 'static) {
        *locked(&self.during_next_sync) = Some(Box::new(what));
    }

    /// Runs when the next write to a file is done and its writer does not know yet.
    pub(crate) fn after_next_write(&self, what: impl FnOnce() + Send + 'static) {
        *locked(&self.after_next_write) = Some(Box::new(what));
    }

    /// Runs when the next read of a file is done and its reader does not know yet.
    pub(crate) fn after_next_read(&self, what: impl FnOnce() + Send + 'static) {
        *locked(&self.after_next_read) = Some(Box::new(what));
    }

    /// Puts a file there, with its folders, that is not durable yet.
    pub(crate) fn put(&self, place: &Place, content: &[u8]) {
        locked(&self.world).nodes.put(place, content);
    }

    /// Replaces a file or folder by a copy of it, as `cp -r` makes one: not durable yet.
    pub(crate) fn replace_by_copy(&self, place: &Place) {
        locked(&self.world).nodes.replace_by_copy(place);
    }

    /// What programs read there now.
    pub(crate) fn content(&self, place: &Place) -> Option<Vec<u8>> {
        locked(&self.world).nodes.content(place)
    }
}

impl Disk for MemoryDisk {
    type File = MemoryFile;

    fn metadata(&self, place: &Place) -> io::Result<Option<Metadata>> {
        let mut world = locked(&self.world);
        let nodes = world.look()?;
        Ok(nodes.find(place)?.map(|node| nodes.metadata(node)))
    }

    fn open(&self, place: &Place, _access: Access) -> io::Result<MemoryFile> {
        let node = locked(&self.world).look()?.find(place)?.ok_or(Errno::NOENT)?;
        if self.kind(node) == Kind::Folder { Err(Errno::ISDIR.into()) } else { Ok(self.file(node)) }
    }

    fn create(&self, place: &Place) -> io::Result<MemoryFile> {
        let node = locked(&self.world).change(|nodes| nodes.add(place, Node::file()))?;
        Ok(self.file(node))
    }

    fn create_folder(&self, place: &Place) -> io::Result<()> {
        locked(&self.world).change(|nodes| nodes.add(place, Node::folder())).map(drop)
    }

    fn is_empty_folder(&self, place: &Place) -> io::Result<bool> {
        let mut world = locked(&self.world);
        let nodes = world.look()?;
        let node = nodes.find(place)?.ok_or(Errno::NOENT)?;
        Ok(nodes.names(node)?.is_empty())
    }

    fn rename(&self, from: &Place, to: &Place) -> io::Result<()> {
        locked(&self.world).change(|nodes| {
            let (Some((parent, old)), Some((_, new))) = (from.split(), to.split()) else {
                return Err(Errno::INVAL.into());
            };
            let folder = nodes.find(&parent)?.ok_or(Errno::NOENT)?;
            let names = nodes.names(folder)?;
            if names.contains_key(new) {
                return Err(Errno::EXIST.into());
            }
            names.get(old).ok_or(Errno::NOENT)?;
            nodes.change_name(folder, NameChange::Rename(old.to_owned(), new.to_owned()));
            Ok(())
        })
    }

    fn remove(&self, place: &Place) -> io::Result<()> {
        locked(&self.world).change(|nodes| {
            let (parent, name) = place.split().ok_or(Errno::INVAL)?;
            let folder = nodes.find(&parent)?.ok_or(Errno::NOENT)?;
            nodes.change_name(folder, NameChange::Remove(name.to_owned()));
            Ok(())
        })
    }

    fn sync_folder(&self, place: &Place) -> io::Result<()> {
        let mut world = locked(&self.world);
        let node = world.nodes.find(place)?.ok_or(Errno::NOENT)?;
        world.sync(&[node], Fault::DeafToNames)
    }

    fn sync_everything(&self) -> io::Result<()> {
        let mut world = locked(&self.world);
        let all: Vec<_> = (0..world.nodes.count()).collect();
        world.sync(&all, Fault::DeafToData)
    }

    fn path(&self, place: &Place) -> PathBuf {
        PathBuf::from("/memory").join(place.as_str())
    }
}

impl MemoryDisk {
    fn file(&self, node: usize) -> MemoryFile {
        MemoryFile { disk: self.clone(), node, has_lock: AtomicBool::new(false) }
    }

    fn kind(&self, node: usize) -> Kind {
        locked(&self.world).nodes.metadata(node).kind
    }
}

/// An open file of it.
pub(crate) struct MemoryFile {
    disk: MemoryDisk,
    node: usize,
    has_lock: AtomicBool,
}

fn interrupt(by: &Mutex<Option<Interruption>>) {
    // Taken out first: what happens may itself write and sync.
    let what = locked(by).take();
    if let Some(what) = what {
        what();
    }
}

impl MemoryFile {
    fn write_now(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut world = locked(&self.disk.world);
        match world.step(true)? {
            Verdict::Done => {
                world.nodes.write(self.node, offset, bytes);
                Ok(())
            }
            Verdict::LastBreath => {
                world.nodes.write(self.node, offset, bytes);
                Err(power_is_off())
            }
            // A disk fills up in the middle of a write.
            Verdict::Fails(errno) => {
                world.nodes.write(self.node, offset, &bytes[..bytes.len() / 2]);
                Err(errno.into())
            }
        }
    }
}

impl DiskFile for MemoryFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut world = locked(&self.disk.world);
        let content = world.look()?.seen(self.node);
        let from = usize::try_from(offset).unwrap().min(content.len());
        let there = &content[from..][..buffer.len().min(content.len() - from)];
        buffer[..there.len()].copy_from_slice(there);
        let read = there.len();
        drop(world);
        interrupt(&self.disk.after_next_read);
        Ok(read)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_now(bytes, offset)?;
        interrupt(&self.disk.after_next_write);
        Ok(())
    }

    fn set_len(&self, size: u64) -> io::Result<()> {
        locked(&self.disk.world).change(|nodes| {
            nodes.set_len(self.node, size);
            Ok(())
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        interrupt(&self.disk.during_next_sync);
        locked(&self.disk.world).sync(&[self.node], Fault::DeafToData)
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn set_executable(&self) -> io::Result<()> {
        locked(&self.disk.world).change(|nodes| {
            nodes.set_executable(self.node);
            Ok(())
        })
    }

    fn metadata(&self) -> io::Result<Metadata> {
        Ok(locked(&self.disk.world).look()?.metadata(self.node))
    }

    fn try_lock(&self) -> io::Result<bool> {
        let got = locked(&self.disk.world).look()?.lock(self.node);
        self.has_lock.fetch_or(got, Ordering::Relaxed);
        Ok(got)
    }
}

impl Drop for MemoryFile {
    fn drop(&mut self) {
        if self.has_lock.load(Ordering::Relaxed) {
            locked(&self.disk.world).nodes.unlock(self.node);
        }
    }
}
