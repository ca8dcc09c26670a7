//! Every limit of the brains, named, with the reason for its value. A value here is changed by a measurement.

use std::time::Duration;

/// In which order chunks are fetched, apart from those that a reader waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The chunk that the fewest neighbours hold first, random among equals: everybody soon has something to trade,
    /// and the last copy of a chunk is saved first (Legout et al., "Rarest First and Choke Algorithms Are Enough").
    #[default]
    RarestFirst,
    /// From the first to the last: for somebody who reads along. The worst choice for the swarm.
    Sequential,
}

/// The limits of a [`Download`](crate::Download).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Bytes of a chunk (the last one of a file may be shorter); at least 1.
    pub chunk_bytes: u32,
    /// In which order chunks are fetched.
    pub order: Order,
    /// Chunks smaller than this are asked for in runs of so many bytes, as they lie in the files. As much as the smallest chunk that
    /// is chosen for a large file: to the swarm it is one chunk, to the disk it is one place.
    pub run_bytes: u32,

    /// Fewer neighbours than this, and more are looked for. 30 keeps a random swarm connected and mixes chunks fast;
    /// more costs gains to read and gives little.
    pub neighbours_wanted: usize,
    /// No more neighbours than this are taken in: bounds memory (a bitmap each) and the work of a lost chunk.
    pub neighbours_most: usize,
    /// Where there is no room, one in this time gives way to a newcomer, and each has at least this long to show what it is worth.
    pub renew_every: Duration,
    /// A gain that no more neighbours hold than this, complete ones not counted, is told at once [`Action::Tell`](crate::Action::Tell) …
    pub rare_most: u16,
    /// … where there are so many neighbours, and so is whatever is gained while nothing is being sent. In a large swarm the way of a new chunk is
    /// what all wait for, and gathering gains is a part of it; in a small one everything is new for a while, and telling each gain costs
    /// more than it brings (decisions 12 and 15).
    pub rare_among: usize,
    /// Pause after the first search for neighbours; it doubles with every search that did not help.
    pub find_first: Duration,
    /// The longest such pause: a tracker hears a lonely peer twice a minute.
    pub find_last: Duration,

    /// Fewest fetches in flight at a neighbour that has sent half a chunk: the second is on its way while the first is answered, so that a
    /// link is not idle between chunks. At one that has not, it is one, unless chunks are small: everybody asks the first who hold anything
    /// (decision 16).
    pub depth_least: u32,
    /// Most fetches in flight at a neighbour. Only tiny chunks need many, and go together in few requests: 50,000 files of 2 KiB
    /// took 2.8 s with 64, and 1.95 s with these (decision 13).
    pub depth_most: u32,
    /// Bytes asked of a neighbour whose rate is not known yet. Little: at the start of a swarm everybody asks the one
    /// seed before anybody told what it got, and the same chunk is sent again and again.
    pub window_first: u64,
    /// Most bytes asked of a neighbour whose answers do not take long, where there are some. Every request under way has a connection of
    /// its own, and a place in a queue: past what keeps the links full they cost both sides, and bring nothing (decision 17).
    pub window_enough: u64,
    /// Most bytes asked of any: of one that is alone, since that keeps wire, hash and disk busy together, and where so many are needed to fill
    /// a long way: 4 MiB is 320 Mbit/s over 100 ms.
    pub window_last: u64,
    /// Otherwise what it sends in this time is asked of it. Short, since what is asked early is decided on old
    /// knowledge of rarity; longer than a round trip, since a window below rate × round trip starves the link.
    pub horizon: Duration,
    /// Most fetches in flight and chunks being stored together.
    pub in_flight_most: usize,
    /// The same in bytes (yet always [`Config::IN_FLIGHT_LEAST`] chunks): bounds the memory of the shell, and makes a
    /// slow disk slow the network down.
    pub in_flight_bytes: u64,
    /// Past that, as many fetches as there are neighbours, up to so many bytes. In a large swarm a request stands in a queue most
    /// of the time, which costs this peer nothing; but a neighbour that is asked for nothing sends nothing, and with sixty
    /// of them and a limit of ten, five in six were idle.
    pub in_flight_bytes_most: u64,

    /// A fetch must move in every stretch of this length, or the chunk is asked for elsewhere too (threat A10).
    pub patience: Duration,
    /// To move means this many bytes per second. Below a modem's rate, so that only the stuck are caught: the merely
    /// slow are overtaken at the end of the download.
    pub rate_least: u64,
    /// A request that has no answer yet stands in the uploader's queue as long as other bytes come from there; this
    /// is the longest such excuse.
    pub queue_patience: Duration,
    /// Silence after which a fetch is given up and counts as failed.
    pub stall: Duration,
    /// When everything missing is in flight, how often idle neighbours are considered for a second copy.
    pub endgame_every: Duration,

    /// Failures in a row, without one success, after which a neighbour is dropped (threat A8), unless nobody else
    /// holds some missing chunk.
    pub failures_most: u32,
    /// So many "I do not hold it" in a row count as one failure: a gain may be announced late or a chunk evicted, but
    /// one who claims everything and has nothing must not cost a round trip a chunk.
    pub misses_a_failure: u32,
    /// So many "busy" in a row, without one success, count as one failure: a crowded seed is left to others for a
    /// while, and places taken by those who never serve become free.
    pub busies_a_failure: u32,
    /// Of those, one in this time counts: where many share, being refused some times a second is nothing unusual.
    pub busy_counts_every: Duration,
    /// Pause after the first failure of a neighbour; it doubles with every further one.
    pub backoff_first: Duration,
    /// The longest such pause.
    pub backoff_last: Duration,
    /// So many chunks of a neighbour are left to others at a time because it turned us away; past that it is left alone
    /// altogether: nobody is asked chunk after chunk in vain.
    pub avoided_most: usize,
    /// A busy neighbour is left alone at least this long, whatever it says: no hot loop.
    pub busy_least: Duration,
    /// A chunk that it turned us away with is left to others at least this long: it is refused for what others do, which takes
    /// longer than a place in a queue.
    pub elsewhere_least: Duration,
    /// And at most this long: nobody can send us away for a day.
    pub busy_most: Duration,
    /// Suggestions of a neighbour that are remembered; the oldest is forgotten first.
    pub suggestions_most: usize,
    /// How many ranges wanted by readers are remembered; the oldest is forgotten first.
    pub wishes_most: usize,
}

impl Config {
    /// Chunks that may always be in flight, however large they are: one arriving, one being asked for, and the same
    /// for a second neighbour.
    pub const IN_FLIGHT_LEAST: u64 = 4;

    /// How many chunks may be in flight or being stored at a time, with so many neighbours.
    pub(crate) fn in_flight_chunks(&self, neighbours: usize) -> usize {
        let chunks_in = |bytes: u64| {
            let chunks = (bytes / u64::from(self.chunk_bytes.max(1))).max(Self::IN_FLIGHT_LEAST);
            usize::try_from(chunks).unwrap_or(usize::MAX)
        };
        let one_each = neighbours.min(chunks_in(self.in_flight_bytes_most));
        chunks_in(self.in_flight_bytes).max(one_each).min(self.in_flight_most.max(1))
    }

    /// The most that [`Config::in_flight_chunks`] can be.
    pub fn in_flight_chunks_most(&self) -> usize {
        self.in_flight_chunks(self.neighbours_most)
    }

    /// The pause after failure number `failures` in a row, counted from 1.
    pub(crate) fn backoff(&self, failures: u32) -> Duration {
        // 2^16 times a nanosecond-sized first pause is past any sensible last one; larger shifts would overflow.
        let doublings = failures.saturating_sub(1).min(16);
        self.backoff_first.saturating_mul(1 << doublings).min(self.backoff_last)
    }
}

impl Default for Config {
    fn default() -> Self {
        Config {
            chunk_bytes: 256 << 10,
            order: Order::RarestFirst,
            run_bytes: 64 << 10,
            neighbours_wanted: 30,
            neighbours_most: 200,
            renew_every: Duration::from_secs(1),
            rare_most: 1,
            rare_among: 32,
            find_first: Duration::from_secs(1),
            find_last: Duration::from_secs(30),
            depth_least: 2,
            depth_most: 512,
            window_first: 128 << 10,
            window_enough: 1 << 20,
            window_last: 4 << 20,
            horizon: Duration::from_millis(500),
            in_flight_most: 512,
            in_flight_bytes: 32 << 20,
            in_flight_bytes_most: 64 << 20,
            patience: Duration::from_secs(5),
            rate_least: 4 << 10,
            queue_patience: Duration::from_secs(20),
            stall: Duration::from_secs(20),
            endgame_every: Duration::from_millis(250),
            failures_most: 3,
            misses_a_failure: 8,
            busies_a_failure: 16,
            busy_counts_every: Duration::from_secs(1),
            backoff_first: Duration::from_secs(1),
            backoff_last: Duration::from_secs(30),
            avoided_most: 16,
            busy_least: Duration::from_millis(50),
            elsewhere_least: Duration::from_millis(250),
            busy_most: Duration::from_secs(30),
            suggestions_most: 8,
            wishes_most: 8,
        }
    }
}

/// The limits of an [`Upload`](crate::Upload).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadConfig {
    /// Bodies sent at a time, at least. Few, so that a chunk is finished, and can be passed on, before the next is begun.
    pub slots: usize,
    /// At first, while connections are cold and nothing is measured.
    pub slots_first: usize,
    /// Where more are needed to fill the uplink, at most so many …
    pub slots_most: usize,
    /// … and at most so many bytes of bodies: they are in memory.
    pub slots_bytes: u64,
    /// But always so many bodies, however large: one is sent while the next is read.
    pub slots_large: usize,
    /// Of the slots, one requester gets at most so many, even when nobody else asks: a newcomer finds a free one.
    pub slots_per_requester: usize,
    /// Requests held waiting. A held request is cheaper than a bounced one, but must be served before its asker loses
    /// patience.
    pub queue: usize,
    /// Of these, requests for what others could send as well. Few: sixty askers cannot see each other, and where queues may be
    /// long, one uplink has forty waiting while another is idle. Who finds no room asks that one (decision 10).
    pub queue_anywhere: usize,
    /// Or as many as the uplink sends in this time: many, where they are small. Of chunks of 1 MiB, 1 Gbit/s sends four in 40 ms, and each
    /// place more makes a large swarm later (decision 24).
    pub queue_time: Duration,
    /// Requests of one requester held waiting; as many as a [`Download`](crate::Download) keeps in flight for small
    /// chunks. Fewer once the queue fills up: never more than places are left.
    pub queue_per_requester: usize,
    /// Bytes held waiting. Binds only a requester that already waits: everyone may have one request in the queue.
    pub queue_bytes: u64,
    /// What a requester was served counts half after this time: fairness looks at the recent past, so that one who
    /// got much yesterday is not shut out today.
    pub half_life: Duration,
    /// Requesters remembered at a time; the least served idle one is forgotten first.
    pub requesters: usize,
    /// The least that a request is charged, in bytes: a slot costs something even for a tiny range.
    pub charge_least: u32,
    /// How long it counts that a content was sent. By then whoever got it has passed it on, or will not.
    pub sent_memory: Duration,
    /// Contents remembered as sent; the one sent longest ago is forgotten first.
    pub contents: usize,
    /// While so many requests wait for what was not sent lately, those for what was are turned away.
    pub fresh_enough: usize,
    /// When a requester that is turned away may ask for the same again. Short: an uplink that has sent everything once is idle while all are
    /// told to stay away (decision 11).
    pub elsewhere: Duration,
    /// The shortest wait that a refusal asks for.
    pub retry_least: Duration,
    /// And the longest.
    pub retry_most: Duration,
}

impl Default for UploadConfig {
    fn default() -> Self {
        UploadConfig {
            slots: 8,
            slots_first: 16,
            slots_most: 64,
            slots_bytes: 32 << 20,
            slots_large: 2,
            slots_per_requester: 6,
            queue: 256,
            queue_anywhere: 4,
            queue_time: Duration::from_millis(40),
            queue_per_requester: 64,
            queue_bytes: 32 << 20,
            half_life: Duration::from_secs(10),
            requesters: 1024,
            charge_least: 16 << 10,
            sent_memory: Duration::from_secs(10),
            contents: 16_384,
            fresh_enough: 4,
            elsewhere: Duration::from_millis(250),
            retry_least: Duration::from_millis(50),
            retry_most: Duration::from_secs(10),
        }
    }
}
