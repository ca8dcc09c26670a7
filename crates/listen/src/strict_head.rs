//! A stream on which a request's head has exactly one reading (threat A13).
//!
//! hyper takes a line that ends in a bare LF, two equal lengths, and a length beside `Transfer-Encoding`; RFC 9112
//! allows that (§2.2, §6.3). A proxy in front may read the same bytes otherwise, and what one of the two takes for a
//! body the other answers as a request. So heads are looked at as they come: what has two readings is cut off with a
//! NUL, which no parser takes, and hyper answers 400 and closes.
//!
//! A chunked request body is refused likewise: nothing that speaks to us needs one, and without it a body is exactly
//! as long as its head says, so that the next head is found.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes of a line that are kept to look at: a length and its name are shorter.
const KEPT: usize = 64;

/// Wraps a stream of requests.
pub(crate) struct StrictHead<S> {
    stream: S,
    heads: Heads,
}

impl<S> StrictHead<S> {
    pub(crate) fn new(stream: S) -> Self {
        StrictHead { stream, heads: Heads::new() }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for StrictHead<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.heads.refused {
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        std::task::ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if let Some(at) = self.heads.read(&buf.filled()[before..]) {
            buf.filled_mut()[before + at] = 0;
            buf.set_filled(before + at + 1);
        }
        Poll::Ready(Ok(()))
    }
}

/// Where in a stream of requests we are.
struct Heads {
    refused: bool,
    /// Bytes left of the body.
    body: u64,
    /// Whole lines of this head so far.
    lines: usize,
    length: Option<u64>,
    /// The line so far: its first bytes, how many there are in all, and whether the last was a CR.
    line: [u8; KEPT],
    line_length: usize,
    after_cr: bool,
}

impl Heads {
    const fn new() -> Self {
        Heads {
            refused: false,
            body: 0,
            lines: 0,
            length: None,
            line: [0; KEPT],
            line_length: 0,
            after_cr: false,
        }
    }

    /// Reads on; the position of the byte at which these bytes stop having one reading.
    fn read(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while at < bytes.len() {
            if self.body > 0 {
                let skipped = usize::try_from(self.body).unwrap_or(usize::MAX).min(bytes.len() - at);
                self.body -= skipped as u64;
                at += skipped;
                continue;
            }
            // A line is looked at as a whole: byte by byte, it was a tenth of what a small request costs.
            let rest = &bytes[at..];
            let plain = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(rest.len());
            let is_right = if plain > 0 { self.goes_on(&rest[..plain]) } else { self.ends(rest[0]) };
            if !is_right {
                self.refused = true;
                return Some(at);
            }
            at += plain.max(1);
        }
        None
    }

    /// The line goes on with this text, which is not empty and has no line end.
    fn goes_on(&mut self, text: &[u8]) -> bool {
        // A line folded onto the one before (RFC 9112 §5.2).
        let is_folded = self.line_length == 0 && matches!(text[0], b' ' | b'\t');
        if self.after_cr || is_folded {
            return false;
        }
        let room = &mut self.line[self.line_length.min(KEPT)..];
        let kept = text.len().min(room.len());
        room[..kept].copy_from_slice(&text[..kept]);
        self.line_length += text.len();
        true
    }

    /// The line has this part of its end: a CR, then an LF.
    fn ends(&mut self, byte: u8) -> bool {
        if byte == b'\n' && self.after_cr {
            self.after_cr = false;
            return self.end_line();
        }
        let begins = byte == b'\r' && !self.after_cr;
        self.after_cr = begins;
        begins
    }

    fn end_line(&mut self) -> bool {
        let length = std::mem::take(&mut self.line_length);
        match (self.lines, length) {
            // Empty lines before a request are skipped (RFC 9112 §2.2).
            (0, 0) => true,
            (_, 0) => {
                self.lines = 0;
                self.body = self.length.take().unwrap_or(0);
                true
            }
            (0, _) => {
                self.lines = 1;
                true
            }
            (_, length) => {
                self.lines += 1;
                self.is_right_field(length)
            }
        }
    }

    /// Looks at a header line of so many bytes.
    fn is_right_field(&mut self, length: usize) -> bool {
        let line = &self.line[..length.min(KEPT)];
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { return true };
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            return false;
        }
        if !name.eq_ignore_ascii_case(b"content-length") {
            return true;
        }
        let digits = value.trim_ascii();
        let number = digits.iter().try_fold(0u64, |number, digit| {
            let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
            number.checked_mul(10)?.checked_add(digit)
        });
        let first = self.length.is_none();
        self.length = number;
        first && number.is_some() && !digits.is_empty() && length <= KEPT
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for StrictHead<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::post;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio_util::sync::CancellationToken;

    use super::*;

    /// Whether these bytes are taken, however they are cut into reads.
    fn takes(text: &str) -> bool {
        let whole = Heads::new().read(text.as_bytes()).is_none();
        let mut heads = Heads::new();
        let by_byte = text.as_bytes().iter().all(|byte| heads.read(&[*byte]).is_none());
        assert_eq!(whole, by_byte, "{text:?}");
        whole
    }

    #[test]
    fn a13_a_head_with_two_readings_is_cut() {
        for head in [
            "Host: t\n",
            "\n",
            "Host: t\rX: y\r\n",
            "Host: t\r\r\n",
            "X: a\r\n b\r\n",
            "X: a\r\n\tContent-Length: 3\r\n",
            "Content-Length: 3\r\nContent-Length: 3\r\n",
            "Content-Length: 3\r\ncontent-length: 4\r\n",
            "Content-Length: 3, 3\r\n",
            "Content-Length: +3\r\n",
            "Content-Length: \r\n",
            "Content-Length: 18446744073709551616\r\n",
            &format!("Content-Length: {}3\r\n", " ".repeat(KEPT)),
            "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
            "TRANSFER-ENCODING:chunked\r\n",
        ] {
            assert!(!takes(&format!("POST / HTTP/1.1\r\n{head}\r\nabc")), "{head:?}");
        }
    }

    #[test]
    fn bodies_are_not_looked_at_and_the_next_head_is() {
        let body = "a\nb\n c\r\n\r\nTransfer-Encoding: x\r\n";
        let request = format!("POST / HTTP/1.1\r\nHost: t\r\ncontent-LENGTH:\t{} \r\n\r\n{body}", body.len());
        assert!(takes(&format!("\r\n{request}\r\n{request}GET / HTTP/1.0\r\n\r\nGET / HTTP/1.0\r\n\r\n")));
        assert!(!takes(&format!("{request}GET / HTTP/1.0\n\n")));
        assert!(takes(&format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "y".repeat(10_000))));
    }

    #[tokio::test]
    async fn a13_what_is_cut_is_answered_400_and_closed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", post(|body: String| async move { format!("took {body}") }));
        let stop = CancellationToken::new();
        let _stop = stop.clone().drop_guard();
        tokio::spawn(crate::listen(listener, router, crate::Limits::default(), stop));
        let answers = async |sent: &str| {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(sent.as_bytes()).await.unwrap();
            let mut got = String::new();
            // A reset after the answer is as good an end.
            let _ = stream.read_to_string(&mut got).await;
            let codes = got.split("HTTP/1.1 ").skip(1).map(|answer| answer[..3].to_owned());
            codes.collect::<Vec<_>>()
        };
        let right = "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\na\nb";
        let last = "POST / HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(answers(&format!("{right}{right}{last}")).await, ["200", "200", "200"]);
        for wrong in
            ["Host: t\n\n", "\n", "Content-Length: 0\r\nContent-Length: 0\r\n\r\n", "X: a\r\n b\r\n\r\n"]
        {
            let wrong = format!("POST / HTTP/1.1\r\n{wrong}");
            assert_eq!(answers(&format!("{wrong}{last}")).await, ["400"], "{wrong:?}");
            assert_eq!(answers(&format!("{right}{wrong}{last}")).await, ["200", "400"], "{wrong:?}");
        }
    }
}
