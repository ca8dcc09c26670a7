//! `simulate`: the answer, the same every time; what is wrong with a scenario, named; every example of ours.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
#[cfg(target_os = "linux")]
use support::Running;
use support::{content, folder, program, run, run_well};

/// A rollout of an instant.
const SMALL: [&str; 8] = ["simulate", "--peers", "5", "--size", "1M", "--up", "100mbit", "--json"];

fn examples() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn the_answer_is_the_same_every_time_and_never_below_the_bound() {
    let dir = folder();
    let first = run_well(dir.path(), SMALL);
    assert_eq!(first.stdout.lines().count(), 1, "{first:#?}");
    assert_eq!(first.stdout, run_well(dir.path(), SMALL).stdout);
    let result = first.event("result");
    let of =
        |result: &Value, name: &str| result[name].as_f64().unwrap_or_else(|| panic!("{name} in {result}"));
    for name in ["bound_s", "chunk_bound_s", "time_s", "p50_s", "p99_s", "control_bytes_share"] {
        assert!(of(&result, name) > 0.0, "{name} in {result}");
    }
    assert!(
        of(&result, "ratio") >= 1.0 && of(&result, "chunk_ratio") >= 1.0 && of(&result, "seed_copies") >= 1.0
    );
    assert!(
        of(&result, "ratio") >= of(&result, "chunk_ratio") && of(&result, "p99_s") >= of(&result, "p50_s")
    );
    assert_eq!((result["leechers"].as_u64(), result["unfinished"].as_u64()), (Some(5), Some(0)));
    assert_eq!(
        (result["file_bytes"].as_u64(), result["groups"][1]["finished"].as_u64()),
        (Some(1 << 20), Some(5))
    );
    assert!(result["bytes_between_sites"].is_null(), "there are no sites: {result}");
    let other = run_well(dir.path(), SMALL.iter().chain(&["--seed", "2"])).event("result");
    assert_ne!(result["trace"], other["trace"], "another seed is another run");
}

#[test]
fn people_get_a_table_and_one_line_of_what_is_simulated() {
    let dir = folder();
    let finished = run_well(dir.path(), ["simulate", "--peers", "5", "--size", "1M"]);
    for row in
        ["the last is complete", "fluid bound", "chunk bound", "the seed sent", "control bytes", "5 of 5"]
    {
        assert!(finished.stdout.contains(row), "{finished:#?}");
    }
    assert!(
        finished.stderr.contains("1M in 16 chunks of 64K, seed 1: 1 source (seed, 1gbit up)"),
        "{finished:#?}"
    );
    let quiet = run_well(dir.path(), ["simulate", "--peers", "5", "--size", "1M", "-q"]);
    assert_eq!((quiet.stdout, quiet.stderr.as_str()), (finished.stdout, ""));
}

#[test]
fn the_page_says_the_same_as_the_line_and_how_to_get_it_again() {
    let dir = folder();
    let words = SMALL.iter().chain(&["--report", "a.html"]);
    let result = run_well(dir.path(), words).event("result");
    let page = fs::read_to_string(dir.path().join("a.html")).unwrap();
    assert!(page.contains(result["trace"].as_str().unwrap()));
    assert!(page.contains("http-torrent simulate --peers 5 --size 1M --up 100mbit<"), "{page}");
    run_well(dir.path(), SMALL.iter().chain(&["--report", "b.html"]));
    assert_eq!(page, fs::read_to_string(dir.path().join("b.html")).unwrap());
}

#[test]
fn the_scenario_in_the_page_is_the_whole_scenario() {
    let dir = folder();
    let words = [
        "simulate", "--peers", "7", "--size", "3M", "--rtt", "7", "--seed", "4", "--report", "a.html",
        "--json",
    ];
    let result = run_well(dir.path(), words).event("result");
    let page = fs::read_to_string(dir.path().join("a.html")).unwrap();
    let scenario = page.split("<pre>").nth(1).unwrap().split("</pre>").next().unwrap();
    let scenario =
        scenario.replace("&quot;", "\"").replace("&#39;", "'").replace("&lt;", "<").replace("&amp;", "&");
    content::write(&dir.path().join("again.toml"), scenario.as_bytes());
    assert_eq!(result, run_well(dir.path(), ["simulate", "again.toml", "--json"]).event("result"));
}

#[test]
fn who_could_not_finish_is_a_failed_run_that_still_reports() {
    let dir = folder();
    let text = "size = '4M'\npatience = '20s'\n[[group]]\nrole = 'seed'\nup = '8mbit'\n\
                [[group]]\nrole = 'leecher'\ncount = 3\nup = '8mbit'\n[faults]\nseed-dies = { copies = 0.5 }\n";
    content::write(&dir.path().join("dies.toml"), text.as_bytes());
    let finished = run(dir.path(), ["simulate", "dies.toml", "--json", "--report", "dies.html"]);
    assert_eq!(finished.code, Some(1), "{finished:#?}");
    let result = finished.event("result");
    assert_eq!((result["unfinished"].as_u64(), result["time_s"].is_null()), (Some(3), true));
    assert_eq!(finished.event("error")["kind"], "unfinished");
    let page = fs::read_to_string(dir.path().join("dies.html")).unwrap();
    assert!(
        page.contains("3 of 3 did not finish") && !page.contains("NaN") && !page.contains("inf"),
        "{page}"
    );
}

#[test]
fn a_wrong_scenario_or_flag_is_named() {
    let dir = folder();
    let path = dir.path().join("s.toml");
    let three = "size = '1M'\n[[group]]\nrole = 'seed'\nup = '1gbit'\n[[group]]\nrole = 'leecher'\nup = '1gbit'\n\
                 [[group]]\nname = 'more'\nrole = 'leecher'\nup = '1gbit'\n";
    content::write(&path, three.as_bytes());
    run_well(dir.path(), ["simulate", "s.toml", "--size", "2M", "--seed-up", "2gbit"]);
    for (words, said) in [
        (&["s.toml", "--up", "1M"][..], "--up: does not apply to a scenario with 2 groups of leechers"),
        (&["s.toml", "--rtt", "5"], "--rtt: does not apply"),
        (&["missing.toml"], "cannot read the scenario 'missing.toml'"),
        (&["--peers", "0"], "'--peers <N>'"),
        (&["--peers", "100001"], "'--peers <N>'"),
        (&["--size", "0"], "size: must be from 1 to 16T"),
        (&["--chunk-size", "5"], "chunk-size: a chunk size is a power of two from 16K to 16M"),
        (&["--up", "fast"], "expected bytes a second"),
        (&["--rtt", "soon"], "expected a duration"),
        (&["--report", "x.json"], "expected a name that ends in .html"),
    ] {
        let finished = run(dir.path(), ["simulate"].iter().chain(words));
        assert_eq!(finished.code, Some(2), "{words:?}: {finished:#?}");
        assert!(
            finished.stderr.contains(said) && finished.stderr.contains("\nnext: "),
            "{said}: {finished:#?}"
        );
    }
    content::write(
        &path,
        three.replace("up = '1gbit'\n[[group]]\nname", "upp = 1\n[[group]]\nname").as_bytes(),
    );
    let finished = run(dir.path(), ["simulate", "s.toml"]);
    assert!(finished.stderr.contains("s.toml: line 7: 'upp = 1': unknown field `upp`"), "{finished:#?}");
    content::write(&path, &vec![b'#'; (1 << 20) + 1]);
    assert!(run(dir.path(), ["simulate", "s.toml"]).stderr.contains("larger than 1 MiB"));
    assert_eq!(
        run(dir.path(), ["simulate", "--size", "1M", "--report", "no/such/folder/x.html"]).code,
        Some(6)
    );
}

/// As they are written, but for the one that takes minutes.
#[test]
fn every_example_is_simulated() {
    let dir = folder();
    let examples = examples();
    assert!(examples.len() >= 7, "{examples:?}");
    for path in examples {
        let file = path.to_str().unwrap();
        let large = file.ends_with("thousand-nodes.toml");
        let smaller = if large { &["--size", "8M", "--peers", "50"][..] } else { &[] };
        let result = run_well(dir.path(), ["simulate", file, "--json"].iter().chain(smaller)).event("result");
        assert!(result["ratio"].as_f64() >= Some(1.0), "{file}: {result}");
        assert_eq!(result["unfinished"], 0, "{file}: {result}");
    }
}

/// Whether a simulation that has begun may have huge pages, with these variables; `None` where the kernel does not say.
#[cfg(target_os = "linux")]
fn may_have_huge_pages(variables: &[(&str, &str)]) -> Option<bool> {
    let dir = folder();
    // Longer than anybody looks at it.
    let long = ["simulate", "--peers", "1000", "--size", "4G", "--chunk-size", "1M"];
    let mut command = program(dir.path(), long);
    command.env_remove("MIMALLOC_ALLOW_THP").envs(variables.iter().copied());
    let simulation = Running::spawn(command);
    simulation.says("simulating");
    let status = fs::read_to_string(format!("/proc/{}/status", simulation.id())).unwrap();
    simulation.kill();
    status.lines().find_map(|line| Some(line.strip_prefix("THP_enabled:")?.trim() == "1"))
}

#[cfg(target_os = "linux")]
#[test]
fn a_simulation_may_have_huge_pages_unless_somebody_says_no() {
    assert_ne!(may_have_huge_pages(&[]), Some(false));
    assert_ne!(may_have_huge_pages(&[("MIMALLOC_ALLOW_THP", "0")]), Some(true));
}

/// A pipe can be read once, whatever the process does before it is itself.
#[test]
fn a_configuration_and_a_scenario_may_come_out_of_a_pipe() {
    let dir = folder();
    let json = ["--config", "/dev/stdin", "simulate", "--peers", "5", "--size", "1M", "-q"];
    assert!(piped(dir.path(), json, "json = true\n").starts_with("{\"event\":\"result\""));
    let scenario = fs::read_to_string(examples().first().unwrap()).unwrap();
    assert!(piped(dir.path(), ["simulate", "/dev/stdin", "-q"], &scenario).contains("the last is complete"));
}

/// What the program writes that reads `text` from a pipe.
fn piped<const N: usize>(dir: &Path, args: [&str; N], text: &str) -> String {
    let mut command = program(dir, args);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}
