//! Which file the journal means by each number, and which it does not know yet.
//!
//! One entry for each file of the torrent, and not a map of those in use: in the end they are all in use.

use crate::disk::Identity;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Note {
    /// Not in use yet, or removed.
    Unknown,
    /// In use, and not named by the journal.
    Met(Identity),
    /// Named by the journal.
    Noted(Identity),
}

/// What is noted of each file.
pub(super) struct Notes(Vec<Note>);

impl Notes {
    /// Of so many files, these are named by the journal.
    pub(super) fn new(files: usize, named: impl IntoIterator<Item = (usize, Identity)>) -> Self {
        let mut notes = vec![Note::Unknown; files];
        for (file, identity) in named {
            notes[file] = Note::Noted(identity);
        }
        Notes(notes)
    }

    /// How many files there are.
    pub(super) const fn files(&self) -> usize {
        self.0.len()
    }

    /// Whether the file was there when it was used last, by this process or by the one that wrote the journal.
    pub(super) fn knows(&self, file: usize) -> bool {
        self.0[file] != Note::Unknown
    }

    /// The file is in use, and is this one; true when the journal has to be told.
    pub(super) fn met(&mut self, file: usize, identity: Identity) -> bool {
        let is_news = self.0[file] != Note::Noted(identity);
        if is_news {
            self.0[file] = Note::Met(identity);
        }
        is_news
    }

    /// Of the files in use, those that the journal does not name.
    pub(super) fn unnoted(&self) -> impl Iterator<Item = (usize, Identity)> + '_ {
        self.0.iter().enumerate().filter_map(|(file, note)| match note {
            Note::Met(identity) => Some((file, *identity)),
            Note::Unknown | Note::Noted(_) => None,
        })
    }

    /// The journal names this one now. What was removed or replaced meanwhile is still to be named.
    pub(super) fn named(&mut self, file: usize, identity: Identity) {
        if self.0[file] == Note::Met(identity) {
            self.0[file] = Note::Noted(identity);
        }
    }

    /// A file is removed: should it come again, the journal has to be told, also where its inode is used again.
    pub(super) fn forget(&mut self, file: usize) {
        self.0[file] = Note::Unknown;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn inode(inode: u64) -> Identity {
        Identity { inode, born: 7 }
    }

    #[test]
    fn a_file_that_was_replaced_while_the_journal_was_written_is_named_again() {
        let mut notes = Notes::new(3, [(2, inode(9))]);
        assert!(!notes.met(2, inode(9)), "the journal has it");
        assert!(notes.met(0, inode(1)) && notes.met(1, inode(2)));
        assert!(notes.met(1, inode(3)), "another stands there");
        notes.named(0, inode(1));
        notes.named(1, inode(2));
        assert_eq!(notes.unnoted().collect::<Vec<_>>(), [(1, inode(3))]);
        notes.forget(0);
        notes.named(0, inode(1));
        assert!(!notes.knows(0) && notes.knows(1) && notes.knows(2));
        assert!(notes.met(0, inode(1)), "the journal is told of it anew");
    }
}
