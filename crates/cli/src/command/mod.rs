//! The commands, one a file: its flags and what it does.

mod bench;
mod client;
mod completions;
mod dht;
mod get;
mod man;
mod metric_server;
mod share;
mod simulate;
mod stress_guard;
mod stress_proxy;
mod stress_test;
mod torrentify;
mod tracker;
mod verify;

use std::time::Duration;

use clap::Subcommand;

use crate::args::Global;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::Output;
use crate::{huge_pages, open_files};

/// One of the commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Share(share::Share),
    Get(get::Get),
    Torrentify(torrentify::Torrentify),
    Verify(verify::Verify),
    Tracker(tracker::Tracker),
    MetricServer(metric_server::MetricServer),
    Client(client::Client),
    Dht(dht::Dht),
    Simulate(simulate::Simulate),
    StressTest(stress_test::StressTest),
    Bench(bench::Bench),
    #[command(hide = true)]
    StressGuard(stress_guard::StressGuard),
    #[command(hide = true)]
    StressProxy(stress_proxy::StressProxy),
    Completions(completions::Completions),
    Man(man::Man),
}

/// Most threads that wait for the disk: enough to keep one busy, few enough that their share of the allocator stays small.
const MAX_BLOCKING_THREADS: usize = 12;

impl Command {
    /// Does it.
    pub(crate) fn run(self, global: &Global, output: &Output) -> Result<ExitCode, Failure> {
        match self {
            Command::Torrentify(command) => command.run(output),
            Command::Verify(command) => command.run(output),
            Command::Completions(command) => Ok(command.run(output)),
            Command::Man(command) => command.run(output),
            Command::Simulate(command) => command.run(output),
            Command::StressGuard(_) => Ok(stress_guard::StressGuard::run()),
            Command::Share(command) => on_runtime(command.run(global, output)),
            Command::Get(command) => on_runtime(command.run(global, output)),
            Command::Tracker(command) => on_runtime(command.run(global, output)),
            Command::MetricServer(command) => on_runtime(command.run(global, output)),
            Command::Client(command) => on_runtime(command.run(global, output)),
            Command::Dht(command) => on_runtime(command.run(global, output)),
            Command::Bench(command) => on_one_thread(command.run(output)),
            Command::StressTest(command) => on_runtime(command.run(global, output)),
            Command::StressProxy(command) => on_runtime(command.run(global, output)),
        }
    }
}

/// After a command's end its threads get this long; one may still be hashing a file that nobody waits for.
const LAST_WORK: Duration = Duration::from_millis(500);

/// All of it on this thread: what measures another process must leave it the other cores.
fn on_one_thread(command: impl Future<Output = Result<ExitCode, Failure>>) -> Result<ExitCode, Failure> {
    open_files::raise_limit();
    huge_pages::decline();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(1)
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("cannot start: {error}")))?;
    let ended = runtime.block_on(command);
    runtime.shutdown_timeout(LAST_WORK);
    ended
}

fn on_runtime(command: impl Future<Output = Result<ExitCode, Failure>>) -> Result<ExitCode, Failure> {
    open_files::raise_limit();
    huge_pages::decline();
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        // Two at least: a worker that waits for a lock must not stop the accept loop.
        .worker_threads(cores.max(2))
        .max_blocking_threads(MAX_BLOCKING_THREADS)
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("cannot start threads: {error}")))?;
    let ended = runtime.block_on(command);
    runtime.shutdown_timeout(LAST_WORK);
    ended
}
