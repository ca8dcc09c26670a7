//! The scenarios over real processes: it starts its own program many times on this machine, breaks what the plan says,
//! and compares every file byte for byte.
//!
//! One loop ([`run`]) owns every process. It looks (`watch`), asks the plan what is due (`scenario::Director`), does it
//! (`stage`), and in the end judges (`scenario::judge`). Dropping it, by an interrupt or a panic, kills and reaps
//! everything that it started: nothing else holds a process.

mod content;
mod failed;
pub mod guard;
mod http;
mod inspect;
mod player;
mod port;
mod process;
pub mod proxy;
mod run;
mod scene;
mod service;
mod spawn;
mod stage;
mod watch;

pub use failed::Failed;
pub use guard::GUARD_COMMAND;
pub use run::{Look, MemberLook, NotRun, Observer, Options, Outcome, Standing, run};
pub use spawn::PROXY_COMMAND;
