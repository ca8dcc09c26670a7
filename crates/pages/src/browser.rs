//! What a browser's request says about the page that sent it: the name by which it reached us, and its origin.

use http::{HeaderMap, header};
use protocol::{BaseUrl, Host};

/// The `Host` of a request as a base URL, if it is a host and port and nothing more.
pub fn host_of(headers: &HeaderMap) -> Option<BaseUrl> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    let url: BaseUrl = format!("http://{host}").parse().ok()?;
    url.as_described().is_some().then_some(url)
}

/// Whether a browser says that a page of another origin sent this (threat A25). A page from another port of this host
/// is another origin: other programs have pages, too.
pub fn comes_from_elsewhere(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return false };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    // Both are written by the same browser from the same URL, so that they are equal or not. The scheme does not count:
    // behind a proxy with TLS it is not ours.
    let is_same = |(scheme, authority): (&str, &str)| {
        matches!(scheme, "http" | "https") && host.is_some_and(|host| host.eq_ignore_ascii_case(authority))
    };
    !origin.is_some_and(is_same)
}

/// Whether the request's `Host` is one that only we can be: an address, `localhost`, or a name that is `vouched` for.
///
/// A name that a stranger's DNS points at us would make our page theirs (threat A24, CVE-2018-5702). A program that
/// sends no `Host` at all is no browser.
pub fn is_our_name(headers: &HeaderMap, vouched: impl FnOnce(&Host) -> bool) -> bool {
    let Some(host) = host_of(headers) else { return !headers.contains_key(header::HOST) };
    match host.address().host() {
        Host::Ip(_) => true,
        Host::Name(name) if name.as_str() == "localhost" => true,
        host @ Host::Name(_) => vouched(host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(header::HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a24_only_names_that_no_stranger_can_point_at_us_are_ours() {
        for (host, ours) in [
            ("127.0.0.1:8080", true),
            ("[::1]", true),
            ("localhost:8080", true),
            ("page.example:1", true),
            ("evil.example", false),
            ("localhost.evil.example", false),
            ("2130706433", false),
            ("a/b", false),
            ("", false),
        ] {
            let named =
                is_our_name(&headers(&[(header::HOST, host)]), |host| host.to_string() == "page.example");
            assert_eq!(named, ours, "{host}");
        }
        assert!(is_our_name(&HeaderMap::new(), |_| false));
    }

    #[test]
    fn a25_a_request_from_another_origin_is_known_as_such() {
        let from = |origin| headers(&[(header::HOST, "localhost:1"), (header::ORIGIN, origin)]);
        assert!(!comes_from_elsewhere(&headers(&[(header::HOST, "localhost:1")])), "no browser");
        assert!(!comes_from_elsewhere(&from("http://localhost:1")));
        assert!(!comes_from_elsewhere(&from("https://localhost:1")), "a proxy with TLS in front");
        for origin in [
            "http://evil.example",
            "http://localhost",
            "http://localhost:2",
            "null",
            "file://",
            "file://localhost:1",
            "",
            "http://localhost.evil.example:1",
        ] {
            assert!(comes_from_elsewhere(&from(origin)), "{origin}");
        }
        assert!(comes_from_elsewhere(&headers(&[(header::ORIGIN, "http://a.example")])), "no Host");
    }
}
