//! Where to listen, and which host a link or an announce names.
//!
//! The host is `--advertise`, else a specific `--bind`, else the default route's own address, else 127.0.0.1.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::str::FromStr;

use protocol::address::BadAddress;
use protocol::base_url::BadUrl;
use protocol::{BaseUrl, Host, HostPort};

/// What `--advertise` says: how others reach us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Advertise {
    /// A host, with the port that is listened on.
    Host(Host),
    /// The whole base URL, perhaps a reverse proxy's.
    Url(BaseUrl),
}

impl Advertise {
    /// The host it names.
    pub(crate) const fn host(&self) -> &Host {
        match self {
            Advertise::Host(host) => host,
            Advertise::Url(url) => url.address().host(),
        }
    }

    /// The base URL, when it is one.
    pub(crate) const fn url(&self) -> Option<&BaseUrl> {
        match self {
            Advertise::Host(_) => None,
            Advertise::Url(url) => Some(url),
        }
    }

    /// What is said of another listener on this machine, beside the one that a whole URL is of: the host it is at.
    pub(crate) fn beside(&self) -> Self {
        Advertise::Host(self.host().clone())
    }
}

impl FromStr for Advertise {
    type Err = BadUrl;

    fn from_str(text: &str) -> Result<Self, BadUrl> {
        match text.parse() {
            Ok(host) => Ok(Advertise::Host(host)),
            Err(_) => BaseUrl::from_url_or_host_port(text).map(Advertise::Url),
        }
    }
}

/// The address to listen on: `--bind`, else all.
pub(crate) fn listen_address(bind: Option<IpAddr>) -> IpAddr {
    bind.unwrap_or_else(|| {
        if v6_sockets_take_v4() { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() }
    })
}

/// Whether one socket on `::` serves IPv4, too: not without IPv6, nor where the system keeps the two apart.
fn v6_sockets_take_v4() -> bool {
    let apart = std::fs::read_to_string("/proc/sys/net/ipv6/bindv6only");
    apart.is_ok_and(|apart| apart.trim() == "0") && TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).is_ok()
}

/// The address that outgoing connections come from: a specific `--bind`, else what the system chooses.
pub(crate) fn source_address(bind: Option<IpAddr>) -> Option<IpAddr> {
    bind.filter(|address| !address.is_unspecified())
}

/// The host that links and announces name.
pub(crate) fn named_host(bind: Option<IpAddr>, advertise: Option<&Advertise>) -> Host {
    if let Some(advertise) = advertise {
        return advertise.host().clone();
    }
    let chosen =
        source_address(bind).or_else(|| default_route_address(bind.is_some_and(|bind| bind.is_ipv6())));
    Host::ip(chosen.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)))
}

/// The base URL of a listener on `port`.
pub(crate) fn base_url(host: Host, port: u16) -> Result<BaseUrl, BadAddress> {
    Ok(BaseUrl::http(HostPort::new(host, port)?))
}

/// The address of this machine that packets to the outside would carry. Connecting a UDP socket asks the routing
/// table and sends nothing; the targets are documentation addresses (RFC 5737, RFC 3849).
fn default_route_address(v6: bool) -> Option<IpAddr> {
    let (any, target): (IpAddr, IpAddr) = if v6 {
        (Ipv6Addr::UNSPECIFIED.into(), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into())
    } else {
        (Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 0, 2, 1).into())
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(SocketAddr::new(target, 9)).ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_unspecified()).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_advertised_host_goes_before_the_bound_one() {
        let bind = Some("127.0.0.1".parse().unwrap());
        assert_eq!(named_host(bind, None).to_string(), "127.0.0.1");
        let named = |text: &str| named_host(bind, Some(&text.parse().unwrap())).to_string();
        assert_eq!(named("10.0.0.7"), "10.0.0.7");
        assert_eq!(named("https://site.example/p2p"), "site.example");
        assert_eq!(named("site.example:81"), "site.example");
    }

    #[test]
    fn without_a_specific_address_a_host_is_still_named() {
        for bind in [None, Some("0.0.0.0".parse().unwrap()), Some("::".parse().unwrap())] {
            assert!(!named_host(bind, None).as_ip().unwrap().is_unspecified());
            assert_eq!(source_address(bind), None);
        }
    }

    #[test]
    fn what_listens_beside_an_advertised_url_is_at_its_host_and_a_port_of_its_own() {
        let advertised: Advertise = "https://site.example:8443/p2p".parse().unwrap();
        assert_eq!(advertised.beside(), "site.example".parse().unwrap());
        assert_eq!(advertised.beside().url(), None);
    }

    #[test]
    fn what_is_advertised_is_a_host_or_a_base_url() {
        let read = |text: &str| text.parse::<Advertise>();
        assert!(matches!(read("10.0.0.7"), Ok(Advertise::Host(_))));
        assert!(matches!(read("::1"), Ok(Advertise::Host(_))));
        assert!(matches!(read("10.0.0.7:80"), Ok(Advertise::Url(_))));
        assert!(matches!(read("https://a/b"), Ok(Advertise::Url(_))));
        assert!(read("ftp://a").is_err() && read("a b").is_err() && read("").is_err());
    }
}
