//! Several small chunks in one request, answered in frames: one round trip, one verification trip to a blocking thread.

use axum::http::{Method, StatusCode, header};
use bytes::{Buf, Bytes, BytesMut};
use http_body_util::Full;
use hyper::body::Incoming;
use protocol::api::peer::{CHUNK, CHUNKS_MEDIA_TYPE, FrameHeader};
use swarm::Failure;

use super::{ANSWER, Fetcher, Wanted, retry_after, transport};
use crate::http_client::next_frame;
use crate::neighbour::native_request;

/// What a neighbour makes of a request for several chunks.
enum Asked {
    Frames(Incoming),
    /// It does not know such requests.
    OneByOne,
}

impl Fetcher {
    /// `POST /chunk` for several small chunks, answered in frames.
    pub(super) async fn frames(&self, wanted: &[Wanted]) {
        let mut open: Vec<Option<Wanted>> = wanted.iter().copied().map(Some).collect();
        let failure = match self.ask_for_frames(wanted).await {
            Ok(Asked::Frames(body)) => self.read_frames(body, &mut open).await.err(),
            Ok(Asked::OneByOne) => {
                self.neighbour.takes_one_by_one();
                for one in wanted {
                    self.single(*one).await;
                }
                return;
            }
            Err(failure) => Some(failure),
        };
        // What a whole answer left out is not there.
        let failure = failure.unwrap_or(Failure::Missing);
        for wanted in open.into_iter().flatten() {
            self.failed(wanted, failure).await;
        }
    }

    async fn ask_for_frames(&self, wanted: &[Wanted]) -> Result<Asked, Failure> {
        let hashes = self.hashes(wanted);
        let body = serde_json::to_vec(&hashes).map_err(|_| Failure::Transport)?;
        let request = native_request(&self.context, &self.neighbour.url, CHUNK)
            .method(Method::POST)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, CHUNKS_MEDIA_TYPE)
            .body(Full::from(body))
            .map_err(|error| transport(&error.into()))?;
        let response = self.context.http.send(&self.neighbour.url, request, ANSWER).await;
        let response = response.map_err(|error| transport(&error))?;
        match response.status() {
            StatusCode::OK => Ok(Asked::Frames(response.into_body())),
            StatusCode::BAD_REQUEST => Err(Failure::Missing),
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {
                Ok(Asked::OneByOne)
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                Err(Failure::Busy { retry_after: retry_after(response.headers()) })
            }
            _ => Err(Failure::Transport),
        }
    }

    /// Takes frames as they become whole; those taken leave `open`.
    async fn read_frames(&self, mut body: Incoming, open: &mut [Option<Wanted>]) -> Result<(), Failure> {
        let mut begun = BytesMut::new();
        while let Some(mut bytes) = next_frame(&mut body).await.map_err(|error| transport(&error))? {
            if !self.context.down.is_off() {
                self.context.down.pass(bytes.len() as u64).await;
            }
            let mut whole = Vec::new();
            let next = loop {
                match self.next_chunk(&mut begun, &mut bytes, open) {
                    Ok(Some(chunk)) => whole.push(chunk),
                    other => break other,
                }
            };
            for wrong in self.take(whole, self.source()).await {
                self.failed(wrong, Failure::WrongBytes).await;
            }
            // What was good before a lie is taken all the same.
            next?;
        }
        if begun.is_empty() { Ok(()) } else { Err(Failure::Transport) }
    }

    /// The next whole frame of `bytes`, of which the first part may have `begun` before: only that one is copied. `None` when `bytes` are
    /// used up.
    fn next_chunk(
        &self,
        begun: &mut BytesMut,
        bytes: &mut Bytes,
        open: &mut [Option<Wanted>],
    ) -> Result<Option<(Wanted, Bytes)>, Failure> {
        if begun.is_empty()
            && let Some((wanted, position, length)) = self.announced(bytes, open)?
            && bytes.len() >= length
        {
            open[position] = None;
            return Ok(Some((wanted, content(bytes.split_to(length)))));
        }
        move_up_to(FrameHeader::LENGTH, bytes, begun);
        let Some((wanted, position, length)) = self.announced(begun, open)? else { return Ok(None) };
        begun.reserve(length.saturating_sub(begun.len()));
        move_up_to(length, bytes, begun);
        if begun.len() < length {
            return Ok(None);
        }
        open[position] = None;
        Ok(Some((wanted, content(std::mem::take(begun).freeze()))))
    }

    /// What the header at the start of `bytes` announces: for whom, its position in the request, and the length of the frame. `None` where
    /// the header is not whole; one that names what was not asked for, or another length, is a lie.
    fn announced(
        &self,
        bytes: &[u8],
        open: &[Option<Wanted>],
    ) -> Result<Option<(Wanted, usize, usize)>, Failure> {
        let Some(header) = bytes.first_chunk::<{ FrameHeader::LENGTH }>() else { return Ok(None) };
        let header = FrameHeader::from_bytes(*header);
        let position = header.position as usize;
        let wanted = open.get(position).copied().flatten().ok_or(Failure::WrongBytes)?;
        if header.length != self.holding.torrent().span(wanted.chunk).length {
            return Err(Failure::WrongBytes);
        }
        Ok(Some((wanted, position, FrameHeader::LENGTH + header.length as usize)))
    }
}

/// Moves bytes over until `into` has `length` of them, or there are no more.
fn move_up_to(length: usize, from: &mut Bytes, into: &mut BytesMut) {
    let missing = length.saturating_sub(into.len()).min(from.len());
    into.extend_from_slice(&from.split_to(missing));
}

/// What follows a frame's header.
fn content(mut frame: Bytes) -> Bytes {
    frame.advance(FrameHeader::LENGTH);
    frame
}
