//! Which addresses a datagram may go to, and who may tell of them (threats A5, A6).
//!
//! Whoever takes part in a DHT sends packets to addresses that strangers name. So an address must be one that a
//! host can have, and nobody teaches an address nearer to us than the teacher's own: what a node on the internet
//! says of `127.0.0.1` or `10.0.0.1` is about its own network at best, and an attack on ours at worst.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// How far away an address can be. Nearest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    /// This machine.
    Loopback,
    /// A network that is not routed on the internet.
    Local,
    /// Anywhere.
    Global,
}

/// The scope of an address; `None` when no single host can be reached there.
pub(crate) fn scope(ip: IpAddr) -> Option<Scope> {
    match ip {
        IpAddr::V4(v4) => scope_v4(v4),
        IpAddr::V6(v6) => scope_v6(v6),
    }
}

fn scope_v4(ip: Ipv4Addr) -> Option<Scope> {
    let [first, second, ..] = ip.octets();
    match first {
        // "This network", multicast, and what is reserved (RFC 6890), broadcast among it.
        0 | 224..=255 => None,
        127 => Some(Scope::Loopback),
        // Shared address space behind a carrier's NAT (RFC 6598).
        100 if second & 0xc0 == 64 => Some(Scope::Local),
        _ if ip.is_private() || ip.is_link_local() => Some(Scope::Local),
        _ => Some(Scope::Global),
    }
}

fn scope_v6(ip: Ipv6Addr) -> Option<Scope> {
    // A link-local address means nothing without its interface, which no message carries.
    let nowhere = ip.is_unspecified()
        || ip.is_multicast()
        || ip.is_unicast_link_local()
        || ip.to_ipv4_mapped().is_some();
    match ip {
        _ if nowhere => None,
        Ipv6Addr::LOCALHOST => Some(Scope::Loopback),
        _ if ip.is_unique_local() => Some(Scope::Local),
        _ => Some(Scope::Global),
    }
}

/// Whether a datagram may be sent there at all.
pub fn is_dialable(address: &SocketAddr) -> bool {
    address.port() != 0 && scope(address.ip()).is_some()
}

/// Whether `taught` may be believed, and told, between the teacher and us: it is not nearer than the other side is.
pub(crate) fn may_teach(teacher: &SocketAddr, taught: &SocketAddr) -> bool {
    taught.port() != 0 && scope(taught.ip()).is_some_and(|taught| Some(taught) >= scope(teacher.ip()))
}

/// Who is behind an address, as far as limits are concerned.
///
/// On the internet an IPv4 address or an IPv6 /64, since ports and low bits cost nothing; on this machine and in its
/// own network every socket, since many nodes run on one host there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    Host(IpAddr),
    Socket(SocketAddr),
}

impl Source {
    pub(crate) fn of(address: &SocketAddr) -> Self {
        match (scope(address.ip()), address.ip()) {
            (Some(Scope::Global) | None, IpAddr::V6(v6)) => {
                Source::Host(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into())
            }
            (Some(Scope::Global) | None, ip) => Source::Host(ip),
            _ => Source::Socket(*address),
        }
    }

    /// Whether it stands for a host on the internet, where one attacker easily is many nodes.
    pub(crate) const fn is_global(self) -> bool {
        matches!(self, Source::Host(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a06_no_datagram_goes_where_no_host_is() {
        for text in [
            "0.0.0.0:1",
            "0.1.2.3:1",
            "224.0.0.1:1",
            "239.255.255.250:1900",
            "255.255.255.255:1",
            "240.0.0.1:1",
            "1.2.3.4:0",
            "[::]:1",
            "[ff02::1]:1",
            "[fe80::1]:1",
            "[::ffff:1.2.3.4]:1",
            "[2001:db8::1]:0",
        ] {
            assert!(!is_dialable(&address(text)), "{text}");
        }
        for text in ["127.0.0.1:1", "10.0.0.1:1", "1.2.3.4:1", "[::1]:1", "[fd00::1]:1", "[2001:db8::1]:1"] {
            assert!(is_dialable(&address(text)), "{text}");
        }
    }

    #[test]
    fn a06_nobody_teaches_an_address_nearer_than_their_own() {
        let nearest_first = ["127.0.0.1:1", "192.168.1.1:1", "1.2.3.4:1"];
        for (at, teacher) in nearest_first.iter().enumerate() {
            for (other, taught) in nearest_first.iter().enumerate() {
                assert_eq!(may_teach(&address(teacher), &address(taught)), other >= at, "{teacher} {taught}");
            }
        }
        assert!(!may_teach(&address("[2001:db8::1]:1"), &address("[::1]:1")));
        assert!(!may_teach(&address("127.0.0.1:1"), &address("127.0.0.1:0")));
        assert!(!may_teach(&address("127.0.0.1:1"), &address("224.0.0.1:1")));
    }

    #[test]
    fn a_source_on_the_internet_is_a_host_or_a_v6_network() {
        let of = |text: &str| Source::of(&address(text));
        assert_eq!(of("1.2.3.4:1"), of("1.2.3.4:2"));
        assert_eq!(of("[2001:db8::1]:1"), of("[2001:db8::ffff:2]:2"));
        assert_ne!(of("[2001:db8::1]:1"), of("[2001:db8:0:1::1]:1"));
        assert_ne!(of("127.0.0.1:1"), of("127.0.0.1:2"));
        assert_ne!(of("10.0.0.1:1"), of("10.0.0.1:2"));
    }
}
