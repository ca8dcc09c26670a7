//! `GET /torrent/{id}` and what belongs to it: the description, what is held, who else shares it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use axum::response::{IntoResponse, Json};
use futures_util::stream;
use protocol::api::HT_HAVE_SEQ;
use protocol::api::peer::{Gains, HaveQuery, MAX_WAIT_S};
use protocol::api::tracker::{Have, MAX_PEERS, PeerEntry, Peers};
use protocol::torrent::JsonParts;
use protocol::{ChunkSet, ShortId, TorrentId};
use swarm::Gathering;
use tokio::time::Instant;

use super::answer;
use super::chunk::{IMMUTABLE, OCTETS};
use super::requester::note_asker;
use crate::context::Context;
use crate::holding::Holding;

/// Gains are told together: a poll is answered this long after it came at the earliest (twice as long where chunks are small:
/// [`Gathering`]), so that a gain after a silence is told at once; or earlier, when enough have gathered, so that a fast swarm is
/// not held up by its clocks. At 50 ms, the polls of sixteen peers with small chunks took 5 % of what they could send (decisions 7, 9
/// and 20).
const BATCH: Duration = Duration::from_millis(200);
/// The first so many are told as soon as they are looked at: in the first second of a swarm an uplink whose chunk nobody knows of
/// is idle (decision 11).
const FIRST: u64 = 16;
/// That is looked at so often, which is cheaper than to be woken by every gain.
const LOOK: Duration = Duration::from_millis(50);

pub(super) async fn json(State(context): State<Arc<Context>>, Path(id): Path<String>) -> Response<Body> {
    match find(&context, &id) {
        Ok(holding) => {
            let torrent = holding.torrent();
            // Written while it is sent: up to 128 MiB of it would be for those who ask, who are few.
            let parts = JsonParts::new(Arc::clone(torrent), torrent.tracker().cloned());
            let headers = [
                (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
                (header::CACHE_CONTROL, IMMUTABLE),
                (header::CONTENT_LENGTH, HeaderValue::from(parts.length())),
            ];
            let body = Body::from_stream(stream::iter(parts.map(Ok::<_, Infallible>)));
            (headers, body).into_response()
        }
        Err(refusal) => refusal,
    }
}

/// The bitmap, or with `since` what came since then, waiting for it up to `wait` seconds.
pub(super) async fn have(
    State(context): State<Arc<Context>>,
    Path(id): Path<String>,
    Query(query): Query<HaveQuery>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Response<Body> {
    let short = query.since.and_then(|_| id.parse::<ShortId>().ok());
    let holding = match short.and_then(|short| context.catalog.get_short(short)) {
        Some(holding) => holding,
        None => match find(&context, &id) {
            Ok(holding) => holding,
            Err(refusal) => return refusal,
        },
    };
    note_asker(&context, &holding, &headers, from);
    match query.since {
        None => bitmap(&holding),
        Some(since) => news(&context, &holding, since, query.wait).await,
    }
}

fn bitmap(holding: &Holding) -> Response<Body> {
    let (held, seq) = holding.held();
    let mut response = Response::new(Body::from(held.to_wire()));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, OCTETS);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(HT_HAVE_SEQ, HeaderValue::from(seq));
    response
}

async fn news(context: &Context, holding: &Holding, since: u64, wait_s: u64) -> Response<Body> {
    let wait = Duration::from_secs(wait_s.min(MAX_WAIT_S));
    let known = holding.gains_since(since).is_some();
    if known && !wait.is_zero() && !holding.is_complete() {
        tokio::select! {
            biased;
            () = worth_telling(holding, since) => {}
            () = tokio::time::sleep(wait) => {}
            // A process that ends does not keep its neighbours waiting.
            () = context.stop.cancelled() => {}
        }
    }
    match holding.gains_since(since) {
        Some(gains) => told(&gains),
        None => answer::problem(
            StatusCode::GONE,
            "gone",
            "that sequence number is not from here: ask for the bitmap again",
        ),
    }
}

/// Gains as an answer with as short a head as may be: between peers with small chunks, polls are half of what is sent besides
/// chunks (decision 20).
fn told(gains: &Gains) -> Response<Body> {
    let Ok(json) = serde_json::to_vec(gains) else {
        return answer::problem(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal error",
            "gains that cannot be written",
        );
    };
    let mut response = Response::new(Body::from(json));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Returns when what came after `since` is to be told to somebody who begins to wait now: when enough has gathered, or when it
/// presses, because hardly anybody has it or nobody asks for anything else.
async fn worth_telling(holding: &Holding, since: u64) {
    tokio::select! {
        () = holding.pressed_after(since) => {}
        () = batch(holding, since) => {}
    }
}

/// Returns when enough has gathered.
async fn batch(holding: &Holding, since: u64) {
    let began = Instant::now();
    let Gathering { gains, waits } = Gathering::of(holding.torrent().layout().chunk_size().get());
    while began.elapsed() < BATCH * waits {
        tokio::time::sleep(LOOK).await;
        let (gained, in_all) = holding.gained_since(since);
        if gained >= u64::from(gains) || (gained > 0 && in_all <= FIRST) {
            return;
        }
    }
    holding.gains_after(since).await;
}

/// Whom this peer knows, itself included: a swarm without tracker or DHT still grows.
pub(super) async fn peers(State(context): State<Arc<Context>>, Path(id): Path<String>) -> Response<Body> {
    let holding = match find(&context, &id) {
        Ok(holding) => holding,
        Err(refusal) => return refusal,
    };
    // What the others hold they tell themselves; an empty bitmap promises nothing.
    let nothing = Have::Bitmap(ChunkSet::empty(holding.torrent().chunk_count()).to_wire());
    let others = holding.acquaintances.alive(context.clock.now()).into_iter();
    let itself = PeerEntry {
        peer: Some(context.identity.peer),
        url: context.identity.url.clone(),
        have: Have::of(&holding.held().0),
    };
    // First, since readers take no more than the bound.
    let all = std::iter::once(itself).chain(others.map(|(url, peer)| PeerEntry {
        peer,
        url,
        have: nothing.clone(),
    }));
    let peers: Vec<PeerEntry> = all.take(MAX_PEERS).collect();
    Json(Peers { peers }).into_response()
}

#[expect(clippy::result_large_err, reason = "an answer either way, made once per request")]
pub(super) fn find(context: &Context, id: &str) -> Result<Arc<Holding>, Response<Body>> {
    let Ok(id) = id.parse::<TorrentId>() else {
        return Err(answer::bad_request("a torrent id is 64 lowercase hexadecimal digits"));
    };
    context.catalog.get(id).ok_or_else(|| answer::not_found("this peer does not share that torrent"))
}

#[cfg(test)]
mod tests {
    use protocol::torrent::ChunkSize;
    use protocol::{ChunkIndex, HashAlgorithm, VerifiedChunk};
    use store::{Opened, TorrentifyOptions};

    use super::*;

    const CHUNK: usize = 16 << 10;
    const BASE: u64 = 1000;
    /// Its chunks are small.
    const GATHERED: Duration = Duration::from_millis(400);

    /// A download of which nothing is here, and its chunks.
    fn begun(folder: &std::path::Path, chunks: usize) -> (Holding, Vec<VerifiedChunk>) {
        let content: Vec<u8> = (0..chunks * CHUNK).map(|at| (at / CHUNK).to_le_bytes()[0]).collect();
        std::fs::write(folder.join("f"), &content).unwrap();
        let chunk_size = Some(ChunkSize::chosen(CHUNK as u64).unwrap());
        let options = TorrentifyOptions { algorithm: HashAlgorithm::Blake3, chunk_size, tracker: None };
        let torrent = Arc::new(store::torrentify(&folder.join("f"), options, &|_| {}).unwrap());
        let Opened::Partial(partial) = store::open(torrent.clone(), &folder.join("here"), &|_| {}).unwrap()
        else {
            panic!("nothing is there yet");
        };
        let chunks = content.chunks(CHUNK).zip(0..).map(|(bytes, at)| {
            VerifiedChunk::check(&torrent, ChunkIndex::new(at), bytes.to_vec().into()).unwrap()
        });
        let chunks = chunks.collect();
        (Holding::partial(torrent, partial, None, BASE), chunks)
    }

    /// One that has gained as many as are told at the next look, and the chunks that it may gain now.
    fn past_the_first(folder: &std::path::Path) -> (Holding, Vec<VerifiedChunk>) {
        let first = usize::try_from(FIRST).unwrap();
        let (holding, mut chunks) = begun(folder, first + 4);
        for chunk in chunks.drain(..first) {
            holding.store(&chunk).unwrap();
        }
        (holding, chunks)
    }

    #[tokio::test(start_paused = true)]
    async fn gains_that_keep_coming_are_told_together_and_one_after_a_silence_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let (holding, others) = past_the_first(folder.path());
        let gain = async |after: Duration, chunk: usize| {
            tokio::time::advance(after).await;
            holding.store(&others[chunk]).unwrap();
        };
        let asked = Instant::now();
        tokio::join!(worth_telling(&holding, BASE + FIRST), async {
            gain(GATHERED / 4, 0).await;
            gain(GATHERED / 4, 1).await;
        });
        assert_eq!(asked.elapsed(), GATHERED, "together");
        let asked = Instant::now();
        tokio::join!(worth_telling(&holding, BASE + FIRST + 2), gain(GATHERED * 2, 2));
        assert_eq!(asked.elapsed(), GATHERED * 2, "at once");
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_gains_of_all_are_told_at_the_next_look() {
        let folder = tempfile::tempdir().unwrap();
        let (holding, chunks) = begun(folder.path(), 4);
        let asked = Instant::now();
        tokio::join!(worth_telling(&holding, BASE), async {
            tokio::time::advance(LOOK / 2).await;
            holding.store(&chunks[0]).unwrap();
        });
        assert_eq!(asked.elapsed(), LOOK);
    }

    #[tokio::test(start_paused = true)]
    async fn a_gain_that_presses_is_told_at_once_also_to_somebody_who_asks_a_little_later() {
        let folder = tempfile::tempdir().unwrap();
        let (holding, others) = past_the_first(folder.path());
        let asked = Instant::now();
        tokio::join!(worth_telling(&holding, BASE + FIRST), async {
            tokio::time::advance(LOOK / 5).await;
            holding.store(&others[0]).unwrap();
            holding.press();
        });
        assert_eq!(asked.elapsed(), LOOK / 5);
        worth_telling(&holding, BASE + FIRST).await;
        assert_eq!(asked.elapsed(), LOOK / 5, "whose last poll was still on its way");
        tokio::join!(worth_telling(&holding, BASE + FIRST + 1), async {
            tokio::time::advance(GATHERED / 2).await;
            holding.store(&others[1]).unwrap();
        });
        assert_eq!(asked.elapsed(), LOOK / 5 + GATHERED, "and what came after it is gathered again");
    }
}
