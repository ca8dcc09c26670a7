//! `--allow-announce CIDR|DNS-SUFFIX`: what the operator vouches for.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use protocol::Host;
use protocol::address::DnsName;

/// Addresses or names that may be announced by anybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowRule {
    /// Addresses whose first `prefix` bits are those of `network`.
    Cidr {
        /// Its other bits are 0.
        network: IpAddr,
        /// How many bits count.
        prefix: u8,
    },
    /// This name and all below it.
    DnsSuffix(DnsName),
}

/// A text that is no rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a network such as 10.0.0.0/8 or fd00::/8, an address, or a DNS suffix such as cluster.example"
)]
pub struct BadRule;

impl AllowRule {
    /// Whether this address is in the network.
    pub fn allows_address(&self, address: IpAddr) -> bool {
        match self {
            AllowRule::Cidr { network, prefix } => {
                network.is_ipv4() == address.is_ipv4() && masked(address, *prefix) == *network
            }
            AllowRule::DnsSuffix(_) => false,
        }
    }

    /// Whether this name is the suffix or below it.
    pub fn allows_name(&self, name: &DnsName) -> bool {
        match self {
            AllowRule::Cidr { .. } => false,
            AllowRule::DnsSuffix(suffix) => {
                let above = name.as_str().strip_suffix(suffix.as_str());
                above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
            }
        }
    }
}

/// The address with all bits after the first `prefix` set to 0.
fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    let prefix = u32::from(prefix);
    match address {
        IpAddr::V4(v4) => {
            IpAddr::from((v4.to_bits() & u32::MAX.checked_shl(32 - prefix).unwrap_or(0)).to_be_bytes())
        }
        IpAddr::V6(v6) => {
            IpAddr::from((v6.to_bits() & u128::MAX.checked_shl(128 - prefix).unwrap_or(0)).to_be_bytes())
        }
    }
}

impl FromStr for AllowRule {
    type Err = BadRule;

    fn from_str(text: &str) -> Result<Self, BadRule> {
        let (host, prefix) = match text.split_once('/') {
            Some((network, prefix)) => (network, Some(prefix)),
            // `.cluster.example` and `*.cluster.example` are how people write suffixes.
            None => (text.trim_start_matches('*').trim_start_matches('.'), None),
        };
        match (host.parse().map_err(|_| BadRule)?, prefix) {
            (Host::Name(suffix), None) => Ok(AllowRule::DnsSuffix(suffix)),
            (Host::Name(_), Some(_)) => Err(BadRule),
            (Host::Ip(address), prefix) => {
                let bits = if address.is_ipv4() { 32 } else { 128 };
                let prefix = prefix.map_or(Ok(bits), |prefix| prefix.parse().map_err(|_| BadRule))?;
                if prefix > bits {
                    Err(BadRule)
                } else {
                    Ok(AllowRule::Cidr { network: masked(address, prefix), prefix })
                }
            }
        }
    }
}

impl fmt::Display for AllowRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AllowRule::Cidr { network, prefix } => write!(f, "{network}/{prefix}"),
            AllowRule::DnsSuffix(suffix) => f.write_str(suffix.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> AllowRule {
        text.parse().unwrap()
    }

    #[test]
    fn a05_a_network_allows_its_addresses_and_no_others() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.255.1", "11.0.0.1"),
            ("10.9.8.7/8", "10.0.0.1", "9.0.0.1"),
            ("192.168.1.7", "192.168.1.7", "192.168.1.8"),
            ("0.0.0.0/0", "8.8.8.8", "2001:db8::1"),
            ("fd00::/8", "fd12::1", "fe80::1"),
            ("::/0", "2001:db8::1", "8.8.8.8"),
            ("2001:db8::1", "2001:db8::1", "2001:db8::2"),
        ] {
            assert!(rule(network).allows_address(inside.parse().unwrap()), "{network} {inside}");
            assert!(!rule(network).allows_address(outside.parse().unwrap()), "{network} {outside}");
        }
        assert_eq!(rule("10.9.8.7/8").to_string(), "10.0.0.0/8");
    }

    #[test]
    fn a05_a_suffix_allows_whole_labels_only() {
        let name = |text: &str| match text.parse().unwrap() {
            Host::Name(name) => name,
            Host::Ip(_) => unreachable!(),
        };
        for text in ["cluster.example", ".cluster.example", "*.cluster.example"] {
            assert!(rule(text).allows_name(&name("cluster.example")));
            assert!(rule(text).allows_name(&name("node-7.Cluster.example")));
            assert!(!rule(text).allows_name(&name("evilcluster.example")));
            assert!(!rule(text).allows_address("10.0.0.1".parse().unwrap()));
        }
    }

    #[test]
    fn what_is_no_rule_says_what_one_looks_like() {
        for text in
            ["", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "example/8", "a b", "10.0.0.0/8/8"]
        {
            assert_eq!(text.parse::<AllowRule>(), Err(BadRule), "{text:?}");
        }
    }
}
