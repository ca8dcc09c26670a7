//! Every module opens by saying why it exists.

use crate::none;
use crate::tree::{self, RustFile};

/// Fewer words than this say nothing.
const FEWEST_WORDS: usize = 3;

fn undocumented(file: &RustFile) -> Option<String> {
    let first = file.text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let says = first.strip_prefix("//!").map_or(0, |text| text.split_whitespace().count());
    (says < FEWEST_WORDS).then(|| format!("{}: does not open with `//!` and why it exists", file.path))
}

#[test]
fn every_module_opens_with_its_reason() {
    none(&tree::rust_files().iter().filter_map(undocumented).collect::<Vec<_>>());
}

#[test]
fn the_rule_fails_on_a_module_without_a_reason() {
    for sample in ["use std::fmt;\n", "", "//!\n", "/// Not a module's.\nfn f() {}\n", "//! Todo.\n"] {
        assert!(undocumented(&RustFile::sample("crates/a/src/b.rs", sample)).is_some(), "{sample:?}");
    }
    assert_eq!(undocumented(&RustFile::sample("crates/a/src/b.rs", "//! Why it is here.\n")), None);
}
