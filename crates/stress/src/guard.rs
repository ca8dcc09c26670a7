//! Nothing outlives a run, not even one that is killed with SIGKILL or by the system for want of memory.
//!
//! Whoever owns the processes kills and reaps them when it ends, is interrupted or panics. What it cannot do is
//! survive its own death, so a small process beside it (the hidden command `stress-guard`) is told of every start
//! and end over a pipe. When the pipe ends, it kills who is still on its list, and ends. It holds processes by
//! descriptors and not by ids: an id may be somebody else's by then.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// Name of the hidden command that is [`stand`].
pub const GUARD_COMMAND: &str = "stress-guard";

/// The guard's process; dropped, it is relieved.
#[derive(Debug)]
pub struct Guard {
    child: Child,
    line: Line,
}

/// What is said to the guard. Clone is cheap.
#[derive(Clone, Debug, Default)]
pub struct Line(Arc<Mutex<Option<ChildStdin>>>);

impl Guard {
    /// Starts the guard: `command` is the program with [`GUARD_COMMAND`].
    pub fn post(mut command: Command) -> io::Result<Self> {
        // Not in our group: what a terminal sends to that must not end the guard before us.
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let mut child = command.spawn()?;
        let line = Line(Arc::new(Mutex::new(child.stdin.take())));
        Ok(Guard { child, line })
    }

    /// The way to tell it.
    pub fn line(&self) -> Line {
        self.line.clone()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // The end of the pipe: it kills whoever is still there, and ends.
        drop(self.line.0.lock().unwrap_or_else(PoisonError::into_inner).take());
        let _ = self.child.wait();
    }
}

impl Line {
    /// This process was started.
    pub fn started(&self, id: u32) {
        self.say(&format!("+{id}\n"));
    }

    /// This process has ended, and was waited for.
    pub fn reaped(&self, id: u32) {
        self.say(&format!("-{id}\n"));
    }

    fn say(&self, text: &str) {
        if let Some(pipe) = self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            // Without a guard the owner still does its duty.
            let _ = pipe.write_all(text.as_bytes());
        }
    }
}

/// Stands guard until `line` ends, and kills who is still there then.
pub fn stand(line: impl BufRead) {
    let mut alive: BTreeMap<i32, OwnedFd> = BTreeMap::new();
    for said in line.lines().map_while(Result::ok) {
        let id = said.get(1..).and_then(|id| id.parse().ok());
        match (said.get(..1), id, id.and_then(Pid::from_raw)) {
            // One that has ended and was reaped already needs no guard.
            (Some("+"), Some(id), Some(pid)) => {
                if let Ok(descriptor) = pidfd_open(pid, PidfdFlags::empty()) {
                    alive.insert(id, descriptor);
                }
            }
            (Some("-"), Some(id), _) => {
                alive.remove(&id);
            }
            _ => {}
        }
    }
    for descriptor in alive.values() {
        let _ = pidfd_send_signal(descriptor, Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    #[test]
    fn whoever_is_left_when_the_line_ends_is_killed_and_nobody_else() {
        let start = || Command::new("sleep").arg("60").spawn().unwrap();
        let (mut left, mut relieved) = (start(), start());
        let said = format!("+{}\n+{}\nnonsense\n-\n+x\n-{}\n", left.id(), relieved.id(), relieved.id());
        stand(said.as_bytes());
        assert_eq!(left.wait().unwrap().signal(), Some(9));
        assert_eq!(relieved.try_wait().unwrap(), None);
        relieved.kill().unwrap();
        relieved.wait().unwrap();
    }
}
