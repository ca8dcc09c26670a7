//! Files stay small enough to be read in one go: what grows past the limit knows too much and is split by the
//! state it owns.

use crate::none;
use crate::tree::{self, RustFile};

/// Most lines of production code in a file.
const MOST_LINES: usize = 500;
/// Nine files in ten stay within this.
const USUAL_LINES: usize = 400;

/// Lines of a file up to its trailing tests.
fn production_lines(file: &RustFile) -> usize {
    file.text.lines().count().min(file.tests_from)
}

/// Files over the limit, and a line more when too many are nearly so.
fn too_large(files: &[RustFile]) -> Vec<String> {
    let measured: Vec<(&str, usize)> = files
        .iter()
        .map(|file| (file.path.as_str(), production_lines(file)))
        .filter(|(_, lines)| *lines > 0)
        .collect();
    let over = |limit: usize| measured.iter().filter(move |(_, lines)| *lines > limit);
    let mut broken: Vec<String> = over(MOST_LINES)
        .map(|(path, lines)| format!("{path}: {lines} lines, {MOST_LINES} at most"))
        .collect();
    if over(USUAL_LINES).count() * 10 > measured.len() {
        broken.extend(over(USUAL_LINES).map(|(path, lines)| {
            format!("{path}: {lines} lines; more than one file in ten is over {USUAL_LINES}")
        }));
    }
    broken
}

#[test]
fn files_are_small() {
    let sources: Vec<RustFile> = tree::rust_files().into_iter().filter(RustFile::is_source).collect();
    none(&too_large(&sources));
}

#[test]
fn the_rule_fails_on_a_file_that_knows_everything() {
    let file = |lines: usize| RustFile::sample("crates/a/src/b.rs", &"let x = 1;\n".repeat(lines));
    let small = |count: usize| (0..count).map(|_| file(10)).collect::<Vec<_>>();
    assert_eq!(too_large(&[file(MOST_LINES + 1)].into_iter().chain(small(30)).collect::<Vec<_>>()).len(), 1);
    assert_eq!(too_large(&[file(USUAL_LINES + 1)].into_iter().chain(small(8)).collect::<Vec<_>>()).len(), 1);
    assert!(too_large(&[file(USUAL_LINES + 1)].into_iter().chain(small(9)).collect::<Vec<_>>()).is_empty());
    let tests = format!("{}#[cfg(test)]\nmod tests {{\n{}}}\n", "a\n".repeat(10), "b\n".repeat(900));
    assert!(too_large(&[RustFile::sample("crates/a/src/b.rs", &tests)]).is_empty());
}
