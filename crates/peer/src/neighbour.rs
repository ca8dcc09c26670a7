//! One neighbour: what it speaks, what it holds, and a task that follows what it gains.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::http::request::Builder;
use axum::http::{Request, StatusCode, header};
use bytes::Bytes;
use http_body_util::Full;
use protocol::api::peer::{Gains, have_path, news_path};
use protocol::api::well_known::{self, WellKnown};
use protocol::api::{HT_HAVE_SEQ, HT_PEER, HT_URL};
use protocol::{BaseUrl, ChunkIndex, ChunkSet, PeerId};
use swarm::{Gained, PeerKey};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;

use crate::context::Context;
use crate::fact::Fact;
use crate::holding::Holding;
use crate::http_client::{Answer, HttpError};

/// Longest wait for an answer that need not wait for anything.
const ANSWER: Duration = Duration::from_secs(5);
/// How long one long poll asks to wait, in seconds.
const POLL_S: u64 = 25;
/// How often a complete neighbour is asked whether it is still there.
const IN_TOUCH: Duration = Duration::from_secs(30);
/// Tries before a neighbour that does not answer counts as lost, and the pause between them.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);
/// Largest answer to a long poll: [`protocol::api::peer::MAX_RUNS`] pairs of seven-digit numbers.
const MAX_GAINS: usize = 512 << 10;

/// What the other side speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    /// The native protocol.
    Native,
    /// Only what the mission describes.
    Described,
}

/// A peer that this download may fetch from.
pub(crate) struct Neighbour {
    pub(crate) key: PeerKey,
    pub(crate) url: BaseUrl,
    /// Known from the tracker, or found out by asking; set before the brain hears of the neighbour.
    speaks: OnceLock<Speaks>,
    /// Holds every chunk.
    complete: AtomicBool,
    /// Holds any.
    something: AtomicBool,
    /// It refused a request for several chunks: it does not know them.
    one_by_one: AtomicBool,
    /// A cache between here and there gave wrong bytes.
    past_caches: AtomicBool,
    /// Its answers do not say how long they are: those to requests for one chunk, and those for several.
    unframed: [AtomicBool; 2],
    /// It knows torrents by their whole ids only.
    wants_whole_id: AtomicBool,
    /// Original programs serve one connection at a time: no second request before the first is answered.
    pub(crate) turn: Semaphore,
}

impl Neighbour {
    /// `known`: its process id, told by somebody who speaks natively with it, so that it need not be asked.
    pub(crate) fn new(key: PeerKey, url: BaseUrl, known: Option<PeerId>) -> Self {
        let speaks = OnceLock::new();
        if known.is_some() {
            let _ = speaks.set(Speaks::Native);
        }
        Neighbour {
            key,
            url,
            speaks,
            complete: AtomicBool::new(false),
            something: AtomicBool::new(false),
            one_by_one: AtomicBool::new(false),
            past_caches: AtomicBool::new(false),
            unframed: [const { AtomicBool::new(false) }; 2],
            wants_whole_id: AtomicBool::new(false),
            turn: Semaphore::new(1),
        }
    }

    /// What it speaks; the described protocol while that is not known.
    pub(crate) fn speaks(&self) -> Speaks {
        self.speaks.get().copied().unwrap_or(Speaks::Described)
    }

    /// Whether it may be asked for several chunks in one request.
    pub(crate) fn takes_several(&self) -> bool {
        !self.one_by_one.load(Ordering::Relaxed)
    }

    /// It must be asked for one chunk at a time.
    pub(crate) fn takes_one_by_one(&self) {
        self.one_by_one.store(true, Ordering::Relaxed);
    }

    /// Whether requests to it ask caches on the way to stand aside.
    pub(crate) fn is_asked_past_caches(&self) -> bool {
        self.past_caches.load(Ordering::Relaxed)
    }

    /// What comes from a cache on the way to it is not to be trusted.
    pub(crate) fn ask_past_caches(&self) {
        self.past_caches.store(true, Ordering::Relaxed);
    }

    /// Whether its answers for one chunk, or for several, are left to hyper.
    pub(crate) fn is_unframed(&self, several: bool) -> bool {
        self.unframed[usize::from(several)].load(Ordering::Relaxed)
    }

    /// Such an answer of its did not say how long it is: some proxies send every body in pieces, or those that no cache keeps.
    pub(crate) fn answers_unframed(&self, several: bool) {
        self.unframed[usize::from(several)].store(true, Ordering::Relaxed);
    }

    pub(crate) fn holds_something(&self) -> bool {
        self.something.load(Ordering::Relaxed)
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.complete.load(Ordering::Relaxed)
    }

    pub(crate) fn note(&self, held: &ChunkSet) {
        self.complete.store(held.is_full(), Ordering::Relaxed);
        self.something.store(!held.is_empty(), Ordering::Relaxed);
    }
}

/// A request head that tells the other side who we are.
pub(crate) fn native_request(context: &Context, url: &BaseUrl, path: &str) -> Builder {
    Request::builder()
        .uri(url.join(path))
        .header(HT_PEER, context.identity.peer.to_string())
        .header(HT_URL, context.identity.url.to_string())
}

/// Follows a neighbour until it is lost, or the download ends (which aborts this task).
pub(crate) struct Follower {
    pub(crate) context: Arc<Context>,
    pub(crate) holding: Arc<Holding>,
    pub(crate) neighbour: Arc<Neighbour>,
    pub(crate) facts: mpsc::Sender<Fact>,
}

impl Follower {
    pub(crate) async fn run(self) {
        let peer = self.neighbour.key;
        match self.meet().await {
            Some(Speaks::Native) => {
                if let Err(Lost) = self.follow().await {
                    self.holding.acquaintances.lost(&self.neighbour.url);
                    self.tell(Fact::Lost { peer }).await;
                }
            }
            // What it holds is the tracker's knowledge; that it is gone shows in its fetches.
            Some(Speaks::Described) => self.tell(Fact::Met { peer }).await,
            None => self.tell(Fact::Lost { peer }).await,
        }
    }

    async fn tell(&self, fact: Fact) {
        // A download that is over has no ear.
        let _ = self.facts.send(fact).await;
    }

    /// Finds out what it speaks; `None` when it does not answer, or is this very process.
    async fn meet(&self) -> Option<Speaks> {
        if let Some(speaks) = self.neighbour.speaks.get() {
            return Some(*speaks);
        }
        for attempt in 0..TRIES {
            if attempt > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            match self.ask_what_it_speaks().await {
                Ok(Some(peer)) if peer == self.context.identity.peer => return None,
                Ok(Some(_)) => return Some(*self.neighbour.speaks.get_or_init(|| Speaks::Native)),
                Ok(None) => return Some(*self.neighbour.speaks.get_or_init(|| Speaks::Described)),
                Err(error) => tracing::debug!(url = %self.neighbour.url, %error, "no answer yet"),
            }
        }
        None
    }

    /// The other process's id if it speaks natively; `None` for any other answer.
    async fn ask_what_it_speaks(&self) -> Result<Option<PeerId>, HttpError> {
        let request = native_request(&self.context, &self.neighbour.url, well_known::PATH)
            // One idle connection blocks an original program, and it may be one.
            .header(header::CONNECTION, "close")
            .body(Full::<Bytes>::default())?;
        let answer =
            self.context.http.exchange(&self.neighbour.url, request, well_known::MAX_BODY, ANSWER).await?;
        if answer.decides_nothing() {
            return Err(HttpError::Connection(format!("it answers {}", answer.status)));
        }
        let described: Option<WellKnown> = serde_json::from_slice(&answer.body).ok();
        let native = described.filter(|described| answer.status.is_success() && described.is("peer"));
        if native.as_ref().is_some_and(|native| !native.can(well_known::CAP_CHUNKS)) {
            self.neighbour.takes_one_by_one();
        }
        Ok(native.and_then(|described| described.peer))
    }

    /// Tells what the neighbour holds, and what it gains, for as long as it answers.
    async fn follow(&self) -> Result<(), Lost> {
        let (mut held, mut seq) = self.bitmap().await?;
        loop {
            if self.neighbour.is_complete() {
                // Nothing more to learn but that it is still there: others are told of it as long as it is.
                tokio::time::sleep(IN_TOUCH).await;
                (held, seq) = self.bitmap().await?;
                continue;
            }
            let asked = Instant::now();
            match self.gains(seq).await? {
                None => (held, seq) = self.bitmap().await?,
                Some(gains) => {
                    let runs = gains.checked_runs(held.len()).ok_or(Lost)?;
                    seq = gains.seq;
                    self.saw();
                    if runs.is_empty() {
                        // One that answers at once without news must not make us spin.
                        tokio::time::sleep_until(asked + PAUSE).await;
                    } else {
                        self.gained(&mut held, runs).await;
                    }
                }
            }
        }
    }

    async fn gained(&self, held: &mut ChunkSet, runs: Vec<(ChunkIndex, ChunkIndex)>) {
        for (first, last) in &runs {
            for at in first.get()..=last.get() {
                held.insert(ChunkIndex::new(at));
            }
        }
        self.neighbour.note(held);
        self.tell(Fact::Gained { peer: self.neighbour.key, chunks: Gained::Runs(runs) }).await;
    }

    /// What it holds now, and the sequence number of that.
    async fn bitmap(&self) -> Result<(ChunkSet, u64), Lost> {
        let chunks = self.holding.torrent().chunk_count();
        let path = have_path(self.holding.torrent().id());
        let answer = self.ask(&path, ChunkSet::wire_length(chunks), ANSWER).await?;
        let held = ChunkSet::from_wire(chunks, &answer.body).map_err(|_| Lost)?;
        let seq =
            answer.headers.get(HT_HAVE_SEQ).and_then(|seq| seq.to_str().ok()?.parse().ok()).unwrap_or(0);
        self.neighbour.note(&held);
        self.saw();
        let peer = self.neighbour.key;
        self.tell(Fact::Met { peer }).await;
        let chunks = if held.is_full() { Gained::All } else { Gained::Set(held.clone()) };
        self.tell(Fact::Gained { peer, chunks }).await;
        Ok((held, seq))
    }

    /// What it gained since `since`, waiting for it; `None` when it has forgotten that number (it was restarted).
    async fn gains(&self, since: u64) -> Result<Option<Gains>, Lost> {
        let id = self.holding.torrent().id();
        let limit = ANSWER + Duration::from_secs(POLL_S);
        if !self.neighbour.wants_whole_id.load(Ordering::Relaxed) {
            let answer = self.answer(&news_path(id.short(), since, POLL_S), MAX_GAINS, limit).await?;
            match answer.status {
                // One from before ids could be short; if it is gone, it says so again.
                StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND => {
                    self.neighbour.wants_whole_id.store(true, Ordering::Relaxed);
                }
                _ => return news(&answer),
            }
        }
        news(&self.answer(&news_path(id, since, POLL_S), MAX_GAINS, limit).await?)
    }

    /// `GET`; any answer but 200 means that it does not share this torrent.
    async fn ask(&self, path: &str, cap: usize, limit: Duration) -> Result<Answer, Lost> {
        self.answer(path, cap, limit)
            .await
            .and_then(|answer| if answer.status == StatusCode::OK { Ok(answer) } else { Err(Lost) })
    }

    /// `GET`, tried again while nobody answers.
    async fn answer(&self, path: &str, cap: usize, limit: Duration) -> Result<Answer, Lost> {
        for attempt in 0..TRIES {
            if attempt > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            let request =
                native_request(&self.context, &self.neighbour.url, path).body(Full::<Bytes>::default());
            let answer = match request {
                Ok(request) => self.context.http.exchange(&self.neighbour.url, request, cap, limit).await,
                Err(error) => Err(error.into()),
            };
            match answer {
                Ok(answer) => return Ok(answer),
                Err(error) => tracing::debug!(url = %self.neighbour.url, %error, "no answer"),
            }
        }
        Err(Lost)
    }

    fn saw(&self) {
        let url = self.neighbour.url.clone();
        self.holding.acquaintances.saw(url, None, self.context.clock.now());
    }
}

/// What an answer tells; `None` for one whose numbers are others.
fn news(answer: &Answer) -> Result<Option<Gains>, Lost> {
    match answer.status {
        StatusCode::OK => serde_json::from_slice(&answer.body).map(Some).map_err(|_| Lost),
        StatusCode::GONE => Ok(None),
        _ => Err(Lost),
    }
}

/// The neighbour is gone, or talks nonsense.
struct Lost;
