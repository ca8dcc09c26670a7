//! A seed asks some of those that it gave first copies for one of them, to see whether they pass it on (`swarm`'s `carriers`).
//!
//! As everybody else asks, and past caches: what a cache has says nothing about the peer behind it. It asks only at the
//! address that the peer itself asked from (threat A5).

use std::sync::Arc;
use std::time::Duration;

use axum::http::{StatusCode, header};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use http_body_util::Full;
use protocol::VerifiedChunk;
use protocol::api::peer::chunk_path;
use swarm::{AskedBack, Requester};

use crate::context::Context;
use crate::firsts::Question;
use crate::holding::Holding;
use crate::http_client::{Answer, HttpError};
use crate::neighbour::native_request;

/// Longest wait for a chunk. Whoever takes longer may be slow and honest.
const LIMIT: Duration = Duration::from_secs(15);

/// The questions of one seed about one torrent.
pub(crate) struct AskingBack {
    pub(crate) context: Arc<Context>,
    pub(crate) holding: Arc<Holding>,
}

impl AskingBack {
    /// Asks until it is dropped. The brain bounds how many are asked at a time, and how much in all.
    pub(crate) async fn run(self) {
        let (clock, firsts) = (self.context.clock, &self.holding.firsts);
        let mut asking = FuturesUnordered::new();
        loop {
            tokio::select! {
                () = firsts.due(&clock) => {
                    while let Some(question) = firsts.ask_back(clock.now()) {
                        asking.push(self.ask(question));
                    }
                }
                Some((who, what)) = asking.next() => firsts.asked_back(clock.now(), who, what),
            }
        }
    }

    async fn ask(&self, question: Question) -> (Requester, AskedBack) {
        let what = match self.exchange(&question).await {
            Ok(answer) => self.judged(&question, answer).await,
            Err(HttpError::Connection(_) | HttpError::TooLarge(_)) => AskedBack::Failed,
            Err(_) => AskedBack::Unclear,
        };
        if what == AskedBack::Failed {
            tracing::debug!(url = %question.url, "keeps to itself what it gets from here");
        }
        (question.who, what)
    }

    async fn exchange(&self, question: &Question) -> Result<Answer, HttpError> {
        let torrent = self.holding.torrent();
        let path = chunk_path(&torrent.chunk_hash(question.chunk));
        let request = native_request(&self.context, &question.url, &path)
            .header(header::CACHE_CONTROL, "no-cache")
            .body(Full::<Bytes>::default())?;
        let length = torrent.span(question.chunk).length;
        let answer = self.context.http.exchange(&question.url, request, length as usize, LIMIT).await?;
        if !self.context.down.is_off() {
            self.context.down.pass(answer.body.len() as u64).await;
        }
        Ok(answer)
    }

    /// Who refuses is busy, or has not got it yet.
    async fn judged(&self, question: &Question, answer: Answer) -> AskedBack {
        if answer.status != StatusCode::OK {
            return AskedBack::Unclear;
        }
        let (torrent, chunk) = (self.holding.torrent().clone(), question.chunk);
        let checking = move || VerifiedChunk::check(&torrent, chunk, answer.body).is_ok();
        match self.context.net.blocking(checking).await {
            Some(true) => AskedBack::Came,
            Some(false) => AskedBack::Failed,
            None => AskedBack::Unclear,
        }
    }
}
