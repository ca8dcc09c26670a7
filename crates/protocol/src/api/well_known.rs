//! `GET /.well-known/http-torrent`: what the other side speaks.
//!
//! Any answer but this one means: the described protocol only. A time-out decides nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::PeerId;

/// Where it is asked.
pub const PATH: &str = "/.well-known/http-torrent";
/// The version this code speaks.
pub const VERSION: u32 = 1;
/// Largest body read.
pub const MAX_BODY: usize = 16 << 10;
/// Capability: `POST /chunk` answers several chunks in frames.
pub const CAP_CHUNKS: &str = "chunks";
/// Capability: `have` can be long-polled.
pub const CAP_HAVE_WAIT: &str = "have-wait";

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WellKnown {
    /// [`VERSION`].
    pub version: u32,
    /// The process, where it is a peer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<PeerId>,
    /// `peer`, `tracker` or `metrics`.
    pub roles: Vec<String>,
    /// What it can do beyond the version's minimum.
    #[serde(default)]
    pub caps: Vec<String>,
    /// Named limits, such as `chunks` (in one request).
    #[serde(default)]
    pub limits: BTreeMap<String, u64>,
}

impl WellKnown {
    /// Whether it has this role and a version that we speak.
    pub fn is(&self, role: &str) -> bool {
        self.version == VERSION && self.roles.iter().any(|name| name == role)
    }

    /// Whether it has this capability.
    pub fn can(&self, cap: &str) -> bool {
        self.caps.iter().any(|name| name == cap)
    }
}
