//! What this process holds of one torrent: the content on disk, which chunks of it may be served, and the order in
//! which they came, so that neighbours can ask what is new.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use bytes::Bytes;
use protocol::api::peer::Gains;
use protocol::{ChunkIndex, ChunkSet, Torrent, VerifiedChunk};
use store::{Complete, InFile, Partial, StoreError};
use swarm::FirstCopies;
use tokio::sync::{Notify, mpsc, watch};

use crate::acquaintances::Acquaintances;
use crate::fact::{Fact, Sighting};
use crate::firsts::Firsts;

/// Shared by the server, the driver and the announcers of one torrent.
pub(crate) struct Holding {
    torrent: Arc<Torrent>,
    /// The chunks that this process is to have: all, or those of chosen files.
    wanted: ChunkSet,
    content: RwLock<Stored>,
    gains: RwLock<GainLog>,
    /// Whoever waits for gains waits on this.
    news: Notify,
    /// Whoever gathers gains before it tells them waits on this.
    press: Notify,
    /// Who else shares this torrent, as far as this process knows.
    pub(crate) acquaintances: Acquaintances,
    /// Whoever downloads this torrent here hears of those who come by themselves.
    visitors: OnceLock<mpsc::Sender<Fact>>,
    /// What this process alone can bring into the swarm, as long as it is the seed.
    pub(crate) firsts: Firsts,
    /// Payload bytes sent of this torrent.
    pub(crate) uploaded: AtomicU64,
    /// Whoever shows the uploads waits on this.
    uploading: Notify,
    /// Payload bytes received of this torrent.
    pub(crate) downloaded: AtomicU64,
    /// What the disk says next instead of the truth.
    #[cfg(test)]
    pub(crate) mishaps: std::sync::Mutex<std::collections::VecDeque<StoreError>>,
    /// Chunks somebody reads here before they came: the driver asks for them first.
    wishes: watch::Sender<Option<(ChunkIndex, ChunkIndex)>>,
}

#[derive(Clone)]
enum Stored {
    Partial(Arc<Partial>),
    Complete(Arc<Complete>),
}

/// Which chunks are held, and in which order those came that were not there at the start.
struct GainLog {
    held: ChunkSet,
    /// Bytes of the chunks held that are wanted.
    bytes: u64,
    order: Vec<ChunkIndex>,
    /// The sequence number before the first gain. Random, so that a number told before a restart is not taken for one
    /// told after it, and below 2^53, so that every JSON reader keeps it exact.
    base: u64,
    /// The sequence number up to which gains are not gathered any longer before they are told.
    pressing: u64,
}

impl GainLog {
    fn seq(&self) -> u64 {
        self.base + self.order.len() as u64
    }
}

impl Holding {
    /// `base`: the sequence number that gains are counted from, a random one.
    pub(crate) fn complete(torrent: Arc<Torrent>, complete: Complete, base: u64) -> Self {
        let all = ChunkSet::full(torrent.chunk_count());
        let firsts = FirstCopies::of_seed(torrent.chunk_count(), base);
        Self::new(torrent, all.clone(), Stored::Complete(Arc::new(complete)), all, base, firsts)
    }

    /// `files`: only these are wanted; `None` is all of them.
    pub(crate) fn partial(
        torrent: Arc<Torrent>,
        partial: Partial,
        files: Option<&BTreeSet<usize>>,
        base: u64,
    ) -> Self {
        let (wanted, held) = (chunks_of(&torrent, files), partial.have());
        Self::new(torrent, wanted, Stored::Partial(Arc::new(partial)), held, base, FirstCopies::none())
    }

    fn new(
        torrent: Arc<Torrent>,
        wanted: ChunkSet,
        content: Stored,
        held: ChunkSet,
        base: u64,
        firsts: FirstCopies,
    ) -> Self {
        let bytes = wanted.intersection(&held).map(|chunk| u64::from(torrent.span(chunk).length)).sum();
        Holding {
            torrent,
            wanted,
            content: RwLock::new(content),
            gains: RwLock::new(GainLog { held, bytes, order: Vec::new(), base, pressing: base }),
            news: Notify::new(),
            press: Notify::new(),
            acquaintances: Acquaintances::default(),
            visitors: OnceLock::new(),
            firsts: Firsts::new(firsts),
            uploaded: AtomicU64::new(0),
            uploading: Notify::new(),
            downloaded: AtomicU64::new(0),
            #[cfg(test)]
            mishaps: std::sync::Mutex::default(),
            wishes: watch::Sender::new(None),
        }
    }

    pub(crate) fn torrent(&self) -> &Arc<Torrent> {
        &self.torrent
    }

    /// The chunks that this process is to have.
    pub(crate) const fn wanted(&self) -> &ChunkSet {
        &self.wanted
    }

    /// The chunks held, and the sequence number up to which this tells.
    pub(crate) fn held(&self) -> (ChunkSet, u64) {
        let gains = self.gains.read().unwrap_or_else(PoisonError::into_inner);
        (gains.held.clone(), gains.seq())
    }

    pub(crate) fn holds(&self, chunk: ChunkIndex) -> bool {
        self.gains.read().unwrap_or_else(PoisonError::into_inner).held.contains(chunk)
    }

    pub(crate) fn held_count(&self) -> u32 {
        self.gains.read().unwrap_or_else(PoisonError::into_inner).held.count()
    }

    /// Bytes held of those wanted.
    pub(crate) fn held_bytes(&self) -> u64 {
        self.gains.read().unwrap_or_else(PoisonError::into_inner).bytes
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.gains.read().unwrap_or_else(PoisonError::into_inner).held.is_full()
    }

    /// What came after sequence number `since`; `None` when that number was never told, or too much came since: then
    /// the bitmap says it better.
    pub(crate) fn gains_since(&self, since: u64) -> Option<Gains> {
        let gains = self.gains.read().unwrap_or_else(PoisonError::into_inner);
        let known = usize::try_from(since.checked_sub(gains.base)?).ok()?;
        let new = gains.order.get(known..)?;
        let mut set = ChunkSet::empty(self.torrent.chunk_count());
        for chunk in new {
            set.insert(*chunk);
        }
        Gains::of(gains.seq(), &set)
    }

    /// Writes a verified chunk and all its wanted twins; from then on they are served. Blocks on the disk.
    /// Returns the bytes that are new.
    pub(crate) fn store(&self, chunk: &VerifiedChunk) -> Result<u64, StoreError> {
        let Stored::Partial(partial) = self.content() else { return Ok(0) };
        let mut stored = Vec::new();
        let missing = |twin: &ChunkIndex| self.wanted.contains(*twin) && !self.holds(*twin);
        for twin in self.torrent.twins(chunk.index()).filter(missing) {
            if let Some(twin_chunk) = chunk.as_twin(&self.torrent, twin) {
                self.noted(partial.write(&twin_chunk))?;
                stored.push(twin);
            }
        }
        Ok(self.gained(&stored))
    }

    /// Copies chunks that are missing from twins that are here (a download that was cut between the two). Blocks.
    pub(crate) fn copy_twins(&self) -> Result<(), StoreError> {
        let held = self.held().0;
        if held.is_empty() {
            return Ok(());
        }
        for chunk in self.wanted.difference(&held) {
            let here = self.torrent.twins(chunk).find(|twin| held.contains(*twin));
            if let (Some(here), Stored::Partial(partial)) = (here, self.content()) {
                let bytes = partial.read(here)?;
                if let Ok(verified) = VerifiedChunk::check(&self.torrent, chunk, bytes) {
                    self.store(&verified)?;
                }
            }
        }
        Ok(())
    }

    fn gained(&self, chunks: &[ChunkIndex]) -> u64 {
        let mut bytes = 0;
        {
            let mut gains = self.gains.write().unwrap_or_else(PoisonError::into_inner);
            for chunk in chunks {
                if gains.held.insert(*chunk) {
                    gains.bytes += u64::from(self.torrent.span(*chunk).length);
                    gains.order.push(*chunk);
                    bytes += u64::from(self.torrent.span(*chunk).length);
                }
            }
        }
        self.news.notify_waiters();
        bytes
    }

    /// Reads a chunk that is held, in one `pread`. Blocks on the disk. A chunk that turns out to be lost (the file
    /// was changed under us, threat A34) is no longer offered.
    pub(crate) fn read(&self, chunk: ChunkIndex) -> Result<Bytes, StoreError> {
        let result = match self.content() {
            Stored::Partial(partial) => match partial.read(chunk) {
                // Finished and renamed since we looked: the complete file has it.
                Err(error) => match self.content() {
                    Stored::Complete(complete) => complete.read(chunk),
                    Stored::Partial(_) => Err(error),
                },
                read => read,
            },
            Stored::Complete(complete) => Self::read_complete(&complete, chunk),
        };
        // Anything else (no file descriptor, no memory) may pass: the chunk is still there.
        if let Err(error @ (StoreError::Changed { .. } | StoreError::Gone { .. } | StoreError::NotHere)) =
            &result
        {
            tracing::warn!(chunk = chunk.get(), torrent = %self.torrent.name(), %error, "no longer offered");
            self.forget(&mut self.gains.write().unwrap_or_else(PoisonError::into_inner), chunk);
        }
        result
    }

    /// Where a chunk lies that is held, to be sent from there. Blocks on the disk, briefly. `None` where [`Holding::read`] knows more.
    pub(crate) fn in_file(&self, chunk: ChunkIndex) -> Option<InFile> {
        match self.content() {
            Stored::Partial(partial) => partial.in_file(chunk),
            Stored::Complete(complete) => complete.in_file(chunk),
        }
    }

    /// The same without waiting for the disk: `None` also where [`Holding::in_file`] would wait for it.
    pub(crate) fn in_open_file(&self, chunk: ChunkIndex) -> Option<InFile> {
        match self.content() {
            Stored::Partial(partial) => partial.in_open_file(chunk),
            Stored::Complete(complete) => complete.in_open_file(chunk),
        }
    }

    fn read_complete(complete: &Complete, chunk: ChunkIndex) -> Result<Bytes, StoreError> {
        match complete.read(chunk) {
            // Touched, but this chunk may still be what it was.
            Err(StoreError::Changed { .. }) if complete.recheck(chunk) => complete.read(chunk),
            read => read,
        }
    }

    fn forget(&self, gains: &mut GainLog, chunk: ChunkIndex) {
        if gains.held.remove(chunk) && self.wanted.contains(chunk) {
            gains.bytes -= u64::from(self.torrent.span(chunk).length);
        }
    }

    /// What the disk has lost is no longer offered.
    fn noted<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        #[cfg(test)]
        let result = {
            let mishap = self.mishaps.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            mishap.map_or(result, Err)
        };
        if let Err(error @ StoreError::Lost { chunks }) = &result {
            tracing::warn!(torrent = %self.torrent.name(), %error);
            let mut gains = self.gains.write().unwrap_or_else(PoisonError::into_inner);
            for chunk in chunks {
                self.forget(&mut gains, *chunk);
            }
        }
        result
    }

    /// Makes what was written durable. Blocks on the disk.
    pub(crate) fn sync(&self) -> Result<(), StoreError> {
        match self.content() {
            Stored::Partial(partial) => self.noted(partial.sync()),
            Stored::Complete(_) => Ok(()),
        }
    }

    /// Bytes written and not yet durable.
    pub(crate) fn unsynced_bytes(&self) -> u64 {
        match self.content() {
            Stored::Partial(partial) => partial.unsynced_bytes(),
            Stored::Complete(_) => 0,
        }
    }

    /// Moves the finished content to its final place. Blocks on the disk.
    pub(crate) fn finish(&self) -> Result<PathBuf, StoreError> {
        match self.content() {
            Stored::Partial(partial) => {
                let complete = Arc::new(self.noted(partial.finish())?);
                let path = complete.path().to_owned();
                *self.content.write().unwrap_or_else(PoisonError::into_inner) = Stored::Complete(complete);
                Ok(path)
            }
            Stored::Complete(complete) => Ok(complete.path().to_owned()),
        }
    }

    /// Moves these files alone to their final place (`get --files`). Blocks on the disk.
    pub(crate) fn finish_selection(&self, files: &BTreeSet<usize>) -> Result<PathBuf, StoreError> {
        match self.content() {
            Stored::Partial(partial) => {
                let path = self.noted(partial.finish_selection(files))?;
                // What came of other files is gone from the disk.
                self.gains.write().unwrap_or_else(PoisonError::into_inner).held = partial.have();
                Ok(path)
            }
            Stored::Complete(complete) => Ok(complete.path().to_owned()),
        }
    }

    /// Where the finished content lies; `None` while it is partial.
    pub(crate) fn path(&self) -> Option<PathBuf> {
        match self.content() {
            Stored::Complete(complete) => Some(complete.path().to_owned()),
            Stored::Partial(_) => None,
        }
    }

    /// A download of this torrent begins: it is told who comes.
    pub(crate) fn tell_of_visitors(&self, facts: mpsc::Sender<Fact>) {
        let _ = self.visitors.set(facts);
    }

    /// Somebody asked here that was not known. A download that is over, or has too much to hear, does without.
    pub(crate) fn visited(&self, sighting: Sighting) {
        if let Some(facts) = self.visitors.get() {
            let _ = facts.try_send(Fact::Visited(sighting));
        }
    }

    fn content(&self) -> Stored {
        self.content.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Somebody reads these chunks here and waits for them.
    pub(crate) fn wish(&self, first: ChunkIndex, last: ChunkIndex) {
        self.wishes.send_replace(Some((first, last)));
    }

    /// The newest wish.
    pub(crate) fn wishes(&self) -> watch::Receiver<Option<(ChunkIndex, ChunkIndex)>> {
        self.wishes.subscribe()
    }

    /// Returns when `chunk` is held. Whoever may lose interest before that drops the future.
    pub(crate) async fn wait_for(&self, chunk: ChunkIndex) {
        Self::wait_until(&self.news, || self.holds(chunk)).await;
    }

    /// How many chunks came after sequence number `since`, and how many since this process began.
    pub(crate) fn gained_since(&self, since: u64) -> (u64, u64) {
        let gains = self.gains.read().unwrap_or_else(PoisonError::into_inner);
        (gains.seq().saturating_sub(since), gains.seq() - gains.base)
    }

    /// Returns when something came after sequence number `since`.
    pub(crate) async fn gains_after(&self, since: u64) {
        let seq = || self.gains.read().unwrap_or_else(PoisonError::into_inner).seq();
        Self::wait_until(&self.news, || seq() > since).await;
    }

    /// What is here by now is to be told at once.
    pub(crate) fn press(&self) {
        let mut gains = self.gains.write().unwrap_or_else(PoisonError::into_inner);
        gains.pressing = gains.seq();
        drop(gains);
        self.press.notify_waiters();
    }

    /// Returns when something that came after sequence number `since` is to be told at once.
    pub(crate) async fn pressed_after(&self, since: u64) {
        let pressing = || self.gains.read().unwrap_or_else(PoisonError::into_inner).pressing;
        Self::wait_until(&self.press, || pressing() > since).await;
    }

    async fn wait_until(news: &Notify, come: impl Fn() -> bool) {
        loop {
            let mut told = std::pin::pin!(news.notified());
            // From here on nothing is missed.
            told.as_mut().enable();
            if come() {
                return;
            }
            told.await;
        }
    }

    pub(crate) fn count_upload(&self, bytes: u64) {
        self.uploaded.fetch_add(bytes, Ordering::Relaxed);
        self.uploading.notify_one();
    }

    /// Returns when something was sent since the last time. For one who waits.
    pub(crate) async fn uploads(&self) {
        self.uploading.notified().await;
    }
}

/// The chunks of these files, or of all.
fn chunks_of(torrent: &Torrent, files: Option<&BTreeSet<usize>>) -> ChunkSet {
    let count = torrent.chunk_count();
    let Some(files) = files else { return ChunkSet::full(count) };
    let mut chunks = ChunkSet::empty(count);
    for entry in files.iter().filter_map(|file| torrent.layout().files().get(*file)) {
        for chunk in entry.first_chunk..entry.first_chunk + entry.chunk_count {
            chunks.insert(ChunkIndex::new(chunk));
        }
    }
    chunks
}
