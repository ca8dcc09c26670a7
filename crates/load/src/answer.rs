//! The head of an answer: its status, and where its body ends.

use crate::Failed;

/// Longest head read.
pub(crate) const MAX_HEAD: usize = 16 << 10;

/// What the head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) status: u16,
    /// Bytes of the head, the empty line included.
    pub(crate) length: usize,
    /// Bytes of the body; without it the body ends with the connection (HTTP/1.0).
    pub(crate) body: Option<usize>,
    /// The connection is over after this answer.
    pub(crate) closes: bool,
}

impl Head {
    /// Reads a head; `None` while it is not whole.
    pub(crate) fn read(bytes: &[u8]) -> Result<Option<Head>, Failed> {
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
            return if bytes.len() > MAX_HEAD { Err(Failed::NotHttp) } else { Ok(None) };
        };
        let head = std::str::from_utf8(&bytes[..end]).map_err(|_| Failed::NotHttp)?;
        let mut lines = head.split("\r\n");
        let mut words = lines.next().unwrap_or_default().split(' ');
        let is_old = match words.next() {
            Some("HTTP/1.1") => false,
            Some("HTTP/1.0") => true,
            _ => return Err(Failed::NotHttp),
        };
        let status = words.next().and_then(|status| status.parse().ok()).ok_or(Failed::NotHttp)?;
        let mut found = Head { status, length: end + 4, body: None, closes: is_old };
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            if name.eq_ignore_ascii_case("content-length") {
                found.body = Some(value.trim().parse().map_err(|_| Failed::NotHttp)?);
            } else if name.eq_ignore_ascii_case("connection") {
                found.closes = value.trim().eq_ignore_ascii_case("close");
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                return Err(Failed::NotHttp);
            }
        }
        if found.status == 204 {
            found.body = Some(0);
        }
        found.closes |= found.body.is_none();
        Ok(Some(found))
    }
}

/// The text that stands behind `key` in a body of JSON, to the next quote. Enough for a token, and much cheaper than
/// reading all of it.
pub(crate) fn text_after<'a>(body: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let rest = &body[after(body, key)?..];
    rest.iter().position(|byte| *byte == b'"').map(|end| &rest[..end])
}

/// The number that stands behind `key`.
pub(crate) fn number_after(body: &[u8], key: &[u8]) -> Option<u64> {
    let rest = &body[after(body, key)?..];
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit());
    digits
        .map(|digit| u64::from(digit - b'0'))
        .reduce(|number, digit| number.saturating_mul(10).saturating_add(digit))
}

fn after(body: &[u8], key: &[u8]) -> Option<usize> {
    body.windows(key.len()).position(|window| window == key).map(|at| at + key.len())
}

/// How often `key` stands in a body.
pub(crate) fn count(body: &[u8], key: &[u8]) -> usize {
    body.windows(key.len()).filter(|window| *window == key).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Option<Head> {
        Head::read(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_body_ends_by_its_length_or_with_the_connection() {
        let head_of = |status, length, body, closes| Some(Head { status, length, body, closes });
        assert_eq!(head("HTTP/1.1 200 OK\r\ncontent-LENGTH: 7\r\n\r\nabc"), head_of(200, 38, Some(7), false));
        assert_eq!(
            head("HTTP/1.1 429 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").unwrap().status,
            429
        );
        assert_eq!(head("HTTP/1.0 200 OK\r\n\r\n"), head_of(200, 19, None, true));
        assert_eq!(head("HTTP/1.1 204 No Content\r\n\r\n").unwrap().body, Some(0));
        assert!(head("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n").unwrap().closes);
        assert_eq!(head("HTTP/1.1 200 OK\r\nContent-Le"), None);
        for wrong in ["SSH-2.0\r\n\r\n", "HTTP/1.1 x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"]
        {
            assert!(Head::read(wrong.as_bytes()).is_err(), "{wrong}");
        }
        assert!(Head::read(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
        assert!(Head::read(&vec![b'x'; MAX_HEAD + 1]).is_err());
    }

    #[test]
    fn what_the_next_request_needs_is_found_without_reading_all() {
        let body = br#"{"interval":15,"token":"abc","peers":[{"url":"a"},{"url":"b"}]}"#;
        assert_eq!(text_after(body, b"\"token\":\""), Some(&b"abc"[..]));
        assert_eq!((number_after(body, b"\"interval\":"), count(body, b"\"url\":")), (Some(15), 2));
        assert_eq!((number_after(body, b"\"token\":"), text_after(body, b"\"x\":\"")), (None, None));
    }
}
