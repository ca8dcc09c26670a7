//! `completions`: a shell's completion script.

use clap::Args;
use clap_complete::Shell;

use crate::args;
use crate::exit_code::ExitCode;
use crate::output::Output;

/// Print a completion script for a shell
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// Which shell
    shell: Shell,
}

impl Completions {
    pub(super) fn run(&self, output: &Output) -> ExitCode {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut args::command(), "http-torrent", &mut script);
        output.document(&String::from_utf8_lossy(&script));
        ExitCode::Ok
    }
}
