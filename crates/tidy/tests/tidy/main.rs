//! The house rules, one module each: what is checked, on the tree and on a sample that breaks it.

mod dependencies;
mod direction;
mod lexer;
mod links;
mod map;
mod module_docs;
mod ports;
mod purity;
mod size;
mod tree;
mod words;

/// Fails the test with one line for each place where the rule is broken.
fn none(broken: &[String]) {
    assert!(broken.is_empty(), "{} broken:\n{}", broken.len(), broken.join("\n"));
}
