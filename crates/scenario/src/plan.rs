//! A plan: a scenario for so many clients and one seed, with names. The same seed gives the same plan.

use std::fmt;

use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use crate::experiment::{Fault, Happening, Portion, Scenario, Traits, Trigger};
use crate::{Expectation, Permille};

/// Deaths in churn come after this share of a client's own progress …
const CHURN_FROM: u16 = 50;
/// … and before this one, so that there is something left to lose and to fetch.
const CHURN_TO: u16 = 750;

/// What a scenario is run with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Clients that want the file; the seed is one more.
    pub clients: usize,
    /// Bytes of the file.
    pub size: u64,
    /// Of every random choice.
    pub seed: u64,
}

impl Setting {
    /// Fewest clients: with one there is no swarm.
    pub const FEWEST_CLIENTS: usize = 2;
    /// Most clients: each is a process.
    pub const MOST_CLIENTS: usize = 200;
    /// Smallest file: below it there are too few chunks for anything to happen in the middle.
    pub const SMALLEST: u64 = 512 << 10;
    /// Largest file.
    pub const LARGEST: u64 = 16 << 30;
    /// Most bytes of all copies together: they lie on one disk.
    pub const MOST_BYTES: u64 = 256 << 30;

    /// Checks the bounds.
    pub fn checked(self) -> Result<Self, PlanError> {
        if !(Self::FEWEST_CLIENTS..=Self::MOST_CLIENTS).contains(&self.clients) {
            return Err(PlanError::Clients(self.clients));
        }
        if !(Self::SMALLEST..=Self::LARGEST).contains(&self.size) {
            return Err(PlanError::Size(self.size));
        }
        let copies = self.clients as u64 + 1;
        if copies * self.size > Self::MOST_BYTES {
            return Err(PlanError::Bytes(copies * self.size));
        }
        Ok(self)
    }
}

/// A setting that is out of bounds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Too few or too many clients.
    #[error("{0} clients: from {least} to {most} can be run", least = Setting::FEWEST_CLIENTS, most = Setting::MOST_CLIENTS)]
    Clients(usize),
    /// Too small or too large a file.
    #[error("a file of {0} bytes: from 512K to 16G can be shared")]
    Size(u64),
    /// Too much together.
    #[error("all copies together are {0} bytes: 256G at most")]
    Bytes(u64),
}

/// One of a plan's members; 0 is the seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId(usize);

impl MemberId {
    /// The one who has the file from the start.
    pub const SEED: MemberId = MemberId(0);

    /// The member at this place of [`Plan::members`].
    pub const fn at(place: usize) -> Self {
        MemberId(place)
    }

    /// Its place in [`Plan::members`].
    pub const fn place(self) -> usize {
        self.0
    }
}

/// Somebody who takes part.
#[derive(Clone, Debug)]
pub struct Member {
    /// `seed`, `client-1` and so on.
    pub name: String,
    /// What kind of peer it is.
    pub traits: Traits,
}

/// When a step is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// From the start.
    Start,
    /// When the clients together hold this share.
    Swarm(Permille),
    /// When this member holds this share.
    Of(MemberId, Permille),
    /// When every chunk is held by somebody other than the seed.
    EveryChunkElsewhere,
}

/// What whoever runs the plan is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start a member that comes now.
    Arrive(MemberId),
    /// Kill a member without warning, for good.
    Kill(MemberId),
    /// Kill a member without warning and start it again.
    Restart(MemberId),
    /// Kill the tracker without warning.
    KillTracker,
    /// Start it again at the same address.
    StartTracker,
}

/// Something that is to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// When.
    pub when: Moment,
    /// What.
    pub what: Action,
}

/// A scenario with names.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The scenario's name.
    pub name: &'static str,
    /// What it shows.
    pub about: &'static str,
    /// What it was made for.
    pub setting: Setting,
    /// Whether there is a tracker at the start.
    pub tracker: bool,
    /// Everybody; the seed is the first.
    pub members: Vec<Member>,
    /// In the order in which they are performed when they are due together.
    pub steps: Vec<Step>,
    /// What must hold in the end.
    pub expectation: Expectation,
}

impl Plan {
    /// Gives everybody a name and every fault a victim. The same arguments give the same plan.
    pub fn new(scenario: &Scenario, setting: Setting) -> Result<Plan, PlanError> {
        let setting = setting.checked()?;
        let mut rng = SmallRng::seed_from_u64(setting.seed ^ of_name(scenario.name));
        let mut members = vec![Member { name: "seed".to_owned(), traits: scenario.seed.clone() }];
        for (number, traits) in (1..).zip(cast(scenario, setting.clients, &mut rng)) {
            members.push(Member { name: format!("client-{number}"), traits });
        }
        let mut steps = timeline(scenario, members.len(), &mut rng);
        for (place, member) in members.iter().enumerate() {
            let when = Moment::from(member.traits.arrival);
            if when != Moment::Start {
                steps.push(Step { when, what: Action::Arrive(MemberId(place)) });
            }
        }
        Ok(Plan {
            name: scenario.name,
            about: scenario.about,
            setting,
            tracker: scenario.tracker,
            members,
            steps,
            expectation: scenario.expectation,
        })
    }

    /// The member.
    pub fn member(&self, id: MemberId) -> &Member {
        &self.members[id.0]
    }

    /// Every member's id, the seed's first.
    pub fn ids(&self) -> impl Iterator<Item = MemberId> + use<> {
        (0..self.members.len()).map(MemberId)
    }

    /// Whether the member is there from the start.
    pub fn is_early(&self, id: MemberId) -> bool {
        self.member(id).traits.arrival == Trigger::Start
    }

    /// What replays it.
    pub fn command(&self) -> String {
        let Setting { clients, size, seed } = self.setting;
        format!(
            "http-torrent stress-test --scenario {} --clients {clients} --size {} --seed {seed}",
            self.name,
            as_typed(size)
        )
    }

    /// An action in words, for people and reports.
    pub fn describe(&self, action: Action) -> String {
        match action {
            Action::Arrive(id) => format!("{} arrives", self.member(id).name),
            Action::Kill(id) => format!("{} is killed", self.member(id).name),
            Action::Restart(id) => format!("{} is killed and started again", self.member(id).name),
            Action::KillTracker => "the tracker is killed".to_owned(),
            Action::StartTracker => "the tracker is started again".to_owned(),
        }
    }
}

impl From<Trigger> for Moment {
    fn from(trigger: Trigger) -> Self {
        match trigger {
            Trigger::Start => Moment::Start,
            Trigger::Progress(share) => Moment::Swarm(share),
            Trigger::EveryChunkElsewhere => Moment::EveryChunkElsewhere,
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Moment::Start => f.write_str("at the start"),
            Moment::Swarm(share) => write!(f, "at {share} of all"),
            Moment::Of(_, share) => write!(f, "at {share} of its own"),
            Moment::EveryChunkElsewhere => f.write_str("once every chunk is elsewhere, too"),
        }
    }
}

/// A size as a person types it: `16M`.
fn as_typed(size: u64) -> String {
    let unit =
        [(30, "G"), (20, "M"), (10, "K")].into_iter().find(|(shift, _)| size.is_multiple_of(1 << shift));
    unit.map_or_else(|| size.to_string(), |(shift, letter)| format!("{}{letter}", size >> shift))
}

/// So that two scenarios of one run do not choose alike (FNV-1a).
fn of_name(name: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    name.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}

/// Every client's traits, in a random order of the groups.
fn cast(scenario: &Scenario, clients: usize, rng: &mut SmallRng) -> Vec<Traits> {
    let mut cast: Vec<Traits> = Vec::with_capacity(clients);
    let mut rest = None;
    for group in &scenario.groups {
        match group.portion {
            Portion::Rest => rest = Some(&group.traits),
            Portion::Share(share) => {
                let count = (clients * usize::from(share.get()) + 500) / 1000;
                let count = count.max(1).min(clients - cast.len());
                cast.extend(std::iter::repeat_n(&group.traits, count).cloned());
            }
        }
    }
    let rest = rest.cloned().unwrap_or_default();
    cast.resize(clients, rest);
    cast.shuffle(rng);
    cast
}

fn timeline(scenario: &Scenario, members: usize, rng: &mut SmallRng) -> Vec<Step> {
    let mut steps = Vec::new();
    for happening in &scenario.timeline {
        match *happening {
            Happening::Once(trigger, fault) => {
                let what = match fault {
                    Fault::TrackerDies => Action::KillTracker,
                    Fault::TrackerReturns => Action::StartTracker,
                    Fault::SeedDies => Action::Kill(MemberId::SEED),
                };
                steps.push(Step { when: trigger.into(), what });
            }
            Happening::Churn { deaths } => {
                for id in (1..members).map(MemberId) {
                    steps.extend(deaths_of(id, deaths, rng));
                }
            }
        }
    }
    steps
}

/// One death in each of so many equal parts of its way, so that no two fall together.
fn deaths_of(id: MemberId, deaths: u8, rng: &mut SmallRng) -> Vec<Step> {
    let part = (CHURN_TO - CHURN_FROM) / u16::from(deaths.max(1));
    let point = |number: u8, rng: &mut SmallRng| {
        let from = CHURN_FROM + part * u16::from(number);
        Permille::new(rng.random_range(from..from + part))
    };
    (0..deaths)
        .map(|number| Step { when: Moment::Of(id, point(number, rng)), what: Action::Restart(id) })
        .collect()
}
