//! Dependencies point down only: an edge between our crates stands in ARCHITECTURE.md's table or does not exist.

use std::collections::BTreeSet;

use crate::map::{self, Row};
use crate::{none, tree};

/// The dependencies of a Cargo.toml that end up in the built crate: plain, of a target, and of its build script.
pub(crate) fn dependencies(manifest: &str) -> BTreeSet<String> {
    let table: toml::Table = manifest.parse().unwrap_or_else(|error| panic!("{error}"));
    let mut found = BTreeSet::new();
    add(&mut found, &table);
    let targets = table.get("target").and_then(toml::Value::as_table);
    for target in targets.into_iter().flat_map(toml::Table::values).filter_map(toml::Value::as_table) {
        add(&mut found, target);
    }
    found
}

fn add(found: &mut BTreeSet<String>, table: &toml::Table) {
    for kind in ["dependencies", "build-dependencies"] {
        let listed = table.get(kind).and_then(toml::Value::as_table);
        for (key, value) in listed.into_iter().flatten() {
            let renamed = value.get("package").and_then(toml::Value::as_str);
            found.insert(renamed.unwrap_or(key).to_owned());
        }
    }
}

/// Edges of one crate that the table does not allow.
fn forbidden(name: &str, manifest: &str, rows: &[Row]) -> Vec<String> {
    let Some(row) = rows.iter().find(|row| row.name == name) else {
        return vec![format!("{name}: no row in ARCHITECTURE.md's table")];
    };
    let ours: BTreeSet<&String> = rows.iter().map(|row| &row.name).collect();
    let edges = dependencies(manifest).into_iter();
    edges
        .filter(|to| ours.contains(to) && !row.may_use.contains(to))
        .map(|to| format!("{name} -> {to}: not in ARCHITECTURE.md's table"))
        .collect()
}

/// Rows that name a crate which does not stand above them: the table itself must have a direction.
fn upward(rows: &[Row]) -> Vec<String> {
    let mut above = BTreeSet::new();
    let mut wrong = Vec::new();
    for row in rows {
        let unknown = row.may_use.iter().filter(|to| !above.contains(to));
        wrong.extend(unknown.map(|to| format!("{} -> {to}: {to} is not above it in the table", row.name)));
        above.insert(&row.name);
    }
    wrong
}

#[test]
fn our_crates_depend_downwards_only() {
    let rows = map::rows();
    none(&upward(&rows));
    let broken: Vec<String> = tree::crate_names()
        .iter()
        .flat_map(|name| forbidden(name, &tree::read(&format!("crates/{name}/Cargo.toml")), &rows))
        .collect();
    none(&broken);
}

#[test]
fn the_rule_fails_on_an_edge_that_is_not_in_the_table() {
    let row = |name: &str, may_use: &[&str]| Row {
        name: name.to_owned(),
        pure: false,
        may_use: may_use.iter().map(|&name| name.to_owned()).collect(),
    };
    let rows = [row("protocol", &[]), row("swarm", &["protocol"]), row("store", &["protocol"])];
    let fine = "[dependencies]\nprotocol.workspace = true\nserde = \"1\"\n";
    assert_eq!(forbidden("swarm", fine, &rows), Vec::<String>::new());
    for sideways in [
        "[dependencies]\nstore.workspace = true\n",
        "[dependencies]\nx = { path = \"../store\", package = \"store\" }\n",
        "[build-dependencies]\nstore = { path = \"../store\" }\n",
        "[target.'cfg(unix)'.dependencies]\nstore = { path = \"../store\" }\n",
    ] {
        assert_eq!(forbidden("swarm", sideways, &rows).len(), 1, "{sideways}");
    }
    assert_eq!(forbidden("stranger", "", &rows).len(), 1);
    assert_eq!(upward(&[row("a", &["b"]), row("b", &[])]).len(), 1);
}
