//! Load for a tracker: announces, look-ups and crowds, over HTTP/1.1 written by hand, with a clock beside them.
//!
//! It must cost little beside what it measures: a request is a few writes into a buffer that is used again, an answer
//! is looked at no further than its status, its length and what the next request needs of it. So it knows no HTTP
//! library. One connection has one request under way; many connections make the load.
//!
//! Everything it sends is a function of numbers: the same plan sends the same torrents, peers and hashes. It dials
//! nothing but the tracker it is given, and ends by itself: every case has a number of requests or a time, and a limit.
//!
//! From this machine to a tracker on this machine, connections come from addresses all over 127.0.0.0/8: a tracker
//! bounds what one address may list, and that bound is part of what is measured.

mod announcer;
mod answer;
mod case;
mod connection;
mod content;
mod described;
mod failed;
mod figures;
mod latency;
mod process;
mod request;
mod tracker;

pub use case::announced::{Announced, announced};
pub use case::announces::{Announces, announces};
pub use case::burst::{Burst, burst};
pub use case::hashes::{DescribedHashes, described_hashes};
pub use case::look_ups::{LookUps, look_ups};
pub use failed::Failed;
pub use figures::Figures;
pub use tracker::LoadedTracker;
