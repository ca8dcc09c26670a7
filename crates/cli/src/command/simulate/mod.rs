//! `simulate`: how long a rollout will take, from the real decisions over links of arithmetic.

mod table;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use scenario::rollout::{
    BadScenario, DEFAULT, Figures, MOST_PEERS, NamedRollout, Overrides, RolloutPage, Wrong,
};
use scenario::units::{BadSpan, Rate, Size, Span};

use crate::event::Event;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::Output;
use crate::report_file::{self, ReportFile};
use crate::shell_quote::shell_quoted;

/// Largest scenario file read.
const MOST_BYTES: u64 = 1 << 20;
/// Chunks held by all together from which on a run takes minutes.
const MUCH: u64 = 1 << 20;

/// Tell how long a rollout will take before it begins: the real decisions, simulated links
#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// Who takes part and what goes wrong; docs/simulate.md has its fields [default: what the flags say]
    #[arg(value_name = "SCENARIO.toml")]
    scenario: Option<PathBuf>,
    /// Peers that want the file [default: 100]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_PEERS)))]
    peers: Option<u32>,
    /// Of the file [default: 1G]
    #[arg(long, value_name = "SIZE")]
    size: Option<Size>,
    /// What the seed can send: 1000mbit, or 50M (MiB/s) [default: 1000mbit]
    #[arg(long, value_name = "RATE")]
    seed_up: Option<Rate>,
    /// What each peer can send [default: 1000mbit]
    #[arg(long, value_name = "RATE")]
    up: Option<Rate>,
    /// What each peer can receive [default: 1000mbit]
    #[arg(long, value_name = "RATE")]
    down: Option<Rate>,
    /// Round trip between any two of them, in milliseconds [default: 20]
    #[arg(long, value_name = "MS", value_parser = milliseconds)]
    rtt: Option<Duration>,
    /// Of a chunk, a power of two from 16K to 16M [default: as torrentify chooses]
    #[arg(long, value_name = "SIZE")]
    chunk_size: Option<Size>,
    /// Of every random choice: the same number gives the same run [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=i64::MAX.cast_unsigned()))]
    seed: Option<u64>,
    /// Write a page with pictures as FILE.html
    #[arg(long, value_name = "FILE", value_parser = report_file::page)]
    report: Option<ReportFile>,
}

impl Simulate {
    pub(super) fn run(self, output: &Output) -> Result<ExitCode, Failure> {
        let named = self.named()?;
        if let Some(report) = &self.report {
            report.check()?;
        }
        let rollout = &named.rollout;
        output.remark(&format!("simulating {}", table::what(&named)));
        if u64::from(rollout.peers()) * u64::from(rollout.chunks()) >= MUCH {
            output.remark("so many peers and chunks take minutes");
        }
        let began = Instant::now();
        let outcome = sim::run(rollout, &sim::Settings::shipped(rollout.chunk_bytes));
        let took = began.elapsed().as_secs_f64();
        let figures = Figures::of(&named, &outcome);
        for line in table::lines(&named, &figures) {
            output.result(&line);
        }
        output.event(&Event::Result(&figures));
        #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
        let millions = figures.events as f64 / 1e6;
        output.remark(&format!("{millions:.1} million events in {took:.1} s of this machine"));
        if let Some(file) = &self.report {
            let (version, command) = (env!("CARGO_PKG_VERSION"), self.command());
            let page = RolloutPage {
                named: &named,
                outcome: &outcome,
                figures: &figures,
                version,
                command: &command,
            };
            file.write(&page.to_html())?;
            output.remark(&format!("report: {}", file.path().display()));
        }
        if figures.unfinished == 0 {
            return Ok(ExitCode::Ok);
        }
        Err(Failure::new(
            ExitCode::Failed,
            "unfinished",
            format!(
                "{} of {} peers stayed and did not become complete",
                figures.unfinished, figures.leechers
            ),
            "let a seed that can be dialled stay longer; --report FILE.html shows where it stopped",
        ))
    }

    /// What is to be simulated.
    fn named(&self) -> Result<NamedRollout, Failure> {
        let overrides = Overrides {
            peers: self.peers,
            size: self.size.map(|Size(bytes)| bytes),
            chunk_size: self.chunk_size.map(|Size(bytes)| bytes),
            seed_up: self.seed_up.map(Rate::bytes_per_second),
            up: self.up.map(Rate::bytes_per_second),
            down: self.down.map(Rate::bytes_per_second),
            rtt: self.rtt,
            seed: self.seed,
        };
        let Some(path) = &self.scenario else {
            return NamedRollout::parse(DEFAULT, &overrides).map_err(|error| refused(None, &error));
        };
        NamedRollout::parse(&read(path)?, &overrides).map_err(|error| refused(Some(path), &error))
    }

    /// What simulates the same again.
    fn command(&self) -> String {
        let mut words = vec!["http-torrent simulate".to_owned()];
        words.extend(self.scenario.as_ref().map(|path| word(&path.display().to_string())));
        let sizes = [("size", self.size), ("chunk-size", self.chunk_size)];
        let rates = [("seed-up", self.seed_up), ("up", self.up), ("down", self.down)];
        words.extend(self.peers.map(|peers| format!("--peers {peers}")));
        words.extend(sizes.iter().filter_map(|(flag, size)| size.map(|size| format!("--{flag} {size}"))));
        words.extend(rates.iter().filter_map(|(flag, rate)| rate.map(|rate| format!("--{flag} {rate}"))));
        words.extend(self.rtt.map(|rtt| format!("--rtt {}", Span(rtt))));
        words.extend(self.seed.map(|seed| format!("--seed {seed}")));
        words.join(" ")
    }
}

/// As it is when no shell could misread it.
fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) { text.to_owned() } else { shell_quoted(text) }
}

/// `20` or `20ms`, also `400us`.
fn milliseconds(text: &str) -> Result<Duration, BadSpan> {
    let is_bare = text.bytes().all(|byte| byte.is_ascii_digit());
    let Span(duration) = if is_bare { format!("{text}ms").parse()? } else { text.parse()? };
    Ok(duration)
}

fn read(path: &Path) -> Result<String, Failure> {
    let cannot = |why: &dyn std::fmt::Display| {
        Failure::usage(
            format!("cannot read the scenario '{}': {why}", path.display()),
            "name a TOML file; examples/ has some, and docs/simulate.md its fields",
        )
    };
    let length = std::fs::metadata(path).map_err(|error| cannot(&error))?.len();
    if length > MOST_BYTES {
        return Err(cannot(&"larger than 1 MiB"));
    }
    std::fs::read_to_string(path).map_err(|error| cannot(&error))
}

fn refused(path: Option<&PathBuf>, error: &BadScenario) -> Failure {
    let flag = matches!(error.wrong, Wrong::WhichGroup { .. });
    let cause = match path {
        _ if flag => format!("--{error}"),
        Some(path) => format!("{}: {error}", path.display()),
        None => error.to_string(),
    };
    Failure::usage(cause, error.next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_trip_is_milliseconds_unless_it_says_so() {
        for (text, micros) in [("20", 20_000), ("20ms", 20_000), ("400us", 400), ("1s", 1_000_000)] {
            assert_eq!(milliseconds(text), Ok(Duration::from_micros(micros)), "{text}");
        }
        assert!(milliseconds("").is_err() && milliseconds("x").is_err() && milliseconds("-1").is_err());
    }

    #[test]
    fn a_file_stays_one_word_in_the_command() {
        assert_eq!(word("examples/two-sites.toml"), "examples/two-sites.toml");
        assert_eq!(word("$(x) y.toml"), "'$(x) y.toml'");
    }
}
