//! What a seed means: a small swarm, and what befalls it when.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use crate::network::Manners;
use crate::record::HostId;

/// The tracker's place among the hosts.
pub(crate) const TRACKER: HostId = HostId(0);

/// What a host is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Tracker,
    Seed(Manners),
    Leecher,
}

/// One thing that befalls hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing passes between two hosts …
    Partition(HostId, HostId),
    /// … and from now on it does again. What was lost stays lost: connections over it hang.
    Repair(HostId, HostId),
    /// What passes between two hosts is kept …
    Hold(HostId, HostId),
    /// … and comes all at once.
    Release(HostId, HostId),
    /// What passes between two hosts takes this long.
    Slow(HostId, HostId, Duration),
    /// A process ends, and its connections with it.
    Crash(HostId),
    /// A host is cut off and ends: nobody is told.
    PullThePlug(HostId),
    /// It starts again, from what its disk holds.
    Start(HostId),
    /// Its clock jumps by an hour, as if it had slept (threat A36).
    Nap(HostId),
}

/// What kind of trouble a seed is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Everything at once, and all of it passes.
    Rough,
    /// The tracker ends for good in the middle of the download.
    Orphaned,
    /// The tracker ends and comes back with an empty memory; nothing else happens.
    Returning,
    /// There never is a tracker: the DHT brings them together, and datagrams are lost.
    Trackerless,
}

/// A swarm and its faults.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) kind: Kind,
    pub(crate) hosts: Vec<Role>,
    pub(crate) chunk_size: u32,
    pub(crate) size: usize,
    /// What each seed sends in a second.
    pub(crate) limit_up: u64,
    /// Whether they are DHT nodes, too, and the share of its datagrams that is lost.
    pub(crate) dht: Option<f64>,
    pub(crate) faults: Vec<(Duration, Fault)>,
}

/// A seed sends at least so much in a second: the auditor, too, has to live from it.
const LEAST_UP: u64 = 24 << 10;

/// Longest time from the last fault until everybody is complete: waits of a minute for hosts that failed repeatedly
/// (`LEFT_ALONE_LAST` in `peer`), and time-outs of connections that hang (45 seconds) before that.
pub(crate) const PATIENCE: Duration = Duration::from_secs(240);

impl Plan {
    /// The plan of a seed.
    pub(crate) fn draw(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let kind =
            *[Kind::Rough, Kind::Rough, Kind::Rough, Kind::Orphaned, Kind::Returning, Kind::Trackerless]
                .choose(&mut rng)
                .unwrap();
        let mut hosts = vec![Role::Tracker];
        hosts.extend((0..rng.random_range(1..=2)).map(|_| Role::Seed(Manners::Honest)));
        if rng.random_bool(0.3) {
            hosts.push(Role::Seed(Manners::Lies));
        }
        hosts.extend((0..rng.random_range(2..=6)).map(|_| Role::Leecher));
        let chunk_size = 8 << 10 << rng.random_range(0..=4u32);
        let chunks = rng.random_range(8..=32);
        let size = chunks * chunk_size as usize - rng.random_range(0..chunk_size as usize);
        // The seeds alone would take so long for one copy: there is time for things to happen.
        let limit_up = (size as u64 / rng.random_range(6..=25u64)).max(LEAST_UP);
        let with_dht = kind == Kind::Trackerless || rng.random_bool(0.25);
        let dht = with_dht.then(|| *[0.0, 0.05, 0.25].choose(&mut rng).unwrap());
        let mut plan = Plan { seed, kind, hosts, chunk_size, size, limit_up, dht, faults: Vec::new() };
        match kind {
            Kind::Rough => plan.befall(&mut rng),
            Kind::Orphaned => {
                // When everybody has had time to meet.
                let ends = millis(&mut rng, 4_000..8_000);
                plan.orphan(ends, &mut rng);
            }
            Kind::Trackerless => plan.orphan(Duration::ZERO, &mut rng),
            Kind::Returning => {
                let (ends, away) = (millis(&mut rng, 500..15_000), millis(&mut rng, 500..60_000));
                let how = [Fault::Crash(TRACKER), Fault::PullThePlug(TRACKER)];
                plan.faults.push((ends, *how.choose(&mut rng).unwrap()));
                plan.faults.push((ends + away, Fault::Start(TRACKER)));
            }
        }
        plan.faults.sort_by_key(|(at, _)| *at);
        plan
    }

    /// Episodes that begin and end, no two at a time on one link or host.
    fn befall(&mut self, rng: &mut StdRng) {
        let mut busy: BTreeMap<(HostId, HostId), Duration> = BTreeMap::new();
        let mut begins = Duration::ZERO;
        for _ in 0..rng.random_range(3..=12) {
            begins += millis(rng, 0..3_000);
            let ends = begins + millis(rng, 100..12_000);
            let one = HostId(rng.random_range(0..self.hosts.len()));
            let other = HostId((one.0 + rng.random_range(1..self.hosts.len())) % self.hosts.len());
            let (from, to) = match rng.random_range(0..6) {
                0 => (Fault::Partition(one, other), Fault::Repair(one, other)),
                1 => (Fault::Hold(one, other), Fault::Release(one, other)),
                2 => {
                    let slow = millis(rng, 100..900);
                    (Fault::Slow(one, other, slow), Fault::Slow(one, other, Duration::from_millis(20)))
                }
                3 => (Fault::Crash(one), Fault::Start(one)),
                4 => (Fault::Nap(one), Fault::Nap(one)),
                _ => (Fault::PullThePlug(one), Fault::Start(one)),
            };
            let what = match from {
                Fault::Crash(_) | Fault::PullThePlug(_) | Fault::Nap(_) => (one, one),
                _ => (one.min(other), one.max(other)),
            };
            if busy.get(&what).is_none_or(|until| *until < begins) {
                busy.insert(what, ends);
                self.faults.extend([(begins, from), (ends, to)]);
            }
        }
    }

    /// The tracker ends for good; the links between the others are bad, not broken.
    fn orphan(&mut self, ends: Duration, rng: &mut StdRng) {
        self.faults.push((ends, Fault::Crash(TRACKER)));
        let mut begins = Duration::from_secs(4);
        for _ in 0..rng.random_range(0..=4) {
            begins += millis(rng, 0..3_000);
            let one = HostId(rng.random_range(1..self.hosts.len()));
            let other = HostId(1 + one.0 % (self.hosts.len() - 1));
            let ends = begins + millis(rng, 100..2_500);
            self.faults.extend([(begins, Fault::Hold(one, other)), (ends, Fault::Release(one, other))]);
            begins = ends;
        }
    }

    /// When the last fault is over.
    pub(crate) fn quiet(&self) -> Duration {
        self.faults.last().map_or(Duration::ZERO, |(at, _)| *at)
    }

    /// When the tracker came back, where that is all that happens.
    pub(crate) fn tracker_returned(&self) -> Option<Duration> {
        (self.kind == Kind::Returning).then(|| self.quiet())
    }

    pub(crate) fn leechers(&self) -> impl Iterator<Item = HostId> + '_ {
        (0..self.hosts.len()).map(HostId).filter(|host| self.hosts[host.0] == Role::Leecher)
    }

    pub(crate) fn liar(&self) -> Option<HostId> {
        (0..self.hosts.len()).map(HostId).find(|host| self.hosts[host.0] == Role::Seed(Manners::Lies))
    }

    /// Its name in the simulation.
    pub(crate) fn name(&self, host: HostId) -> String {
        match self.hosts[host.0] {
            Role::Tracker => "tracker".to_owned(),
            Role::Seed(Manners::Honest) => format!("seed-{}", host.0),
            Role::Seed(manners) => format!("{manners:?}-{}", host.0).to_lowercase(),
            Role::Leecher => format!("leecher-{}", host.0),
        }
    }
}

fn millis(rng: &mut StdRng, range: std::ops::Range<u64>) -> Duration {
    // Whole ticks of the simulation.
    Duration::from_millis(rng.random_range(range) / 10 * 10)
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Plan { seed, kind, size, chunk_size, limit_up, dht, .. } = self;
        writeln!(
            f,
            "seed {seed}, {kind:?}: {size} bytes in chunks of {chunk_size}, {limit_up} bytes a second, DHT {dht:?}"
        )?;
        let names: Vec<String> = (0..self.hosts.len()).map(|at| self.name(HostId(at))).collect();
        writeln!(f, "hosts: {}", names.join(" "))?;
        self.faults.iter().try_for_each(|(at, fault)| writeln!(f, "{at:>9.2?} {fault:?}"))
    }
}
