//! Who passes on what only a seed has: found out by asking for it back.
//!
//! A seed sends each chunk about once and relies on whoever got it. One that sends wrong bytes, or that nobody can dial, keeps
//! the only copy to itself, and asks for the next one as fast as anybody: three liars among ten took three tenths of all
//! first copies, and the swarm a fifth longer (decision 22). Nobody needs to be told on: the seed has a chunk that only this
//! peer can have, so it asks that peer for it, as everybody else does, and sees what comes. What is found holds for a while
//! only, since a peer may be repaired, or begin to lie.
//!
//! A peer is asked when it got [`ENOUGH`] first copies, so that in a swarm of many more peers than chunks hardly anybody
//! is; and all that is asked back is a part of what was sent, however many names one peer gives itself.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use protocol::{ChunkIndex, Time};

use super::Requester;

/// First copies after which it is worth a chunk to know: as many may follow.
const ENOUGH: u32 = 2;
/// One is asked back for so many that were sent.
const SENT_PER_ASKED: u64 = 4;
/// So many are asked back at a time.
const AT_A_TIME: usize = 4;
/// By then the chunk has arrived, as a rule. If it has not, the answer says nothing, and it is asked for again.
const SETTLES: Duration = Duration::from_millis(300);
/// The pause after an answer that says nothing, twice as long after each …
const PAUSE: Duration = Duration::from_secs(1);
/// … and so many of them. Who is always too busy is believed.
const TRIES: u32 = 4;
/// How long it counts what was found.
const HOLDS: Duration = Duration::from_secs(60);
/// Peers remembered, as many as [`crate::UploadConfig::requesters`].
const MOST: usize = 1024;

/// What came when a chunk was asked back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskedBack {
    /// The chunk.
    Came,
    /// Other bytes, or nobody could be dialled: whoever wants it from there does not get it either.
    Failed,
    /// It was busy, or has not got it yet.
    Unclear,
}

/// The peers that got first copies, and what is known of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Carriers {
    standings: BTreeMap<Requester, Standing>,
    /// Those that are to be asked, by when.
    due: BTreeSet<(Time, Requester)>,
    /// Those that are being asked.
    asked: usize,
    /// First copies that were sent, and how many of them were asked back.
    sent: u64,
    asked_back: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It got so many, and was not asked yet.
    New(u32),
    /// To be asked for this one then, for so many times in vain.
    Due(Time, ChunkIndex, u32),
    Asked(ChunkIndex, u32),
    /// It passes on what it gets, as far as this counts until then.
    Good(Time),
    /// It does not.
    Poor(Time),
}

impl Standing {
    fn is_over(self, now: Time) -> bool {
        matches!(self, Standing::Good(until) | Standing::Poor(until) if until <= now)
    }
}

impl Carriers {
    /// `who` is sent the first copy of `chunk`.
    pub(super) fn sent(&mut self, now: Time, who: Requester, chunk: ChunkIndex) {
        self.sent += 1;
        let due = match self.standings.get(&who).copied() {
            None if self.standings.len() >= MOST && !self.make_room(now) => return,
            None => Standing::New(1),
            Some(Standing::New(before)) if before + 1 < ENOUGH => Standing::New(before + 1),
            Some(Standing::New(_)) => Standing::Due(now + SETTLES, chunk, 0),
            Some(old) if old.is_over(now) => Standing::Due(now + SETTLES, chunk, 0),
            Some(_) => return,
        };
        self.set(who, due);
    }

    /// Whether `who` keeps to itself what it gets.
    pub(super) fn is_poor(&self, now: Time, who: Requester) -> bool {
        matches!(self.standings.get(&who), Some(&Standing::Poor(until)) if now < until)
    }

    /// When [`Carriers::ask_back`] has something to ask; `None` while enough is asked.
    pub(super) fn ask_back_at(&self) -> Option<Time> {
        let may_ask = self.asked < AT_A_TIME && self.asked_back * SENT_PER_ASKED < self.sent;
        let (at, _) = self.due.first().filter(|_| may_ask)?;
        Some(*at)
    }

    /// Whom to ask for what now, if anybody: what comes of it is said to [`Carriers::asked_back`].
    pub(super) fn ask_back(&mut self, now: Time) -> Option<(Requester, ChunkIndex)> {
        self.ask_back_at().filter(|&at| at <= now)?;
        let (_, who) = self.due.pop_first()?;
        let Some(&Standing::Due(_, chunk, tries)) = self.standings.get(&who) else { return None };
        self.standings.insert(who, Standing::Asked(chunk, tries));
        self.asked += 1;
        self.asked_back += 1;
        Some((who, chunk))
    }

    /// This came of asking `who`.
    pub(super) fn asked_back(&mut self, now: Time, who: Requester, what: AskedBack) {
        let Some(&Standing::Asked(chunk, tries)) = self.standings.get(&who) else { return };
        self.asked -= 1;
        let known = match what {
            AskedBack::Failed => Standing::Poor(now + HOLDS),
            AskedBack::Unclear if tries + 1 < TRIES => {
                Standing::Due(now + PAUSE * (1 << tries), chunk, tries + 1)
            }
            AskedBack::Came | AskedBack::Unclear => Standing::Good(now + HOLDS),
        };
        self.set(who, known);
    }

    fn set(&mut self, who: Requester, standing: Standing) {
        if let Standing::Due(at, ..) = standing {
            self.due.insert((at, who));
        }
        self.standings.insert(who, standing);
    }

    /// Forgets somebody of whom nothing is known, or not any more.
    fn make_room(&mut self, now: Time) -> bool {
        let mut all = self.standings.iter();
        let idle = all.find(|(_, one)| matches!(one, Standing::New(_)) || one.is_over(now));
        let idle = idle.map(|(&who, _)| who);
        idle.is_some_and(|who| self.standings.remove(&who).is_some())
    }

    /// Asserts that the limits hold, and that both sides of who is due agree.
    pub(super) fn check_invariants(&self) {
        let count = |is: fn(&Standing) -> bool| self.standings.values().filter(|one| is(one)).count();
        assert!(self.standings.len() <= MOST, "too many carriers remembered");
        assert_eq!(count(|one| matches!(one, Standing::Asked(..))), self.asked, "those that are asked");
        assert_eq!(count(|one| matches!(one, Standing::Due(..))), self.due.len(), "those that are due");
        for &(at, who) in &self.due {
            let is_due = matches!(self.standings.get(&who), Some(&Standing::Due(then, ..)) if then == at);
            assert!(is_due, "{who:?} is due");
        }
        assert!(self.asked <= AT_A_TIME, "too many asked at a time");
        assert!(self.asked_back <= self.sent.div_ceil(SENT_PER_ASKED), "too much asked back");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn at(millis: u64) -> Time {
        Time::from_nanos(millis * 1_000_000)
    }

    const fn who(number: u64) -> Requester {
        Requester::new(number)
    }

    /// Sends `who` so many first copies.
    fn send(carriers: &mut Carriers, now: Time, who: Requester, chunks: u32) {
        (0..chunks).for_each(|chunk| carriers.sent(now, who, ChunkIndex::new(chunk)));
    }

    /// Asks everybody back that is due, one after the other, and gives the answer.
    fn settle(carriers: &mut Carriers, now: Time, what: AskedBack) -> Vec<Requester> {
        let mut asked = Vec::new();
        while let Some((who, _)) = carriers.ask_back(now) {
            carriers.asked_back(now, who, what);
            asked.push(who);
        }
        asked
    }

    #[test]
    fn who_got_two_is_asked_for_the_second_when_it_has_arrived() {
        let mut carriers = Carriers::default();
        send(&mut carriers, at(0), who(1), 1);
        assert_eq!(carriers.ask_back_at(), None, "one is not worth a question");
        send(&mut carriers, at(0), who(2), 4);
        assert_eq!((carriers.ask_back_at(), carriers.ask_back(at(299))), (Some(at(300)), None));
        assert_eq!(carriers.ask_back(at(300)), Some((who(2), ChunkIndex::new(1))));
        carriers.asked_back(at(400), who(2), AskedBack::Failed);
        assert!(carriers.is_poor(at(400), who(2)) && !carriers.is_poor(at(400), who(1)));
    }

    #[test]
    fn what_was_found_is_found_again_after_a_minute() {
        let mut carriers = Carriers::default();
        send(&mut carriers, at(0), who(1), 8);
        assert_eq!(settle(&mut carriers, at(300), AskedBack::Failed), [who(1)]);
        send(&mut carriers, at(1000), who(1), 1);
        assert!(carriers.is_poor(at(60_299), who(1)) && carriers.ask_back_at().is_none());
        assert!(!carriers.is_poor(at(60_300), who(1)), "it has another chance");
        send(&mut carriers, at(60_300), who(1), 1);
        assert_eq!(settle(&mut carriers, at(60_600), AskedBack::Came), [who(1)]);
        assert!(!carriers.is_poor(at(60_600), who(1)));
    }

    #[test]
    fn who_is_too_busy_to_answer_is_asked_four_times_and_then_believed() {
        let mut carriers = Carriers::default();
        send(&mut carriers, at(0), who(1), 100);
        for due in [300, 1300, 3300, 7300] {
            assert_eq!(carriers.ask_back_at(), Some(at(due)));
            assert_eq!(settle(&mut carriers, at(due), AskedBack::Unclear), [who(1)]);
        }
        assert!(carriers.ask_back_at().is_none() && !carriers.is_poor(at(7300), who(1)));
    }

    #[test]
    fn no_more_than_a_quarter_of_what_was_sent_is_asked_back_whoever_comes() {
        let mut few = Carriers::default();
        (0..12).for_each(|name| send(&mut few, at(0), who(name), 2));
        let at_once: Vec<_> = std::iter::from_fn(|| few.ask_back(at(300))).map(|(who, _)| who).collect();
        assert_eq!(at_once, [who(0), who(1), who(2), who(3)]);
        for who in at_once {
            few.asked_back(at(300), who, AskedBack::Came);
        }
        assert_eq!(settle(&mut few, at(300), AskedBack::Came).len(), 2, "6 of 24 in all");
        few.check_invariants();
    }

    #[test]
    fn of_more_peers_than_are_remembered_those_go_first_of_whom_nothing_is_known() {
        let mut many = Carriers::default();
        send(&mut many, at(0), who(0), 2);
        assert_eq!(settle(&mut many, at(300), AskedBack::Failed), [who(0)]);
        (1..3000).for_each(|name| send(&mut many, at(300), who(name), 1));
        assert!(many.is_poor(at(300), who(0)));
        many.check_invariants();
    }

    proptest! {
        #[test]
        fn the_books_agree_whatever_happens(steps in prop::collection::vec((0u64..6, 0u8..5), 0..400)) {
            let mut carriers = Carriers::default();
            for (time, (name, step)) in (0..).step_by(700).zip(steps) {
                let what = [AskedBack::Came, AskedBack::Failed, AskedBack::Unclear].get(usize::from(step));
                match what {
                    Some(&what) => carriers.asked_back(at(time), who(name), what),
                    None if step == 3 => carriers.sent(at(time), who(name), ChunkIndex::new(0)),
                    None => drop(carriers.ask_back(at(time))),
                }
                carriers.check_invariants();
            }
        }
    }
}
