//! How a torrent comes in and goes out: at once for whoever asks for it by its id, in steps for whoever asks for its
//! hashes, so that a torrent of a million chunks keeps nobody waiting for long.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use protocol::{BaseUrl, ChunkIndex, Time, Torrent, TorrentId};

use crate::Registry;
use crate::hash_index::Spot;
use crate::torrents::{NewTorrent, Publisher, Serial};
use crate::twins::Twins;

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
    pub fn publish(&mut self, now: Time, torrent: &Arc<Torrent>, json: Bytes) -> Result<(), PublishRefusal> {
        self.begin_publishing(now, NewTorrent::new(torrent.clone(), json), None)?;
        while self.settle(usize::MAX) {}
        Ok(())
    }

    /// Publishes a torrent, or says that it still matters. Torrents that nobody holds make room, if that is enough.
    /// Its hashes are found when [`Registry::settle`] has been called until it says that there is no more to do.
    pub fn begin_publishing(
        &mut self,
        now: Time,
        new: NewTorrent,
        publisher: Option<Publisher>,
    ) -> Result<(), PublishRefusal> {
        self.expire(now);
        if let Some(entry) = self.torrents.find_mut(new.torrent.id()) {
            entry.touch(now);
            return Ok(());
        }
        let (torrents, bytes) = (self.limits.torrents, self.limits.torrent_bytes);
        let victims = self.torrents.victims(&new, torrents, bytes).ok_or(PublishRefusal::Full)?;
        for serial in victims {
            self.unpublish(serial);
        }
        let serial = self.torrents.insert(now, new, publisher);
        self.indexing.0.push_back(Job::Note { serial, next: ChunkIndex::new(0) });
        Ok(())
    }

    /// Says at which URL the publisher's own peer is.
    pub fn set_publisher(&mut self, id: TorrentId, url: BaseUrl) {
        if let Some(entry) = self.torrents.serial(id).and_then(|serial| self.torrents.get_mut(serial)) {
            entry.origin = entry.swarm.at_url(&url);
            entry.publisher = Some(Publisher::Url(url));
        }
    }

    fn unpublish(&mut self, serial: Serial) {
        let Some(entry) = self.torrents.remove(serial) else { return };
        debug_assert!(
            entry.described.is_empty() && entry.swarm.is_empty(),
            "only idle torrents are given up"
        );
        let gone = Gone { serial, torrent: entry.torrent, twins: entry.twins };
        self.indexing.0.push_back(Job::Forget { gone, next: ChunkIndex::new(0) });
    }

    /// Does about `most` steps of what earlier calls left to do: hashes of new torrents to be noted, of torrents and
    /// announcers that are gone to be forgotten. True when there are more.
    pub fn settle(&mut self, most: usize) -> bool {
        if self.described.forget_names(most) {
            return true;
        }
        let mut steps = 0;
        while steps < most
            && let Some(job) = self.indexing.0.pop_front()
        {
            let (unfinished, taken) = match job {
                Job::Note { serial, next } => self.note(serial, next, most - steps),
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
    fn note(&mut self, serial: Serial, next: ChunkIndex, most: usize) -> (Option<Job>, usize) {
        let mut steps: usize = 0;
        let mut chunk = next;
        // One that is gone by now has a job of its own that forgets it.
        while let Some(entry) = self.torrents.get(serial)
            && chunk.get() < entry.torrent.chunk_count()
        {
            if steps >= most {
                return (Some(Job::Note { serial, next: chunk }), steps);
            }
            steps += 1;
            if !entry.twins.is_repeat(chunk) {
                let hash = entry.torrent.chunk_hash(chunk);
                if self.hashes.note(hash, Spot { serial, chunk }) {
                    steps += self.list_holders(serial, &hash, chunk);
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
