//! A kit for tests of the real program: start it, read its events with a deadline, end it by its own process id.
//!
//! * [`run`] runs a command to its end; [`Running::start`] starts one that goes on.
//! * [`Running::event`] waits for the next event of a name; what the process said stands in every panic.
//! * [`Sharer`] is a `share` that is up; [`http`] speaks plain HTTP/1.1 to anything.
//!
//! Nothing here waits for the clock alone: every wait is for a condition and has [`DEADLINE`].
#![allow(
    dead_code,
    unreachable_pub,
    clippy::missing_panics_doc,
    unused_imports,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "each file of tests uses its part of the kit, and fails where it cannot go on"
)]

pub mod content;
pub mod http;
mod running;

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub use running::{Finished, Running, Sharer};

/// Longest wait for anything. Generous: the machine may be busy or ten times slower than ours, and a right program never
/// comes near it.
pub const DEADLINE: Duration = Duration::from_secs(540);
/// How often a condition is looked at that nobody can tell us about.
const LOOK: Duration = Duration::from_millis(5);

/// A folder of its own for a test, gone at its end. In memory where that is offered: here the program is measured, and
/// what a disk may do to it is `store`'s to test.
pub fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.unwrap()
}

/// The program in `dir`, deaf to the variables of whoever runs the tests.
pub fn program<S: AsRef<OsStr>>(dir: &Path, args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_http-torrent"));
    let inherited = std::env::vars_os().map(|(name, _)| name);
    for name in inherited.filter(|name| name.to_string_lossy().starts_with("HTTP_TORRENT_")) {
        command.env_remove(name);
    }
    // Nothing of a test's is left in the cache of whoever runs it.
    command.env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"));
    command.current_dir(dir).args(args);
    command
}

/// Runs the program to its end.
pub fn run<S: AsRef<OsStr>>(dir: &Path, args: impl IntoIterator<Item = S>) -> Finished {
    Running::spawn(program(dir, args)).finished()
}

/// Runs the program to its end, which must be a good one.
pub fn run_well<S: AsRef<OsStr>>(dir: &Path, args: impl IntoIterator<Item = S>) -> Finished {
    let finished = run(dir, args);
    assert_eq!(finished.code, Some(0), "{finished:#?}");
    finished
}

/// Waits until `condition` gives something.
pub fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {DEADLINE:?} in vain for {what}");
        std::thread::park_timeout(LOOK);
    }
}

/// Flags that keep a peer on this machine, on a port of the system's choice.
pub const LOCAL: [&str; 4] = ["--bind", "127.0.0.1", "--metrics", ""];
