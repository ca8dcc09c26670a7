//! Hosts and ports as they stand in links, announces and flags.
//!
//! A host is an IP address or a DNS name, nothing else: what does not parse here can never become part of a URL
//! that we dial (threat A5). Texts that C libraries would read as an IPv4 address (`0x7f.1`, `2130706433`) are
//! neither, and IPv4-mapped IPv6 addresses become the IPv4 address they are.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use crate::serde_text::serde_as_text;

/// Longest DNS name in text form (RFC 1035 §2.3.4, without the root dot).
const MAX_NAME: usize = 253;
/// Longest label of one (RFC 1035 §2.3.4).
const MAX_LABEL: usize = 63;

/// A host: an address, or a DNS name in lowercase.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// An address; never an IPv4-mapped IPv6 one.
    Ip(IpAddr),
    /// A DNS name; see [`DnsName`].
    Name(DnsName),
}

/// A DNS name: labels of letters, digits, `-` and `_`, in lowercase, the last not a number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DnsName(Box<str>);

impl DnsName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    /// Neither an IP address nor a DNS name.
    #[error("the host is neither an IP address nor a DNS name")]
    Host,
    /// No port, or not a number from 1 to 65535.
    #[error("expected host:port with a port from 1 to 65535 (an IPv6 host in brackets: [::1]:5000)")]
    Port,
}

impl Host {
    /// The host with this address, IPv4-mapped addresses made plain.
    pub fn ip(address: IpAddr) -> Self {
        Host::Ip(address.to_canonical())
    }

    /// The address, when the host is one.
    pub const fn as_ip(&self) -> Option<IpAddr> {
        match self {
            Host::Ip(address) => Some(*address),
            Host::Name(_) => None,
        }
    }
}

impl fmt::Display for Host {
    /// The bare host, an IPv6 address without brackets (as the described protocol's `client_host`).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Ip(address) => address.fmt(f),
            Host::Name(name) => f.write_str(&name.0),
        }
    }
}

impl FromStr for Host {
    type Err = BadAddress;

    /// Reads a bare host; an IPv6 address may stand in brackets.
    fn from_str(text: &str) -> Result<Self, BadAddress> {
        if let Some(inner) = text.strip_prefix('[') {
            let inner = inner.strip_suffix(']').ok_or(BadAddress::Host)?;
            return inner.parse::<Ipv6Addr>().map(|v6| Host::ip(v6.into())).map_err(|_| BadAddress::Host);
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Host::ip(address));
        }
        let labels_are_right = text.split('.').all(|label| {
            (1..=MAX_LABEL).contains(&label.len())
                && label.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_')
                && !label.starts_with('-')
                && !label.ends_with('-')
        });
        if text.len() > MAX_NAME || !labels_are_right || ends_in_a_number(text) {
            return Err(BadAddress::Host);
        }
        Ok(Host::Name(DnsName(text.to_ascii_lowercase().into())))
    }
}

/// Whether resolvers may read the name as an IPv4 address (WHATWG URL, "ends in a number checker").
fn ends_in_a_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    let hex = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    last.bytes().all(|c| c.is_ascii_digit())
        || hex.is_some_and(|rest| rest.bytes().all(|c| c.is_ascii_hexdigit()))
}

serde_as_text!(Host);

/// `host:port`, an IPv6 address in brackets (threat A37). The port is never 0.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPort {
    host: Host,
    port: u16,
}

impl HostPort {
    /// A host with a port; port 0 is refused, for nobody can be reached there.
    pub fn new(host: Host, port: u16) -> Result<Self, BadAddress> {
        if port == 0 { Err(BadAddress::Port) } else { Ok(HostPort { host, port }) }
    }

    /// The host.
    pub const fn host(&self) -> &Host {
        &self.host
    }

    /// The port, never 0.
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl From<SocketAddr> for HostPort {
    fn from(address: SocketAddr) -> Self {
        HostPort { host: Host::ip(address.ip()), port: address.port() }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Ip(IpAddr::V6(v6)) => write!(f, "[{v6}]:{}", self.port),
            host => write!(f, "{host}:{}", self.port),
        }
    }
}

impl FromStr for HostPort {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let (host, port) = text.rsplit_once(':').ok_or(BadAddress::Port)?;
        if host.contains(':') && !host.starts_with('[') {
            return Err(BadAddress::Port);
        }
        HostPort::new(host.parse()?, parse_port(port).ok_or(BadAddress::Port)?)
    }
}

/// Plain decimal digits only: `+80` and ` 80` are refused although Rust's own parser takes the first.
pub(crate) fn parse_port(text: &str) -> Option<u16> {
    let plain = !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten().filter(|port| *port != 0)
}

serde_as_text!(HostPort);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a37_ipv6_is_typed_and_bracketed() {
        for text in ["[::1]:80", "127.0.0.1:5000", "tracker.example:5000", "localhost:1"] {
            assert_eq!(text.parse::<HostPort>().unwrap().to_string(), text);
        }
        assert_eq!("[::ffff:127.0.0.1]:80".parse::<HostPort>().unwrap().to_string(), "127.0.0.1:80");
        for text in
            ["::1:80", "[::1]", "[::1]80", "host", "host:", "host:0", "host:65536", "host:+80", "[host]:80"]
        {
            assert!(text.parse::<HostPort>().is_err(), "{text}");
        }
    }

    #[test]
    fn a05_what_could_smuggle_an_address_or_a_path_is_no_host() {
        for text in [
            "127.0.0.1:80/latest/meta-data/?x=",
            "0x7f.1",
            "2130706433",
            "0177.0.0.1.",
            "127.1",
            "1.0x7f",
            "a b",
            "a/b",
            "a@b",
            "a?b",
            "a#b",
            "a%41",
            "",
            ".",
            "a..b",
            "-a",
            "a-",
            "é.example",
            "a\nb",
            "[::1",
            "::1]",
            "[127.0.0.1]",
        ] {
            assert!(text.parse::<Host>().is_err(), "{text:?}");
        }
        assert_eq!("::ffff:10.0.0.1".parse::<Host>().unwrap(), Host::Ip("10.0.0.1".parse().unwrap()));
        assert_eq!("Node-7.Rack_2.EXAMPLE".parse::<Host>().unwrap().to_string(), "node-7.rack_2.example");
    }
}
