//! The names that described clients announced, each with a number and its holders.
//!
//! A number is a tenth of a name, and an announcer that holds a thousand has a thousand of them: a million pairs are the
//! numbers of names in announcers' lists and the numbers of announcers in names' lists, four bytes each.

use std::sync::Arc;

use crate::described::{AnnouncerId, Name};
use crate::sharded::Sharded;

/// A name's number; another's when nobody holds the name any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NameId(u32);

/// All names that somebody holds.
#[derive(Debug, Default)]
pub(crate) struct Names {
    by_name: Sharded<Arc<Name>, NameId>,
    listed: Vec<Option<Listed>>,
    free: Vec<NameId>,
}

#[derive(Debug)]
struct Listed {
    name: Arc<Name>,
    /// Ascending. The name counts as the first one's.
    holders: Vec<AnnouncerId>,
}

impl Names {
    /// The number of a name that somebody holds.
    pub(crate) fn find(&self, name: &Name) -> Option<NameId> {
        self.by_name.get(name).copied()
    }

    /// Who holds it.
    pub(crate) fn holders(&self, id: NameId) -> &[AnnouncerId] {
        let listed = self.listed.get(id.0 as usize).and_then(Option::as_ref);
        listed.map_or(&[], |listed| &listed.holders)
    }

    /// The same, to be changed. Whoever takes out the last one forgets the name.
    pub(crate) fn holders_mut(&mut self, id: NameId) -> Option<&mut Vec<AnnouncerId>> {
        let listed = self.listed.get_mut(id.0 as usize).and_then(Option::as_mut);
        listed.map(|listed| &mut listed.holders)
    }

    /// A name that somebody holds from now on: its number, and who holds it already.
    pub(crate) fn note(&mut self, name: &Name) -> (NameId, &mut Vec<AnnouncerId>) {
        let id = self.find(name).unwrap_or_else(|| self.add(name));
        let listed = &mut self.listed[id.0 as usize];
        let listed =
            listed.get_or_insert_with(|| Listed { name: Arc::new(name.clone()), holders: Vec::new() });
        (id, &mut listed.holders)
    }

    fn add(&mut self, name: &Name) -> NameId {
        let id = self.free.pop().unwrap_or_else(|| {
            self.listed.push(None);
            // Bounded far below (`Limits::hashes`).
            NameId(u32::try_from(self.listed.len() - 1).unwrap_or(u32::MAX))
        });
        let name = Arc::new(name.clone());
        self.by_name.entry(name.clone()).or_insert(id);
        self.listed[id.0 as usize] = Some(Listed { name, holders: Vec::new() });
        id
    }

    /// Forgets a name that nobody holds any more.
    pub(crate) fn forget(&mut self, id: NameId) {
        if let Some(listed) = self.listed.get_mut(id.0 as usize).and_then(Option::take) {
            self.by_name.remove(&*listed.name);
            self.free.push(id);
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.by_name.len()
    }
}

#[cfg(test)]
mod tests {
    use protocol::api::tracker::OpaqueHash;

    use super::*;

    #[test]
    fn a_forgotten_names_number_is_another_names() {
        let name = |text: &str| Name::of(&OpaqueHash::new(text).unwrap());
        let mut names = Names::default();
        let (a, _) = names.note(&name("a"));
        let (b, _) = names.note(&name("b"));
        assert_eq!((names.note(&name("a")).0, names.len()), (a, 2));
        names.forget(a);
        names.forget(a);
        assert_eq!((names.find(&name("a")), names.find(&name("b")), names.len()), (None, Some(b), 1));
        assert!(names.holders(a).is_empty() && names.holders_mut(a).is_none());
        assert_eq!((names.note(&name("c")).0, names.note(&name("d")).0 == b), (a, false));
        assert_eq!(names.len(), 3);
    }
}
