//! What this process alone can bring into a swarm, behind one lock, and where those who got it can be asked for it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use protocol::{BaseUrl, ChunkIndex, Time};
use swarm::{AskedBack, Asker, Content, Demand, FirstCopies, Requester};
use tokio::sync::Notify;

use crate::clock::Clock;

/// URLs remembered, as many as the brain remembers peers. Past it some other is forgotten: that one is not asked.
const MOST: usize = 1024;

/// The first copies of one torrent. Of a peer that is no seed there are none.
pub(crate) struct Firsts {
    state: Mutex<State>,
    /// Whoever asks back waits on this.
    news: Notify,
}

struct State {
    copies: FirstCopies,
    urls: BTreeMap<Requester, BaseUrl>,
}

/// Somebody to be asked for what only it got from here.
pub(crate) struct Question {
    pub(crate) who: Requester,
    pub(crate) url: BaseUrl,
    pub(crate) chunk: ChunkIndex,
}

impl Firsts {
    pub(crate) fn new(copies: FirstCopies) -> Self {
        Firsts { state: Mutex::new(State { copies, urls: BTreeMap::new() }), news: Notify::new() }
    }

    /// Who else could serve a request of the peer `asker` for `chunk`, beside an uplink of so many bytes per second.
    pub(crate) fn demand(
        &self,
        now: Time,
        asker: Asker,
        chunk: ChunkIndex,
        content: Content,
        uplink: u64,
    ) -> Demand {
        self.state().copies.demand(now, asker, chunk, content, uplink)
    }

    /// `chunk` is sent: to `carrier`, where that is a peer whose URL is known.
    pub(crate) fn sends(&self, now: Time, carrier: Option<(Requester, BaseUrl)>, chunk: ChunkIndex) {
        let mut state = self.state();
        let is_first = state.copies.sent(now, carrier.as_ref().map(|(who, _)| *who), chunk);
        if let Some((who, url)) = carrier.filter(|_| is_first) {
            state.remember(who, url);
            self.news.notify_one();
        }
    }

    /// What to suggest to `who`, who asks for chunks.
    pub(crate) fn suggestion(&self, now: Time, who: Requester) -> Option<ChunkIndex> {
        self.state().copies.suggest(now, who)
    }

    /// Returns when somebody is to be asked back. Of use to one task only.
    pub(crate) async fn due(&self, clock: &Clock) {
        loop {
            let at = self.state().copies.ask_back_at();
            match at {
                Some(at) if at <= clock.now() => return,
                Some(at) => {
                    let _ = tokio::time::timeout_at(clock.instant(at), self.news.notified()).await;
                }
                None => self.news.notified().await,
            }
        }
    }

    /// Whom to ask now.
    pub(crate) fn ask_back(&self, now: Time) -> Option<Question> {
        let mut state = self.state();
        loop {
            let (who, chunk) = state.copies.ask_back(now)?;
            match state.urls.get(&who).cloned() {
                Some(url) => return Some(Question { who, url, chunk }),
                None => state.copies.asked_back(now, who, AskedBack::Unclear),
            }
        }
    }

    /// This came of asking `who`.
    pub(crate) fn asked_back(&self, now: Time, who: Requester, what: AskedBack) {
        self.state().copies.asked_back(now, who, what);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn remember(&mut self, who: Requester, url: BaseUrl) {
        if self.urls.len() >= MOST && !self.urls.contains_key(&who) {
            self.urls.pop_first();
        }
        self.urls.insert(who, url);
    }
}
