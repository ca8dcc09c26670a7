//! `man`: the manual page, of the program or of one command.

use clap::Args;
use clap_mangen::Man as Page;

use crate::args;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::Output;

/// Print the manual page (read it with `http-torrent man | man -l -`)
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Of this command only
    command: Option<String>,
}

impl Man {
    pub(super) fn run(&self, output: &Output) -> Result<ExitCode, Failure> {
        let mut command = args::command();
        command.build();
        let command = match &self.command {
            None => command,
            Some(name) => command.find_subcommand(name).cloned().ok_or_else(|| {
                Failure::usage(
                    format!("there is no command '{name}'"),
                    "http-torrent --help lists the commands",
                )
            })?,
        };
        let mut page = Vec::new();
        Page::new(command).render(&mut page).map_err(Failure::failed)?;
        output.document(&String::from_utf8_lossy(&page));
        Ok(ExitCode::Ok)
    }
}
