//! The binary `http-torrent`: from words on a command line to the crates that do the work.
//!
//! `args` and `config_file` read what was asked for, `command` does it, `output` says what became of it.

mod addresses;
mod args;
mod command;
mod config_file;
mod dht_flags;
mod event;
mod exit_code;
mod failure;
mod following;
mod glob;
mod hashing;
mod hope;
mod huge_pages;
mod logging;
mod open_files;
mod output;
mod places;
mod progress_line;
mod report_file;
mod shell_quote;
mod signals;
mod swarm_member;
mod torrent_file;
mod totals;

use std::ffi::OsString;
use std::process;

use clap::error::ErrorKind;

use crate::args::NotParsed;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::{Output, Voice};

/// Chunks come and go on many threads; it returns such memory sooner and with less locking than the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> process::ExitCode {
    let line: Vec<OsString> = std::env::args_os().collect();
    // Before anything is read, a configuration out of a pipe, too: this may begin the process anew.
    if args::command_in(&line).as_deref() == Some("simulate") {
        huge_pages::ask(&line);
    }
    let cli = match args::parse(&line) {
        Ok(cli) => cli,
        Err(error) => return not_parsed(error, &line).into(),
    };
    let (json, quiet) = (cli.global.json, cli.global.quiet);
    let output = Output::new(Voice { json, quiet });
    logging::start(&output, cli.global.verbose, quiet);
    match cli.command.run(&cli.global, &output) {
        Ok(code) => code.into(),
        Err(failure) => {
            output.failure(&failure);
            failure.exit.into()
        }
    }
}

/// Says what is wrong with the line or the configuration; help and version end here, too.
fn not_parsed(error: NotParsed, line: &[OsString]) -> ExitCode {
    let output = Output::new(Voice { json: args::wants_json(line), quiet: false });
    let failure = match error {
        NotParsed::Config(error) => {
            let cause = format!("--config: {error}");
            Failure::usage_in_lines(&cause, "correct the file; keys are named as flags")
        }
        NotParsed::Line(error) if !error.use_stderr() => {
            // To a reader who went away nothing can be said.
            let _ = error.print();
            return ExitCode::Ok;
        }
        NotParsed::Line(error) if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
            return ExitCode::Usage;
        }
        NotParsed::Line(error) => {
            let next = match args::command_in(line) {
                Some(command) => format!("http-torrent {command} --help"),
                None => "http-torrent --help".to_owned(),
            };
            Failure::usage_in_lines(&cause_of(&error), &next)
        }
    };
    output.failure(&failure);
    failure.exit
}

/// All that clap says, but for its pointer to `--help`, which is the next step here.
fn cause_of(error: &clap::Error) -> String {
    let text = error.to_string();
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with("For more information, try"));
    lines.collect::<Vec<_>>().join("\n").trim_start_matches("error: ").to_owned()
}
