//! Every limit of a node, named, with the reason for its value. A value here is changed by a measurement.

use std::time::Duration;

/// Nodes that hold a record, and nodes near a place that an answer names (Kademlia's k; BEP 5 says 8).
pub const K: usize = 8;
/// Queries of one look-up that are waited for at a time (Kademlia's alpha).
pub const ALPHA: usize = 3;

/// What differs between nodes: everything else is a constant beside its use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Ask but do not answer, and stay out of routing tables (BEP 43): for a program that is gone in a moment.
    pub read_only: bool,

    /// Most queries sent in any second. Bounds what a node can be made to send by whoever names victims to it
    /// (threat A6), and what it costs its network: 50 are 5 kB/s. Announcements leave a fifth of them to whoever waits.
    pub queries_a_second: usize,
    /// Most queries sent to one address in any second, of which announcements leave a fourth. libtorrent bans who sends
    /// it more than five.
    pub queries_a_second_to_one: usize,
    /// Of all queries, those that only ask whether a node is there: half for nodes of the table, half for strangers, who
    /// cause them and must not use up what the table and look-ups need.
    pub pings_a_second: usize,
    /// Most answers in any second: bounds what a flood of queries makes a node send to 300 kB/s.
    pub answers_a_second: usize,
    /// Most answers to one source in any second; a node that obeys these very limits asks ten times less.
    pub answers_a_second_to_one: usize,

    /// Look-ups and announcements in flight. More only wait for each other, for the packets are limited; 64 were
    /// measured to lose nothing with a receive buffer of 1 MiB.
    pub operations_most: usize,
    /// Look-ups waiting for their turn; past it they end at once, with nothing found.
    pub finds_waiting_most: usize,
    /// Keys announced. An announcement costs some 20 queries, and is repeated within [`Config::refresh`]: so many need
    /// 34 of the 40 queries a second. More could not be refreshed within a record's life, and are not taken.
    pub announcements_most: usize,
    /// How often an announcement is repeated: two thirds of the 30 minutes after which the least patient nodes forget.
    pub refresh: Duration,

    /// Records kept for others. At some 200 bytes each: 13 MB at worst (threat A23).
    pub records_most: usize,
    /// Of these, of one source; as many as a node announces.
    pub records_most_of_source: usize,
    /// Of these, of one key. An answer holds 50; more than a thousand tell nobody more.
    pub records_most_of_key: usize,
    /// Of these, of one key and one source: peers behind one address.
    pub records_most_of_key_and_source: usize,
    /// How long a record lives after it was last announced. BEP 5 leaves it open; libtorrent's live 45 minutes.
    pub record_life: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            read_only: false,
            queries_a_second: 50,
            queries_a_second_to_one: 4,
            pings_a_second: 10,
            answers_a_second: 500,
            answers_a_second_to_one: 64,
            operations_most: 64,
            finds_waiting_most: 256,
            announcements_most: 2_048,
            refresh: Duration::from_secs(20 * 60),
            records_most: 65_536,
            records_most_of_source: 2_048,
            records_most_of_key: 1_000,
            records_most_of_key_and_source: 16,
            record_life: Duration::from_secs(45 * 60),
        }
    }
}
