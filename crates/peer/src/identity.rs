//! Who this process is to others.

use protocol::{BaseUrl, PeerId};

/// Told in every announce and request.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// Random, new at every start.
    pub(crate) peer: PeerId,
    /// Base URL that links and neighbours use.
    pub(crate) url: BaseUrl,
    /// Whether `url` was given by the user; otherwise trackers are told the port and take the address they see.
    pub(crate) advertised: bool,
    /// Port listened on.
    pub(crate) port: u16,
}
