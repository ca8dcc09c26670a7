//! Tests only: tracker and peers in one process, on a network, disks and clocks that fail by a plan drawn from a seed.
//!
//! The code is in `tests/faults/`: `FAULT_SEEDS=1000 cargo test -p faults` tries more seeds, and a seed that fails is
//! printed with the command that replays it.
