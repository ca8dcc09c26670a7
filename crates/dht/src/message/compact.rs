//! Addresses and nodes as strings of bytes: 6 or 18 for an address, 20 more for a node (BEP 5, BEP 32).

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::Contact;
use crate::id::Id;

/// Bytes of an IPv4 address with its port.
const V4: usize = 6;
/// Bytes of an IPv6 address with its port.
const V6: usize = 18;

pub(super) fn write_address(address: &SocketAddr, out: &mut Vec<u8>) {
    match address {
        SocketAddr::V4(v4) => out.extend_from_slice(&v4.ip().octets()),
        SocketAddr::V6(v6) => out.extend_from_slice(&v6.ip().octets()),
    }
    out.extend_from_slice(&address.port().to_be_bytes());
}

/// An address of either family, told by its length.
pub(super) fn read_address(bytes: &[u8]) -> Option<SocketAddr> {
    let (ip, port) = bytes.split_last_chunk::<2>()?;
    let port = u16::from_be_bytes(*port);
    match bytes.len() {
        V4 => Some((Ipv4Addr::from(<[u8; 4]>::try_from(ip).ok()?), port).into()),
        V6 => Some((Ipv6Addr::from(<[u8; 16]>::try_from(ip).ok()?), port).into()),
        _ => None,
    }
}

pub(super) fn write_nodes<'a>(nodes: impl Iterator<Item = &'a Contact>) -> Vec<u8> {
    let mut out = Vec::new();
    for node in nodes {
        out.extend_from_slice(node.id.as_bytes());
        write_address(&node.address, &mut out);
    }
    out
}

/// The two lists of nodes in an answer.
#[derive(Clone, Copy)]
pub(super) enum Family {
    V4,
    V6,
}

/// Nodes one after the other; `None` when the length is not a multiple of theirs.
pub(super) fn read_nodes(bytes: &[u8], family: Family) -> Option<Vec<Contact>> {
    let address = match family {
        Family::V4 => V4,
        Family::V6 => V6,
    };
    let entries = bytes.chunks_exact(Id::LENGTH + address);
    if !entries.remainder().is_empty() {
        return None;
    }
    let entry = |bytes: &[u8]| {
        let (id, address) = bytes.split_first_chunk::<{ Id::LENGTH }>()?;
        Some(Contact { id: Id::from_bytes(*id), address: read_address(address)? })
    };
    entries.map(entry).collect()
}
