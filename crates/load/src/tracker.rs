//! The tracker under load, and where connections to it come from.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use net::Net;

use crate::process;

/// A tracker to be measured.
#[derive(Clone, Debug)]
pub struct LoadedTracker {
    /// Where it listens.
    pub address: SocketAddr,
    /// What it is called there: the `Host` of every request.
    pub host: String,
    /// Its process, if that is on this machine: then its CPU time and memory are part of the figures.
    pub process: Option<u32>,
    /// The network.
    pub net: Net,
}

/// What its process had taken at some time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Taken {
    pub(crate) cpu_seconds: Option<f64>,
    pub(crate) resident_bytes: Option<u64>,
    pub(crate) own_cpu_seconds: Option<f64>,
}

impl LoadedTracker {
    /// The address that the connection with this number comes from: each another one where the machine has 16 million
    /// of them, else the system's choice.
    pub(crate) fn source(&self, number: usize) -> Option<IpAddr> {
        self.is_here().then(|| IpAddr::V4(address(number)))
    }

    fn is_here(&self) -> bool {
        self.address.is_ipv4() && self.address.ip().is_loopback()
    }

    pub(crate) fn taken(&self) -> Taken {
        Taken {
            cpu_seconds: self.process.and_then(process::cpu_seconds),
            resident_bytes: self.process.and_then(process::resident_bytes),
            own_cpu_seconds: process::cpu_seconds(std::process::id()),
        }
    }
}

/// One of the loopback addresses from 127.0.1.0 up.
fn address(number: usize) -> Ipv4Addr {
    let number = u32::try_from(number % 0x00f0_0000).unwrap_or_default();
    Ipv4Addr::from_bits(Ipv4Addr::new(127, 0, 1, 0).to_bits() + number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_come_from_many_addresses_of_this_machine_and_of_no_other() {
        let tracker = |address: &str| LoadedTracker {
            address: address.parse().unwrap(),
            host: String::new(),
            process: None,
            net: Net::default(),
        };
        let here = tracker("127.0.0.1:5000");
        assert_ne!(here.source(1), here.source(257));
        assert!((0..5).map(|power| 9_usize.pow(power * 2)).all(|number| address(number).is_loopback()));
        assert!(address(usize::MAX).is_loopback());
        assert_eq!((tracker("10.0.0.1:5000").source(1), tracker("[::1]:5000").source(1)), (None, None));
    }
}
