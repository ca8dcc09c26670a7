//! Places for connections: so many in all, so many from one address.

use std::collections::HashMap;
use std::net::IpAddr;
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
}
