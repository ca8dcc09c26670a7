//! `GET /file/{id}` and `/file/{id}/{path}`: the file itself for curl, browsers and players, from a seed or while it
//! downloads (the range asked for comes first). A folder lists itself.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{ConnectInfo, OriginalUri, Path, State};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri, header};
use net::Outlet;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use protocol::ChunkIndex;
use protocol::torrent::{FileEntry, Shape};
use swarm::{Demand, Requester};

use super::chunk::{insert_content_range, read, unsatisfiable};
use super::range::{Wanted, is_known, wanted};
use super::requester::requester;
use super::{answer, torrent};
use crate::body::{Gone, Outgoing, Pipe};
use crate::context::Context;
use crate::gate::Slot;
use crate::holding::Holding;

/// Chunks asked for ahead of a reader.
const READ_AHEAD: u32 = 8;
/// A path stays readable: only what may not stand in one is encoded.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');
/// The query that makes browsers save a file which they could also show.
const DOWNLOAD: &str = "download";
/// A shared file is a stranger's content on our origin: it may not run as a page.
const SANDBOX: HeaderValue =
    HeaderValue::from_static("sandbox; default-src 'none'; style-src 'unsafe-inline'; media-src 'self'");

/// Who asks for a file, and how.
struct Asked {
    from: SocketAddr,
    outlet: Outlet,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
}

pub(super) async fn root(
    State(context): State<Arc<Context>>,
    Path(id): Path<String>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    Extension(outlet): Extension<Outlet>,
    method: Method,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Response<Body> {
    let holding = match torrent::find(&context, &id) {
        Ok(holding) => holding,
        Err(refusal) => return refusal,
    };
    match holding.torrent().layout().shape() {
        Shape::File => serve(&context, holding, 0, &Asked { from, outlet, method, uri, headers }),
        Shape::Folder => list(&holding, uri.path().ends_with('/')),
    }
}

/// A file by its path as listed, and nothing else (threat A31): the path is a key, never a place on the disk.
pub(super) async fn inside(
    State(context): State<Arc<Context>>,
    Path((id, path)): Path<(String, String)>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    Extension(outlet): Extension<Outlet>,
    method: Method,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Response<Body> {
    let holding = match torrent::find(&context, &id) {
        Ok(holding) => holding,
        Err(refusal) => return refusal,
    };
    match holding.torrent().layout().find(&path) {
        Some(file) => serve(&context, holding, file, &Asked { from, outlet, method, uri, headers }),
        None => answer::not_found("this torrent has no such file"),
    }
}

fn serve(context: &Arc<Context>, holding: Arc<Holding>, file: usize, asked: &Asked) -> Response<Body> {
    let torrent = holding.torrent().clone();
    let entry = &torrent.layout().files()[file];
    let etag = format!("\"{}-{file}\"", torrent.id());
    if is_known(&asked.headers, &etag) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        insert(response.headers_mut(), header::ETAG, &etag);
        return response;
    }
    let (status, first, length) = match wanted(&asked.method, &asked.headers, entry.size, &etag) {
        Wanted::Whole => (StatusCode::OK, 0, entry.size),
        Wanted::Part { first, last } => (StatusCode::PARTIAL_CONTENT, first, last - first + 1),
        Wanted::Nothing => return unsatisfiable(entry.size),
    };
    let mut response = Response::new(Body::empty());
    if asked.method != Method::HEAD && length > 0 {
        let outgoing =
            Outgoing { context: context.clone(), holding: holding.clone(), outlet: asked.outlet.clone() };
        let (pipe, body) = outgoing.piped();
        let requester = requester(&asked.headers, asked.from);
        let reader = Reader { context: context.clone(), holding, file, requester };
        tokio::spawn(async move {
            tokio::select! {
                biased;
                // Either way there is nobody left to tell.
                _ = reader.send(&pipe, first, length) => {}
                () = pipe.gone() => {}
            }
        });
        *response.body_mut() = body;
    }
    *response.status_mut() = status;
    let headers = response.headers_mut();
    describe(headers, entry, asked.uri.query() == Some(DOWNLOAD));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    insert(headers, header::ETAG, &etag);
    if status == StatusCode::PARTIAL_CONTENT {
        insert_content_range(headers, &format!("bytes {first}-{}/{}", first + length - 1, entry.size));
    }
    response
}

/// What a browser should make of the file: show what it can, or save it, but never run it.
fn describe(headers: &mut HeaderMap, entry: &FileEntry, save: bool) {
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CONTENT_SECURITY_POLICY, SANDBOX);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let media_type = mime_guess::from_path(entry.path.as_str()).first_or_octet_stream();
    insert(headers, header::CONTENT_TYPE, media_type.as_ref());
    let name = entry.path.components().next_back().unwrap_or_default();
    let manner = if save { "attachment" } else { "inline" };
    let disposition = format!("{manner}; filename*=UTF-8''{}", utf8_percent_encode(name, NON_ALPHANUMERIC));
    insert(headers, header::CONTENT_DISPOSITION, &disposition);
}

fn insert(headers: &mut HeaderMap, name: header::HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(name, value);
    }
}

/// Somebody who reads a file here, perhaps before all of it came.
struct Reader {
    context: Arc<Context>,
    holding: Arc<Holding>,
    file: usize,
    requester: Requester,
}

impl Reader {
    async fn send(&self, pipe: &Pipe, first: u64, length: u64) -> Result<(), Gone> {
        let end = first + length;
        let mut at = first;
        while at < end {
            let Some(chunk) = self.holding.torrent().layout().chunk_at(self.file, at) else {
                return Err(Gone);
            };
            let span = self.holding.torrent().span(chunk);
            if !self.wait_for(chunk).await {
                // Never to come: not one of the files that this download is of.
                pipe.cut().await;
                return Err(Gone);
            }
            let slot = self.slot(span.length).await;
            let Ok(bytes) = read(&self.context, &self.holding, chunk).await else {
                pipe.cut().await;
                return Err(Gone);
            };
            let until = end.min(span.offset + u64::from(span.length));
            #[expect(clippy::cast_possible_truncation, reason = "offsets within a chunk")]
            let part = bytes.slice((at - span.offset) as usize..(until - span.offset) as usize);
            pipe.payload(part, slot).await?;
            at = until;
        }
        Ok(())
    }

    /// Waits until the chunk is here, telling the download what is wanted next; false when it is not to come.
    async fn wait_for(&self, chunk: ChunkIndex) -> bool {
        if self.holding.holds(chunk) {
            return true;
        }
        let entry = &self.holding.torrent().layout().files()[self.file];
        let last = (chunk.get() + READ_AHEAD).min(entry.first_chunk + entry.chunk_count - 1);
        if !self.holding.wanted().contains(chunk) {
            return false;
        }
        self.holding.wish(chunk, ChunkIndex::new(last));
        self.holding.wait_for(chunk).await;
        true
    }

    async fn slot(&self, bytes: u32) -> Slot {
        loop {
            match self.context.gate.enter(self.requester, Demand::Here, bytes).await {
                Ok(slot) => return slot,
                Err(refused) => tokio::time::sleep(refused.retry_after).await,
            }
        }
    }
}

/// A plain page of links, relative, so that they hold behind a reverse proxy's prefix too. Names are a stranger's, so
/// they are escaped twice: for HTML and for the eye.
fn list(holding: &Holding, inside_folder: bool) -> Response<Body> {
    let torrent = holding.torrent();
    let up_to_here = if inside_folder { String::new() } else { format!("{}/", torrent.id()) };
    let mut page = String::from("<!doctype html><meta charset=\"utf-8\"><title>");
    let name = escaped(torrent.name().as_str());
    let _ = write!(page, "{name}</title><h1>{name}</h1><ul>");
    for entry in torrent.layout().files() {
        let href = utf8_percent_encode(entry.path.as_str(), PATH);
        let shown = escaped(entry.path.as_str());
        let _ = write!(page, "<li><a href=\"{up_to_here}{href}\">{shown}</a> {} bytes", entry.size);
    }
    page.push_str("</ul>\n");
    let mut response = Response::new(Body::from(page));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CONTENT_SECURITY_POLICY, SANDBOX);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn escaped(text: &str) -> String {
    let shown = protocol::Printable(text).to_string();
    shown
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}
