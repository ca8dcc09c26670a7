//! Real peers on loopback in one process: stories of a swarm, each waiting for conditions and never for a clock.

mod hostile;
mod kit;
mod serving;
mod sharing;
mod stranger;
