//! The table of crates in ARCHITECTURE.md, which these tests obey: the map and the rule cannot drift apart.

use std::collections::BTreeSet;

use crate::tree;

/// A row: a crate, whether it is pure, and what it may depend on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) pure: bool,
    pub(crate) may_use: BTreeSet<String>,
}

/// The rows of the real table.
pub(crate) fn rows() -> Vec<Row> {
    let rows = parse(&tree::read("ARCHITECTURE.md"));
    assert!(rows.len() > 5, "ARCHITECTURE.md has no table headed '| crate | pure | may depend on |'");
    rows
}

/// The rows of the table headed `| crate | pure | may depend on | … |`.
pub(crate) fn parse(document: &str) -> Vec<Row> {
    let lines = document.lines().skip_while(|line| !line.starts_with("| crate | pure | may depend on |"));
    let rows = lines.skip(2).take_while(|line| line.starts_with('|'));
    rows.filter_map(|line| {
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        let (name, pure, may_use) = (cells.next()?, cells.next()?, cells.next()?);
        // Every odd part between back-ticks is a name.
        let may_use = may_use.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        Some(Row { name: name.trim_matches('`').to_owned(), pure: pure == "pure", may_use })
    })
    .collect()
}

#[test]
fn the_table_is_read() {
    let document = "text\n\n| crate | pure | may depend on | what |\n| --- | --- | --- | --- |\n\
                    | `a` | pure | nothing | x |\n| `b` | | `a`, `c` | y |\n\nmore | text |\n";
    let row = |name: &str, pure, may_use: &[&str]| Row {
        name: name.to_owned(),
        pure,
        may_use: may_use.iter().map(|&name| name.to_owned()).collect(),
    };
    assert_eq!(parse(document), [row("a", true, &[]), row("b", false, &["a", "c"])]);
}
