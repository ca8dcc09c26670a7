//! A scenario: who takes part with which traits, what goes wrong, and what must hold in the end.
//!
//! Nothing is said in bytes or seconds of one machine: links are a [`Pace`] (the time a whole copy takes), faults come at
//! a share of the progress. So one scenario fits any size, and any machine, however loaded.

use std::time::Duration;

use crate::Permille;

/// An experiment.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// As typed after `--scenario`.
    pub name: &'static str,
    /// What it shows, in one line.
    pub about: &'static str,
    /// Whether there is a tracker at the start.
    pub tracker: bool,
    /// The one who has the file.
    pub seed: Traits,
    /// Those who want it. Each client is in one group; [`Portion::Rest`] stands once, anywhere.
    pub groups: Vec<Group>,
    /// What goes wrong.
    pub timeline: Vec<Happening>,
    /// What must hold in the end.
    pub expectation: Expectation,
}

impl Scenario {
    /// The same with every link so many times slower: for a machine that was too busy to disturb it in time.
    #[must_use]
    pub fn slower(mut self, times: u32) -> Self {
        let all = self.groups.iter_mut().map(|group| &mut group.traits).chain([&mut self.seed]);
        for traits in all {
            let Pace { up, down } = traits.pace;
            traits.pace = Pace { up: up.map(|copy| copy * times), down: down.map(|copy| copy * times) };
        }
        self
    }
}

/// Clients of the same kind.
#[derive(Clone, Debug)]
pub struct Group {
    /// How many of the clients.
    pub portion: Portion,
    /// What they have in common.
    pub traits: Traits,
}

/// How many of the clients are in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Portion {
    /// This share, rounded to the nearest number, at least one.
    Share(Permille),
    /// Everybody who is in no other group.
    Rest,
}

/// What kind of peer it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traits {
    /// Takes part in the DHT.
    pub dht: bool,
    /// What it sends.
    pub conduct: Conduct,
    /// Reached through a reverse proxy, under a path of that proxy.
    pub proxy: bool,
    /// How fast its link is.
    pub pace: Pace,
    /// How it gets to know the first others.
    pub way_in: WayIn,
    /// When it comes.
    pub arrival: Trigger,
}

impl Default for Traits {
    fn default() -> Self {
        Traits {
            dht: false,
            conduct: Conduct::Honest,
            proxy: false,
            pace: Pace::USUAL,
            way_in: WayIn::Tracker,
            arrival: Trigger::Start,
        }
    }
}

impl Traits {
    /// What is special about it, a word each.
    pub fn in_words(&self) -> Vec<&'static str> {
        let said = [
            (self.dht, "dht"),
            (self.conduct == Conduct::Liar, "liar"),
            (self.proxy, "proxy"),
            (self.pace.down.is_some_and(|copy| copy > Pace::LEISURELY), "slow"),
            (self.way_in != WayIn::Tracker, "no tracker"),
            (self.arrival != Trigger::Start, "late"),
        ];
        said.into_iter().filter(|(has, _)| *has).map(|(_, word)| word).collect()
    }
}

/// What a peer sends to those who ask it for chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conduct {
    /// What was asked for.
    Honest,
    /// Bytes of the right length, and wrong.
    Liar,
}

/// How a peer gets to know the first others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WayIn {
    /// By the tracker.
    Tracker,
    /// It knows the URL of one other peer, and no tracker.
    Peer,
    /// It knows one node of the DHT, and no tracker.
    Dht,
}

/// A link, as the time in which a whole copy of the content passes; `None` is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Sending.
    pub up: Option<Duration>,
    /// Receiving.
    pub down: Option<Duration>,
}

impl Pace {
    /// Slow enough that a fault comes in the middle of a download, fast enough that nobody waits long.
    pub const USUAL: Pace = Pace::up(Duration::from_secs(4));

    /// Who takes longer than this to receive a copy is called slow.
    const LEISURELY: Duration = Duration::from_secs(5);

    /// A limit on what is sent.
    pub const fn up(copy: Duration) -> Self {
        Pace { up: Some(copy), down: None }
    }

    /// The same limit both ways.
    pub const fn both(copy: Duration) -> Self {
        Pace { up: Some(copy), down: Some(copy) }
    }
}

/// When something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// From the start.
    Start,
    /// When the clients together hold this share of what they want.
    Progress(Permille),
    /// When every chunk is held by somebody other than the seed.
    EveryChunkElsewhere,
}

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// Once.
    Once(Trigger, Fault),
    /// All the time: every client is killed without warning and started again, this many times, each at random points of
    /// its own progress.
    Churn {
        /// Deaths of each client.
        deaths: u8,
    },
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The tracker is killed.
    TrackerDies,
    /// It is there again, at the same address, and has forgotten everything.
    TrackerReturns,
    /// The only one who had the whole file is killed, and stays dead.
    SeedDies,
}

/// What must hold in the end, besides that everybody who lives has every byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expectation {
    /// The tracker lists everybody who lives.
    pub tracker_knows_everyone: bool,
}
