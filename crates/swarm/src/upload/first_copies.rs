//! What a seed has never sent: the chunks that only it can bring into the swarm.
//!
//! Who asks cannot know them. Gains are late, and of a large swarm one sees some neighbours only: what looks rare to
//! sixty of a thousand was mostly sent to one of the others already. So the seed says in its answers what to ask for
//! next, to everybody something else, and then sends each chunk about once without refusing anybody (the idea is that
//! of super-seeding, BEP 16, but an idle uplink waits for no confirmation, and nothing is hidden from anybody).

use std::collections::BTreeSet;
use std::time::Duration;

use protocol::{ChunkIndex, Time};

use super::demand::{Content, Demand};
use crate::index_set::IndexSet;

/// A suggestion stands this long. Whoever has not asked by then will not, and the chunk is suggested to another: longer
/// than a full queue takes, so that a chunk is not promised twice while its asker waits.
const PROMISE: Duration = Duration::from_secs(4);

/// The chunks that were never sent from here, and which of them are suggested to somebody.
#[derive(Clone, Debug)]
pub struct FirstCopies {
    /// Never sent.
    unsent: IndexSet,
    /// Of these, not suggested to anybody now.
    free: IndexSet,
    /// Suggested until then.
    promised: BTreeSet<(Time, u32)>,
    /// Where the next suggestion is looked for.
    from: u32,
}

impl FirstCopies {
    /// Of a peer that has all `total` chunks and has sent none. Suggestions begin at a place that `seed` says, so that
    /// two seeds of one torrent suggest different chunks.
    #[must_use]
    pub fn of_seed(total: u32, seed: u64) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "a remainder of a u32")]
        let from = (seed % u64::from(total.max(1))) as u32;
        let unsent = IndexSet::full(total);
        FirstCopies { free: unsent.clone(), unsent, promised: BTreeSet::new(), from }
    }

    /// Of a peer that got its chunks from others: they are there already.
    #[must_use]
    pub fn none() -> Self {
        let unsent = IndexSet::empty(0);
        FirstCopies { free: unsent.clone(), unsent, promised: BTreeSet::new(), from: 0 }
    }

    /// Who else could serve a request of a peer for `chunk`, which is `content`: nobody, as far as is known here, before
    /// it was sent to anybody.
    pub fn demand(&self, chunk: ChunkIndex, content: Content) -> Demand {
        if self.unsent.contains(chunk.get()) { Demand::OnlyHere(content) } else { Demand::Anywhere(content) }
    }

    /// `chunk` is sent to somebody.
    pub fn sent(&mut self, chunk: ChunkIndex) {
        self.unsent.remove(chunk.get());
        if !self.free.remove(chunk.get()) {
            self.promised.retain(|&(_, promised)| promised != chunk.get());
        }
    }

    /// A chunk to suggest to somebody that asks; `None` when each was sent once, or is suggested to others.
    pub fn suggest(&mut self, now: Time) -> Option<ChunkIndex> {
        while let Some(&(until, chunk)) = self.promised.first()
            && until <= now
        {
            self.promised.pop_first();
            self.free.insert(chunk);
        }
        let chunk = self.free.next(self.from).or_else(|| self.free.next(0))?;
        self.free.remove(chunk);
        self.from = chunk + 1;
        self.promised.insert((now + PROMISE, chunk));
        Some(ChunkIndex::new(chunk))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suggested(firsts: &mut FirstCopies, now: Time) -> Vec<u32> {
        std::iter::from_fn(|| firsts.suggest(now)).map(ChunkIndex::get).collect()
    }

    #[test]
    fn everybody_is_suggested_something_else_until_all_is_promised_or_sent() {
        let mut firsts = FirstCopies::of_seed(5, 8);
        firsts.sent(ChunkIndex::new(4));
        let demand = |chunk| firsts.demand(ChunkIndex::new(chunk), Content::new(7));
        assert_eq!(demand(3), Demand::OnlyHere(Content::new(7)));
        assert_eq!(demand(4), Demand::Anywhere(Content::new(7)));
        assert_eq!(suggested(&mut firsts, Time::ZERO), [3, 0, 1, 2]);
    }

    #[test]
    fn what_nobody_asked_for_in_time_is_suggested_again_and_what_was_sent_is_not() {
        let mut firsts = FirstCopies::of_seed(3, 0);
        assert_eq!(suggested(&mut firsts, Time::ZERO), [0, 1, 2]);
        firsts.sent(ChunkIndex::new(1));
        assert_eq!(suggested(&mut firsts, Time::ZERO + PROMISE), [0, 2]);
        firsts.sent(ChunkIndex::new(0));
        firsts.sent(ChunkIndex::new(2));
        assert!(suggested(&mut firsts, Time::ZERO + PROMISE * 3).is_empty());
    }

    #[test]
    fn who_got_the_chunks_from_others_suggests_none() {
        let mut firsts = FirstCopies::none();
        firsts.sent(ChunkIndex::new(7));
        assert_eq!(firsts.suggest(Time::ZERO), None);
        let content = Content::new(8);
        assert_eq!(firsts.demand(ChunkIndex::new(8), content), Demand::Anywhere(content));
    }
}
