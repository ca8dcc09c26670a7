//! What keeps the table alive: joining through the ways in, refreshing regions that went quiet, asking unknown and
//! silent nodes whether they are there.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use protocol::Time;
use rand::RngExt;

use super::operation::{Purpose, Rank};
use super::{Action, Family, Node};
use crate::address::is_dialable;
use crate::config::{Config, K};
use crate::message::Query;
use crate::rate::Window;
use crate::routing_table::QUESTIONABLE_AFTER;

/// Ways in that are remembered; the newest displaces the oldest.
const WAYS_IN_MOST: usize = 64;
/// Nodes of the table, and as many strangers, waiting to be asked whether they are there; past it they are left out, and
/// will be heard of again.
const PINGS_MOST: usize = 32;
/// Pause after the first attempt to join that left us with few nodes; it doubles with every further one.
const JOIN_FIRST: Duration = Duration::from_secs(1);
/// The longest such pause.
const JOIN_LAST: Duration = Duration::from_secs(60);
/// How often the table is looked through.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// The state of the upkeep.
#[derive(Clone, Debug)]
pub(crate) struct Upkeep {
    ways_in: Vec<SocketAddr>,
    /// Nodes of the table that may have gone.
    checks: Pings,
    /// Addresses that may be nodes. Apart, so that strangers who ask much do not keep us from our own upkeep.
    strangers: Pings,
    join_at: Option<Time>,
    join_pause: Duration,
    look_at: Option<Time>,
    /// Buckets not touched since then are refreshed, one after the other.
    refresh_since: Time,
}

impl Upkeep {
    pub(super) fn new(config: &Config) -> Self {
        Upkeep {
            ways_in: Vec::new(),
            checks: Pings::new(config.pings_a_second.div_ceil(2)),
            strangers: Pings::new((config.pings_a_second / 2).max(1)),
            join_at: None,
            join_pause: JOIN_FIRST,
            look_at: None,
            refresh_since: Time::ZERO,
        }
    }

    pub(super) fn wake_at(&self) -> Option<Time> {
        [self.join_at, self.look_at].into_iter().flatten().min()
    }

    /// Addresses that may lead into the network, the newest first.
    pub(super) fn ways_in(&self) -> &[SocketAddr] {
        &self.ways_in
    }
}

/// Addresses that wait to be asked whether somebody is there.
#[derive(Clone, Debug)]
struct Pings {
    waiting: VecDeque<SocketAddr>,
    sent: Window,
}

impl Pings {
    const fn new(a_second: usize) -> Self {
        Pings { waiting: VecDeque::new(), sent: Window::new(a_second) }
    }

    /// True when it will be asked, and would not have been otherwise.
    fn push(&mut self, address: SocketAddr) -> bool {
        let new = self.waiting.len() < PINGS_MOST && !self.waiting.contains(&address);
        if new {
            self.waiting.push_back(address);
        }
        new
    }
}

impl Node {
    pub(super) fn add_node(&mut self, now: Time, address: SocketAddr) {
        if !is_dialable(&address) || Family::of(&address) != self.family {
            return;
        }
        let upkeep = &mut self.upkeep;
        upkeep.ways_in.retain(|known| *known != address);
        upkeep.ways_in.insert(0, address);
        upkeep.ways_in.truncate(WAYS_IN_MOST);
        if self.table.knows(now, &address) {
            return;
        }
        if self.table.good(now).count() < K && !self.is_doing(Purpose::Join) {
            self.upkeep.join_at = Some(now);
        } else {
            self.upkeep.strangers.push(address);
        }
    }

    /// Somebody asked something, and there is a place for a node there: true when it will be asked whether it is there.
    /// A stranger who just was and said nothing is not, for it may be a victim in whose name another asks; of a node of
    /// the table we know that it was there.
    pub(super) fn meet(&mut self, now: Time, address: SocketAddr) -> bool {
        if self.table.has(&address) {
            return self.check(address);
        }
        !self.requests.waits_for(&address)
            && !self.dead.holds(now, &address)
            && self.upkeep.strangers.push(address)
    }

    /// A node of the table may have gone: it is asked. False when it is already.
    pub(super) fn check(&mut self, address: SocketAddr) -> bool {
        !self.requests.waits_for(&address) && self.upkeep.checks.push(address)
    }

    /// Does what is due.
    pub(super) fn look_after(&mut self, now: Time) {
        match self.upkeep.look_at {
            None => self.upkeep.look_at = Some(now + LOOK_EVERY),
            Some(at) if at <= now => {
                self.upkeep.look_at = Some(now + LOOK_EVERY);
                self.look_through_table(now);
            }
            Some(_) => {}
        }
        if self.upkeep.join_at.is_some_and(|at| at <= now) {
            self.upkeep.join_at = None;
            if !self.is_doing(Purpose::Join) {
                self.begin(Purpose::Join, self.own);
            }
        }
    }

    fn look_through_table(&mut self, now: Time) {
        let quiet: Vec<SocketAddr> = self.table.quiet(now).map(|contact| contact.address).collect();
        for address in quiet {
            self.check(address);
        }
        let alone = self.table.good(now).next().is_none();
        if alone && self.upkeep.join_at.is_none() && !self.upkeep.ways_in.is_empty() {
            self.upkeep.join_at = Some(now);
        }
        let quarter_of_an_hour_ago =
            Time::from_nanos(now.nanos().saturating_sub(Time::from(QUESTIONABLE_AFTER).nanos()));
        self.upkeep.refresh_since = self.upkeep.refresh_since.max(quarter_of_an_hour_ago);
        self.refresh_next(now);
    }

    /// A way in was found, or not. While few nodes are known it is tried again: perhaps the network is just being born,
    /// and the next attempt meets those who came meanwhile.
    pub(super) fn joined(&mut self, now: Time, answers: usize) {
        if self.table.good(now).count() < K {
            self.upkeep.join_at = Some(now + self.upkeep.join_pause);
            self.upkeep.join_pause = (self.upkeep.join_pause * 2).min(JOIN_LAST);
        } else {
            self.upkeep.join_pause = JOIN_FIRST;
        }
        if answers > 0 {
            // Everybody should know of us, not only our neighbours (Kademlia §2.3, last paragraph).
            self.upkeep.refresh_since = now;
            self.refresh_next(now);
        }
    }

    pub(super) fn refreshed(&mut self, now: Time) {
        self.refresh_next(now);
    }

    /// Refreshes one bucket at a time.
    fn refresh_next(&mut self, now: Time) {
        if self.is_doing(Purpose::Refresh) {
            return;
        }
        if let Some(bucket) = self.table.stale_bucket(now, self.upkeep.refresh_since) {
            let target = self.own.at_shared_bits(bucket, self.random.random());
            self.begin(Purpose::Refresh, target);
        }
    }

    /// Asks nodes whether they are there, as many as may be.
    pub(super) fn send_pings(&mut self, now: Time, actions: &mut Vec<Action>) {
        let mut checks = std::mem::replace(&mut self.upkeep.checks, Pings::new(0));
        self.send_some_pings(now, &mut checks, actions);
        self.upkeep.checks = checks;
        let mut strangers = std::mem::replace(&mut self.upkeep.strangers, Pings::new(0));
        self.send_some_pings(now, &mut strangers, actions);
        self.upkeep.strangers = strangers;
    }

    fn send_some_pings(&mut self, now: Time, pings: &mut Pings, actions: &mut Vec<Action>) {
        for _ in 0..pings.waiting.len() {
            if let Some(until) = pings.sent.wait(now, 0) {
                self.hold_back(until);
                return;
            }
            let Some(address) = pings.waiting.pop_front() else { return };
            if self.may_query(now, address, Rank::Upkeep) {
                pings.sent.take(now);
                self.send_query(now, address, None, Query::Ping, actions);
            } else {
                pings.waiting.push_back(address);
            }
        }
    }

    fn is_doing(&self, purpose: Purpose) -> bool {
        let upkeep = self.operations.iter().filter(|(id, _)| id.rank == Rank::Upkeep);
        upkeep.map(|(_, operation)| operation.purpose).any(|doing| doing == purpose)
    }
}
