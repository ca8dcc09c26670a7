//! What a seed has never sent: the chunks that only it can bring into the swarm.
//!
//! Who asks cannot know them. Gains are late, and of a large swarm one sees some neighbours only: what looks rare to
//! sixty of a thousand was mostly sent to one of the others already. So the seed says in its answers what to ask for
//! next, to everybody something else, and then sends each chunk about once without refusing anybody (the idea is that
//! of super-seeding, BEP 16, but an idle uplink waits for no confirmation, and nothing is hidden from anybody).

use std::collections::BTreeSet;
use std::time::Duration;

use protocol::{ChunkIndex, Time};

use super::Requester;
use super::carriers::{AskedBack, Carriers};
use super::demand::{Content, Demand};
use super::well_fed::{Need, WellFed};
use crate::index_set::IndexSet;

/// A suggestion stands this long. Whoever has not asked by then will not, and the chunk is suggested to another: longer
/// than a full queue takes, so that a chunk is not promised twice while its asker waits.
const PROMISE: Duration = Duration::from_secs(4);

/// A peer that asks for a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asker {
    /// Which.
    pub who: Requester,
    /// What it says of itself.
    pub need: Need,
}

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
    /// Who got first copies, and whether they are passed on.
    carriers: Carriers,
    /// Who gets on without this uplink. Only a seed sends away who can: that of others is what carries the swarm.
    well_fed: Option<WellFed>,
}

impl FirstCopies {
    /// Of a peer that has all `total` chunks and has sent none. Suggestions begin at a place that `seed` says, so that
    /// two seeds of one torrent suggest different chunks.
    #[must_use]
    pub fn of_seed(total: u32, seed: u64) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "a remainder of a u32")]
        let from = (seed % u64::from(total.max(1))) as u32;
        let unsent = IndexSet::full(total);
        FirstCopies::new(unsent, from, Some(WellFed::default()))
    }

    /// Of a peer that got its chunks from others: they are there already.
    #[must_use]
    pub fn none() -> Self {
        FirstCopies::new(IndexSet::empty(0), 0, None)
    }

    fn new(unsent: IndexSet, from: u32, well_fed: Option<WellFed>) -> Self {
        let (free, promised, carriers) = (unsent.clone(), BTreeSet::new(), Carriers::default());
        FirstCopies { unsent, free, promised, from, carriers, well_fed }
    }

    /// Who else could serve a request of `asker` for `chunk`, which is `content`: nobody, as far as is known here, before
    /// it was sent to anybody. `uplink` is what was sent from here at best, in bytes per second; 0 before it was measured.
    pub fn demand(
        &mut self,
        now: Time,
        asker: Asker,
        chunk: ChunkIndex,
        content: Content,
        uplink: u64,
    ) -> Demand {
        let Asker { who, need } = asker;
        if self.carriers.is_poor(now, who) {
            return Demand::Spare(content);
        }
        let was_sent = !self.unsent.contains(chunk.get());
        let can_do_without = |fed: &mut WellFed| fed.can_do_without(now, who, need, uplink);
        match self.well_fed.as_mut().is_some_and(can_do_without) {
            true => Demand::Once { content, only_here: !was_sent || need.others == 0 },
            false if was_sent => Demand::Anywhere(content),
            false => Demand::OnlyHere(content),
        }
    }

    /// `chunk` is sent; to `who`, if that is a peer that can be asked for it. Whether it is its first copy.
    pub fn sent(&mut self, now: Time, who: Option<Requester>, chunk: ChunkIndex) -> bool {
        if !self.free.remove(chunk.get()) {
            self.promised.retain(|&(_, promised)| promised != chunk.get());
        }
        let is_first = self.unsent.remove(chunk.get());
        if let Some(who) = who.filter(|_| is_first) {
            self.carriers.sent(now, who, chunk);
        }
        is_first
    }

    /// When [`FirstCopies::ask_back`] has something to ask, if nothing else happens before.
    pub fn ask_back_at(&self) -> Option<Time> {
        self.carriers.ask_back_at()
    }

    /// Whom to ask for what now, to see whether it passes on what only it got from here. Whatever comes of it is said
    /// to [`FirstCopies::asked_back`].
    pub fn ask_back(&mut self, now: Time) -> Option<(Requester, ChunkIndex)> {
        self.carriers.ask_back(now)
    }

    /// This came of asking `who`.
    pub fn asked_back(&mut self, now: Time, who: Requester, what: AskedBack) {
        self.carriers.asked_back(now, who, what);
    }

    /// Asserts that the books of who got first copies agree; for tests and simulations.
    ///
    /// # Panics
    /// When they do not: that is a defect of this crate.
    #[doc(hidden)]
    pub fn check_invariants(&self) {
        self.carriers.check_invariants();
    }

    /// A chunk to suggest to `who`, who asks; `None` when each was sent once, or is suggested to others, and to those that
    /// keep to themselves what they get.
    pub fn suggest(&mut self, now: Time, who: Requester) -> Option<ChunkIndex> {
        if self.carriers.is_poor(now, who) {
            return None;
        }
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

    const WHO: Requester = Requester::new(1);

    fn suggested(firsts: &mut FirstCopies, now: Time) -> Vec<u32> {
        std::iter::from_fn(|| firsts.suggest(now, WHO)).map(ChunkIndex::get).collect()
    }

    /// What it is to ask for `chunk`, for somebody who says nothing of itself.
    fn demand(firsts: &mut FirstCopies, now: Time, chunk: u32) -> Demand {
        let asker = Asker { who: WHO, need: Need::default() };
        firsts.demand(now, asker, ChunkIndex::new(chunk), Content::new(7), 1000)
    }

    #[test]
    fn where_many_get_enough_from_others_only_what_is_not_there_is_sent_again() {
        let of_swarm = |mut firsts: FirstCopies, others| {
            firsts.sent(Time::ZERO, None, ChunkIndex::new(0));
            let asked = (0..40).map(|name| {
                let asker = Asker { who: Requester::new(name), need: Need { rate: Some(900), others } };
                firsts.demand(Time::ZERO, asker, ChunkIndex::new(0), Content::new(7), 1000)
            });
            asked.last()
        };
        let content = Content::new(7);
        let seed = || FirstCopies::of_seed(2, 0);
        assert_eq!(of_swarm(seed(), 1), Some(Demand::Once { content, only_here: false }));
        assert_eq!(of_swarm(seed(), 0), Some(Demand::Once { content, only_here: true }));
        assert_eq!(of_swarm(FirstCopies::none(), 1), Some(Demand::Anywhere(content)), "no seed");
    }

    #[test]
    fn everybody_is_suggested_something_else_until_all_is_promised_or_sent() {
        let mut firsts = FirstCopies::of_seed(5, 8);
        firsts.sent(Time::ZERO, None, ChunkIndex::new(4));
        let content = Content::new(7);
        assert_eq!(demand(&mut firsts, Time::ZERO, 3), Demand::OnlyHere(content));
        assert_eq!(demand(&mut firsts, Time::ZERO, 4), Demand::Anywhere(content));
        assert_eq!(suggested(&mut firsts, Time::ZERO), [3, 0, 1, 2]);
    }

    #[test]
    fn what_nobody_asked_for_in_time_is_suggested_again_and_what_was_sent_is_not() {
        let mut firsts = FirstCopies::of_seed(3, 0);
        assert_eq!(suggested(&mut firsts, Time::ZERO), [0, 1, 2]);
        firsts.sent(Time::ZERO, None, ChunkIndex::new(1));
        assert_eq!(suggested(&mut firsts, Time::ZERO + PROMISE), [0, 2]);
        firsts.sent(Time::ZERO, None, ChunkIndex::new(0));
        firsts.sent(Time::ZERO, None, ChunkIndex::new(2));
        assert!(suggested(&mut firsts, Time::ZERO + PROMISE * 3).is_empty());
    }

    #[test]
    fn who_got_the_chunks_from_others_suggests_none() {
        let mut firsts = FirstCopies::none();
        firsts.sent(Time::ZERO, None, ChunkIndex::new(7));
        assert_eq!(firsts.suggest(Time::ZERO, WHO), None);
        assert_eq!(demand(&mut firsts, Time::ZERO, 8), Demand::Anywhere(Content::new(7)));
    }

    #[test]
    fn who_keeps_the_only_copy_is_suggested_nothing_and_served_last() {
        let mut firsts = FirstCopies::of_seed(9, 0);
        assert!((0..4).all(|chunk| firsts.sent(Time::ZERO, Some(WHO), ChunkIndex::new(chunk))));
        let then = firsts.ask_back_at().unwrap();
        assert_eq!(firsts.ask_back(then), Some((WHO, ChunkIndex::new(1))));
        let (content, other) = (Content::new(7), Requester::new(2));
        assert_eq!(demand(&mut firsts, then, 8), Demand::OnlyHere(content));
        firsts.asked_back(then, WHO, AskedBack::Failed);
        for chunk in [0, 8] {
            assert_eq!(demand(&mut firsts, then, chunk), Demand::Spare(content));
        }
        assert_eq!(
            (firsts.suggest(then, WHO), firsts.suggest(then, other)),
            (None, Some(ChunkIndex::new(4)))
        );
    }
}
