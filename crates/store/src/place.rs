//! Where a torrent's things lie beneath the output folder: places made of checked names only (threat A1).

use std::borrow::Borrow;

use protocol::{FilePath, Torrent};

/// Longest name of a file on the systems we know, in bytes.
const MAX_NAME: usize = protocol::file_path::MAX_COMPONENT;

/// A path beneath the output folder, components joined by `/`; empty for the folder itself.
///
/// Only made from a [`FilePath`], or from one component that the system itself gave us, so it never leads upwards.
/// That none of its components is a link is the [`crate::disk::Disk`]'s affair.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(String);

impl Borrow<str> for Place {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Place {
    /// The output folder itself.
    pub const fn top() -> Self {
        Place(String::new())
    }

    /// The file or folder `name` in this folder.
    pub(crate) fn child(&self, name: &str) -> Self {
        debug_assert!(!name.is_empty() && !name.contains('/') && name != "." && name != "..", "{name:?}");
        Place(if self.0.is_empty() { name.to_owned() } else { format!("{}/{name}", self.0) })
    }

    /// The file `path` beneath this folder.
    pub(crate) fn join(&self, path: &FilePath) -> Self {
        if self.0.is_empty() {
            return Place(path.as_str().to_owned());
        }
        let mut joined = String::with_capacity(self.0.len() + 1 + path.as_str().len());
        joined.push_str(&self.0);
        joined.push('/');
        joined.push_str(path.as_str());
        Place(joined)
    }

    /// The folder it lies in and its own name; `None` for the output folder itself.
    pub fn split(&self) -> Option<(Place, &str)> {
        match self.0.rsplit_once('/') {
            Some((parent, name)) => Some((Place(parent.to_owned()), name)),
            None if self.0.is_empty() => None,
            None => Some((Place::top(), &self.0)),
        }
    }

    /// The path of the folder it lies in; `None` in the output folder itself.
    pub(crate) fn folder(&self) -> Option<&str> {
        self.0.rsplit_once('/').map(|(folder, _)| folder)
    }

    /// Its components, first to last.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/').filter(|name| !name.is_empty())
    }

    /// The path, relative to the output folder.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folders between `base` and this place, outermost first, `base` included.
    pub(crate) fn folders_from(&self, base: &Place) -> Vec<Place> {
        let mut folders = Vec::new();
        let mut at = self.clone();
        while at != *base {
            let Some((parent, _)) = at.split() else { break };
            folders.push(parent.clone());
            at = parent;
        }
        folders.reverse();
        folders
    }
}

/// The three names that a torrent takes in the output folder.
#[derive(Clone, Debug)]
pub struct Names {
    /// The finished file or folder.
    pub finished: Place,
    /// The unfinished one.
    pub part: Place,
    /// The journal, hidden beside them; it stays with the finished one.
    pub journal: Place,
}

impl Names {
    /// The names of `torrent`: two torrents of one name share them, so that the second is noticed.
    pub fn of(torrent: &Torrent) -> Self {
        let name = torrent.name().as_str();
        // A name may itself take all 255 bytes; then its hash stands for it.
        let longest = ".".len() + name.len() + ".http-torrent".len();
        let stem =
            if longest <= MAX_NAME { name.to_owned() } else { blake3::hash(name.as_bytes()).to_string() };
        let top = Place::top();
        Names {
            finished: top.join(torrent.name()),
            part: top.child(&format!("{stem}.part")),
            journal: top.child(&format!(".{stem}.http-torrent")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_split_and_list_their_folders() {
        let base = Place::top().child("x.part");
        let place = base.join(&FilePath::new("a/b/c").unwrap());
        assert_eq!(place.as_str(), "x.part/a/b/c");
        assert_eq!(place.split(), Some((Place("x.part/a/b".into()), "c")));
        let folders: Vec<_> = place.folders_from(&base).iter().map(|at| at.as_str().to_owned()).collect();
        assert_eq!(folders, ["x.part", "x.part/a", "x.part/a/b"]);
        assert_eq!(Place::top().split(), None);
    }
}
