//! Which described announcers are due for a ping.
//!
//! They cannot be asked to announce again and again, so they are asked whether they still live: about every five
//! seconds, and one that died is gone within fifteen. Native holders live by leases, for pings do not scale.

use std::net::IpAddr;
use std::time::Duration;

use protocol::{HostPort, Time};

use crate::described::{AnnouncerId, Described};

/// A ping to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PingDue {
    /// Whom to report the pong for.
    pub announcer: AnnouncerId,
    /// Where it says it can be reached.
    pub address: HostPort,
    /// Where its last announce came from.
    pub source: IpAddr,
}

/// How long an announcer is listed after its last announce or pong, when it is pinged every so often: two pings may
/// fail, and who dies right after a pong is gone within three intervals.
pub(crate) fn life(ping_every: Duration) -> Duration {
    ping_every * 14 / 5
}

/// Takes out at most `most` announcers whose ping is due, and sets their next.
pub(crate) fn take_due(described: &mut Described, now: Time, every: Duration, most: usize) -> Vec<PingDue> {
    let mut due = Vec::new();
    while due.len() < most
        && let Some(id) = described.pings.pop_due(now)
    {
        described.pings.set(id, now + every);
        if let Some(announcer) = described.get(id) {
            due.push(PingDue { announcer: id, address: announcer.address.clone(), source: announcer.source });
        }
    }
    due
}
