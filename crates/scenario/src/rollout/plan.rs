//! A rollout as data: a file, groups of peers with their links, the network between them, and what goes wrong when.

use std::time::Duration;

/// One rollout. The same value gives the same simulated run, to the event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rollout {
    /// Of every random choice of the run.
    pub seed: u64,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// Bytes of a chunk.
    pub chunk_bytes: u32,
    /// Who takes part.
    pub groups: Vec<Group>,
    /// Where they are; with none, everybody is in one place.
    pub sites: Vec<Site>,
    /// What lies between them.
    pub network: Network,
    /// What goes wrong.
    pub faults: Faults,
    /// The run ends after this much virtual time, finished or not.
    pub limit: Duration,
    /// And when for this long nobody came and no chunk was stored: what is missing then is held by nobody.
    pub patience: Duration,
    /// How often the state of the swarm is noted.
    pub sample: Duration,
}

impl Rollout {
    /// `seeds` and `leechers`, each kind alike, on a quiet network; everything else as shipped.
    #[must_use]
    pub fn new(file_bytes: u64, chunk_bytes: u32, seed: Group, leechers: Group) -> Self {
        Rollout {
            seed: 1,
            file_bytes,
            chunk_bytes,
            groups: vec![seed, leechers],
            sites: Vec::new(),
            network: Network::default(),
            faults: Faults::default(),
            limit: Duration::from_secs(24 * 3600),
            patience: Duration::from_secs(600),
            sample: Duration::from_secs(1),
        }
    }

    /// Number of chunks.
    pub fn chunks(&self) -> u32 {
        u32::try_from(self.file_bytes.div_ceil(u64::from(self.chunk_bytes.max(1)))).unwrap_or(u32::MAX)
    }

    /// Number of peers, seeds included.
    pub fn peers(&self) -> u32 {
        self.groups.iter().map(|group| group.count).sum()
    }
}

/// Peers that are alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Whether they begin with everything or with nothing.
    pub role: Role,
    /// How many.
    pub count: u32,
    /// Each one's link.
    pub link: Link,
    /// Which of [`Rollout::sites`] they are at; of no meaning where there are none.
    pub site: usize,
    /// When they come. Seeds are there from the beginning.
    pub arrival: Arrival,
    /// Whether anybody can connect to them; they can connect to others in any case.
    pub dialable: bool,
    /// How they treat others.
    pub conduct: Conduct,
    /// Who of them is killed, if any.
    pub vanishing: Option<Vanishing>,
    /// How long they stay once they are complete; `None` is for ever.
    pub lingers: Option<Duration>,
}

impl Group {
    /// `count` honest peers that stay.
    #[must_use]
    pub const fn new(role: Role, count: u32, link: Link) -> Self {
        Group {
            role,
            count,
            link,
            site: 0,
            arrival: Arrival::AtOnce,
            dialable: true,
            conduct: Conduct::Honest,
            vanishing: None,
            lingers: None,
        }
    }
}

/// What a peer begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Every chunk.
    Seed,
    /// No chunk.
    Leecher,
}

/// One peer's access to the network. Rates in bytes per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// What it can send.
    pub up: u64,
    /// What it can receive.
    pub down: u64,
    /// From the peer to the middle of the network, one way; two peers are the sum of theirs apart, and the tracker is
    /// in the middle.
    pub delay: Duration,
    /// Packets that are lost on it, in millionths, in both directions.
    pub loss_ppm: u32,
}

impl Link {
    /// A link of so many megabits per second up and down.
    #[must_use]
    pub const fn mbit(up: u64, down: u64, delay: Duration) -> Self {
        Link { up: up * 125_000, down: down * 125_000, delay, loss_ppm: 0 }
    }
}

/// A place with a link of its own to all other places, which all its peers share. Peers at one site meet behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// What it is called in reports.
    pub name: String,
    /// What leaves it, in bytes per second.
    pub up: u64,
    /// What comes in, in bytes per second.
    pub down: u64,
    /// What its link adds to the way, one way.
    pub delay: Duration,
}

/// When the peers of a group come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// All at the beginning.
    AtOnce,
    /// One after the other, so far apart.
    Staggered(Duration),
    /// A flash crowd: each at a random moment within this time.
    Within(Duration),
}

/// How a peer treats others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conduct {
    /// As the protocol says.
    Honest,
    /// Announces what it has, and refuses every request.
    FreeRider,
    /// Sends wrong bytes.
    Liar,
}

/// Some of a group are killed without a goodbye.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vanishing {
    /// How many in a hundred.
    pub percent: u32,
    /// Each at a random moment of this time after it came.
    pub within: Duration,
}

/// The network between the links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// Headers of packets, as millionths on top of every byte: 46,000 for 1,448 bytes in a frame of 1,514. 0 looks at
    /// payload only; otherwise acknowledgements take their room on the uplink of who receives, too.
    pub headers_ppm: u64,
    /// Most unacknowledged bytes of a connection: caps it at this many a round trip.
    pub window: u64,
    /// Bytes of a connection's first round trip; from there it doubles with each (RFC 6928: ten packets).
    pub first_window: u64,
    /// What the uploader's program and kernel buffer of a body: its slot is free when no more than this is left. The
    /// default is what `peer` does on a link that is slower than the machine (decision 8).
    pub buffer: u32,
    /// The queue before a full downlink holds the bytes of this time; a sender that meets a longer one waits.
    pub queue: Duration,
    /// A small message over an uplink that sends bodies waits so long behind what its sender's modem or shaper holds: requests,
    /// refusals and gains come later by that much.
    pub uplink_queue: Duration,
    /// Gains are told together: this long after the first that somebody waits for.
    pub batch: Duration,
    /// From a body that is whole to a chunk that is stored: hash and write.
    pub store: Duration,
    /// Whether control traffic (requests, gains, announces, torrent.json) takes room on the links. It is counted in
    /// any case.
    pub control_costs: bool,
}

impl Default for Network {
    fn default() -> Self {
        Network {
            headers_ppm: 46_000,
            window: 4 << 20,
            first_window: 14_480,
            buffer: 32 << 10,
            queue: Duration::from_millis(25),
            uplink_queue: Duration::ZERO,
            batch: Duration::from_millis(200),
            store: Duration::from_millis(2),
            control_costs: true,
        }
    }
}

/// What goes wrong. Times count from when the first leecher comes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// The tracker is away from the first of these until the second; any number of times.
    pub tracker_away: Vec<(Duration, Duration)>,
    /// All seeds are killed.
    pub seed_dies: Option<SeedDeath>,
}

/// When the seeds are killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeedDeath {
    /// Then.
    At(Duration),
    /// When they sent so many hundredths of the file.
    Copies(u64),
}
