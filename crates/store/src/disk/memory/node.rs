//! Files and folders of the disk in memory: what programs see, what is on the platter, what waits between.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use rustix::io::Errno;

use super::Dice;
use crate::disk::{Identity, Kind, Metadata};
use crate::place::Place;

/// Bytes that reach the platter together or not at all. Far below a sector, as the tests' chunks are, too.
const CELL: usize = 4;

type Names = BTreeMap<String, usize>;

#[derive(Clone, Debug)]
pub(super) enum Node {
    File(File),
    Folder { seen: Names, durable: Names, waiting: Vec<NameChange> },
}

#[derive(Clone, Debug, Default)]
pub(super) struct File {
    seen: Content,
    durable: Content,
    waiting: Vec<Change>,
}

#[derive(Clone, Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    executable: bool,
    modified: i64,
}

#[derive(Clone, Debug)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Length(usize),
    Executable,
}

#[derive(Clone, Debug)]
pub(super) enum NameChange {
    Add(String, usize),
    Rename(String, String),
    Remove(String),
}

impl Content {
    fn apply(&mut self, change: &Change) {
        match change {
            Change::Write { at, bytes } => {
                let end = at + bytes.len();
                self.bytes.resize(self.bytes.len().max(end), 0);
                self.bytes[*at..end].copy_from_slice(bytes);
            }
            Change::Length(length) => self.bytes.resize(*length, 0),
            Change::Executable => self.executable = true,
        }
    }

    /// Some cells of a write, as they lie in the file.
    fn apply_torn(&mut self, change: &Change, dice: &mut Dice) {
        let Change::Write { at, bytes } = change else { return };
        let mut done = 0;
        while done < bytes.len() {
            let until = (CELL - (at + done) % CELL + done).min(bytes.len());
            if dice.roll(2) == 0 {
                self.apply(&Change::Write { at: at + done, bytes: bytes[done..until].to_vec() });
            }
            done = until;
        }
    }
}

fn apply_name(names: &mut Names, change: &NameChange) {
    match change {
        NameChange::Add(name, node) => {
            names.insert(name.clone(), *node);
        }
        NameChange::Rename(old, new) => {
            if let Some(node) = names.remove(old) {
                names.insert(new.clone(), node);
            }
        }
        NameChange::Remove(name) => {
            names.remove(name);
        }
    }
}

impl Node {
    pub(super) fn file() -> Self {
        Node::File(File::default())
    }

    pub(super) fn folder() -> Self {
        Node::Folder { seen: Names::new(), durable: Names::new(), waiting: Vec::new() }
    }
}

/// All of them; a node's number is its inode. Number 0 is the output folder.
#[derive(Clone)]
pub(super) struct Nodes {
    all: Vec<Node>,
    locked: BTreeSet<usize>,
    clock: i64,
}

impl Nodes {
    pub(super) fn new() -> Self {
        Nodes { all: vec![Node::folder()], locked: BTreeSet::new(), clock: 0 }
    }

    pub(super) fn count(&self) -> usize {
        self.all.len()
    }

    pub(super) fn names(&self, node: usize) -> io::Result<&Names> {
        match &self.all[node] {
            Node::Folder { seen, .. } => Ok(seen),
            Node::File(_) => Err(Errno::NOTDIR.into()),
        }
    }

    pub(super) fn find(&self, place: &Place) -> io::Result<Option<usize>> {
        let mut at = 0;
        for name in place.components() {
            match self.names(at)?.get(name) {
                Some(node) => at = *node,
                None => return Ok(None),
            }
        }
        Ok(Some(at))
    }

    pub(super) fn add(&mut self, place: &Place, node: Node) -> io::Result<usize> {
        let (parent, name) = place.split().ok_or(Errno::EXIST)?;
        let folder = self.find(&parent)?.ok_or(Errno::NOENT)?;
        if self.names(folder)?.contains_key(name) {
            return Err(Errno::EXIST.into());
        }
        let number = self.all.len();
        self.all.push(node);
        self.change_name(folder, NameChange::Add(name.to_owned(), number));
        Ok(number)
    }

    pub(super) fn change_name(&mut self, folder: usize, change: NameChange) {
        if let Node::Folder { seen, waiting, .. } = &mut self.all[folder] {
            apply_name(seen, &change);
            waiting.push(change);
        }
    }

    fn change(&mut self, node: usize, change: Change) {
        self.clock += 1;
        let clock = self.clock;
        let file = self.file(node);
        file.seen.apply(&change);
        file.seen.modified = clock;
        file.waiting.push(change);
    }

    fn file(&mut self, node: usize) -> &mut File {
        match &mut self.all[node] {
            Node::File(file) => file,
            Node::Folder { .. } => panic!("a folder is never opened"),
        }
    }

    pub(super) fn write(&mut self, node: usize, at: u64, bytes: &[u8]) {
        self.change(node, Change::Write { at: usize::try_from(at).unwrap(), bytes: bytes.to_vec() });
    }

    pub(super) fn set_len(&mut self, node: usize, size: u64) {
        self.change(node, Change::Length(usize::try_from(size).unwrap()));
    }

    pub(super) fn set_executable(&mut self, node: usize) {
        let modified = self.file(node).seen.modified;
        self.change(node, Change::Executable);
        self.file(node).seen.modified = modified;
    }

    pub(super) fn seen(&mut self, node: usize) -> &[u8] {
        &self.file(node).seen.bytes
    }

    pub(super) fn metadata(&self, node: usize) -> Metadata {
        let linked = node == 0
            || self.all.iter().any(|other| {
                matches!(other, Node::Folder { seen, .. } if seen.values().any(|named| *named == node))
            });
        let identity = Identity { inode: node as u64, born: 1 };
        let folder = Metadata {
            kind: Kind::Folder,
            identity,
            size: 0,
            modified: 0,
            changed: 0,
            executable: true,
            linked,
        };
        match &self.all[node] {
            Node::Folder { .. } => folder,
            Node::File(File { seen, .. }) => Metadata {
                kind: Kind::File,
                size: seen.bytes.len() as u64,
                modified: seen.modified,
                changed: seen.modified,
                executable: seen.executable,
                ..folder
            },
        }
    }

    pub(super) fn make_durable(&mut self, node: usize) {
        match &mut self.all[node] {
            Node::File(File { seen, durable, waiting }) => {
                for change in waiting.drain(..) {
                    durable.apply(&change);
                }
                durable.modified = seen.modified;
            }
            Node::Folder { durable, waiting, .. } => {
                for change in waiting.drain(..) {
                    apply_name(durable, &change);
                }
            }
        }
    }

    /// Data is given up; names wait on.
    pub(super) fn fail_sync(&mut self, node: usize, cache_dropped: bool) {
        if let Node::File(File { seen, durable, waiting }) = &mut self.all[node] {
            waiting.clear();
            if cache_dropped {
                let length = seen.bytes.len();
                seen.bytes.clone_from(&durable.bytes);
                seen.bytes.resize(length, 0);
            }
        }
    }

    pub(super) fn after_power_loss(&self, dice: &mut Dice) -> Self {
        let nodes = self.all.iter().map(|node| match node {
            Node::File(File { seen, durable, waiting }) => {
                let mut left = durable.clone();
                for change in waiting {
                    match dice.roll(3) {
                        0 => left.apply(change),
                        1 => left.apply_torn(change, dice),
                        _ => {}
                    }
                }
                left.modified = if dice.roll(2) == 0 { seen.modified } else { durable.modified };
                Node::File(File { seen: left.clone(), durable: left, waiting: Vec::new() })
            }
            Node::Folder { durable, waiting, .. } => {
                let mut left = durable.clone();
                for change in waiting {
                    if dice.roll(2) == 0 {
                        apply_name(&mut left, change);
                    }
                }
                Node::Folder { seen: left.clone(), durable: left, waiting: Vec::new() }
            }
        });
        Nodes { all: nodes.collect(), clock: self.clock, ..Nodes::new() }
    }

    pub(super) fn after_kill(&self) -> Self {
        Nodes { all: self.all.clone(), clock: self.clock, ..Nodes::new() }
    }

    pub(super) fn lock(&mut self, node: usize) -> bool {
        self.locked.insert(node)
    }

    pub(super) fn unlock(&mut self, node: usize) {
        self.locked.remove(&node);
    }

    pub(super) fn put(&mut self, place: &Place, content: &[u8]) {
        for folder in place.folders_from(&Place::top()).iter().skip(1) {
            if self.find(folder).unwrap().is_none() {
                self.add(folder, Node::folder()).unwrap();
            }
        }
        let node = match self.find(place).unwrap() {
            Some(node) => node,
            None => self.add(place, Node::file()).unwrap(),
        };
        self.set_len(node, 0);
        self.write(node, 0, content);
    }

    pub(super) fn content(&self, place: &Place) -> Option<Vec<u8>> {
        match &self.all[self.find(place).ok()??] {
            Node::File(file) => Some(file.seen.bytes.clone()),
            Node::Folder { .. } => None,
        }
    }

    pub(super) fn replace_by_copy(&mut self, place: &Place) {
        let node = self.find(place).unwrap().unwrap();
        let copy = self.copy(node);
        let (parent, name) = place.split().unwrap();
        let folder = self.find(&parent).unwrap().unwrap();
        self.change_name(folder, NameChange::Add(name.to_owned(), copy));
    }

    fn copy(&mut self, node: usize) -> usize {
        let copy = match self.all[node].clone() {
            Node::File(File { seen, .. }) => {
                let content = Change::Write { at: 0, bytes: seen.bytes.clone() };
                Node::File(File { seen, durable: Content::default(), waiting: vec![content] })
            }
            Node::Folder { mut seen, .. } => {
                for inner in seen.values_mut() {
                    *inner = self.copy(*inner);
                }
                let names = seen.iter().map(|(name, inner)| NameChange::Add(name.clone(), *inner)).collect();
                Node::Folder { seen, durable: Names::new(), waiting: names }
            }
        };
        self.all.push(copy);
        self.all.len() - 1
    }
}
