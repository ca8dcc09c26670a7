//! One process of the program: its events, its end, and that it does not outlive its owner.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::guard::Line;

/// A running process; dropped, it is killed by its own id and reaped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    status: Option<ExitStatus>,
    events: Events,
    guard: Line,
}

impl Process {
    /// Starts `command` with its output in `logs`: `{name}.events` (stdout, from here on read by [`Process::events`]) and
    /// `{name}.log` (stderr). Both are continued when an earlier process of the name wrote them.
    pub(crate) fn start(mut command: Command, logs: &Path, name: &str, guard: &Line) -> io::Result<Self> {
        let (events, log) = (logs.join(format!("{name}.events")), log_of(logs, name));
        let append = |path: &Path| File::options().create(true).append(true).open(path);
        let (mut stdout, stderr) = (append(&events)?, append(&log)?);
        // The one before may have been killed in the middle of a line.
        stdout.write_all(b"\n")?;
        let from = stdout.metadata()?.len();
        // A group of its own: Ctrl-C on the terminal comes to us alone, and we decide who ends and when.
        command.stdin(Stdio::null()).stdout(stdout).stderr(stderr).process_group(0);
        let events = Events::at(&events, from)?;
        let child = command.spawn()?;
        guard.started(child.id());
        Ok(Process { child, status: None, events, guard: guard.clone() })
    }

    /// Events that came since the last call.
    pub(crate) fn events(&mut self) -> Vec<Value> {
        self.events.read()
    }

    /// How it ended, if it has.
    pub(crate) fn status(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.child.try_wait().ok().flatten();
            self.relieve_guard();
        }
        self.status
    }

    /// Asks it to end in good order.
    pub(crate) fn ask_to_end(&mut self) {
        // Not after it was reaped: the id may be somebody else's by then.
        if self.status().is_none()
            && let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
        {
            let _ = kill_process(pid, Signal::TERM);
        }
    }

    /// Kills it without warning. It is gone when [`Process::status`] says so, or after [`Process::reap`].
    pub(crate) fn kill(&mut self) {
        if self.status().is_none() {
            let _ = self.child.kill();
        }
    }

    /// Kills it and waits until it is gone.
    pub(crate) fn reap(&mut self) {
        self.kill();
        if self.status.is_none() {
            self.status = self.child.wait().ok();
            self.relieve_guard();
        }
    }

    fn relieve_guard(&self) {
        if self.status.is_some() {
            self.guard.reaped(self.child.id());
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.reap();
    }
}

/// Where the log of the process of this name is.
pub(crate) fn log_of(logs: &Path, name: &str) -> PathBuf {
    logs.join(format!("{name}.log"))
}

/// How a process ended, in words.
pub(crate) fn in_words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    }
}

/// The lines that a process has written, each once, whole lines only.
#[derive(Debug)]
struct Events {
    file: File,
    begun: Vec<u8>,
}

impl Events {
    fn at(path: &Path, from: u64) -> io::Result<Self> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(from))?;
        Ok(Events { file, begun: Vec::new() })
    }

    fn read(&mut self) -> Vec<Value> {
        // What cannot be read now is read the next time.
        let _ = self.file.read_to_end(&mut self.begun);
        let whole = self.begun.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        let lines: Vec<u8> = self.begun.drain(..whole).collect();
        lines.split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    fn runs(id: u32) -> bool {
        Path::new(&format!("/proc/{id}")).exists()
    }

    #[test]
    fn a_dropped_process_is_gone_also_in_a_panic() {
        let logs = tempfile::tempdir().unwrap();
        // Deaf to polite requests.
        let start = || {
            Process::start(shell("trap '' TERM INT; while :; do :; done"), logs.path(), "p", &Line::default())
                .unwrap()
        };
        let mut process = start();
        let id = process.child.id();
        process.ask_to_end();
        assert!(runs(id) && process.status().is_none());
        drop(process);
        assert!(!runs(id));
        let process = start();
        let id = process.child.id();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            let _owned = process;
            panic!("in the middle of it");
        }));
        assert!(panicked.is_err() && !runs(id));
    }

    #[test]
    fn events_are_whole_lines_each_once_and_only_this_processes() {
        let logs = tempfile::tempdir().unwrap();
        for number in [1, 2] {
            // The first one's half line must not swallow the second one's first.
            let script = format!("echo '{{\"n\":{number}}}'; echo no json; printf '{{\"half\"'");
            let mut process = Process::start(shell(&script), logs.path(), "p", &Line::default()).unwrap();
            assert_eq!(in_words(process.child.wait().unwrap()), "exit code 0");
            assert_eq!(process.events(), [serde_json::json!({ "n": number })]);
            assert!(process.events().is_empty());
        }
    }
}
