//! Documents name files that are there: a map of a place that does not exist is worse than none.

use std::path::Path;

use crate::{none, tree};

/// Places in our documents that are paths from the root when they stand between back-ticks.
const ROOTS: [&str; 4] = ["crates/", "docs/", "scripts/", "bench/"];

/// Files that `text` speaks of: targets of links, relative to `folder`, and paths between back-ticks, from the root.
fn named(folder: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for target in text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
        if !target.is_empty() && !target.contains("://") {
            found.push(if folder.is_empty() { target.to_owned() } else { format!("{folder}/{target}") });
        }
    }
    for word in text.split('`').skip(1).step_by(2) {
        let is_path = ROOTS.iter().any(|root| word.starts_with(root));
        if is_path && !word.contains([' ', '*', '…', '<', '\n']) {
            found.push(word.to_owned());
        }
    }
    found
}

fn broken(path: &str, text: &str, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let folder = Path::new(path).parent().and_then(Path::to_str).unwrap_or_default();
    let missing = named(folder, text).into_iter().filter(|place| !exists(place));
    missing.map(|place| format!("{path}: {place} is not there")).collect()
}

#[test]
fn documents_name_files_that_are_there() {
    let root = tree::root();
    let documents = tree::written_files().into_iter().filter(|(path, _)| tree::is_kind(path, "md"));
    none(
        &documents
            .flat_map(|(path, text)| broken(&path, &text, |place| root.join(place).exists()))
            .collect::<Vec<_>>(),
    );
}

#[test]
fn the_rule_fails_on_a_file_that_is_gone() {
    let exists = |place: &str| place == "docs/here.md";
    for gone in ["[x](gone.md)", "see `crates/gone/src/lib.rs`", "[x](docs/gone.md#part)"] {
        assert_eq!(broken("README.md", gone, exists).len(), 1, "{gone}");
    }
    for fine in
        ["[x](docs/here.md)", "`docs/here.md`", "[x](https://a.example/b)", "[x](#part)", "`crates/*`", "`x`"]
    {
        assert_eq!(broken("README.md", fine, exists), Vec::<String>::new(), "{fine}");
    }
    assert_eq!(broken("docs/a.md", "[x](here.md)", exists), Vec::<String>::new());
}
