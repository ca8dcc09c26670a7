//! The tree the rules read: files under the workspace, and which part of each is test code.

use std::fs;
use std::path::{Path, PathBuf};

use crate::lexer;

/// Folders that hold nothing of ours.
const SKIPPED: [&str; 5] = [".git", "target", "node_modules", "__pycache__", ".mirror"];
/// Kinds of text that people write here (also names without a dot: Makefile, scripts); anything else is data.
const WRITTEN: [&str; 12] =
    ["rs", "toml", "md", "py", "sh", "yml", "yaml", "json", "ts", "svelte", "css", "html"];

/// The folder with the workspace's Cargo.toml.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// A file of the workspace, read whole.
pub(crate) fn read(path: &str) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Names of the folders in `crates/`, sorted.
pub(crate) fn crate_names() -> Vec<String> {
    let crates = root().join("crates");
    let mut names: Vec<String> = entries(&crates)
        .into_iter()
        .filter(|path| path.join("Cargo.toml").is_file())
        .filter_map(|path| path.file_name().and_then(|name| name.to_str()).map(str::to_owned))
        .collect();
    names.sort();
    names
}

/// Every text file that people write, as (path from the root, content).
pub(crate) fn written_files() -> Vec<(String, String)> {
    let mut found = Vec::new();
    collect(&root(), &mut found);
    found
}

/// Every Rust file of every crate.
pub(crate) fn rust_files() -> Vec<RustFile> {
    let mut found = Vec::new();
    collect(&root().join("crates"), &mut found);
    found.retain(|(path, _)| is_kind(path, "rs"));
    let test_modules: Vec<String> = found.iter().flat_map(|(path, text)| test_modules(path, text)).collect();
    let files = found.into_iter().map(|(path, text)| {
        let declared = test_modules
            .iter()
            .any(|module| path == format!("{module}.rs") || path.starts_with(&format!("{module}/")));
        RustFile::new(path, text, declared)
    });
    files.collect()
}

fn collect(folder: &Path, found: &mut Vec<(String, String)>) {
    for path in entries(folder) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if path.is_dir() {
            if !SKIPPED.contains(&name.as_str()) {
                collect(&path, found);
            }
        } else if name.rsplit_once('.').is_none_or(|(_, extension)| WRITTEN.contains(&extension))
            && let Ok(text) = fs::read_to_string(&path)
        {
            let from_root = path.strip_prefix(root()).unwrap_or(&path).to_string_lossy().into_owned();
            found.push((from_root, text));
        }
    }
}

/// What is in a folder; a file that vanishes meanwhile (an editor's, a build's) is nobody's business.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(listed) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = listed.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    paths
}

/// A Rust file and what the rules ask about it.
pub(crate) struct RustFile {
    /// From the root, with `/`.
    pub(crate) path: String,
    /// As it stands.
    pub(crate) text: String,
    /// The same with comments, strings and characters blanked: line and column stay.
    pub(crate) code: String,
    /// Lines from here on (counted from 0) are test code.
    pub(crate) tests_from: usize,
}

impl RustFile {
    /// `is_test`: the whole file is test code although its place does not show it.
    pub(crate) fn new(path: String, text: String, is_test: bool) -> Self {
        let code = lexer::code_only(&text);
        let placed = ["/tests/", "/benches/", "/examples/"].iter().any(|part| path.contains(part));
        let tests_from =
            if is_test || placed || path.ends_with("/tests.rs") { 0 } else { trailing_tests(&code) };
        RustFile { path, text, code, tests_from }
    }

    /// A sample for the tests of the rules.
    pub(crate) fn sample(path: &str, text: &str) -> Self {
        RustFile::new(path.to_owned(), text.to_owned(), false)
    }

    /// The crate's folder under `crates/`.
    pub(crate) fn crate_name(&self) -> &str {
        self.path.split('/').nth(1).unwrap_or_default()
    }

    /// Whether it is part of the crate's own source.
    pub(crate) fn is_source(&self) -> bool {
        self.path.split('/').nth(2) == Some("src")
    }

    /// Code lines numbered from 1, comments and literals blanked.
    pub(crate) fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.code.lines())
    }

    /// Whether line `number` (from 1) is test code.
    pub(crate) fn is_test_line(&self, number: usize) -> bool {
        number > self.tests_from
    }
}

/// The line (from 0) of the last `#[cfg(test)]` that opens a module in this very file; the number of lines
/// when there is none.
fn trailing_tests(code: &str) -> usize {
    let lines: Vec<&str> = code.lines().collect();
    let opens = |at: &usize| {
        let next = lines[at + 1..].iter().find(|line| !line.trim_start().starts_with("#["));
        let next = next.map_or("", |line| line.trim());
        lines[*at].starts_with("#[cfg(test)]") && next.contains("mod ") && next.ends_with('{')
    };
    (0..lines.len()).rev().find(opens).unwrap_or(lines.len())
}

/// Places (without `.rs`) of the modules that `path` declares as `#[cfg(test)] mod x;`.
fn test_modules(path: &str, text: &str) -> Vec<String> {
    let place = match path.strip_suffix(".rs").unwrap_or(path) {
        stem if stem.ends_with("/lib") || stem.ends_with("/main") || stem.ends_with("/mod") => {
            stem.rsplit_once('/').map_or("", |(folder, _)| folder)
        }
        stem => stem,
    };
    let code = lexer::code_only(text);
    let lines: Vec<&str> = code.lines().map(str::trim).collect();
    let declared = lines.windows(2).filter(|pair| pair[0] == "#[cfg(test)]").filter_map(|pair| {
        let rest = pair[1].strip_suffix(';')?;
        rest.strip_prefix("mod ").or_else(|| rest.split_once(" mod ").map(|(_, name)| name))
    });
    declared.map(|name| format!("{place}/{name}")).collect()
}

/// Whether the name ends so, in whichever case a disk keeps it.
pub(crate) fn is_kind(path: &str, extension: &str) -> bool {
    Path::new(path).extension().is_some_and(|found| found.eq_ignore_ascii_case(extension))
}

#[test]
fn test_code_is_told_from_production_code() {
    let file = RustFile::sample("crates/a/src/b.rs", "fn f() {}\n\n#[cfg(test)]\nmod tests {\n}\n");
    assert_eq!(file.tests_from, 2);
    assert!(!file.is_test_line(1) && file.is_test_line(3));
    let only_declared = RustFile::sample("crates/a/src/b.rs", "#[cfg(test)]\nmod world;\nfn f() {}\n");
    assert!(!only_declared.is_test_line(3));
    assert_eq!(RustFile::sample("crates/a/tests/b.rs", "fn f() {}\n").tests_from, 0);
    assert_eq!(
        test_modules("crates/a/src/lib.rs", "#[cfg(test)]\nmod world;\n#[cfg(test)]\npub(crate) mod b;\n"),
        ["crates/a/src/world", "crates/a/src/b"]
    );
    assert_eq!(test_modules("crates/a/src/b.rs", "#[cfg(test)]\nmod tests;\n"), ["crates/a/src/b/tests"]);
}

#[test]
fn the_tree_is_there() {
    let files = rust_files();
    assert!(files.iter().any(|file| file.path == "crates/protocol/src/lib.rs"));
    assert!(crate_names().iter().any(|name| name == "protocol"));
    assert!(written_files().iter().any(|(path, _)| path == "Makefile"));
}
