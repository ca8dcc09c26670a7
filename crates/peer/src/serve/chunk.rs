//! `GET` and `HEAD /chunk/{hash}`: one chunk as an immutable resource, so that any HTTP cache becomes a peer.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use bytes::Bytes;
use net::Outlet;
use protocol::api::{HT_NEXT, HT_QUEUE};
use protocol::{BaseUrl, ChunkIndex, Hash};
use store::StoreError;
use swarm::{Asker, Content, Demand, Requester};

use super::answer;
use super::range::{Wanted, is_known, wanted};
use super::requester::{need, note_asker, peer_id, requester};
use crate::body::{Outgoing, Payload};
use crate::context::Context;
use crate::holding::Holding;

/// A chunk never changes under its name.
pub(super) const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// A chunk is opaque.
pub(super) const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");

pub(super) async fn get(
    State(context): State<Arc<Context>>,
    Path(text): Path<String>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    Extension(outlet): Extension<Outlet>,
    method: Method,
    headers: HeaderMap,
) -> Response<Body> {
    let Ok(hash) = text.parse::<Hash>() else {
        return answer::bad_request("the path is /chunk/ and 40 or 64 lowercase hexadecimal digits");
    };
    let Some((holding, chunk)) = context.catalog.find(&hash) else {
        return answer::not_found("this peer does not hold that chunk (yet)");
    };
    let asking = Asking {
        url: note_asker(&context, &holding, &headers, from),
        who: requester(&headers, from),
        is_peer: peer_id(&headers).is_some(),
    };
    let length = u64::from(holding.torrent().span(chunk).length);
    let etag = format!("\"{hash}\"");
    if is_known(&headers, &etag) {
        return head(StatusCode::NOT_MODIFIED, &etag, Body::empty());
    }
    let (status, first, last) = match wanted(&method, &headers, length, &etag) {
        Wanted::Whole => (StatusCode::OK, 0, length - 1),
        Wanted::Part { first, last } => (StatusCode::PARTIAL_CONTENT, first, last),
        Wanted::Nothing => return unsatisfiable(length),
    };
    let body = if method == Method::HEAD {
        Body::empty()
    } else {
        #[expect(clippy::cast_possible_truncation, reason = "a chunk's length is a u32")]
        let bytes = (last - first + 1) as u32;
        // Whoever is no peer of ours has nobody else to ask.
        let (who, now) = (asking.who, context.clock.now());
        let demand = if asking.is_peer {
            let asker = Asker { who, need: need(&headers) };
            holding.firsts.demand(now, asker, chunk, content_of(&hash), context.gate.rate())
        } else {
            Demand::Here
        };
        let slot = match context.gate.enter(who, demand, bytes).await {
            Ok(slot) => slot,
            Err(refused) => return suggesting(answer::refused(refused), &asking, &context, &holding),
        };
        holding.firsts.sends(context.clock.now(), asking.carrier(), chunk);
        let found = if outlet.sends_files() && bytes >= SENT_FROM_FILE {
            payload(&context, &holding, chunk).await
        } else {
            read(&context, &holding, chunk).await.map(Payload::Memory)
        };
        match found {
            Ok(payload) => {
                #[expect(clippy::cast_possible_truncation, reason = "a chunk's length is a u32")]
                let part = payload.part(first as u32, bytes);
                Outgoing { context: context.clone(), holding: holding.clone(), outlet }.whole(part, slot)
            }
            Err(_) => return answer::unreadable(),
        }
    };
    let mut response = head(status, &etag, body);
    if method != Method::HEAD {
        response = suggesting(response, &asking, &context, &holding);
    }
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(last - first + 1));
    headers.insert(HT_QUEUE, HeaderValue::from(context.gate.queue_len()));
    if status == StatusCode::PARTIAL_CONTENT {
        insert_content_range(headers, &format!("bytes {first}-{last}/{length}"));
    }
    response
}

/// Who asks, as far as it matters to what it gets.
struct Asking {
    who: Requester,
    is_peer: bool,
    /// Where it can be asked itself, if that is known.
    url: Option<BaseUrl>,
}

impl Asking {
    /// A peer that can be asked for what it gets.
    fn carrier(&self) -> Option<(Requester, BaseUrl)> {
        let url = self.url.clone().filter(|_| self.is_peer)?;
        Some((self.who, url))
    }
}

/// The same answer; a peer of ours is told what to ask for next. Nobody else is: a suggestion stands for some seconds, and
/// would be lost on curl.
fn suggesting(
    mut response: Response<Body>,
    asking: &Asking,
    context: &Context,
    holding: &Holding,
) -> Response<Body> {
    if asking.is_peer
        && let Some(chunk) = holding.firsts.suggestion(context.clock.now(), asking.who)
    {
        response.headers_mut().insert(HT_NEXT, HeaderValue::from(chunk.get()));
    }
    response
}

/// The content behind a hash, for the gate: equal for equal bytes, whatever torrent they are of.
fn content_of(hash: &Hash) -> Content {
    let mut first = [0; 8];
    first.copy_from_slice(&hash.as_bytes()[..8]);
    Content::new(u64::from_be_bytes(first))
}

fn head(status: StatusCode, etag: &str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, OCTETS);
    headers.insert(header::CACHE_CONTROL, IMMUTABLE);
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Ok(etag) = HeaderValue::from_str(etag) {
        headers.insert(header::ETAG, etag);
    }
    response
}

/// 416 with the true length (RFC 9110 §15.5.17).
pub(super) fn unsatisfiable(length: u64) -> Response<Body> {
    let detail = format!("the range lies past the end: there are {length} bytes");
    let mut response = answer::problem(StatusCode::RANGE_NOT_SATISFIABLE, "range not satisfiable", &detail);
    insert_content_range(response.headers_mut(), &format!("bytes */{length}"));
    response
}

pub(super) fn insert_content_range(headers: &mut HeaderMap, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(header::CONTENT_RANGE, value);
    }
}

/// So much of a chunk, or more, is sent by the kernel from where it lies, when it is in its memory (decision 14). For less, the copy goes out with
/// the head in one write and one segment.
///
/// Whoever asks for a chunk knows its hash, and finds out when somebody wrote to the file while it was sent (threat A34). Who asks for a file does
/// not: that is read and looked at before a byte of it is sent.
const SENT_FROM_FILE: u32 = 64 << 10;

/// Where the chunk lies, if it can be sent from there, or one `pread`. On a blocking thread, unless its file is open and
/// the chunk in memory: to hand that look to a thread, and to be woken by it, costs far more than the look.
async fn payload(context: &Context, holding: &Arc<Holding>, chunk: ChunkIndex) -> Result<Payload, Unread> {
    if let Some(file) = holding.in_open_file(chunk) {
        return Ok(Payload::File(file));
    }
    let holding = holding.clone();
    let found = context.net.blocking(move || match holding.in_file(chunk) {
        Some(file) => Ok(Payload::File(file)),
        None => holding.read(chunk).map(Payload::Memory),
    });
    found.await.ok_or(Unread::Stopping)?.map_err(Unread::Store)
}

/// One `pread` on a blocking thread.
pub(super) async fn read(
    context: &Context,
    holding: &Arc<Holding>,
    chunk: ChunkIndex,
) -> Result<Bytes, Unread> {
    let holding = holding.clone();
    let read = context.net.blocking(move || holding.read(chunk));
    read.await.ok_or(Unread::Stopping)?.map_err(Unread::Store)
}

/// Why a chunk that should be here was not read. The holding has said so in the log already.
#[derive(Debug)]
pub(super) enum Unread {
    /// The process is ending.
    Stopping,
    /// The disk did not give it.
    #[expect(dead_code, reason = "for Debug output in a panic message only")]
    Store(StoreError),
}
