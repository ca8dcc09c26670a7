//! What a tracker can be told.

use std::net::IpAddr;
use std::time::Duration;

use net::Net;
use protocol::BaseUrl;

use crate::AllowRule;

/// How a tracker runs. The defaults are a public tracker's.
#[derive(Clone, Debug)]
pub struct TrackerConfig {
    /// Who may be announced although the announce does not come from there (`--allow-announce`).
    pub allow_announce: Vec<AllowRule>,
    /// The base URL that others reach this tracker by, when it is not the one they use already: behind a proxy.
    pub advertise: Option<BaseUrl>,
    /// Where announcers are told to send metrics.
    pub metrics: Option<BaseUrl>,
    /// The address that pings come from; any when `None`.
    pub source: Option<IpAddr>,
    /// The network: the system's, except in tests.
    pub net: Net,
    /// Seed of hand-outs and assignments. Tokens do not come from it.
    pub seed: u64,
    /// Bounds of the listener.
    pub listen: listen::Limits,
    /// Bounds of the memory.
    pub registry: registry::Limits,
    /// How long a body may take before its rate counts; see `body_rate`.
    pub body_grace: Duration,
    /// Bytes a second that a body must bring after that.
    pub body_rate: u32,
}

impl Default for TrackerConfig {
    fn default() -> Self {
        TrackerConfig {
            allow_announce: Vec::new(),
            advertise: None,
            metrics: None,
            source: None,
            net: Net::default(),
            seed: 0,
            listen: listen::Limits::default(),
            registry: registry::Limits::default(),
            body_grace: Duration::from_secs(10),
            body_rate: 16 << 10,
        }
    }
}
