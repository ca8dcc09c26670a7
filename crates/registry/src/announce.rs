//! What a native peer says and hears, and why it may be refused.

use std::sync::Arc;
use std::time::Duration;

use protocol::api::tracker::{Have, Token};
use protocol::chunk::BadBitmap;
use protocol::{BaseUrl, PeerId};

use crate::hand_out::Handed;
use crate::target::Target;

/// What a native peer says.
#[derive(Clone, Debug)]
pub struct NewAnnounce {
    /// The process.
    pub peer: PeerId,
    /// Where it can be reached; the shell has checked that it may say so.
    pub url: BaseUrl,
    /// Whom that leads to.
    pub target: Target,
    /// Another peer that was listed at this URL and is dead, so that its place is free; whoever is listed elsewhere stays.
    pub instead_of: Option<PeerId>,
    /// What it holds.
    pub have: Have,
    /// How lists name it, written once by whoever writes lists, and not looked into here: each is in 50 answers before
    /// the next announce changes it. `None` has lists write it themselves.
    pub entry: Option<Arc<[u8]>>,
    /// The token it shows, if any.
    pub shown: Option<Token>,
    /// The token it gets when it is new: not to be guessed.
    pub fresh: Token,
}

/// The answer to an announce.
#[derive(Clone, Debug)]
pub struct Announced<'a> {
    /// Until the next is due; the lease lasts three of these.
    pub interval: Duration,
    /// For later announces and the leave.
    pub token: Token,
    /// Some others.
    pub peers: Vec<Handed<'a>>,
}

/// Why a native call is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody published it, or it was forgotten.
    #[error("this tracker does not know the torrent: publish its torrent.json first")]
    UnknownTorrent,
    /// No such holder.
    #[error("this peer is not listed here")]
    UnknownPeer,
    /// Another token than the holder's, or none.
    #[error("this peer was announced with another token")]
    NotYours,
    /// Another process is listed at the URL: ask whether it lives, and announce [`NewAnnounce::instead_of`] it if not.
    #[error("another peer is listed at this URL")]
    UrlTaken {
        /// The one listed.
        by: PeerId,
    },
    /// Not a bitmap of this torrent.
    #[error(transparent)]
    Bitmap(#[from] BadBitmap),
    /// The target has its share of this torrent's holders.
    #[error("{0} peers of this host are listed already")]
    TargetFull(usize),
    /// A table is full.
    #[error("the tracker is full; try again later")]
    Full,
}

/// Whether the token shown is the holder's. Takes the same time wherever they differ.
pub(crate) fn is_right(token: &Token, shown: Option<&Token>) -> bool {
    let Some(shown) = shown else { return false };
    let (right, shown) = (token.as_str().as_bytes(), shown.as_str().as_bytes());
    right.len() == shown.len() && right.iter().zip(shown).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}
