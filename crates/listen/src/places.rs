//! Places for connections: so many in all, so many from one address, an IPv6 one counted by its /64.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Counts who is connected.
#[derive(Clone)]
pub(crate) struct Places(Arc<Mutex<Taken>>);

struct Taken {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
    most: usize,
    most_per_address: usize,
}

impl Places {
    pub(crate) fn new(most: usize, most_per_address: usize) -> Self {
        Places(Arc::new(Mutex::new(Taken { all: 0, by_address: HashMap::new(), most, most_per_address })))
    }

    /// A place for a connection from `address`, or none when all, or all of that address, are taken.
    pub(crate) fn take(&self, address: IpAddr) -> Option<Place> {
        let address = counted(address);
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let from_here = taken.by_address.get(&address).copied().unwrap_or(0);
        if taken.all >= taken.most || from_here >= taken.most_per_address {
            return None;
        }
        taken.all += 1;
        taken.by_address.insert(address, from_here + 1);
        Some(Place { places: self.clone(), address })
    }
}

/// What an address is counted as: an IPv6 host has as many as it likes, all within the /64 that its site was given.
fn counted(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// A taken place; free again when dropped.
pub(crate) struct Place {
    places: Places,
    address: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all -= 1;
        if let Some(count) = taken.by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                taken.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a11_one_address_cannot_take_every_place() {
        let places = Places::new(3, 2);
        let (greedy, other) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let first = places.take(greedy);
        let held = [first, places.take(greedy)];
        assert!(held.iter().all(Option::is_some));
        assert!(places.take(greedy).is_none(), "its two places are taken");
        let theirs = places.take(other);
        assert!(theirs.is_some() && places.take(other).is_none(), "three in all");
        drop(held);
        assert!(places.take(greedy).is_some(), "free again when the connections end");
    }

    #[test]
    fn a11_all_addresses_of_an_ipv6_site_are_one() {
        let places = Places::new(9, 2);
        let take = |address: &str| places.take(address.parse().unwrap());
        let held = [take("2001:db8::1"), take("2001:db8::2")];
        assert!(held.iter().all(Option::is_some) && take("2001:db8::3:4:5:6").is_none());
        let others = [take("2001:db8:0:1::1"), take("10.0.0.1"), take("::ffff:10.0.0.1")];
        assert!(others.iter().all(Option::is_some) && take("10.0.0.1").is_none());
    }
}
