//! The promise "may be killed at any instant", tried at every instant: each file operation of begin, download,
//! finish and resume is cut there, with subsets of the unsynced writes kept, lost or torn, and then opened again.

mod crashes;
mod failures;
pub(crate) mod job;
mod proof_of_the_test;
