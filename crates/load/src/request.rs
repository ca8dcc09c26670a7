//! Requests as bytes, written into a buffer that is used again.

use std::io::Write;

/// Digits of a body's length, with zeros before it: the length is known only when the body is written.
const LENGTH_DIGITS: usize = 7;

/// A request without a token: head and body.
pub(crate) fn write(
    into: &mut Vec<u8>,
    method: &str,
    path: &str,
    host: &str,
    token: Option<&[u8]>,
    body: impl FnOnce(&mut Vec<u8>),
) {
    into.clear();
    for part in [method, " ", path, " HTTP/1.1\r\nHost: ", host, "\r\nContent-Length: "] {
        into.extend_from_slice(part.as_bytes());
    }
    let length_at = into.len();
    into.extend_from_slice(&[b'0'; LENGTH_DIGITS]);
    if let Some(token) = token {
        into.extend_from_slice(b"\r\nAuthorization: Bearer ");
        into.extend_from_slice(token);
    }
    into.extend_from_slice(b"\r\n\r\n");
    let body_at = into.len();
    body(into);
    let length = into.len() - body_at;
    let mut place = &mut into[length_at..length_at + LENGTH_DIGITS];
    // It fits: no body here comes near ten million bytes, and a longer one would be refused as cut short.
    let _ = write!(place, "{length:0LENGTH_DIGITS$}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_says_how_long_its_body_is() {
        let mut buffer = b"of the last one".to_vec();
        write(&mut buffer, "PUT", "/a", "t:1", None, |body| body.extend_from_slice(b"[1]"));
        assert_eq!(
            String::from_utf8(buffer.clone()).unwrap(),
            "PUT /a HTTP/1.1\r\nHost: t:1\r\nContent-Length: 0000003\r\n\r\n[1]"
        );
        write(&mut buffer, "PUT", "/a", "t:1", Some(b"abc"), |_| {});
        assert!(String::from_utf8(buffer).unwrap().ends_with("0000000\r\nAuthorization: Bearer abc\r\n\r\n"));
    }
}
