//! Pure crates know no clock, socket, file, thread, environment or random source: these are arguments there, so
//! that a whole network can be simulated and a failure replayed from its seed.

use std::collections::BTreeSet;

use crate::direction::dependencies;
use crate::lexer::{code_only, identifiers};
use crate::tree::{self, RustFile};
use crate::{map, none};

/// Names that are enough to know, wherever they stand in code.
const NAMES: [&str; 15] = [
    "Instant",
    "SystemTime",
    "UNIX_EPOCH",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "ToSocketAddrs",
    "tokio",
    "hyper",
    "axum",
    "thread_rng",
    "ThreadRng",
    "OsRng",
    "SysRng",
    "from_os_rng",
];
/// Paths, also when they are imported in braces.
const PATHS: [&str; 8] = [
    "std::fs",
    "std::thread",
    "std::env",
    "std::process",
    "rand::rng",
    "rand::rngs::SysRng",
    "rand::random",
    "std::os",
];
/// Libraries that do input and output.
const LIBRARIES: [&str; 10] =
    ["tokio", "tokio-util", "hyper", "hyper-util", "axum", "tower", "socket2", "rustix", "rustls", "mio"];

/// Places in `file` where the world outside is touched.
fn impure(file: &RustFile) -> Vec<String> {
    let at = |number: usize, what: &str| format!("{}:{number}: {what} in a pure crate", file.path);
    let named = identifiers(&file.code).filter(|(_, word)| NAMES.contains(word));
    let mut found: Vec<String> = named.map(|(number, word)| at(number, word)).collect();
    for (number, line) in file.code_lines() {
        found.extend(PATHS.iter().filter(|path| has_path(line, path)).map(|path| at(number, path)));
    }
    for (number, path) in imports(&file.code) {
        let forbidden = PATHS.iter().find(|forbidden| starts_with_path(&path, forbidden));
        found.extend(forbidden.map(|forbidden| at(number, forbidden)));
    }
    found.sort();
    found.dedup();
    found
}

fn starts_with_path(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
}

fn has_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| starts_with_path(&line[at..], path))
}

/// Every path that is imported, braces spread out, with the line of its `use`.
fn imports(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("use ") {
        let starts_a_word = !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        if let (true, Some(end)) = (starts_a_word, code[at..].find(';')) {
            let number = code[..at].lines().count().max(1);
            let tree: String = code[at + 4..at + end].split_whitespace().collect::<Vec<_>>().join(" ");
            let mut paths = Vec::new();
            spread("", &tree, &mut paths);
            found.extend(paths.into_iter().map(|path| (number, path)));
        }
    }
    found
}

/// Spreads the braces of an import tree.
fn spread(prefix: &str, tree: &str, found: &mut Vec<String>) {
    let Some((head, rest)) = tree.split_once('{') else {
        found.push(format!("{prefix}{}", tree.trim()));
        return;
    };
    let inside = rest.rsplit_once('}').map_or(rest, |(inside, _)| inside);
    let prefix = format!("{prefix}{}", head.trim());
    let (mut depth, mut start) = (0i32, 0);
    for (at, c) in inside.char_indices().chain([(inside.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                spread(&prefix, &inside[start..at], found);
                start = at + 1;
            }
            _ => {}
        }
    }
}

fn pure_crates() -> BTreeSet<String> {
    map::rows().into_iter().filter(|row| row.pure).map(|row| row.name).collect()
}

#[test]
fn pure_crates_touch_nothing_outside() {
    let pure = pure_crates();
    assert!(pure.contains("protocol") && pure.contains("swarm") && pure.contains("registry"), "{pure:?}");
    let sources = tree::rust_files().into_iter().filter(RustFile::is_source);
    let broken: Vec<String> =
        sources.filter(|file| pure.contains(file.crate_name())).flat_map(|file| impure(&file)).collect();
    none(&broken);
}

#[test]
fn pure_crates_use_no_library_that_does_input_or_output() {
    let pure = pure_crates();
    let broken: Vec<String> = tree::crate_names()
        .into_iter()
        .filter(|name| pure.contains(name))
        .flat_map(|name| {
            let used = dependencies(&tree::read(&format!("crates/{name}/Cargo.toml")));
            let wrong = used.into_iter().filter(|library| LIBRARIES.contains(&library.as_str()));
            wrong.map(|library| format!("{name} -> {library}: {name} is pure")).collect::<Vec<_>>()
        })
        .collect();
    none(&broken);
}

#[test]
fn the_rule_fails_on_every_way_out() {
    for sample in [
        "use std::time::Instant;",
        "let now = std::time::SystemTime::now();",
        "use std::{fmt, fs};",
        "use std::{\n    collections::HashMap,\n    thread::{self, JoinHandle},\n};",
        "std::fs::read(path)",
        "std::env::var(name)",
        "use std::net::{IpAddr, TcpStream};",
        "let socket = UdpSocket::bind(address);",
        "let x = rand::rng().random();",
        "use rand::{Rng, rng};",
        "let x = rand::random::<u8>();",
        "#[tokio::main]",
    ] {
        assert!(!impure(&RustFile::sample("crates/swarm/src/a.rs", sample)).is_empty(), "{sample}");
    }
    for sample in [
        "use std::net::{IpAddr, SocketAddr};",
        "use rand::{Rng, RngExt, rngs::SmallRng};",
        "// Instant::now() is the shell's",
        "let text = \"std::fs\";",
        "use std::time::Duration; let fs = 1; let thread = 2;",
    ] {
        assert_eq!(
            impure(&RustFile::sample("crates/swarm/src/a.rs", sample)),
            Vec::<String>::new(),
            "{sample}"
        );
    }
    assert_eq!(dependencies("[dependencies]\ntokio = \"1\"\n").into_iter().collect::<Vec<_>>(), ["tokio"]);
    assert_eq!(imports(&code_only("use a::{b, c::{d, e}};")).len(), 3);
}
