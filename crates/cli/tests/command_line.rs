//! The words on the command line: help, wrong usage, variables, the configuration file, other people's pipes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fs;
use std::process::Stdio;

use support::{Running, content, folder, program, run, run_well};

#[test]
fn the_help_is_what_it_was() {
    let dir = folder();
    let mut help = run_well(dir.path(), ["-h"]).stdout;
    for command in [
        "share",
        "get",
        "torrentify",
        "verify",
        "tracker",
        "metric-server",
        "client",
        "simulate",
        "stress-test",
        "bench",
        "completions",
        "man",
    ] {
        let text = run_well(dir.path(), [command, "-h"]).stdout;
        // What every command has is shown once.
        let own = text.split("\nEverywhere:").next().unwrap();
        help = [help.as_str(), "\n\n=== ", command, "\n", own].concat();
    }
    insta::assert_snapshot!(help);
}

#[test]
fn wrong_usage_says_cause_and_next_step_and_ends_with_2() {
    let dir = folder();
    for line in [
        &["frobnicate"][..],
        &["get"],
        &["get", "x", "--limit-up", "fast"],
        &["torrentify", "x", "not a tracker"],
        &["torrentify", "x", "a:1", "--chunk-size", "100000"],
        &["client", "hasfile"],
        &["get", "http://127.0.0.1:1/torrent/12"],
        &["man", "frobnicate"],
    ] {
        let finished = run(dir.path(), line);
        assert_eq!(finished.code, Some(2), "{line:?}: {finished:#?}");
        assert!(finished.stdout.is_empty(), "{finished:#?}");
        let lines: Vec<&str> = finished.stderr.lines().collect();
        let (cause, details, next) = (lines[0], &lines[1..lines.len() - 1], lines[lines.len() - 1]);
        assert!(cause.starts_with("error: ") && next.starts_with("next: "), "{finished:#?}");
        assert!(details.iter().all(|line| line.starts_with("  ")), "{finished:#?}");
    }
    let error = run(dir.path(), ["--json", "frobnicate"]).event("error");
    assert_eq!((error["code"].as_u64(), error["kind"].as_str()), (Some(2), Some("usage")));
    assert!(error["cause"].as_str().unwrap().contains("frobnicate") && error["next"].is_string());
    assert_eq!(run(dir.path(), [""; 0]).code, Some(2));
}

#[test]
fn wrong_usage_names_what_is_missing_or_meant() {
    let dir = folder();
    for (line, said, next) in [
        (&["get"][..], "<LINK|torrent.json>", "get --help"),
        (&["torrentify", "x"], "<TRACKER>", "torrentify --help"),
        (&["--json", "get", "x", "--limit-upp", "1M"], "'--limit-up'", "get --help"),
        (&["client", "hasfile"], "[possible values: has_file, dht_enabled]", "client --help"),
        (&["shar"], "'share'", "--help"),
    ] {
        let finished = run(dir.path(), line);
        let next = format!("\nnext: http-torrent {next}\n");
        assert!(finished.stderr.contains(said) && finished.stderr.ends_with(&next), "{finished:#?}");
    }
    let error = run(dir.path(), ["--json", "torrentify", "x"]).event("error");
    let cause = error["cause"].as_str().unwrap();
    assert!(cause.contains("not provided: <TRACKER>") && !cause.contains('\n'), "{cause}");
}

#[test]
fn flags_win_over_variables_and_variables_over_the_file() {
    let dir = folder();
    content::write(&dir.path().join("f"), b"x");
    content::write(&dir.path().join("c.toml"), b"[torrentify]\nhash = 'sha256'\nchunk_size = '32K'\n");
    let algorithm_with = |variable: Option<&str>, flags: &[&str]| {
        let mut command = program(dir.path(), ["torrentify", "f", "a:1"].iter().chain(flags));
        command.envs(variable.map(|value| ("HTTP_TORRENT_HASH", value)));
        let finished = Running::spawn(command).finished();
        assert_eq!(finished.code, Some(0), "{finished:#?}");
        let json: serde_json::Value =
            serde_json::from_slice(&fs::read(dir.path().join("torrent.json")).unwrap()).unwrap();
        (json["hashAlgorithm"].as_str().unwrap_or("sha1").to_owned(), json["chunkSize"].as_u64().unwrap())
    };
    let file = ["--config", "c.toml"];
    assert_eq!(algorithm_with(None, &[]), ("blake3".to_owned(), 65536));
    assert_eq!(algorithm_with(None, &file), ("sha256".to_owned(), 32768));
    assert_eq!(algorithm_with(Some("sha1"), &file), ("sha1".to_owned(), 32768));
    let all = ["--config", "c.toml", "--hash", "blake3"];
    assert_eq!(algorithm_with(Some("sha1"), &all), ("blake3".to_owned(), 32768));
}

#[test]
fn a_wrong_configuration_is_wrong_usage() {
    let dir = folder();
    for (file, named) in
        [("limit-upp = 1", "limit-upp"), ("[get]\nlimit-up = 'fast'", "limit-up"), ("=", "TOML")]
    {
        content::write(&dir.path().join("c.toml"), file.as_bytes());
        let finished = run(dir.path(), ["get", "x", "--config", "c.toml"]);
        assert_eq!(finished.code, Some(2), "{finished:#?}");
        assert!(finished.stderr.contains(named), "{finished:#?}");
    }
    assert_eq!(run(dir.path(), ["get", "x", "--config", "missing.toml"]).code, Some(2));
    content::write(&dir.path().join("c.toml"), b"port = =\n# \x1b[2J\n");
    let shown = run(dir.path(), ["get", "x", "--config", "c.toml"]).stderr;
    assert!(
        shown.contains("c.toml: TOML parse error at line 1") && shown.contains("\n  1 | port = ="),
        "{shown}"
    );
    assert!(!shown.contains("\\u{a}") && !shown.contains('\u{1b}'), "{shown}");
    // A variable is wrong, and the file is not.
    content::write(&dir.path().join("c.toml"), b"port = 5001\n[tracker]\nquiet = true");
    let mut command = program(dir.path(), ["get", "x", "--config", "c.toml"]);
    command.env("HTTP_TORRENT_LIMIT_UP", "fast");
    let finished = Running::spawn(command).finished();
    assert_eq!(finished.code, Some(2), "{finished:#?}");
    assert!(finished.stderr.contains("'fast'") && !finished.stderr.contains("--config:"), "{finished:#?}");
}

#[test]
fn shells_and_readers_of_manuals_are_served() {
    let dir = folder();
    for shell in ["bash", "zsh", "fish"] {
        assert!(run_well(dir.path(), ["completions", shell]).stdout.contains("torrentify"));
    }
    assert!(run_well(dir.path(), ["man"]).stdout.contains(".TH http-torrent"));
    assert!(run_well(dir.path(), ["man", "get"]).stdout.contains("seed"));
    assert!(run_well(dir.path(), ["--version"]).stdout.starts_with("http-torrent "));
}

#[test]
fn a_reader_who_goes_away_is_no_reason_to_panic() {
    let dir = folder();
    let mut child =
        program(dir.path(), ["man"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let finished = child.wait_with_output().unwrap();
    assert_eq!((finished.status.code(), String::from_utf8_lossy(&finished.stderr).as_ref()), (Some(0), ""));
}
