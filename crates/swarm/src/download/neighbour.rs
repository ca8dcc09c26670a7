//! A neighbour as the download sees it: what it holds, what is asked of it, and its record.

use std::collections::VecDeque;

use protocol::{ChunkIndex, Time};

use super::runs::Run;
use crate::index_set::IndexSet;
use crate::picker::{Holding, Offer};
use crate::scoring::{Score, Share};
use crate::{Config, PeerKey};

/// A reachable peer.
///
/// In this order in memory: all of them are looked at for whether one has room, which the first lines say.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(crate) struct Neighbour {
    pub(crate) key: PeerKey,
    /// Fetches that fly to it.
    pub(crate) flying: u32,
    /// Of these, the stuck ones.
    pub(crate) slow: u32,
    /// It holds nothing that is missing and may be asked for: found by a search, unset by a gain or by a chunk that turns missing.
    pub(crate) dry: bool,
    pub(crate) holding: Holding,
    pub(crate) score: Score,
    /// When it was taken in.
    pub(crate) since: Time,
    /// Chunks that it is not asked for until then: it turned us away.
    pub(crate) avoided: Vec<(u32, Time)>,
    /// What it suggests to be asked for, the oldest suggestion first.
    pub(crate) suggested: VecDeque<ChunkIndex>,
    /// Where in a run of small chunks it is.
    pub(crate) run: Option<Run>,
}

impl Neighbour {
    /// One that was just found.
    pub(crate) fn new(key: PeerKey, now: Time, total: u32, config: &Config) -> Self {
        Neighbour {
            key,
            flying: 0,
            slow: 0,
            dry: true,
            score: Score::new(now, config),
            holding: Holding::Some(IndexSet::empty(total)),
            since: now,
            avoided: Vec::new(),
            suggested: VecDeque::new(),
            run: None,
        }
    }

    /// What it may be asked for.
    pub(crate) fn offer(&self) -> Offer<'_> {
        Offer { holding: &self.holding, avoided: &self.avoided }
    }

    /// Whether it holds `chunk` and may be asked for it.
    pub(crate) fn offers(&self, chunk: u32) -> bool {
        self.offer().holds(chunk)
    }

    pub(crate) fn is_blocked(&self, now: Time) -> bool {
        now < self.score.blocked_until
    }

    /// Whether one more fetch may be sent to it. Not while one is stuck there: it would get stuck, too.
    pub(crate) fn has_room(&self, now: Time, share: Share, config: &Config) -> bool {
        self.slow == 0 && !self.is_blocked(now) && self.flying < self.score.depth(config, share)
    }
}
