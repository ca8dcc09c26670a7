//! Who is served: a few slots, a bounded queue, and fairness between those who wait (threat A32).
//!
//! A slot that becomes free goes to the waiting requester that was served least lately, whatever the order and number
//! of its requests: a greedy one competes with itself. "Lately" is a decaying sum of bytes: all sums are halved
//! together every half-life, so that they stay comparable and a requester is never punished for long.
//!
//! The queue's last places are for those who have few in it: a requester may have no more waiting than places are
//! left (the dynamic threshold of Choudhury and Hahne, 1998), so no one can fill it alone.
//!
//! Of requests for what other peers could send as well, only a few wait (`Demand`): who is refused asks one whose uplink is
//! idle, instead of standing in a queue that it cannot see.
//!
//! What was sent least lately goes before all that: an uplink is worth most while it brings the swarm what nobody else
//! can. As long as enough requests for new content wait, requests for what was just sent are turned away: whoever got
//! it will pass it on. So a seed sends each chunk about once, and a chunk spreads as a tree and not from one queue. The
//! memory ends: what was not passed on is sent again.
//!
//! Where a swarm carries itself (`well_fed`), a seed sends again only what has got lost.
//!
//! Who does not pass on what it gets (`carriers`) has one slot together with all of its kind, as long as others fill the uplink (`spare`).

mod carriers;
mod check;
mod demand;
mod first_copies;
mod sent;
mod slots;
mod spare;
mod well_fed;

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::Time;

use self::sent::Sent;
use self::slots::Slots;
use self::spare::Spare;
use crate::UploadConfig;

pub use self::carriers::AskedBack;
pub use self::demand::{Content, Demand};
pub use self::first_copies::{Asker, FirstCopies};
pub use self::well_fed::Need;

/// Whom requests are counted for, by a number that the shell chose: a peer id, or an address where none is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Requester(u64);

impl Requester {
    /// The requester with number `requester`.
    pub const fn new(requester: u64) -> Self {
        Requester(requester)
    }

    /// The number the shell chose.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// One request, granted or waiting; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

impl Ticket {
    /// The number, for logs and tables of the shell.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Send the body now; then say [`Upload::done`].
    Grant(Ticket),
    /// Hold the request: a later [`Upload::done`] grants it. When its requester goes away, say [`Upload::done`], too.
    Wait(Ticket),
    /// Refuse it (429).
    Refuse {
        /// When it is worth asking again.
        retry_after: Duration,
    },
    /// Refuse this request (429), and not others of the same requester: what it asks for was sent to somebody else just
    /// now, and others wait for what was not.
    Elsewhere {
        /// When it is worth asking for this again.
        retry_after: Duration,
    },
}

/// Decides which requests are served when.
#[derive(Clone, Debug)]
pub struct Upload {
    config: UploadConfig,
    next_ticket: u64,
    /// Granted requests.
    active: BTreeMap<Ticket, Active>,
    active_bytes: u64,
    /// Held requests, the oldest first.
    waiting: BTreeMap<Ticket, Waiting>,
    waiting_bytes: u64,
    /// The next to be served, whose body has to wait for memory: nobody overtakes it.
    held_for: Option<Ticket>,
    requesters: BTreeMap<Requester, Account>,
    sent: Sent,
    slots: Slots,
    spare: Spare,
    /// Tickets that waited and are turned away, until the shell fetches them.
    turned_away: Vec<Ticket>,
    /// How often the sums were halved.
    halvings: u64,
    /// How long a body takes, smoothed; what a refusal's wait is estimated from.
    service: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Active {
    requester: Requester,
    bytes: u32,
    since: Time,
    spare: bool,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    requester: Requester,
    demand: Demand,
    bytes: u32,
}

/// What a requester was served lately, and has in hand.
#[derive(Clone, Copy, Debug, Default)]
struct Account {
    /// Bytes, as of `halvings`.
    served: u64,
    halvings: u64,
    active: usize,
    waiting: usize,
}

impl Account {
    /// Bytes served, as they count after `halvings`.
    fn served_at(&self, halvings: u64) -> u64 {
        let shift = u32::try_from(halvings - self.halvings).unwrap_or(u32::MAX);
        self.served.checked_shr(shift).unwrap_or(0)
    }
}

impl Upload {
    /// Nobody is served yet.
    #[must_use]
    pub fn new(config: UploadConfig) -> Self {
        Upload {
            service: config.retry_least,
            slots: Slots::new(&config),
            config,
            next_ticket: 0,
            active: BTreeMap::new(),
            active_bytes: 0,
            waiting: BTreeMap::new(),
            waiting_bytes: 0,
            held_for: None,
            requesters: BTreeMap::new(),
            sent: Sent::default(),
            spare: Spare::new(),
            turned_away: Vec::new(),
            halvings: 0,
        }
    }

    /// `requester` asks for a body of `bytes`.
    pub fn ask(&mut self, now: Time, requester: Requester, demand: Demand, bytes: u32) -> Answer {
        self.advance(now);
        if self.is_needless(demand) {
            return Answer::Elsewhere { retry_after: self.config.elsewhere };
        }
        let account = self.requesters.get(&requester).copied().unwrap_or_default();
        let is_next = self.active.len() < self.slots.limit()
            && self.held_for.is_none()
            && self.may_have_slot(&account, demand);
        let direct = is_next && self.has_slot(bytes);
        if !direct && !self.may_wait(&account, demand, bytes) {
            self.slots.refused();
            return Answer::Refuse { retry_after: self.retry_after(demand) };
        }
        if !direct && self.is_stale(demand) && self.fresh_waiting() >= self.config.fresh_enough {
            return Answer::Elsewhere { retry_after: self.config.elsewhere };
        }
        self.make_account(requester);
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        if direct {
            self.grant(now, ticket, Waiting { requester, demand, bytes });
            return Answer::Grant(ticket);
        }
        if is_next {
            self.held_for = Some(ticket);
        }
        self.waiting.insert(ticket, Waiting { requester, demand, bytes });
        self.waiting_bytes += u64::from(bytes);
        if let Some(account) = self.requesters.get_mut(&requester) {
            account.waiting += 1;
        }
        Answer::Wait(ticket)
    }

    /// A granted body is sent, or the requester of a granted or waiting ticket went away. Answers the waiting tickets
    /// that are granted now. A ticket that is not known changes nothing.
    pub fn done(&mut self, now: Time, ticket: Ticket) -> Vec<Ticket> {
        self.advance(now);
        if let Some(waiting) = self.waiting.remove(&ticket) {
            self.stop_waiting(waiting);
            self.held_for = self.held_for.filter(|&held_for| held_for != ticket);
        }
        if let Some(active) = self.active.remove(&ticket) {
            self.active_bytes -= u64::from(active.bytes);
            self.service = (self.service * 7 + now.since(active.since)) / 8;
            let asked = self.active.len() + self.waiting.len() + 1;
            self.slots.sent(now, active.bytes, asked, &self.config);
            let waits = self.waiting.values().any(|waiting| waiting.demand.is_spare());
            self.spare.sent(now, active.bytes, waits, self.config.slots_most);
            if let Some(account) = self.requesters.get_mut(&active.requester) {
                account.active -= 1;
            }
        }
        let mut granted = Vec::new();
        while self.active.len() < self.slots.limit()
            && let Some((ticket, waiting)) = self.next()
        {
            if !self.has_slot(waiting.bytes) {
                self.held_for = Some(ticket);
                break;
            }
            self.held_for = None;
            self.waiting.remove(&ticket);
            self.stop_waiting(waiting);
            if self.is_needless(waiting.demand) {
                self.turned_away.push(ticket);
            } else {
                self.grant(now, ticket, waiting);
                granted.push(ticket);
            }
        }
        if !granted.is_empty() {
            self.turn_away();
        }
        granted
    }

    /// Tickets that waited and are turned away since the last call, to be answered like [`Answer::Elsewhere`]; they are
    /// forgotten, and saying [`Upload::done`] for them changes nothing.
    pub fn turned_away(&mut self) -> Vec<Ticket> {
        std::mem::take(&mut self.turned_away)
    }

    /// What to tell those that are turned away.
    pub const fn elsewhere(&self) -> Duration {
        self.config.elsewhere
    }

    /// Ends the waiting for what was sent to somebody else meanwhile, while enough new things are waited for, or where whoever waits can do
    /// without it.
    fn turn_away(&mut self) {
        let is_enough = self.fresh_waiting() >= self.config.fresh_enough;
        let is_over =
            |demand: Demand| if is_enough { self.is_stale(demand) } else { self.is_needless(demand) };
        let stale = self.waiting.iter().filter(|(_, one)| is_over(one.demand));
        let stale: Vec<Ticket> = stale.map(|(&ticket, _)| ticket).collect();
        let held_for = self.held_for;
        for ticket in stale.into_iter().filter(|&ticket| held_for != Some(ticket)) {
            if let Some(waiting) = self.waiting.remove(&ticket) {
                self.stop_waiting(waiting);
                self.turned_away.push(ticket);
            }
        }
    }

    /// Whether nobody would be sooner done because this is sent.
    fn is_needless(&self, demand: Demand) -> bool {
        matches!(demand, Demand::Once { only_here, .. } if !only_here || self.is_stale(demand))
    }

    /// Whether this was sent to somebody lately.
    fn is_stale(&self, demand: Demand) -> bool {
        demand.content().is_some_and(|content| self.sent.times(content) > 0)
    }

    /// Requests waiting for what was not sent lately.
    fn fresh_waiting(&self) -> usize {
        let is_fresh = |demand: Demand| !demand.is_spare() && !self.is_stale(demand);
        self.waiting.values().filter(|waiting| is_fresh(waiting.demand)).count()
    }

    /// Requests held waiting: the load hint for answers.
    pub fn queue_len(&self) -> usize {
        self.waiting.len()
    }

    /// The best rate of late, in bytes per second; 0 before it was measured.
    pub const fn rate(&self) -> u64 {
        self.slots.rate()
    }

    /// Requests being served.
    pub fn active(&self) -> usize {
        self.active.len()
    }

    /// Whether a slot is free for a body of so many bytes: bodies are in memory, and may be larger than those before.
    fn has_slot(&self, bytes: u32) -> bool {
        let fits = self.active_bytes.saturating_add(bytes.into()) <= self.config.slots_bytes;
        self.active.len() < self.slots.limit() && (fits || self.active.len() < self.config.slots_large)
    }

    fn may_have_slot(&self, account: &Account, demand: Demand) -> bool {
        account.active < self.config.slots_per_requester && !(demand.is_spare() && self.is_spare_taken())
    }

    /// Whether as many are served as may be of those who keep to themselves what they get: all slots are theirs while nobody else is there.
    fn is_spare_taken(&self) -> bool {
        let spare = self.active.values().filter(|one| one.spare).count();
        let others =
            || spare < self.active.len() || self.waiting.values().any(|waiting| !waiting.demand.is_spare());
        spare >= self.spare.limit() && others()
    }

    fn may_wait(&self, account: &Account, demand: Demand, bytes: u32) -> bool {
        let free = self.config.queue.saturating_sub(self.waiting.len());
        let fits = self.waiting_bytes.saturating_add(bytes.into()) <= self.config.queue_bytes;
        let better_elsewhere = demand.is_anywhere() && self.is_crowded_for(account);
        free > 0
            && !better_elsewhere
            && account.waiting < self.config.queue_per_requester.min(free)
            && (fits || account.waiting == 0)
    }

    /// Whoever can get what it wants elsewhere, waits there for less time. Not while slots are free: then it waits for its own.
    /// Here, too, nobody may have more waiting than places are left.
    fn is_crowded_for(&self, account: &Account) -> bool {
        let most = self.slots.bodies_in(self.config.queue_time).max(self.config.queue_anywhere);
        let left = most.saturating_sub(self.waiting_anywhere());
        self.active.len() >= self.slots.limit() && account.waiting >= left
    }

    /// Requests waiting for what others could send as well, or can by now.
    fn waiting_anywhere(&self) -> usize {
        let is_anywhere = |demand: Demand| demand.is_anywhere() || self.is_stale(demand);
        self.waiting.values().filter(|one| is_anywhere(one.demand)).count()
    }

    /// The waiting request to be granted next.
    fn next(&self) -> Option<(Ticket, Waiting)> {
        let held = self.held_for.and_then(|ticket| Some((ticket, *self.waiting.get(&ticket)?)));
        held.or_else(|| self.least_served())
    }

    /// Of those that may have a slot, the one to be granted next: for what was sent least, of the requester that was served least, the
    /// oldest.
    fn least_served(&self) -> Option<(Ticket, Waiting)> {
        let candidates = self.waiting.iter().filter_map(|(&ticket, &waiting)| {
            let account = self.requesters.get(&waiting.requester)?;
            let times = waiting.demand.content().map_or(0, |content| self.sent.times(content));
            let demand = waiting.demand;
            let order = (demand.is_spare(), times, account.served_at(self.halvings), ticket);
            self.may_have_slot(account, demand).then_some((order, waiting))
        });
        let least = candidates.min_by_key(|&(order, _)| order);
        least.map(|((.., ticket), waiting)| (ticket, waiting))
    }

    fn grant(&mut self, now: Time, ticket: Ticket, request: Waiting) {
        let Waiting { requester, demand, bytes } = request;
        let halvings = self.halvings;
        if demand.is_only_here() && !self.is_stale(demand) {
            self.slots.first_copy();
        }
        if let Some(content) = demand.content() {
            self.sent.note(now, content, self.config.contents);
        }
        if let Some(account) = self.requesters.get_mut(&requester) {
            account.served = account.served_at(halvings) + u64::from(bytes.max(self.config.charge_least));
            account.halvings = halvings;
            account.active += 1;
        }
        self.active_bytes += u64::from(bytes);
        let spare = demand.is_spare();
        self.active.insert(ticket, Active { requester, bytes, since: now, spare });
    }

    fn stop_waiting(&mut self, waiting: Waiting) {
        self.waiting_bytes -= u64::from(waiting.bytes);
        if let Some(account) = self.requesters.get_mut(&waiting.requester) {
            account.waiting -= 1;
        }
    }

    /// When the queue will have moved on, as far as the bodies served lately tell.
    fn retry_after(&self, demand: Demand) -> Duration {
        let waiting = if demand.is_anywhere() { self.waiting_anywhere() } else { self.waiting.len() };
        // One round more than there are: others come, too.
        let ahead = u32::try_from(waiting / self.active.len().max(1) + 2).unwrap_or(u32::MAX);
        self.service.saturating_mul(ahead).clamp(self.config.retry_least, self.config.retry_most)
    }

    fn advance(&mut self, now: Time) {
        let half_life = self.config.half_life.as_nanos().max(1);
        let halvings = u64::try_from(u128::from(now.nanos()) / half_life).unwrap_or(u64::MAX);
        self.halvings = self.halvings.max(halvings);
        self.sent.forget(now, self.config.sent_memory);
    }

    /// Makes sure that `requester` is remembered. Past the limit the least served one with nothing in hand is
    /// forgotten: that costs fairness least.
    fn make_account(&mut self, requester: Requester) {
        if self.requesters.contains_key(&requester) {
            return;
        }
        if self.requesters.len() >= self.config.requesters {
            let idle = self.requesters.iter().filter(|(_, account)| account.active + account.waiting == 0);
            let least = idle.min_by_key(|(_, account)| account.served_at(self.halvings));
            if let Some(&least) = least.map(|(requester, _)| requester) {
                self.requesters.remove(&least);
            }
        }
        self.requesters.insert(requester, Account { halvings: self.halvings, ..Account::default() });
    }
}
