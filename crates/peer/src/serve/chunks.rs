//! `POST /chunk`: several chunks in one answer. Described: JSON with base64. Native, by `Accept`: frames.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use net::Outlet;
use protocol::api::peer::{CHUNKS_MEDIA_TYPE, FrameHeader, MAX_CHUNK_REQUEST, MAX_CHUNKS_PER_REQUEST};
use protocol::{ChunkIndex, Hash};
use store::Buffer;
use swarm::{Demand, Requester};

use super::answer;
use super::requester::requester;
use crate::body::{Gone, Outgoing, Pipe};
use crate::context::Context;
use crate::gate::{Gate, Slot};
use crate::holding::Holding;

/// Small chunks are read together up to this many bytes: one trip to a blocking thread, one slot.
const TOGETHER: u64 = 1 << 20;

/// Longest time for a request's body, 256 KiB at most (threat A11).
const BODY_TIME: Duration = Duration::from_secs(30);

/// A chunk that was asked for and is held.
struct Found {
    /// Which hash of the request.
    position: u32,
    hash: Hash,
    holding: Arc<Holding>,
    chunk: ChunkIndex,
    length: u32,
}

pub(super) async fn post(
    State(context): State<Arc<Context>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    Extension(outlet): Extension<Outlet>,
    headers: HeaderMap,
    body: Body,
) -> Response<Body> {
    let asked = match asked(body).await {
        Ok(asked) => asked,
        Err(refused) => return refused.into_response(),
    };
    let found = find_all(&context, &asked);
    if found.is_empty() && !asked.is_empty() {
        return (StatusCode::BAD_REQUEST, "this client has none of these chunks").into_response();
    }
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let form = if accept.is_some_and(|accept| accept.contains(CHUNKS_MEDIA_TYPE)) {
        Form::Frames
    } else {
        Form::Json
    };
    let groups = grouped(found);
    let requester = requester(&headers, from);
    let mut answer = Response::new(Body::empty());
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(form.media_type()));
    answer.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(form.length(&groups)));
    let Some(first) = groups.first() else {
        *answer.body_mut() = Body::from("[]");
        return answer;
    };
    // The first slot is taken before the head is sent, so that a full queue can still answer 429.
    let slot = match context.gate.enter(requester, Demand::Here, bytes_of(first)).await {
        Ok(slot) => slot,
        Err(refused) => return answer::refused(refused),
    };
    let outgoing = Outgoing { context: context.clone(), holding: first[0].holding.clone(), outlet };
    let (pipe, body) = outgoing.piped();
    tokio::spawn(async move {
        tokio::select! {
            biased;
            // Either way there is nobody left to tell.
            _ = send(&pipe, &context, requester, form, groups, slot) => {}
            () = pipe.gone() => {}
        }
    });
    *answer.body_mut() = body;
    answer
}

/// The hashes in the body; anything that is no list of texts is the asker's mistake.
async fn asked(body: Body) -> Result<Vec<String>, (StatusCode, String)> {
    let wrong = |reason: String| (StatusCode::BAD_REQUEST, reason);
    let read = tokio::time::timeout(BODY_TIME, to_bytes(body, MAX_CHUNK_REQUEST));
    let read =
        read.await.map_err(|_| (StatusCode::REQUEST_TIMEOUT, "the body comes too slowly".to_owned()))?;
    let bytes = read.map_err(|error| wrong(format!("body: {error}")))?;
    let hashes: Vec<String> = serde_json::from_slice(&bytes)
        .map_err(|error| wrong(format!("expected a list of hashes: {error}")))?;
    if hashes.len() > MAX_CHUNKS_PER_REQUEST {
        return Err(wrong(format!(
            "more than {MAX_CHUNKS_PER_REQUEST} hashes in one request: ask for fewer"
        )));
    }
    Ok(hashes)
}

/// Those of the hashes that are held.
fn find_all(context: &Context, asked: &[String]) -> Vec<Found> {
    let mut all: Vec<Found> = Vec::with_capacity(asked.len());
    for (position, text) in (0u32..).zip(asked) {
        let Ok(hash) = text.parse::<Hash>() else { continue };
        // Small chunks are asked for as they lie in the files: mostly it is the next one, and nothing has to be looked up.
        let next = all.last().and_then(|last| next_with(last, &hash));
        let Some((holding, chunk)) = next.or_else(|| context.catalog.find(&hash)) else { continue };
        let length = holding.torrent().span(chunk).length;
        all.push(Found { position, hash, holding, chunk, length });
    }
    all
}

/// The chunk behind this one, if it has that hash and is held.
fn next_with(last: &Found, hash: &Hash) -> Option<(Arc<Holding>, ChunkIndex)> {
    let next = ChunkIndex::new(last.chunk.get() + 1);
    let torrent = last.holding.torrent();
    let is_it =
        next.get() < torrent.chunk_count() && torrent.chunk_hash(next) == *hash && last.holding.holds(next);
    is_it.then(|| (last.holding.clone(), next))
}

/// Neighbouring small chunks in groups of at most [`TOGETHER`] bytes; a large one alone.
fn grouped(found: Vec<Found>) -> Vec<Vec<Found>> {
    let mut groups: Vec<Vec<Found>> = Vec::new();
    for next in found {
        match groups.last_mut() {
            Some(group) if u64::from(bytes_of(group)) + u64::from(next.length) <= TOGETHER => {
                group.push(next);
            }
            _ => groups.push(vec![next]),
        }
    }
    groups
}

fn bytes_of(group: &[Found]) -> u32 {
    // A group of several is at most TOGETHER; a single chunk at most 16 MiB.
    group.iter().map(|found| found.length).sum()
}

async fn send(
    pipe: &Pipe,
    context: &Context,
    requester: Requester,
    form: Form,
    groups: Vec<Vec<Found>>,
    slot: Slot,
) -> Result<(), Gone> {
    let mut slot = Some(slot);
    let last = groups.len() - 1;
    for (at, group) in groups.into_iter().enumerate() {
        let slot = match slot.take() {
            Some(slot) => slot,
            None => again(&context.gate, requester, bytes_of(&group)).await,
        };
        for found in &group {
            found.holding.firsts.sends(context.clock.now(), None, found.chunk);
        }
        let read = context.net.blocking(move || form.encode(&group, at == 0, at == last));
        let Some(bytes) = read.await.flatten() else {
            pipe.cut().await;
            return Err(Gone);
        };
        pipe.payload(bytes, slot).await?;
    }
    Ok(())
}

/// A slot for the next part of an answer that is already under way: a full queue can only be waited out.
async fn again(gate: &Arc<Gate>, requester: Requester, bytes: u32) -> Slot {
    loop {
        match gate.enter(requester, Demand::Here, bytes).await {
            Ok(slot) => return slot,
            Err(refused) => tokio::time::sleep(refused.retry_after).await,
        }
    }
}

/// How the chunks are wrapped.
#[derive(Clone, Copy)]
enum Form {
    /// `[{"hash":…,"content":base64},…]`
    Json,
    /// [`FrameHeader`] and bytes, again and again.
    Frames,
}

/// What stands around the two texts of an element of the described answer.
const JSON_AROUND: usize = r#"{"hash":"","content":""}"#.len();

impl Form {
    const fn media_type(self) -> &'static str {
        match self {
            Form::Json => "application/json",
            Form::Frames => CHUNKS_MEDIA_TYPE,
        }
    }

    /// Content-Length, known before anything is read: originals read strictly by it.
    fn length(self, groups: &[Vec<Found>]) -> usize {
        let found = groups.iter().flatten();
        match self {
            Form::Frames => found.map(|found| FrameHeader::LENGTH + found.length as usize).sum(),
            Form::Json => {
                let (mut count, mut bytes) = (0, 0);
                for found in found {
                    count += 1;
                    bytes += JSON_AROUND
                        + found.hash.as_bytes().len() * 2
                        + (found.length as usize).div_ceil(3) * 4;
                }
                // Brackets, and a comma between elements.
                2 + bytes + usize::saturating_sub(count, 1)
            }
        }
    }

    /// Reads a group and wraps it; `None` when a chunk cannot be read. Blocks on the disk.
    fn encode(self, group: &[Found], opens: bool, closes: bool) -> Option<Bytes> {
        // Used again: each thread that reads would otherwise keep what others were done with.
        let mut out = Buffer::with_capacity(self.capacity(group));
        for (at, found) in group.iter().enumerate() {
            let bytes = found.holding.read(found.chunk).ok()?;
            match self {
                Form::Frames => {
                    let header = FrameHeader { position: found.position, length: found.length };
                    out.extend_from_slice(&header.to_bytes());
                    out.extend_from_slice(&bytes);
                }
                Form::Json => {
                    out.extend_from_slice(if opens && at == 0 { b"[" } else { b"," });
                    let content = STANDARD.encode(&bytes);
                    let element = format!(r#"{{"hash":"{}","content":"{content}"}}"#, found.hash);
                    out.extend_from_slice(element.as_bytes());
                }
            }
        }
        if closes && matches!(self, Form::Json) {
            out.extend_from_slice(b"]");
        }
        Some(out.freeze())
    }

    fn capacity(self, group: &[Found]) -> usize {
        let bytes = bytes_of(group) as usize;
        match self {
            Form::Frames => bytes + group.len() * FrameHeader::LENGTH,
            Form::Json => bytes / 3 * 4 + group.len() * (JSON_AROUND + 80) + 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a11_a_list_of_hashes_that_does_not_come_is_given_up() {
        let started = Instant::now();
        // A byte a second, for as long as anybody reads.
        let ticks = tokio::time::interval(Duration::from_secs(1));
        let drip = stream::unfold(ticks, |mut ticks| async {
            ticks.tick().await;
            Some((Ok::<_, std::io::Error>(Bytes::from_static(b" ")), ticks))
        });
        let refused = asked(Body::from_stream(drip.boxed())).await.unwrap_err();
        assert_eq!(refused.0, StatusCode::REQUEST_TIMEOUT);
        assert_eq!(started.elapsed().as_secs(), BODY_TIME.as_secs());
        assert_eq!(asked(Body::from(r#"["a"]"#)).await.unwrap(), ["a"]);
    }
}
