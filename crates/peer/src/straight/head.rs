//! The head of an answer (RFC 9112): its status, its headers, and where its body ends. Pure.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

/// Longest head that is read: far more than any proxy adds.
pub(super) const LONGEST: usize = 64 << 10;
/// Most header fields in it, as many as hyper's client allows.
const FIELDS: usize = 100;

/// A whole head.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// Bytes of its body; `None` where only reading on tells (chunked, or up to the end of the connection).
    pub(super) length: Option<u64>,
    /// Another request may follow on the connection.
    pub(super) keeps_alive: bool,
    /// Bytes that the head took.
    pub(super) bytes: usize,
}

/// These bytes are no head of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// Reads a head from the beginning of `bytes`; `None` while it is not whole.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<Head>, Malformed> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    let mut response = httparse::Response::new(&mut fields);
    let length = match response.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if bytes.len() < LONGEST => return Ok(None),
        Ok(httparse::Status::Partial) | Err(_) => return Err(Malformed),
    };
    let status = response.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(Malformed)?;
    let headers = header_map(response.headers)?;
    Ok(Some(Head {
        status,
        length: body_length(status, &headers)?,
        keeps_alive: response.version == Some(1) && !says_close(&headers),
        headers,
        bytes: length,
    }))
}

fn header_map(fields: &[httparse::Header<'_>]) -> Result<HeaderMap, Malformed> {
    let mut headers = HeaderMap::with_capacity(fields.len());
    for field in fields {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| Malformed)?;
        let value = HeaderValue::from_bytes(field.value).map_err(|_| Malformed)?;
        headers.append(name, value);
    }
    Ok(headers)
}

/// RFC 9112 §6.3. Two lengths that differ have no one reading (threat A13).
fn body_length(status: StatusCode, headers: &HeaderMap) -> Result<Option<u64>, Malformed> {
    if status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        return Ok(Some(0));
    }
    if headers.contains_key(header::TRANSFER_ENCODING) {
        return Ok(None);
    }
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter().map(digits);
    let Some(first) = lengths.next() else { return Ok(None) };
    let first = first.ok_or(Malformed)?;
    if lengths.all(|other| other == Some(first)) { Ok(Some(first)) } else { Err(Malformed) }
}

/// Digits only: `u64`'s own parser also takes a sign.
fn digits(value: &HeaderValue) -> Option<u64> {
    let text = value.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    text.parse().ok()
}

fn says_close(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|option| option.trim().eq_ignore_ascii_case("close"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(text: &str) -> Head {
        parse(text.as_bytes()).unwrap().unwrap()
    }

    #[test]
    fn a_head_says_where_its_body_ends_and_whether_the_connection_goes_on() {
        let head =
            whole("HTTP/1.1 200 OK\r\ncontent-length: 65536\r\nHT-Next: 7\r\n\r\nthe body begins here");
        assert_eq!((head.status, head.length, head.keeps_alive), (StatusCode::OK, Some(65536), true));
        assert_eq!((head.headers["ht-next"].as_bytes(), head.bytes), (&b"7"[..], 54));
        assert_eq!(whole("HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n").length, Some(0));
        assert!(
            !whole("HTTP/1.1 200 OK\r\nConnection: keep-alive, Close\r\ncontent-length: 0\r\n\r\n")
                .keeps_alive
        );
        assert!(!whole("HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n").keeps_alive);
    }

    #[test]
    fn a_body_without_a_length_is_for_the_other_client() {
        assert_eq!(whole("HTTP/1.1 200 OK\r\n\r\n").length, None);
        let both = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n";
        assert_eq!(whole(both).length, None);
    }

    #[test]
    fn a13_a_length_with_two_readings_is_none() {
        let twice = |first: &str, second: &str| {
            let text =
                format!("HTTP/1.1 200 OK\r\ncontent-length: {first}\r\ncontent-length: {second}\r\n\r\n");
            parse(text.as_bytes()).map(|head| head.and_then(|head| head.length))
        };
        assert_eq!(twice("5", "5"), Ok(Some(5)));
        for (first, second) in [("5", "6"), ("+5", "+5"), ("5, 5", "5"), ("0x5", "5"), ("-1", "-1")] {
            assert_eq!(twice(first, second), Err(Malformed), "{first} and {second}");
        }
    }

    #[test]
    fn a09_a_head_that_never_ends_is_none() {
        let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(LONGEST));
        assert_eq!(parse(endless.as_bytes()).map(|head| head.is_some()), Err(Malformed));
        let fields = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(FIELDS + 1));
        assert_eq!(parse(fields.as_bytes()).map(|head| head.is_some()), Err(Malformed));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_head_or_not_yet_or_never(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn a_head_cut_anywhere_is_whole_with_its_last_byte_and_not_before(length in 0..u64::MAX, cut in 0..60_usize) {
            let text = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nhost: a\r\n\r\n");
            prop_assert!(cut >= text.len() || parse(&text.as_bytes()[..cut]).is_ok_and(|head| head.is_none()));
            prop_assert_eq!(parse(text.as_bytes()).unwrap().unwrap().length, Some(length));
        }
    }
}
