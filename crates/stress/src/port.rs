//! Ports that must be known before their process listens, or after it died.
//!
//! Everybody else takes any port. But a client behind a proxy is told its port, because the proxy is; and a tracker
//! returns to the one it had. The system gives such a port to the next one who asks for any, and on a busy machine that
//! happens within milliseconds; so these come from where the system never takes one by itself.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;

/// Ports below this belong to well-known services, or to somebody's own.
const LOWEST: u16 = 15_000;
/// So many are tried; nearly every one is free.
const TRIES: u32 = 200;

/// A port that is free now; `None` when none is found.
pub(crate) fn free() -> Option<u16> {
    let range =
        never_given(&fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default());
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let drawn = (0..TRIES).map(|_| rand::random_range(range.clone()));
    drawn.into_iter().find(is_free)
}

/// The ports that the system gives to nobody who asks for any. `text` is what Linux says of the others: the first and the
/// last.
fn never_given(text: &str) -> Range<u16> {
    /// What Linux says unless it was told otherwise.
    const USUAL: u16 = 32_768;
    let first = text.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(USUAL);
    // Somebody who has given away nearly everything has to live with the race.
    if first > LOWEST + 1000 { LOWEST..first } else { LOWEST..u16::MAX }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_that_others_are_given_are_left_to_them() {
        assert_eq!(never_given("32768\t60999\n"), LOWEST..32_768);
        assert_eq!(never_given(""), LOWEST..32_768);
        assert_eq!(never_given("1024 65535"), LOWEST..u16::MAX);
    }

    #[test]
    fn a_port_that_is_taken_is_not_free() {
        let port = free().unwrap();
        let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        assert!((0..100).all(|_| free() != Some(port)));
    }
}
