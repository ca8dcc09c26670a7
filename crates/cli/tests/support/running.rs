//! Processes of the program.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use serde_json::Value;

use super::{DEADLINE, LOCAL, program};

/// A process of the program that goes on; ended by its own id when dropped.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    /// Lines of stdout that were received, in order.
    seen: Vec<String>,
    stderr: Arc<Mutex<String>>,
    readers: Vec<thread::JoinHandle<()>>,
}

/// A process that has ended.
#[derive(Debug)]
pub struct Finished {
    /// `None` when a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Finished {
    /// The events on stdout that have this name.
    pub fn events(&self, name: &str) -> Vec<Value> {
        self.stdout.lines().filter_map(|line| event(line, name)).collect()
    }

    /// The only event of this name.
    pub fn event(&self, name: &str) -> Value {
        let mut events = self.events(name);
        assert_eq!(events.len(), 1, "one '{name}' in {self:#?}");
        events.remove(0)
    }
}

fn event(line: &str, name: &str) -> Option<Value> {
    let value: Value = serde_json::from_str(line).ok()?;
    (value["event"] == name).then_some(value)
}

impl Running {
    /// Starts the program in `dir` with events on.
    pub fn start<S: AsRef<OsStr>>(dir: &Path, args: impl IntoIterator<Item = S>) -> Self {
        let mut command = program(dir, args);
        command.arg("--json");
        Self::spawn(command)
    }

    /// Starts any command, with both streams read.
    pub fn spawn(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (sender, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let read_stdout = thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let stderr = Arc::new(Mutex::new(String::new()));
        let (into, mut from) = (Arc::clone(&stderr), child.stderr.take().unwrap());
        let read_stderr = thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length @ 1..) = from.read(&mut bytes) {
                into.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..length]));
            }
        });
        Running { child, lines, seen: Vec::new(), stderr, readers: vec![read_stdout, read_stderr] }
    }

    /// Waits for the next line on stdout.
    pub fn line(&mut self) -> String {
        self.next_line(Instant::now() + DEADLINE)
            .unwrap_or_else(|| panic!("no further line:\n{}", self.said()))
    }

    fn next_line(&mut self, deadline: Instant) -> Option<String> {
        let wait = deadline.saturating_duration_since(Instant::now());
        let line = self.lines.recv_timeout(wait).ok()?;
        self.seen.push(line.clone());
        Some(line)
    }

    /// Waits for the next event of this name; others are passed over.
    pub fn event(&mut self, name: &str) -> Value {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let Some(line) = self.next_line(deadline) else { panic!("no event '{name}':\n{}", self.said()) };
            if let Some(event) = event(&line, name) {
                return event;
            }
        }
    }

    /// Waits until it listens in this role, and gives the URL.
    pub fn url(&mut self, role: &str) -> String {
        loop {
            let listening = self.event("listening");
            if listening["role"] == role {
                return listening["url"].as_str().unwrap().to_owned();
            }
        }
    }

    /// Everything it said so far, for panics.
    pub fn said(&self) -> String {
        format!("stdout:\n{}\nstderr:\n{}", self.seen.join("\n"), self.stderr())
    }

    /// What it wrote to stderr so far.
    pub fn stderr(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    /// Waits until it has written `text` to stderr.
    pub fn says(&self, text: &str) {
        super::wait_for(&format!("'{text}' on stderr"), || self.stderr().contains(text).then_some(()));
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by name: `INT`, `TERM`, `STOP`, `CONT`.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.id().to_string()]).status().unwrap();
        assert!(status.success(), "kill -s {name}");
    }

    /// kill -9, at whatever it does.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end (SIGINT) and waits for that.
    pub fn stop(self) -> Finished {
        self.signal("INT");
        self.finished()
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end.
    pub fn finished(mut self) -> Finished {
        let deadline = Instant::now() + DEADLINE;
        // Stdout ends with the process; its status is there a moment later.
        while self.next_line(deadline).is_some() {}
        let status = self.status(deadline);
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        Finished { code: status.code(), stdout: self.seen.join("\n"), stderr: self.stderr() }
    }

    fn status(&mut self, deadline: Instant) -> ExitStatus {
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            thread::park_timeout(super::LOOK);
        }
        panic!("it does not end:\n{}", self.said());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Its own child, by its own handle; one that has ended cannot be killed, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A `share` that is up: a tracker and a complete peer.
pub struct Sharer {
    pub process: Running,
    pub tracker: String,
    pub peer: String,
    pub link: String,
    pub torrent_id: String,
    pub file_url: String,
}

impl Sharer {
    /// Shares `path` (relative to `dir`).
    pub fn start(dir: &Path, path: &str) -> Self {
        Self::start_with(dir, path, &[])
    }

    /// Shares `path` with further flags.
    pub fn start_with(dir: &Path, path: &str, flags: &[&str]) -> Self {
        let fixed = ["share", path, "--port", "0", "--peer-port", "0", "--page-port", "0"];
        let mut process = Running::start(dir, fixed.iter().chain(&LOCAL).chain(flags));
        let (tracker, peer) = (process.url("tracker"), process.url("client"));
        let link = process.event("link");
        let text = |key: &str| link[key].as_str().unwrap().to_owned();
        let (link, torrent_id, file_url) = (text("link"), text("torrent_id"), text("file_url"));
        process.event("complete");
        Sharer { process, tracker, peer, link, torrent_id, file_url }
    }

    /// Downloads it into `dir`/`into`, to the end.
    pub fn get(&self, dir: &Path, into: &str) -> Finished {
        let fixed = ["get", self.link.as_str(), "-o", into, "--json"];
        super::run(dir, fixed.iter().chain(&LOCAL))
    }

    /// Starts such a download.
    pub fn start_get(&self, dir: &Path, into: &str, flags: &[&str]) -> Running {
        let fixed = ["get", self.link.as_str(), "-o", into];
        Running::start(dir, fixed.iter().chain(&LOCAL).chain(flags))
    }
}
