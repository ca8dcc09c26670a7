//! Tests listen on port 0: a fixed port is taken on somebody's machine, or by the test beside it.

use crate::none;
use crate::tree::{self, RustFile};

/// `bind("host:port")` with a port other than 0, in test code.
fn fixed_ports(file: &RustFile) -> Vec<String> {
    let lines = (1..).zip(file.text.lines()).zip(file.code.lines());
    let tests = lines.filter(|((number, _), _)| file.is_test_line(*number));
    let wrong = tests.filter(|((_, line), code)| {
        code.match_indices("bind(\"").any(|(at, found)| has_fixed_port(line, at + found.len()))
    });
    wrong.map(|((number, line), _)| format!("{}:{number}: {}", file.path, line.trim())).collect()
}

/// Whether the string that starts at `at` ends in a port other than 0.
fn has_fixed_port(line: &str, at: usize) -> bool {
    let text = line.get(at..).and_then(|rest| rest.split('"').next()).unwrap_or_default();
    let port = text.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    port.is_some_and(|port| port != 0)
}

#[test]
fn tests_listen_where_there_is_room() {
    let files = tree::rust_files().into_iter().filter(|file| !file.path.starts_with("crates/tidy/"));
    none(&files.flat_map(|file| fixed_ports(&file)).collect::<Vec<_>>());
}

#[test]
fn the_rule_fails_on_a_fixed_port() {
    let test = |line: &str| RustFile::sample("crates/a/tests/b.rs", line);
    for line in ["TcpListener::bind(\"127.0.0.1:5000\").await", "UdpSocket::bind(\"[::1]:8468\")"] {
        assert_eq!(fixed_ports(&test(line)).len(), 1, "{line}");
    }
    for line in ["TcpListener::bind(\"127.0.0.1:0\")", "// bind(\"a:5000\")", "bind(address)"] {
        assert_eq!(fixed_ports(&test(line)), Vec::<String>::new(), "{line}");
    }
    let production = RustFile::sample("crates/a/src/b.rs", "bind(\"127.0.0.1:5000\")");
    assert_eq!(fixed_ports(&production), Vec::<String>::new());
}
