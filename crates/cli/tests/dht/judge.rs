//! The script that runs libtorrent: told tasks over stdin, ended with the test.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

pub(crate) struct Judge {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
}

impl Judge {
    /// A node of libtorrent's that knows `way_in`.
    pub(crate) fn start(way_in: SocketAddr) -> Self {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = tests.join("../../target/libtorrent/bin/python");
        assert!(python.exists(), "libtorrent's Python package is not there: run scripts/setup-test");
        let mut child = Command::new(python)
            .arg("-u")
            .arg(tests.join("tests/stand_ins/libtorrent_dht.py"))
            .arg(way_in.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Judge { stdin: child.stdin.take().unwrap(), child, lines }
    }

    /// Tells it a task.
    pub(crate) fn tell(&mut self, task: &str) {
        self.stdin.write_all(task.as_bytes()).unwrap();
    }

    /// Its next line, if it has said one.
    pub(crate) fn line(&mut self) -> Option<String> {
        assert!(self.child.try_wait().unwrap().is_none(), "libtorrent's script has ended");
        self.lines.try_recv().ok()
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        // Our own child, by its own handle.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
