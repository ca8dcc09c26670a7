//! Making durable what was written, and patience with a disk that is full.
//!
//! A disk without room is no reason to end: nothing is lost by waiting for the user to make some. The chunk that it
//! refused is kept and written again now and then, so that nothing is fetched to find out whether there is room. Any
//! other failure of the disk ends the download; what was durable stays, and the next start goes on from there.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use net::Net;
use protocol::{ChunkIndex, Time, VerifiedChunk};
use store::StoreError;
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::fact::Source;
use crate::holding::Holding;

/// Written bytes are made durable at least this often …
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// … and as soon as there are so many.
const SYNC_BYTES: u64 = 64 << 20;
/// A full disk is tried again after this long, twice as long each time, up to the last: soon enough that who made room
/// sees it go on.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_LAST: Duration = Duration::from_secs(8);

/// What the driver is to know of the disk.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum News {
    /// It takes nothing for now.
    Full,
    /// There is room again, and the chunk that was kept is stored.
    RoomAgain(Option<Taken>),
    /// Chunks are gone that it had taken; they are no longer held.
    Lost,
}

/// A chunk that was refused first and is stored now.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) chunk: ChunkIndex,
    /// Bytes that are new, twins included.
    pub(super) bytes: u64,
    pub(super) source: Source,
}

/// What became of a finish.
pub(super) enum Finish {
    /// Everything wanted is durable in its final place, there.
    Done(PathBuf),
    /// Something stands in its way that may pass.
    NotYet(News),
}

/// A sync, or another try of a full disk.
struct Work {
    /// It began when the disk was full already, so its success is news.
    is_try: bool,
    /// Bytes newly stored, and whether all is durable.
    task: JoinHandle<Option<(u64, Result<(), StoreError>)>>,
}

/// The disk under one download.
pub(super) struct Durability {
    net: Net,
    clock: Clock,
    holding: Arc<Holding>,
    /// Under way: one at a time.
    working: Option<Work>,
    synced_at: Time,
    full: Option<Full>,
}

/// A disk without room.
struct Full {
    /// What it said first.
    said: String,
    /// A chunk that it refused, and where that came from.
    kept: Option<(VerifiedChunk, Source)>,
    /// Bytes of it and its twins that are stored by now.
    taken: u64,
    next_try: Time,
    pause: Duration,
}

impl Durability {
    pub(super) fn new(net: Net, clock: Clock, holding: Arc<Holding>) -> Self {
        Durability { net, synced_at: clock.now(), clock, holding, working: None, full: None }
    }

    /// Why the disk takes nothing, for people; `None` while it does.
    pub(super) fn trouble(&self) -> Option<&str> {
        self.full.as_ref().map(|full| full.said.as_str())
    }

    /// The disk did not take `chunk`: an error unless it is only full.
    pub(super) fn refused(
        &mut self,
        chunk: VerifiedChunk,
        source: Source,
        error: StoreError,
    ) -> Result<News, StoreError> {
        let news = self.judge(error)?;
        if let Some(full) = &mut self.full {
            // One is enough to try with; the others are fetched again.
            full.kept.get_or_insert((chunk, source));
        }
        Ok(news)
    }

    /// Sorts an error: those that end the download are returned.
    fn judge(&mut self, error: StoreError) -> Result<News, StoreError> {
        match error {
            // Incomplete: chunks were lost after the brain counted them.
            StoreError::Lost { .. } | StoreError::Incomplete { .. } => Ok(News::Lost),
            error if error.is_no_space() => {
                let now = self.clock.now();
                let full = self.full.get_or_insert_with(|| {
                    tracing::info!(%error, "waiting for room");
                    let said = format!("{error}; the download goes on by itself");
                    Full { said, kept: None, taken: 0, next_try: now, pause: RETRY_FIRST }
                });
                if full.next_try <= now {
                    full.next_try = now + full.pause;
                    full.pause = (full.pause * 2).min(RETRY_LAST);
                }
                Ok(News::Full)
            }
            error => Err(error),
        }
    }

    /// Looks how the last sync went and begins another when one is due. Called a few times a second.
    pub(super) async fn look(&mut self) -> Result<Option<News>, StoreError> {
        if let Some(Work { is_try, task }) = self.working.take_if(|working| working.task.is_finished()) {
            // A cancelled one means that the runtime ends; the last sync follows anyway.
            let (bytes, done) = task.await.ok().flatten().unwrap_or((0, Ok(())));
            if let Some(full) = &mut self.full {
                full.taken += bytes;
            }
            if let Err(error) = done {
                return self.judge(error).map(Some);
            }
            if let Some(Full { kept, taken: bytes, .. }) = self.full.take_if(|_| is_try) {
                let taken = kept.map(|(chunk, source)| Taken { chunk: chunk.index(), bytes, source });
                return Ok(Some(News::RoomAgain(taken)));
            }
        }
        if self.working.is_none() && self.is_due() {
            self.synced_at = self.clock.now();
            let kept = self.full.as_ref().and_then(|full| Some(full.kept.as_ref()?.0.clone()));
            let holding = self.holding.clone();
            let net = self.net.clone();
            let work = move || write_and_sync(&holding, kept.as_ref());
            let task = tokio::spawn(async move { net.blocking(work).await });
            self.working = Some(Work { is_try: self.full.is_some(), task });
        }
        Ok(None)
    }

    fn is_due(&self) -> bool {
        let now = self.clock.now();
        if let Some(full) = &self.full {
            return full.next_try <= now;
        }
        let unsynced = self.holding.unsynced_bytes();
        unsynced > SYNC_BYTES || (unsynced > 0 && now.since(self.synced_at) >= SYNC_EVERY)
    }

    /// Waits for the sync under way and makes the rest durable.
    pub(super) async fn settle(&mut self) -> Result<(), StoreError> {
        let paused = self.pause().await;
        let holding = self.holding.clone();
        // Cancelled only when the runtime ends.
        let synced = self.net.blocking(move || holding.sync()).await.unwrap_or(Ok(()));
        paused.and(synced)
    }

    /// Moves what is wanted to its final place; `files` as in [`Holding::finish_selection`]. `None` when the runtime
    /// ends.
    pub(super) async fn finish(
        &mut self,
        files: Option<BTreeSet<usize>>,
    ) -> Option<Result<Finish, StoreError>> {
        if let Err(lost) = self.pause().await {
            return Some(self.judge(lost).map(Finish::NotYet));
        }
        let holding = self.holding.clone();
        let finishing = move || match files {
            Some(files) => holding.finish_selection(&files),
            None => holding.finish(),
        };
        Some(match self.net.blocking(finishing).await? {
            Ok(path) => {
                self.full = None;
                Ok(Finish::Done(path))
            }
            Err(error) => self.judge(error).map(Finish::NotYet),
        })
    }

    /// Returns when a full disk is to be tried again.
    pub(super) async fn next_try(&self) {
        if let Some(full) = &self.full {
            tokio::time::sleep_until(self.clock.instant(full.next_try)).await;
        }
    }

    /// Waits for the sync under way. That chunks were lost is said once; all else is said again by the next sync.
    async fn pause(&mut self) -> Result<(), StoreError> {
        let Some(working) = self.working.take() else { return Ok(()) };
        match working.task.await {
            Ok(Some((_, Err(lost @ StoreError::Lost { .. })))) => Err(lost),
            _ => Ok(()),
        }
    }
}

/// Blocks.
fn write_and_sync(holding: &Holding, kept: Option<&VerifiedChunk>) -> (u64, Result<(), StoreError>) {
    match kept.map_or(Ok(0), |chunk| holding.store(chunk)) {
        Ok(bytes) => (bytes, holding.sync()),
        Err(error) => (0, Err(error)),
    }
}
