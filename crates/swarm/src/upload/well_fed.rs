//! Whether a swarm carries itself: those who ask a seed for what it has sent already get as much from others.
//!
//! A seed brings in what nobody else has; of what it sends again it is one uplink among all. Where [`MANY`] times as much flows, it adds
//! a few hundredths to that, and pays for a copy of the file again and again: 2.1 copies where a hundred peers come within a minute and
//! a fifth of them leave, without that anybody is sooner done (decision 23). So who gets on is sent a chunk once, and to others for the rest.
//!
//! What flows is the sum of what the askers say that they gain, and need not be true. Who says less than it gets is served as everybody
//! was before. Who says more, under two names or many, keeps the seed from sending again to those who do get half its uplink or more, and
//! from nobody else (threat A32).

use std::collections::VecDeque;
use std::time::Duration;

use protocol::Time;

use super::Requester;

/// So many of the seed's uplinks flow in a swarm that carries itself, and there so many eighths of one are enough for anybody. Where the
/// seed would be the thirtieth part of what flows, half of its uplink is enough. Where it would be the seventh, that leaves who gains so
/// little with twice the time: only who gains about a whole one can do without it, which all do where `(N−1)·u_s ≤ N·u_p`.
const CARRIED: [(u64, u64); 3] = [(MANY, 4), (10, 6), (6, 7)];
const MANY: u64 = 32;
/// What one says that it gains counts as so many uplinks at most: nobody is a swarm alone.
const MOST_OF_ONE: u64 = 4;
/// They all said so in this time …
const LATELY: Duration = Duration::from_secs(5);
/// … and of these so many, the latest, are remembered.
const REMEMBERED: usize = 128;

/// What somebody says of itself who asks for a chunk. It says nothing by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Need {
    /// Bytes per second that it gains, from all its neighbours together; `None` before it was measured.
    pub rate: Option<u64>,
    /// Its neighbours that hold the chunk, beside the one that it asks.
    pub others: u32,
}

/// Those who asked lately, and what each said that it gains; the latest last.
#[derive(Clone, Debug, Default)]
pub(super) struct WellFed(VecDeque<(Time, Requester, u64)>);

impl WellFed {
    /// `who` asks for a chunk: whether it can do without this uplink, which sends so many bytes per second at best (0: that was not
    /// measured). It cannot for long where those that hold a chunk do not send it: it gains less then, and says so.
    pub(super) fn can_do_without(&mut self, now: Time, who: Requester, need: Need, uplink: u64) -> bool {
        self.0.retain(|&(said, other, _)| other != who && now.since(said) < LATELY);
        if uplink == 0 {
            return false;
        }
        if let Some(rate) = need.rate {
            self.0.push_back((now, who, rate.min(uplink.saturating_mul(MOST_OF_ONE))));
        }
        if self.0.len() > REMEMBERED {
            self.0.pop_front();
        }
        let flows = self.0.iter().fold(0u64, |sum, &(_, _, rate)| sum.saturating_add(rate));
        let carried = CARRIED.iter().find(|&&(many, _)| flows >= uplink.saturating_mul(many));
        carried.is_some_and(|&(_, eighths)| {
            // Who is new has a moment to see what others give; then it says so.
            need.rate.map_or(need.others > 0, |rate| rate.saturating_mul(8) >= uplink.saturating_mul(eighths))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UPLINK: u64 = 1000;

    const fn at(millis: u64) -> Time {
        Time::from_nanos(millis * 1_000_000)
    }

    /// One after the other asks, a millisecond apart; what the last one hears.
    fn ask(fed: &mut WellFed, from: u64, names: std::ops::Range<u64>, rate: u64) -> bool {
        let answers = (from..).zip(names).map(|(millis, name)| {
            let need = Need { rate: Some(rate), others: 1 };
            fed.can_do_without(at(millis), Requester::new(name), need, UPLINK)
        });
        answers.last().unwrap()
    }

    #[test]
    fn where_thirty_uplinks_flow_who_gets_half_of_one_can_do_without_it() {
        let mut fed = WellFed::default();
        assert!(!ask(&mut fed, 0, 0..63, 500));
        assert!(!ask(&mut fed, 63, 0..63, 500), "the same again are no more");
        assert!(ask(&mut fed, 126, 63..64, 500));
        assert!(!ask(&mut fed, 127, 64..65, 499), "who gets less is served");
        assert!(ask(&mut fed, 128, 0..1, 500));
    }

    #[test]
    fn who_is_new_tries_others_first_and_who_says_nothing_is_served() {
        let (of_new, says_nothing) = (Need { rate: None, others: 1 }, Need::default());
        let can = |fed: &mut WellFed, need| fed.can_do_without(at(32), Requester::new(99), need, UPLINK);
        let mut fed = WellFed::default();
        assert!(!can(&mut fed, of_new), "nothing flows");
        assert!(ask(&mut fed, 0, 0..32, 1000));
        assert!(can(&mut fed, of_new) && !can(&mut fed, says_nothing));
        assert!(
            !can(&mut fed, Need { rate: Some(0), others: 1 }),
            "it has seen that nobody gives it anything"
        );
    }

    #[test]
    fn where_six_uplinks_flow_only_who_gets_about_a_whole_one_can_do_without_it() {
        let mut fed = WellFed::default();
        assert!(!ask(&mut fed, 0, 0..6, 990));
        assert!(ask(&mut fed, 6, 6..7, 875));
        assert!(!ask(&mut fed, 7, 7..8, 874), "who gets less is served");
        let is_new = Need { rate: None, others: 1 };
        assert!(fed.can_do_without(at(8), Requester::new(9), is_new, UPLINK));
        assert!(!ask(&mut fed, 9, 10..12, 749));
        assert!(ask(&mut fed, 11, 12..14, 750), "ten flow by now");
    }

    #[test]
    fn nobody_is_a_swarm_alone() {
        let mut fed = WellFed::default();
        assert!(!ask(&mut fed, 0, 0..1, u64::MAX));
        assert!(ask(&mut fed, 1, 1..2, 2000));
    }

    #[test]
    fn a32_what_others_say_of_themselves_takes_nothing_from_who_gets_little() {
        let mut fed = WellFed::default();
        assert!(ask(&mut fed, 0, 0..100, u64::MAX));
        let little = Need { rate: Some(UPLINK / 2 - 1), others: 30 };
        for need in [little, Need::default()] {
            assert!(!fed.can_do_without(at(100), Requester::new(1000), need, UPLINK), "{need:?}");
        }
    }

    #[test]
    fn what_was_said_long_ago_does_not_count() {
        let mut fed = WellFed::default();
        ask(&mut fed, 0, 0..5, 1000);
        assert!(!ask(&mut fed, 5000, 5..6, 1000));
        ask(&mut fed, 5001, 0..4, 1000);
        assert!(ask(&mut fed, 5005, 4..5, 1000));
    }

    #[test]
    fn nobody_is_sent_away_from_an_uplink_that_was_not_measured() {
        let mut fed = WellFed::default();
        let need = Need { rate: Some(u64::MAX), others: 9 };
        assert!(!(0..100).any(|name| fed.can_do_without(at(name), Requester::new(name), need, 0)));
    }

    #[test]
    fn of_whatever_many_ask_the_latest_are_remembered() {
        let mut fed = WellFed::default();
        ask(&mut fed, 0, 0..1000, 1000);
        assert_eq!(fed.0.len(), REMEMBERED);
    }
}
