//! One byte range of a body (RFC 9110 §14). Several ranges at once are answered with the whole (threat A30).

use axum::http::{HeaderMap, Method, header};

/// What a `Range` header asks of a body of known length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of it: no range, several, or one that cannot be read.
    Whole,
    /// These bytes, both inside.
    Part {
        /// The first byte.
        first: u64,
        /// The last byte.
        last: u64,
    },
    /// A range past the end: 416.
    Nothing,
}

/// Reads the header for a body of `length` bytes with the strong validator `etag`.
pub(super) fn wanted(method: &Method, headers: &HeaderMap, length: u64, etag: &str) -> Wanted {
    // A range is defined for GET only (RFC 9110 §14.2).
    if *method != Method::GET {
        return Wanted::Whole;
    }
    // If-Range with another validator: the asker's part is of something else, so it gets everything.
    if headers.get(header::IF_RANGE).is_some_and(|tag| tag.as_bytes() != etag.as_bytes()) {
        return Wanted::Whole;
    }
    let text = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    text.map_or(Wanted::Whole, |text| parse(text, length))
}

fn parse(text: &str, length: u64) -> Wanted {
    let Some(spec) = text.trim().strip_prefix("bytes=") else { return Wanted::Whole };
    let Some((first, last)) = spec.split_once('-') else { return Wanted::Whole };
    match (bound(first), bound(last)) {
        (Bound::At(first), Bound::At(last)) if last < first => Wanted::Whole,
        (Bound::At(first), Bound::Open | Bound::At(_)) if first >= length => Wanted::Nothing,
        (Bound::At(first), Bound::Open) => Wanted::Part { first, last: length - 1 },
        (Bound::At(first), Bound::At(last)) => Wanted::Part { first, last: last.min(length - 1) },
        // The last so many bytes.
        (Bound::Open, Bound::At(suffix)) if suffix == 0 || length == 0 => Wanted::Nothing,
        (Bound::Open, Bound::At(suffix)) => {
            Wanted::Part { first: length.saturating_sub(suffix), last: length - 1 }
        }
        _ => Wanted::Whole,
    }
}

/// Whether the asker has this very content already (`If-None-Match`, RFC 9110 §13.1.2).
pub(super) fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let lists = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|list| list.to_str().ok());
    let mut tags = lists.flat_map(|list| list.split(',')).map(|tag| tag.trim().trim_start_matches("W/"));
    tags.any(|tag| tag == "*" || tag == etag)
}

/// One side of a range.
enum Bound {
    Open,
    At(u64),
    /// No number: a second range behind a comma, for example.
    Wrong,
}

fn bound(text: &str) -> Bound {
    let text = text.trim();
    if text.is_empty() {
        Bound::Open
    } else if text.bytes().all(|c| c.is_ascii_digit()) {
        // More digits than a u64 holds is simply far past the end.
        Bound::At(text.parse().unwrap_or(u64::MAX))
    } else {
        Bound::Wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_served() {
        let part = |first, last| Wanted::Part { first, last };
        for (text, wanted) in [
            ("bytes=0-0", part(0, 0)),
            ("bytes=2-", part(2, 9)),
            ("bytes=2-99", part(2, 9)),
            ("bytes=-3", part(7, 9)),
            ("bytes=-99", part(0, 9)),
            ("bytes=10-", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=99999999999999999999-", Wanted::Nothing),
        ] {
            assert_eq!(parse(text, 10), wanted, "{text}");
        }
        assert_eq!(parse("bytes=-5", 0), Wanted::Nothing);
    }

    #[test]
    fn a30_a_thousand_ranges_or_nonsense_get_the_whole() {
        let many = format!("bytes={}", vec!["0-1"; 1000].join(","));
        for text in [
            many.as_str(),
            "bytes=5-2",
            "bytes=a-b",
            "bytes=",
            "bytes=-",
            "items=0-1",
            "bytes=+1-2",
            "bytes=1--2",
        ] {
            assert_eq!(parse(text, 10), Wanted::Whole, "{text}");
        }
    }
}
