//! Real peers on loopback in one process: stories of a swarm, each waiting for conditions and never for a clock.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where it cannot go on")]

mod asking_back;
mod carrying;
mod hostile;
mod kit;
mod serving;
mod sharing;
mod stranger;
mod trackers;
mod unframed;
