//! Real peers on loopback in one process: stories of a swarm, each waiting for conditions and never for a clock.

mod kit;
mod sharing;
