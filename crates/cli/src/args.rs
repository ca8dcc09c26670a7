//! The command line as typed: what every command shares; each command's own flags stand beside its code.

#![allow(clippy::doc_markdown, reason = "these comments are the help, which is no Markdown")]

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser};
use peer::MetricsTo;
use protocol::base_url::BadUrl;
use protocol::{BaseUrl, HostPort};

use crate::addresses::Advertise;
use crate::command::Command;
use crate::config_file::{self, BadConfig};
use scenario::units::Rate;

/// Clap wraps paragraphs, so each stands on one line.
const AFTER_HELP: &str = concat!(
    "Every flag can also be given as a variable (--limit-up as HTTP_TORRENT_LIMIT_UP) or as a key of the --config ",
    "file (limit-up = \"50M\"; for one command only in its table: [get]). Flags win over variables, variables over ",
    "the file. The log is set by -v, -q or HTTP_TORRENT_LOG.\n\n",
    "Exit codes: 0 done; 1 failed or interrupted; 2 wrong usage; 3 no source; 4 content or description is not what ",
    "its hash says; 5 refused by another; 6 the disk, or a file in the way.",
);

/// Shares files and folders among many machines over plain HTTP.
#[derive(Debug, Parser)]
#[command(name = "http-torrent", version, after_help = AFTER_HELP, max_term_width = 100)]
#[command(disable_help_subcommand = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags of every command.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct Global {
    /// One JSON object a line on stdout; people's text on stderr
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say more in the log (-vv, -vvv: still more)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Results and errors only
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Defaults for flags, in TOML
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Address to listen on, and that connections come from [default: all]
    #[arg(long, global = true, value_name = "ADDR")]
    pub(crate) bind: Option<IpAddr>,
}

/// Flags of every command that takes part in a swarm.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Network")]
pub(crate) struct Network {
    /// How others reach this peer: a host, or a whole URL (behind a reverse proxy)
    #[arg(long, value_name = "URL")]
    pub(crate) advertise: Option<Advertise>,
    /// One more tracker (can be repeated)
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',', value_parser = BaseUrl::from_url_or_host_port)]
    pub(crate) tracker: Vec<BaseUrl>,
    /// A peer to ask without a tracker (can be repeated)
    #[arg(long, value_name = "URL", value_delimiter = ',', value_parser = BaseUrl::from_url_or_host_port)]
    pub(crate) peer: Vec<BaseUrl>,
    /// Send at most so much: 50M (MiB/s) or 400mbit
    #[arg(long, value_name = "RATE")]
    pub(crate) limit_up: Option<Rate>,
    /// Receive at most so much
    #[arg(long, value_name = "RATE")]
    pub(crate) limit_down: Option<Rate>,
    /// Metrics server, "" for none [default: as the tracker says, else http://localhost:8080]
    #[arg(long, value_name = "URL")]
    pub(crate) metrics: Option<MetricsFlag>,
    /// Take part in the DHT, on this UDP port; 0 for any that is free
    #[arg(long, value_name = "N")]
    pub(crate) dht_port: Option<u16>,
    /// Take part in the DHT, and this is a way in (can be repeated)
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',')]
    pub(crate) dht_bootstrap: Vec<HostPort>,
    /// Take part in the worldwide DHT. Without this only nodes that were named, and those reached through them
    #[arg(long)]
    pub(crate) dht_public: bool,
    /// Where good nodes of the DHT are kept for the next start [default: http-torrent/dht-nodes in $XDG_STATE_HOME]
    #[arg(long, value_name = "FILE")]
    pub(crate) dht_nodes: Option<PathBuf>,
}

impl Network {
    /// Whether a flag asks for a part in the DHT.
    pub(crate) const fn asks_for_dht(&self) -> bool {
        self.dht_port.is_some()
            || !self.dht_bootstrap.is_empty()
            || self.dht_public
            || self.dht_nodes.is_some()
    }

    /// Where metrics go.
    pub(crate) fn metrics_to(&self) -> MetricsTo {
        match &self.metrics {
            None => MetricsTo::Learn,
            Some(MetricsFlag(None)) => MetricsTo::Off,
            Some(MetricsFlag(Some(url))) => MetricsTo::Url(url.clone()),
        }
    }
}

/// `--metrics URL`, or `--metrics ""` for none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MetricsFlag(Option<BaseUrl>);

impl std::str::FromStr for MetricsFlag {
    type Err = BadUrl;

    fn from_str(text: &str) -> Result<Self, BadUrl> {
        if text.is_empty() {
            return Ok(MetricsFlag(None));
        }
        BaseUrl::from_url_or_host_port(text).map(|url| MetricsFlag(Some(url)))
    }
}

/// Why there is no command to run.
#[derive(Debug)]
pub(crate) enum NotParsed {
    /// Clap's: also how `--help` and `--version` end.
    Line(clap::Error),
    /// The configuration file.
    Config(BadConfig),
}

/// The command with a variable for every flag.
pub(crate) fn command() -> clap::Command {
    config_file::with_variables(Cli::command())
}

/// Reads a command line, the environment and the configuration file.
pub(crate) fn parse(args: &[OsString]) -> Result<Cli, NotParsed> {
    let mut command = command();
    if let Some(path) = config_file::named_in(args) {
        let with_file =
            config_file::read(&path).and_then(|table| config_file::with_defaults(command, &table));
        command = with_file.map_err(NotParsed::Config)?;
    }
    let matches = command.try_get_matches_from(args).map_err(NotParsed::Line)?;
    let mut cli = Cli::from_arg_matches(&matches).map_err(NotParsed::Line)?;
    if let (Command::Get(get), Some(("get", flags))) = (&mut cli.command, matches.subcommand()) {
        let wishes = rank(flags, "seed_time").max(rank(flags, "seed_ratio"));
        let wins = get.no_seed && rank(flags, "no_seed") >= wishes;
        if wins {
            (get.seed_time, get.seed_ratio) = (None, None);
        }
    }
    Ok(cli)
}

/// How strong the place is that a value comes from: `--no-seed` may contradict a file and the reverse.
fn rank(matches: &ArgMatches, id: &str) -> u8 {
    match matches.value_source(id) {
        Some(ValueSource::CommandLine) => 3,
        Some(ValueSource::EnvVariable) => 2,
        Some(_) => 1,
        None => 0,
    }
}

/// The command that a line names, whether or not the rest of it can be parsed.
pub(crate) fn command_in(args: &[OsString]) -> Option<String> {
    let mut words = args.iter().skip(1);
    while let Some(word) = words.next() {
        if word == "--config" || word == "--bind" {
            words.next();
        } else if !word.to_string_lossy().starts_with('-') {
            let known = command().find_subcommand(word).map(|command| command.get_name().to_owned());
            return known;
        }
    }
    None
}

/// Whether a line that could not be parsed wanted events.
pub(crate) fn wants_json(args: &[OsString]) -> bool {
    args.iter().take_while(|arg| *arg != "--").any(|arg| arg == "--json")
        || std::env::var_os("HTTP_TORRENT_JSON").is_some_and(|value| config_file::means_yes(&value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        std::iter::once("http-torrent").chain(line.split(' ')).map(OsString::from).collect()
    }

    #[test]
    fn clap_finds_no_contradiction_in_the_commands() {
        command().debug_assert();
    }

    #[test]
    fn every_flag_of_every_command_has_a_variable() {
        let command = command();
        for arg in command.get_subcommands().chain([&command]).flat_map(clap::Command::get_arguments) {
            if let Some(flag) = arg.get_long() {
                let variable = arg.get_env().and_then(|name| name.to_str()).unwrap_or_default();
                assert_eq!(variable.replace('_', "-").to_lowercase(), format!("http-torrent-{flag}"));
            }
        }
    }

    #[test]
    fn the_mission_words_and_lines_are_understood() {
        for line in [
            "torrentify example.mp4 localhost:5000",
            "tracker",
            "tracker 5001",
            "client",
            "client has_file",
            "client dht_enabled",
            "client has_file dht_enabled",
            "client --torrent a.json --torrent b.json --dir d --bind 10.0.0.1 --port 8000 --metrics  --json",
            "--json share x --bind 127.0.0.1 --peer-port 0 --port 0",
            "get x --seed-time 1h --seed-ratio 1.5",
            "verify torrent.json --dir d",
            "stress-test",
            "stress-test --scenario calm --clients 3 --size 1M --seed 7 --report x.html",
            "simulate",
            "simulate x.toml --size 1G --chunk-size 1M --seed 7 --report x.html --json",
            "simulate --peers 10 --seed-up 1gbit --up 10mbit --down 50M --rtt 20",
            "tracker 5001 --max-peers 1000000",
            "bench tracker",
            "bench tracker --url http://a:5000 --process 7 --case burst,announces --small --json",
        ] {
            assert!(parse(&words(line)).is_ok(), "{line}");
        }
        for line in [
            "",
            "client has_fil",
            "client has_file dht_enabled has_file",
            "torrentify x",
            "torrentify x nowhere",
            "tracker 65536",
            "get x --limit-up fast",
            "get x --seed-ratio -1",
            "stress-test --report x.txt",
            "simulate --report x.txt",
            "simulate --peers 0",
            "bench",
            "bench client",
            "bench tracker --process 7",
            "bench tracker --seconds 60",
            "tracker --max-peers 0",
        ] {
            assert!(parse(&words(line)).is_err(), "{line}");
        }
    }

    #[test]
    fn the_command_is_known_even_on_a_wrong_line() {
        for (line, command) in [
            ("get", Some("get")),
            ("--json --bind 127.0.0.1 --config get share --nonsense", Some("share")),
            ("frobnicate get", None),
            ("--json", None),
        ] {
            assert_eq!(command_in(&words(line)).as_deref(), command, "{line}");
        }
    }

    #[test]
    fn no_metrics_is_an_empty_text() {
        assert_eq!("".parse(), Ok(MetricsFlag(None)));
        assert!("http://a:1".parse::<MetricsFlag>().is_ok() && "ftp://a".parse::<MetricsFlag>().is_err());
    }

    #[test]
    fn the_nearer_wish_to_seed_or_not_wins() {
        let seeds = |line: &str| match parse(&words(line)).unwrap().command {
            Command::Get(get) => get.seed_time.is_some(),
            other => panic!("{other:?}"),
        };
        assert!(seeds("get x --seed-time 1h"));
        assert!(!seeds("get x --seed-time 1h --no-seed"));
    }
}
