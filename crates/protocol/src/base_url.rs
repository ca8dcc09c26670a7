//! The base URL that names a peer or a tracker: an HTTP origin, perhaps under a path behind a reverse proxy.

use std::fmt;
use std::str::FromStr;

use crate::address::{BadAddress, Host, HostPort};
use crate::serde_text::serde_as_text;

/// Longest base URL taken from anyone.
pub const MAX_BASE_URL: usize = 512;

/// How to speak to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS.
    Https,
}

impl Scheme {
    const fn prefix(self) -> &'static str {
        match self {
            Scheme::Http => "http://",
            Scheme::Https => "https://",
        }
    }

    const fn default_port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }
}

/// `http://host:port/prefix`, without query, fragment, user or trailing slash. Everything we dial is one of these
/// with a known path appended.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BaseUrl {
    scheme: Scheme,
    address: HostPort,
    /// Empty, or `/` and segments without a slash at the end.
    prefix: Box<str>,
}

/// Why a text is no base URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadUrl {
    /// Not http or https.
    #[error("expected http://host:port or https://host:port, perhaps with a path")]
    Scheme,
    /// The host or port is wrong.
    #[error(transparent)]
    Address(#[from] BadAddress),
    /// The path has characters or segments that do not belong into a base URL.
    #[error("the path may have letters, digits and -._~ between single slashes")]
    Path,
    /// Longer than [`MAX_BASE_URL`].
    #[error("longer than {MAX_BASE_URL} characters")]
    TooLong,
}

impl BaseUrl {
    /// Plain HTTP at this address, without a path.
    pub fn http(address: HostPort) -> Self {
        BaseUrl { scheme: Scheme::Http, address, prefix: Box::default() }
    }

    /// Reads a base URL, or the described protocol's bare `host:port` as plain HTTP.
    pub fn from_url_or_host_port(text: &str) -> Result<Self, BadUrl> {
        if text.contains("://") { text.parse() } else { Ok(BaseUrl::http(text.parse()?)) }
    }

    /// The scheme.
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Host and port.
    pub const fn address(&self) -> &HostPort {
        &self.address
    }

    /// The path all requests start with: empty, or `/` and segments.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Host and port, when they are all there is: what the described protocol can name.
    pub fn as_described(&self) -> Option<&HostPort> {
        (self.scheme == Scheme::Http && self.prefix.is_empty()).then_some(&self.address)
    }

    /// The URL of `path` (starting with `/`) relative to this base.
    pub fn join(&self, path: &str) -> String {
        format!("{self}{path}")
    }

    /// What the described fields `host:port` would be, or the whole URL where they cannot say it.
    pub fn to_tracker_url(&self) -> String {
        self.as_described().map_or_else(|| self.to_string(), HostPort::to_string)
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.scheme.prefix())?;
        if self.address.port() == self.scheme.default_port() {
            let text = self.address.to_string();
            // The port is the last part, also behind a bracketed address.
            f.write_str(text.rsplit_once(':').map_or(text.as_str(), |(host, _)| host))?;
        } else {
            self.address.fmt(f)?;
        }
        f.write_str(&self.prefix)
    }
}

impl FromStr for BaseUrl {
    type Err = BadUrl;

    fn from_str(text: &str) -> Result<Self, BadUrl> {
        if text.len() > MAX_BASE_URL {
            return Err(BadUrl::TooLong);
        }
        let (scheme, rest) = [Scheme::Http, Scheme::Https]
            .into_iter()
            .find_map(|scheme| Some((scheme, text.strip_prefix(scheme.prefix())?)))
            .ok_or(BadUrl::Scheme)?;
        let (authority, prefix) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let after_brackets = &authority[authority.rfind(']').unwrap_or(0)..];
        let address = if after_brackets.contains(':') {
            authority.parse()?
        } else {
            HostPort::new(authority.parse::<Host>()?, scheme.default_port())?
        };
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        if !is_plain_path(prefix) {
            return Err(BadUrl::Path);
        }
        Ok(BaseUrl { scheme, address, prefix: prefix.into() })
    }
}

/// Empty, or non-empty segments of unreserved characters (RFC 3986 §2.3), none of them `.` or `..`.
fn is_plain_path(path: &str) -> bool {
    let Some(segments) = path.strip_prefix('/') else { return path.is_empty() };
    segments.split('/').all(|segment| {
        let plain = segment.bytes().all(|c| c.is_ascii_alphanumeric() || b"-._~".contains(&c));
        plain && !segment.is_empty() && segment != "." && segment != ".."
    })
}

serde_as_text!(BaseUrl);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls_have_one_text() {
        for (text, same) in [
            ("http://10.0.0.7:8000", "http://10.0.0.7:8000"),
            ("http://10.0.0.7:80/", "http://10.0.0.7"),
            ("https://site.example/p2p/", "https://site.example/p2p"),
            ("https://[::1]:443/a/b", "https://[::1]/a/b"),
            ("http://[::1]", "http://[::1]"),
            ("http://LocalHost:5000", "http://localhost:5000"),
        ] {
            let url: BaseUrl = text.parse().unwrap();
            assert_eq!(url.to_string(), same);
            assert_eq!(same.parse::<BaseUrl>().unwrap(), url);
        }
    }

    #[test]
    fn a05_only_a_plain_origin_and_path_is_a_base_url() {
        for text in [
            "ftp://a",
            "http//a",
            "http://",
            "http:///x",
            "http://a:b",
            "http://a@b",
            "http://a/?q",
            "http://a/#f",
            "http://a/../b",
            "http://a//b",
            "http://a/%2e%2e",
            "http://a/b c",
            "http://a:80:80",
            "javascript:alert(1)",
        ] {
            assert!(text.parse::<BaseUrl>().is_err(), "{text:?}");
        }
        assert_eq!(format!("http://a/{}", "b".repeat(600)).parse::<BaseUrl>(), Err(BadUrl::TooLong));
    }

    #[test]
    fn the_described_protocol_names_only_plain_origins() {
        let url = BaseUrl::from_url_or_host_port("localhost:5000").unwrap();
        assert_eq!(url.to_tracker_url(), "localhost:5000");
        let behind: BaseUrl = "https://site.example/p2p".parse().unwrap();
        assert_eq!(
            (behind.as_described(), behind.to_tracker_url().as_str()),
            (None, "https://site.example/p2p")
        );
    }
}
