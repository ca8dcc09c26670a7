//! `stress-guard`: kills what a stress test started and could not end itself. Hidden: nobody else needs it.

use std::io;

use clap::Args;

use crate::exit_code::ExitCode;

/// Stand guard over processes that are named on stdin, for stress-test
#[derive(Debug, Args)]
pub(crate) struct StressGuard {}

impl StressGuard {
    pub(super) fn run() -> ExitCode {
        stress::guard::stand(io::stdin().lock());
        ExitCode::Ok
    }
}
