//! The shell round the brains: HTTP in, HTTP out, one driver loop for each download.
//!
//! A [`Peer`] is one process's part in any number of swarms. Bytes go network → verify → disk and never into the
//! brain; decisions go brain → shell; facts go shell → brain.
//!
//! * Serving a chunk: [`serve`](crate) finds (torrent, chunk) in the `catalog`, asks the `gate` for an upload slot,
//!   reads it from its `holding` in one `pread`, and answers.
//! * Seeding: `firsts` knows what only this process has; `asking_back` asks some of those who got it for it.
//! * Downloading: `download` waits for one fact, tells the brain, performs what it says: `fetch` brings bytes,
//!   `neighbour` learns what others gained, `peer_exchange` and `tracker_client` find who there is.

mod acquaintances;
mod asking_back;
mod body;
mod catalog;
mod chance;
mod clock;
mod config;
mod context;
mod departing;
mod dht;
mod download;
mod fact;
mod fetch;
mod firsts;
mod gate;
mod gathered;
mod holding;
mod http_client;
mod hurry;
mod identity;
mod metrics_client;
mod neighbour;
mod peer;
mod peer_exchange;
mod progress;
mod serve;
mod sharing;
mod straight;
mod throttle;
mod torrent_finder;
mod tracker_client;

pub use self::dht::{Dht, DhtConfig, DhtError};
pub use config::{Advertise, Config, MetricsTo};
pub use http_client::{HttpClient, HttpError};
pub use net::Net;
pub use peer::{AddError, Content, Job, Peer, StartError};
pub use progress::{Completed, Progress, Sources};
pub use sharing::{DownloadError, Sharing};
pub use swarm::Order;
pub use torrent_finder::{FindError, find_torrent};
