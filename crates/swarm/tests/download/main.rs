//! What a download does: stories told in one world (a file a subject), and what must hold whatever happens.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on says why")]

mod faults;
mod fetching;
mod properties;
mod renewal;
mod searching;
mod stuck;
mod turned_away;
mod world;
