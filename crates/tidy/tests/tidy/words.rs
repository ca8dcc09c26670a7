//! Words that must not stand in the tree: unfinished work, modules that could hold anything, second names for a
//! chunk, tests that sleep or are switched off, paths of somebody's machine.

use crate::lexer::{identifiers, parts};
use crate::none;
use crate::tree::{self, RustFile};

/// Marks of unfinished work, in code and comments alike.
const UNFINISHED: [&str; 5] = ["todo!", "unimplemented!", "dbg!", "FIXME", "XXX"];
/// Modules of these names collect whatever nobody placed.
const SHAPELESS: [&str; 10] =
    ["util", "utils", "common", "helper", "helpers", "misc", "core", "types", "stuff", "prelude"];
/// One word per thing: a chunk is a chunk.
const SYNONYMS: [&str; 4] = ["piece", "pieces", "block", "blocks"];
/// Names of others that have such a word in them: waiting in tokio, units of a file system.
const FOREIGN: [&str; 6] =
    ["block_on", "block_in_place", "WouldBlock", "WOULDBLOCK", "block_size", "st_blocks"];
/// A test that cannot know when something happened sleeps; it waits for the condition instead.
const SLEEPS: [&str; 2] = ["thread::sleep", "time::sleep"];
/// The one file with `unsafe` code, which says why.
const UNSAFE: &str = "crates/net/src/send_queue.rs";
/// Places on one person's machine.
const MACHINE: [&str; 5] = ["/root/", "/home/", "/Users/", "/work/", "C:\\Users"];

fn unfinished(file: &RustFile) -> Vec<String> {
    let lines = (1..).zip(file.text.lines());
    lines
        .flat_map(|(number, line)| {
            let found = UNFINISHED.iter().filter(|word| line.contains(**word));
            found.map(move |word| format!("{}:{number}: {word}", file.path))
        })
        .collect()
}

fn shapeless_module(file: &RustFile) -> Vec<String> {
    let in_path = file.path.split('/').skip(2).map(|part| part.strip_suffix(".rs").unwrap_or(part));
    let in_path =
        in_path.filter(|part| SHAPELESS.contains(part)).map(|part| format!("{}: {part}", file.path));
    let declared = file.code_lines().filter_map(|(number, line)| {
        let name = line.trim_end_matches(['{', ';', ' ']).rsplit_once("mod ")?.1;
        SHAPELESS.contains(&name).then(|| format!("{}:{number}: mod {name}", file.path))
    });
    in_path.chain(declared).collect()
}

fn synonyms(file: &RustFile) -> Vec<String> {
    // As a verb (`self.block(peer)`) it names no thing, and what a file system allots is called `blocks()` by std.
    let code = file.code.replace(".block(", ".(").replace("fn block(", "fn (").replace(".blocks()", ".()");
    let wrong = identifiers(&code).filter(|(_, word)| {
        !FOREIGN.contains(word) && parts(word).iter().any(|part| SYNONYMS.contains(&part.as_str()))
    });
    wrong.map(|(number, word)| format!("{}:{number}: {word}: say chunk", file.path)).collect()
}

fn idle_tests(file: &RustFile) -> Vec<String> {
    let tests = file.code_lines().filter(|(number, _)| file.is_test_line(*number));
    let wrong = tests.filter(|(_, line)| {
        SLEEPS.iter().any(|word| line.contains(word)) || line.trim_start().starts_with("#[ignore")
    });
    wrong.map(|(number, line)| format!("{}:{number}: {}", file.path, line.trim())).collect()
}

/// Function length is clippy's to measure, as long as nobody tells it to look away.
fn lints_switched_off(file: &RustFile) -> Vec<String> {
    let wrong = file.code_lines().filter(|(_, line)| line.contains("clippy::too_many_lines"));
    wrong.map(|(number, _)| format!("{}:{number}: too_many_lines: split the function", file.path)).collect()
}

/// The compiler denies it, and a file could expect it; there is one that may.
fn unsafe_code(file: &RustFile) -> Vec<String> {
    let found = identifiers(&file.code).filter(|(_, word)| *word == "unsafe" && file.path != UNSAFE);
    found.map(|(number, _)| format!("{}:{number}: only {UNSAFE} may", file.path)).collect()
}

fn machine_paths(path: &str, text: &str) -> Vec<String> {
    let lines = (1..).zip(text.lines());
    let wrong = lines.filter(|(_, line)| {
        // `/work/` inside a longer path or URL (`a/work/b`) is somebody else's.
        MACHINE.iter().any(|place| {
            line.match_indices(place)
                .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-}/".contains(c)))
        })
    });
    wrong.map(|(number, _)| format!("{path}:{number}: a path of one machine")).collect()
}

/// These tests themselves have to spell the words.
fn is_ours(path: &str) -> bool {
    path.starts_with("crates/tidy/")
}

fn check(rule: impl Fn(&RustFile) -> Vec<String>) {
    let files = tree::rust_files().into_iter().filter(|file| !is_ours(&file.path));
    none(&files.flat_map(|file| rule(&file)).collect::<Vec<_>>());
}

#[test]
fn no_work_is_left_unfinished() {
    check(unfinished);
}

#[test]
fn no_module_is_named_so_that_anything_fits() {
    check(shapeless_module);
}

#[test]
fn a_chunk_is_called_chunk() {
    check(synonyms);
}

#[test]
fn no_test_sleeps_or_is_switched_off() {
    check(idle_tests);
}

#[test]
fn nobody_switches_off_the_length_of_functions() {
    check(lints_switched_off);
}

#[test]
fn unsafe_code_stands_in_one_file() {
    check(unsafe_code);
}

#[test]
fn no_path_of_one_machine_stands_anywhere() {
    let files = tree::written_files().into_iter().filter(|(path, _)| !is_ours(path));
    none(&files.flat_map(|(path, text)| machine_paths(&path, &text)).collect::<Vec<_>>());
}

#[test]
fn the_rules_fail_on_the_words_they_are_for() {
    let sample = |text: &str| RustFile::sample("crates/a/src/b.rs", text);
    for text in ["todo!()", "// FIXME later", "/// XXX", "dbg!(x)", "unimplemented!(\"x\")"] {
        assert_eq!(unfinished(&sample(text)).len(), 1, "{text}");
    }
    for path in ["crates/a/src/utils.rs", "crates/a/tests/common/mod.rs", "crates/a/src/core/b.rs"] {
        assert!(!shapeless_module(&RustFile::sample(path, "")).is_empty(), "{path}");
    }
    assert_eq!(shapeless_module(&sample("pub(crate) mod helpers {\n")).len(), 1);
    assert_eq!(shapeless_module(&sample("mod chunk;\n")).len(), 0);
    for text in ["let piece = 1;", "struct BlockMap;", "fn next_pieces() {}", "const MAX_BLOCKS: u8 = 1;"] {
        assert_eq!(synonyms(&sample(text)).len(), 1, "{text}");
    }
    for text in [
        "spawn_blocking(f)",
        "block_on(f)",
        "self.block(peer)",
        "// a piece",
        "let x = \"block\";",
        "fn unblock() {}",
    ] {
        assert_eq!(synonyms(&sample(text)), Vec::<String>::new(), "{text}");
    }
    let test = |line: &str| sample(&format!("#[cfg(test)]\nmod tests {{\n    {line}\n}}\n"));
    for line in
        ["std::thread::sleep(d);", "tokio::time::sleep(d).await;", "#[ignore]", "#[ignore = \"slow\"]"]
    {
        assert_eq!(idle_tests(&test(line)).len(), 1, "{line}");
        assert_eq!(idle_tests(&sample(line)).len(), 0, "{line}: production code may wait");
    }
    assert_eq!(lints_switched_off(&sample("#[allow(clippy::too_many_lines)]")).len(), 1);
    assert_eq!(unsafe_code(&sample("let x = unsafe { y() };")).len(), 1);
    assert_eq!(unsafe_code(&sample("// unsafe\n#[expect(unsafe_code)]")).len(), 0);
    for text in ["see /root/x", "\"/home/me/x\"", "cd /work/x"] {
        assert_eq!(machine_paths("README.md", text).len(), 1, "{text}");
    }
    assert_eq!(machine_paths("README.md", "https://a.example/work/x, $HOME/x, ../work/x").len(), 0);
}
