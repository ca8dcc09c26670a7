//! House rules as tests: what a reviewer would otherwise have to notice.
//!
//! The library is empty on purpose; `tests/tidy` reads the tree and fails where a rule is broken, and each rule
//! is shown a bad sample so that it is known to fail. Function length is not here: clippy's `too_many_lines`
//! (threshold in clippy.toml) measures it on the syntax tree, and the words rule sees to it that nobody switches
//! that lint off.
