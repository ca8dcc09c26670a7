//! What a peer is told when it starts.

use std::net::IpAddr;

use net::Net;
use protocol::{BaseUrl, Host};

use crate::dht::DhtConfig;

/// How a peer listens, what it calls itself, and how much it may send and receive.
#[derive(Clone, Debug)]
pub struct Config {
    /// Address to listen on.
    pub bind: IpAddr,
    /// Port to listen on; 0 is any.
    pub port: u16,
    /// Source address of outgoing connections; `None` leaves it to the routing table.
    pub source: Option<IpAddr>,
    /// What trackers are told of where this peer is.
    pub advertise: Advertise,
    /// Host that links name, with the port listened on, unless a whole URL is advertised.
    pub host: Host,
    /// Most payload bytes a second sent; `None` is no limit.
    pub limit_up: Option<u64>,
    /// Most payload bytes a second received; `None` is no limit.
    pub limit_down: Option<u64>,
    /// Where metrics go.
    pub metrics: MetricsTo,
    /// How it takes part in the DHT; `None`: it does not.
    pub dht: Option<DhtConfig>,
    /// The network: the system's, except in tests.
    pub net: Net,
    /// Seed of every random choice, the process's id among them: no two peers may have the same.
    pub seed: u64,
}

/// What trackers are told of where a peer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advertise {
    /// The port: they take the address they see.
    Observed,
    /// [`Config::host`] and the port listened on: they see another address (a container's gateway, NAT).
    Host,
    /// This base URL (a reverse proxy's).
    Url(BaseUrl),
}

/// Where a peer's metrics go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetricsTo {
    /// Nowhere.
    Off,
    /// To this metrics server.
    Url(BaseUrl),
    /// To the one that a tracker's answer names.
    Learn,
}
