//! The DHT through real processes: the tracker dies and nobody notices, liars change nothing, and libtorrent agrees.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod answers;
mod judge;
mod libtorrent;
mod node;
mod trackerless;

#[path = "../support/mod.rs"]
mod support;
