//! Networks of nodes in virtual time: what they promise together, and what hostile ones can do to them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod faults;
mod hostile;
mod limits;
mod promises;
mod world;
