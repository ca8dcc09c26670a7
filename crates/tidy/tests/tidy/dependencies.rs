//! What we take from others: licences, bans and sources as `deny.toml` has them, for every platform and feature.
//!
//! The file is cargo-deny's, and whoever has that program may run it. The rule reads the same lists itself, because
//! each clean machine would first have to compile that program (docs/decisions/0001).

use std::process::Command;

use serde::Deserialize;
use spdx::{Expression, Licensee, ParseMode};

use crate::{none, tree};

/// As cargo writes it, here and in Cargo.lock.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// The lists of `deny.toml`.
#[derive(Deserialize)]
struct Rules {
    licenses: Licenses,
    bans: Bans,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

/// The part of `cargo metadata` that the rule looks at.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    /// None for our own, which are not published and carry LICENSE at the root.
    source: Option<String>,
    /// An SPDX expression.
    license: Option<String>,
    dependencies: Vec<Requirement>,
}

#[derive(Deserialize)]
struct Requirement {
    name: String,
    source: Option<String>,
    req: String,
}

fn rules() -> Rules {
    toml::from_str(&tree::read("deny.toml")).unwrap_or_else(|error| panic!("deny.toml: {error}"))
}

/// Every package that Cargo.lock can bring into a build, ours too.
fn packages() -> Vec<Package> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--format-version=1", "--locked", "--all-features"]).current_dir(tree::root());
    let done = cargo.output().unwrap_or_else(|error| panic!("{cargo:?}: {error}"));
    assert!(done.status.success(), "{cargo:?}: {}", String::from_utf8_lossy(&done.stderr));
    let metadata: Metadata =
        serde_json::from_slice(&done.stdout).unwrap_or_else(|error| panic!("{cargo:?}: {error}"));
    metadata.packages
}

fn broken(packages: &[Package], rules: &Rules) -> Vec<String> {
    let allowed: Vec<Licensee> = rules.licenses.allow.iter().map(|text| licensee(text)).collect();
    let of_one = |package: &Package| match &package.source {
        None => wildcards(package),
        Some(source) => [origin(source), licence(package, &allowed), ban(package, &rules.bans.deny)]
            .into_iter()
            .flatten()
            .collect(),
    };
    let said = |package: &Package| {
        let name = format!("{} {}", package.name, package.version);
        of_one(package).into_iter().map(move |wrong| format!("{name}: {wrong}"))
    };
    packages.iter().flat_map(said).collect()
}

fn licensee(text: &str) -> Licensee {
    Licensee::parse(text).unwrap_or_else(|error| panic!("deny.toml, licenses.allow, {text}: {error}"))
}

/// Any version at all may come of `*`.
fn wildcards(package: &Package) -> Vec<String> {
    let foreign = package.dependencies.iter().filter(|wanted| wanted.source.is_some() && wanted.req == "*");
    foreign.map(|wanted| format!("wants any version of {}", wanted.name)).collect()
}

fn origin(source: &str) -> Option<String> {
    (source != CRATES_IO).then(|| format!("comes from {source}"))
}

fn licence(package: &Package, allowed: &[Licensee]) -> Option<String> {
    let Some(text) = &package.license else { return Some("names no licence".to_owned()) };
    // Old crates write `MIT/Apache-2.0`.
    match Expression::parse_mode(text, ParseMode::LAX) {
        Err(error) => Some(error.to_string()),
        Ok(expression) => {
            let fine = expression.evaluate(|wanted| allowed.iter().any(|one| one.satisfies(wanted)));
            (!fine).then(|| format!("deny.toml does not allow {text}"))
        }
    }
}

fn ban(package: &Package, banned: &[Ban]) -> Option<String> {
    let found = banned.iter().find(|ban| ban.name == package.name)?;
    Some(found.reason.clone())
}

#[test]
fn what_we_depend_on_is_allowed() {
    let packages = packages();
    assert!(
        packages.iter().any(|package| package.source.is_some()),
        "cargo metadata names nothing of others"
    );
    none(&broken(&packages, &rules()));
}

#[test]
fn the_rule_fails_on_what_deny_toml_does_not_allow() {
    let package = |name: &str, source: Option<&str>, license: Option<&str>, req: &str| Package {
        name: name.to_owned(),
        version: "1.0.0".to_owned(),
        source: source.map(str::to_owned),
        license: license.map(str::to_owned),
        dependencies: vec![Requirement {
            name: "other".to_owned(),
            source: Some(CRATES_IO.to_owned()),
            req: req.to_owned(),
        }],
    };
    let crates_io = |name, license| package(name, Some(CRATES_IO), license, "^1");
    let fine = [
        crates_io("old", Some("MIT/Apache-2.0")),
        crates_io("or", Some("GPL-3.0-only OR MIT")),
        crates_io("with", Some("Apache-2.0 WITH LLVM-exception")),
        package("ours", None, None, "^1"),
    ];
    assert_eq!(broken(&fine, &rules()), Vec::<String>::new());
    for wrong in [
        crates_io("copyleft", Some("GPL-3.0-only")),
        crates_io("and", Some("MIT AND GPL-3.0-only")),
        crates_io("silent", None),
        crates_io("garbled", Some("MIT OR")),
        crates_io("openssl-sys", Some("MIT")),
        package("fork", Some("git+https://example.org/fork#0"), Some("MIT"), "^1"),
        package("ours", None, None, "*"),
    ] {
        let name = wrong.name.clone();
        assert_eq!(broken(&[wrong], &rules()).len(), 1, "{name}");
    }
}
