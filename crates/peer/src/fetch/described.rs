//! The described `POST /chunk`: base64 in JSON, one request at a time, each on a connection of its own.

use axum::http::{HeaderValue, Method, StatusCode, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::body::Incoming;
use protocol::api::peer::{CHUNK, ChunkContent};
use swarm::Failure;

use super::{ANSWER, Fetcher, Report, Wanted, transport};
use crate::http_client::{json_request, next_frame};

/// JSON around one chunk of an answer: quotes, keys, a hash, white space.
const JSON_AROUND: usize = 512;

impl Fetcher {
    /// Brings all of `wanted`, one by one where the other side refuses them together.
    pub(super) async fn described(&self, wanted: &[Wanted]) {
        let Ok(_turn) = self.neighbour.turn.acquire().await else { return };
        match self.ask_described(wanted).await {
            Ok(contents) => self.take_described(wanted, contents).await,
            // It may refuse the whole for one unknown hash: ask for each alone.
            Err(Failure::Missing) if wanted.len() > 1 => {
                for one in wanted {
                    match self.ask_described(&[*one]).await {
                        Ok(contents) => self.take_described(&[*one], contents).await,
                        Err(failure) => self.failed(*one, failure).await,
                    }
                }
            }
            Err(failure) => {
                for one in wanted {
                    self.failed(*one, failure).await;
                }
            }
        }
    }

    async fn ask_described(&self, wanted: &[Wanted]) -> Result<Vec<ChunkContent>, Failure> {
        let torrent = self.holding.torrent();
        let body = serde_json::to_vec(&self.hashes(wanted)).map_err(|_| Failure::Transport)?;
        let request = json_request(Method::POST, self.neighbour.url.join(CHUNK), body);
        let mut request = request.map_err(|error| transport(&error))?;
        // One idle connection would block it.
        request.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        let response = self.context.http.send(&self.neighbour.url, request, ANSWER).await;
        let response = response.map_err(|error| transport(&error))?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND => return Err(Failure::Missing),
            _ => return Err(Failure::Transport),
        }
        let payload: usize = wanted.iter().map(|wanted| torrent.span(wanted.chunk).length as usize).sum();
        let cap = payload.div_ceil(3) * 4 + JSON_AROUND * (wanted.len() + 1);
        let bytes = self.read_described(response.into_body(), cap, wanted).await?;
        serde_json::from_slice(&bytes).map_err(|_| Failure::Transport)
    }

    /// Reads the whole answer; what comes is reported as the first chunk's, so that the brain sees it move.
    async fn read_described(
        &self,
        mut body: Incoming,
        cap: usize,
        wanted: &[Wanted],
    ) -> Result<Vec<u8>, Failure> {
        let (mut read, mut report) = (Vec::new(), Report::default());
        while let Some(frame) = next_frame(&mut body).await.map_err(|error| transport(&error))? {
            if read.len() + frame.len() > cap {
                return Err(Failure::WrongBytes);
            }
            read.extend_from_slice(&frame);
            for one in wanted.iter().take(1) {
                self.came(one.fetch, frame.len(), &mut report).await;
            }
        }
        Ok(read)
    }

    /// Takes what was asked for out of a described answer and ignores the rest (threat A8).
    async fn take_described(&self, wanted: &[Wanted], contents: Vec<ChunkContent>) {
        for one in wanted {
            let hash = self.holding.torrent().chunk_hash(one.chunk).to_string();
            let content = contents.iter().find(|content| content.hash == hash);
            let Some(content) = content else {
                self.failed(*one, Failure::Missing).await;
                continue;
            };
            let Ok(bytes) = STANDARD.decode(&content.content) else {
                self.failed(*one, Failure::Transport).await;
                continue;
            };
            for wrong in self.take(vec![(*one, bytes.into())], self.source()).await {
                self.failed(wrong, Failure::WrongBytes).await;
            }
        }
    }
}
