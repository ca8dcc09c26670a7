//! How a torrent comes in and goes out: at once for whoever asks for it by its id, in steps for whoever asks for its
//! hashes, so that a torrent of a million chunks keeps nobody waiting for long.

use std::collections::VecDeque;
use std::sync::{Arc, MutexGuard};

use protocol::{BaseUrl, ChunkIndex, Time, Torrent, TorrentId};

use crate::directory::Directory;
use crate::hash_index::Spot;
use crate::shard::{Shard, Shards};
use crate::torrents::{self, Idle, NewTorrent, Publisher, Serial};
use crate::twins::Twins;
use crate::{Limits, Registry};

/// Why a torrent is not published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishRefusal {
    /// No room, and every torrent that is there has peers.
    #[error("the tracker is full of torrents that are in use; try again later")]
    Full,
}

/// Steps left to do, in their order.
#[derive(Debug, Default)]
pub(crate) struct Indexing(VecDeque<Job>);

#[derive(Debug)]
enum Job {
    /// Note the hashes of a torrent, from this chunk on, and list who announced them before.
    Note { serial: Serial, next: ChunkIndex },
    /// Forget those of one that is gone, from this chunk on.
    Forget { gone: Gone, next: ChunkIndex },
}

/// A torrent whose hashes are still to be forgotten.
#[derive(Debug)]
struct Gone {
    serial: Serial,
    torrent: Arc<Torrent>,
    twins: Twins,
}

impl Registry {
    /// Publishes a torrent all at once: for simulations and tests, where nobody waits.
    pub fn publish(&self, now: Time, torrent: &Arc<Torrent>) -> Result<(), PublishRefusal> {
        self.begin_publishing(now, NewTorrent::new(Arc::clone(torrent)), None)?;
        while self.settle(usize::MAX) {}
        Ok(())
    }

    /// Publishes a torrent, or says that it still matters. Torrents that nobody holds make room, if that is enough.
    /// Its hashes are found when [`Registry::settle`] has been called until it says that there is no more to do.
    pub fn begin_publishing(
        &self,
        now: Time,
        new: NewTorrent,
        publisher: Option<Publisher>,
    ) -> Result<(), PublishRefusal> {
        // Who is gone holds no torrent.
        self.expire(now);
        self.change(|directory, shards| {
            let id = new.torrent.id();
            if let Some(entry) = shards.of(id).torrents.find_mut(id) {
                entry.touch(now);
                return Ok(());
            }
            let mut all = shards.all();
            for serial in victims(&all, &new, &self.budget.limits).ok_or(PublishRefusal::Full)? {
                directory.unpublish(&mut all, serial);
            }
            let serial = all[Shards::place_of(id)].torrents.insert(now, new, publisher);
            directory.indexing.0.push_back(Job::Note { serial, next: ChunkIndex::new(0) });
            Ok(())
        })
    }

    /// Says at which URL the publisher's own peer is.
    pub fn set_publisher(&self, id: TorrentId, url: BaseUrl) {
        if let Some(entry) = self.shards.of(id).torrents.find_mut(id) {
            entry.origin = entry.swarm.at_url(&url);
            entry.publisher = Some(Publisher::Url(url));
        }
    }

    /// Does about `most` steps of what earlier calls left to do: hashes of new torrents to be noted, of torrents and
    /// announcers that are gone to be forgotten. True when there are more.
    pub fn settle(&self, most: usize) -> bool {
        self.change(|directory, shards| directory.settle(shards, most))
    }
}

/// The torrents to give up so that this one has room: of those that nobody holds, the ones longest not touched, and
/// no more than needed. `None` when all of them would not be enough.
fn victims(all: &[MutexGuard<'_, Shard>], new: &NewTorrent, limits: &Limits) -> Option<Vec<Serial>> {
    let (torrents, bytes) = torrents::sum(all.iter().map(|shard| shard.torrents.size()));
    let too_many = (torrents + 1).saturating_sub(limits.torrents);
    let too_heavy = (bytes + new.weight()).saturating_sub(limits.torrent_bytes);
    if too_many == 0 && too_heavy == 0 {
        return Some(Vec::new());
    }
    let mut idle: Vec<Idle> = all.iter().flat_map(|shard| shard.torrents.idle()).collect();
    idle.sort_unstable();
    let mut freed = 0;
    for (given_up, &(_, _, weight)) in (1..).zip(&idle) {
        freed += weight;
        if given_up >= too_many && freed >= too_heavy {
            idle.truncate(given_up);
            return Some(idle.into_iter().map(|(_, serial, _)| serial).collect());
        }
    }
    None
}

impl Directory {
    fn unpublish(&mut self, all: &mut [MutexGuard<'_, Shard>], serial: Serial) {
        let Some(entry) = all[usize::from(serial.shard())].torrents.remove(serial) else { return };
        debug_assert!(
            entry.described.is_empty() && entry.swarm.is_empty(),
            "only idle torrents are given up"
        );
        let gone = Gone { serial, torrent: entry.torrent, twins: entry.twins };
        self.indexing.0.push_back(Job::Forget { gone, next: ChunkIndex::new(0) });
    }

    /// What [`Registry::settle`] does.
    fn settle(&mut self, shards: &Shards, most: usize) -> bool {
        if self.described.forget_names(most) {
            return true;
        }
        let mut steps = 0;
        while steps < most
            && let Some(job) = self.indexing.0.pop_front()
        {
            let (unfinished, taken) = match job {
                Job::Note { serial, next } => self.note(shards, serial, next, most - steps),
                Job::Forget { gone, next } => self.forget(gone, next, most - steps),
            };
            steps = steps.saturating_add(taken);
            if let Some(job) = unfinished {
                self.indexing.0.push_front(job);
            }
        }
        !self.indexing.0.is_empty()
    }

    /// Notes hashes of a torrent until so many steps are done. What is left to do, and the steps.
    fn note(
        &mut self,
        shards: &Shards,
        serial: Serial,
        next: ChunkIndex,
        most: usize,
    ) -> (Option<Job>, usize) {
        let mut steps: usize = 0;
        let mut chunk = next;
        let mut shard = shards.with(serial);
        // One that is gone by now has a job of its own that forgets it.
        let Some(entry) = shard.torrents.get_mut(serial) else { return (None, 0) };
        while chunk.get() < entry.torrent.chunk_count() {
            if steps >= most {
                return (Some(Job::Note { serial, next: chunk }), steps);
            }
            steps += 1;
            if !entry.twins.is_repeat(chunk) {
                let hash = entry.torrent.chunk_hash(chunk);
                if self.hashes.note(hash, Spot { serial, chunk }) {
                    steps += self.list_holders(entry, serial, &hash, chunk);
                }
            }
            chunk = ChunkIndex::new(chunk.get() + 1);
        }
        (None, steps)
    }

    /// The same, forgetting.
    fn forget(&mut self, gone: Gone, next: ChunkIndex, most: usize) -> (Option<Job>, usize) {
        let last = gone.torrent.chunk_count();
        let until = last.min(next.get().saturating_add(u32::try_from(most).unwrap_or(u32::MAX)));
        for chunk in (next.get()..until).map(ChunkIndex::new) {
            if !gone.twins.is_repeat(chunk) {
                self.hashes.forget(&gone.torrent.chunk_hash(chunk), gone.serial);
            }
        }
        let steps = (until - next.get()) as usize;
        ((until < last).then(|| Job::Forget { gone, next: ChunkIndex::new(until) }), steps)
    }
}
