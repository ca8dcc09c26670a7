//! Whom a listing leads others to, and how much of the tables each such target has (threats A6, A14).
//!
//! Texts are no measure: one address has as many names as its DNS server likes, and one IPv6 host as many addresses.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

/// An address as the tables count it: an IPv6 address stands for its /64, the least that one site is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Target(IpAddr);

/// The bits of an IPv6 address that tell sites apart.
const SITE: u128 = u128::MAX << 64;

impl Target {
    /// The target that somebody at this address is.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(v6) => Target(IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & SITE))),
            v4 @ IpAddr::V4(_) => Target(v4),
        }
    }
}

/// How much of something each target has.
#[derive(Debug, Default)]
pub(crate) struct Tally(HashMap<Target, usize>);

impl Tally {
    pub(crate) fn of(&self, target: Target) -> usize {
        self.0.get(&target).copied().unwrap_or(0)
    }

    pub(crate) fn add(&mut self, target: Target, amount: usize) {
        if amount > 0 {
            *self.0.entry(target).or_default() += amount;
        }
    }

    /// Takes away what was added before.
    pub(crate) fn sub(&mut self, target: Target, amount: usize) {
        if let Some(has) = self.0.get_mut(&target) {
            *has -= amount;
            if *has == 0 {
                self.0.remove(&target);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a06_a_site_is_one_target_however_its_addresses_are_written() {
        let target = |text: &str| Target::of(text.parse().unwrap());
        assert_eq!(target("10.0.0.1"), target("::ffff:10.0.0.1"));
        assert_eq!(target("2001:db8:1:2::1"), target("2001:db8:1:2:ffff::9"));
        for (one, other) in [("10.0.0.1", "10.0.0.2"), ("2001:db8:1:2::1", "2001:db8:1:3::1")] {
            assert_ne!(target(one), target(other));
        }
    }
}
