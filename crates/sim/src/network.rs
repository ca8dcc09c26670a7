//! Links, shared slice by slice.
//!
//! An uplink sends one slice of one body at a time, any of those that may send: connections share a link evenly on
//! average only, and bodies that begin together do not end together (decision 10 has what real ones do). A slice takes
//! its place in the downlink's queue in the order of sending. A body sends its next slice when the last one is within
//! [`crate::Network::queue`] of being through the downlink (what congestion control and a router's buffer do), and no
//! faster than a window a round trip (which doubles from small, as slow start does). So both ends are kept busy by
//! whoever can use them, and are shared by their bodies as TCP shares them: equally in the long run.
//!
//! Small messages take their room, and wait behind bodies as long as [`scenario::rollout::Network::uplink_queue`] says.
//! Loss caps a connection's window and delays a slice by a round trip; what is sent again is part of the headers.

use std::time::Duration;

use protocol::Time;
use swarm::Ticket;

use crate::node::NodeId;
use crate::requests::RequestId;

/// Slices of a chunk: enough that bodies are shared finely, few enough to simulate ten million chunks.
const SLICES: u32 = 8;
/// Smallest and largest slice in bytes.
const SLICE: (u32, u32) = (16 << 10, 512 << 10);

/// Bytes of a slice of a chunk of `chunk_bytes`.
pub(crate) fn slice_of(chunk_bytes: u32) -> u32 {
    (chunk_bytes / SLICES).clamp(SLICE.0, SLICE.1)
}

/// A body being sent, as far as each slice of its uplink looks at it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flow {
    pub(crate) request: RequestId,
    /// Its slot, until the rest of it is buffered.
    pub(crate) slot: Option<Ticket>,
    /// Its next slice, not before this.
    pub(crate) next_at: Time,
}

/// What its own slices need besides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Body {
    /// Who gets it.
    pub(crate) to: NodeId,
    /// Payload bytes not sent yet.
    pub(crate) left: u32,
    /// Bytes a round trip that its connection is good for by now.
    pub(crate) window: u64,
    /// Bytes that its receiver's brain was not told of, and when it last was told of some.
    pub(crate) untold: u32,
    pub(crate) told_at: Time,
    /// Its receiver has nothing of this sender yet, and is told of the first half.
    pub(crate) of_new: bool,
}

impl Body {
    /// How long its connection needs for a slice, were there room for all of it: a window a round trip, which doubles
    /// with each up to `most` (slow start).
    pub(crate) fn pace(&mut self, slice: u32, round_trip: Duration, most: u64) -> Duration {
        let (mut left, mut nanos) = (u64::from(slice), 0);
        while left > 0 {
            let part = if self.window < most { left.min(self.window) } else { left };
            nanos += round_trip.as_nanos() * u128::from(part) / u128::from(self.window.max(1));
            left -= part;
            self.window = (self.window + part).min(most).max(1);
        }
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// The sending side of a link. In this order in memory: messages and acknowledgements look at its beginning only.
#[derive(Clone, Debug, Default)]
#[repr(C)]
pub(crate) struct Uplink {
    /// When its next event is due.
    pub(crate) armed: Option<Time>,
    /// Bytes of control traffic that are to be sent with the next slice.
    pub(crate) debt: u64,
    /// What is being sent, but for a body whose last slice is. Apart from the bodies: each slice looks at all of them.
    flows: Vec<Flow>,
    bodies: Vec<Body>,
    /// When the slice being sent is out.
    pub(crate) busy_until: Time,
    /// The body whose last slice is being sent.
    pub(crate) finishing: Option<Ticket>,
}

/// What an uplink does next.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Next {
    /// A slice of this body.
    Send(Flow, Body),
    /// Nothing before this.
    Wait(Time),
    /// Nothing.
    Idle,
}

impl Uplink {
    /// One of the bodies that may send, `draw` says which; it is taken out.
    pub(crate) fn next(&mut self, now: Time, draw: usize) -> Next {
        let may_send = self.flows.iter().filter(|flow| flow.next_at <= now).count();
        if let Some(nth) = draw.checked_rem(may_send) {
            let mut those = (0..self.flows.len()).filter(|&at| self.flows[at].next_at <= now);
            let next = those.nth(nth).map(|at| self.take(at));
            return next.map_or(Next::Idle, |(flow, body)| Next::Send(flow, body));
        }
        let first = self.flows.iter().map(|flow| flow.next_at).min();
        first.map_or(Next::Idle, Next::Wait)
    }

    /// A body has more to send.
    pub(crate) fn push(&mut self, flow: Flow, body: Body) {
        self.flows.push(flow);
        self.bodies.push(body);
    }

    fn take(&mut self, at: usize) -> (Flow, Body) {
        (self.flows.swap_remove(at), self.bodies.swap_remove(at))
    }

    /// What is being sent, but for a body whose last slice is.
    pub(crate) fn flows(&self) -> &[Flow] {
        &self.flows
    }

    /// Forgets a body that nobody waits for; the slot it still has.
    pub(crate) fn drop_flow(&mut self, request: RequestId) -> Option<Ticket> {
        let at = self.flows.iter().position(|flow| flow.request == request)?;
        self.take(at).0.slot
    }

    /// Takes the slot of a body whose rest is buffered.
    pub(crate) fn take_slot(&mut self, request: RequestId) -> Option<Ticket> {
        self.flows.iter_mut().find(|flow| flow.request == request)?.slot.take()
    }
}

/// Acknowledgements, in millionths of what is received: a frame of 66 bytes for two of 1,514, as measured.
pub(crate) const ACKNOWLEDGED_PPM: u64 = 23_000;

/// A packet with its headers.
const PACKET: u64 = 1514;

/// What lost packets do to a connection, `loss_ppm` of a million being lost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loss(pub(crate) u64);

impl Loss {
    /// The most bytes a round trip: 1.22 packets by the root of the share that is lost (Mathis, Semke, Mahdavi and Ott,
    /// "The Macroscopic Behavior of the TCP Congestion Avoidance Algorithm", 1997), at least two packets.
    pub(crate) fn window(self, most: u64) -> u64 {
        if self.0 == 0 {
            return most;
        }
        // The root of a million is a thousand.
        let window = PACKET * 1220 / self.0.isqrt().max(1);
        window.clamp(2 * PACKET, most.max(2 * PACKET))
    }

    /// How many in a million slices of so many bytes lose a packet.
    pub(crate) fn of_slice(self, wire: u64) -> u64 {
        (wire.div_ceil(PACKET) * self.0).min(1_000_000)
    }
}

/// The receiving side of a link: when all that was sent to it is through.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Downlink {
    busy_until: Time,
}

impl Downlink {
    /// Queues a slice whose sending takes `sending` from now on; when it is through.
    pub(crate) fn receive(&mut self, now: Time, receiving: Duration, sending: Duration) -> Time {
        self.busy_until = self.busy_until.max(now) + receiving;
        self.busy_until.max(now + sending)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Time {
        Time::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn a_downlink_is_shared_by_those_who_send_to_it_and_never_faster_than_the_sender() {
        let mut down = Downlink::default();
        let (fast, slow) = (Duration::from_millis(1), Duration::from_millis(4));
        assert_eq!(down.receive(at(0), fast, slow), at(4), "as slow as its sender");
        assert_eq!(down.receive(at(0), fast, slow), at(4), "and another sender at the same time");
        for _ in 0..8 {
            down.receive(at(0), fast, slow);
        }
        assert_eq!(down.receive(at(0), fast, slow), at(11), "then the downlink is the limit");
    }

    #[test]
    fn loss_caps_the_window_and_strikes_slices_by_their_packets() {
        assert_eq!(Loss(0).window(4 << 20), 4 << 20);
        assert_eq!(Loss(10_000).window(4 << 20), 18_470, "1 %: 12.2 packets");
        assert_eq!(Loss(1_000_000).window(4 << 20), 3028);
        assert_eq!((Loss(0).of_slice(100_000), Loss(1000).of_slice(15_140)), (0, 10_000));
    }

    #[test]
    fn a_chunk_has_some_slices_whatever_its_size() {
        assert_eq!(
            (slice_of(64 << 10), slice_of(1 << 20), slice_of(16 << 20)),
            (16 << 10, 128 << 10, 512 << 10)
        );
    }
}
