//! `--config FILE` and the environment: every flag has a `HTTP_TORRENT_*` variable and a key in the file.
//!
//! A key is the flag's name (`limit-up = "50M"`). On top level it holds for every command that has the flag, in a
//! table named after a command (`[get]`, `[dht.get]`) for that one. Flags win over variables, variables over the file.
//! (`tracker` is a flag and a command: a file that has the table `[tracker]` names further trackers in `[get]` or
//! `[client]`.)

mod defaults;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::builder::{BoolishValueParser, TypedValueParser};
use clap::{Arg, ArgAction, Command};
use toml::Table;

pub(crate) use self::defaults::with_defaults;

/// Starts the name of every variable.
const PREFIX: &str = "HTTP_TORRENT_";
/// Largest file read.
const MAX_FILE: u64 = 1 << 20;

/// Why a configuration is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadConfig {
    /// It cannot be read.
    #[error("{path}: {why}")]
    Read {
        /// The file.
        path: String,
        /// What the system said.
        why: String,
    },
    /// It is not TOML.
    #[error("{path}: {why}")]
    Syntax {
        /// The file.
        path: String,
        /// What the parser said, in several lines.
        why: String,
    },
    /// A name that is no flag's and no command's.
    #[error("'{0}' is no flag and no command")]
    Unknown(String),
    /// A value that the flag does not take.
    #[error("'{key}': {why}")]
    Value {
        /// The flag.
        key: String,
        /// What its parser said.
        why: String,
    },
}

/// Gives every flag of every command its variable.
pub(crate) fn with_variables(command: Command) -> Command {
    command.mut_args(with_variable).mut_subcommands(with_variables)
}

fn with_variable(arg: Arg) -> Arg {
    let Some(flag) = arg.get_long() else { return arg };
    // Clap borrows names for as long as the process lives. This runs once and leaks some two kilobytes.
    let variable: &'static str = format!("{PREFIX}{}", flag.replace('-', "_").to_uppercase()).leak();
    let arg = arg.env(variable).hide_env(true);
    if matches!(arg.get_action(), ArgAction::SetTrue) {
        // `HTTP_TORRENT_JSON=1` means yes.
        return arg.value_parser(BoolishValueParser::new());
    }
    arg
}

/// Whether a switch is on with this variable, judged as where the whole line is parsed.
pub(crate) fn means_yes(value: &OsStr) -> bool {
    BoolishValueParser::new().parse_ref(&Command::new(""), None, value).unwrap_or(false)
}

/// The file named by `--config` or its variable, before the command line is parsed for good.
pub(crate) fn named_in(args: &[OsString]) -> Option<PathBuf> {
    let mut args = args.iter().skip(1).take_while(|arg| *arg != "--");
    while let Some(arg) = args.next() {
        if arg == "--config" {
            return args.next().map(PathBuf::from);
        }
        if let Some(path) = arg.to_str().and_then(|arg| arg.strip_prefix("--config=")) {
            return Some(path.into());
        }
    }
    std::env::var_os(format!("{PREFIX}CONFIG")).filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// Reads the file.
pub(crate) fn read(path: &std::path::Path) -> Result<Table, BadConfig> {
    let failed = |why: String| BadConfig::Read { path: path.display().to_string(), why };
    let length = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
    if length > MAX_FILE {
        return Err(failed("larger than 1 MiB".to_owned()));
    }
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    text.parse().map_err(|error: toml::de::Error| BadConfig::Syntax {
        path: path.display().to_string(),
        why: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, command};
    use crate::command::Command as Chosen;
    use clap::FromArgMatches;
    use scenario::units::Rate;

    fn parse(file: &str, line: &[&str]) -> Result<Cli, BadConfig> {
        let command = with_defaults(command(), &file.parse::<Table>().unwrap())?;
        let words = std::iter::once("http-torrent").chain(line.iter().copied());
        Ok(Cli::from_arg_matches(&command.try_get_matches_from(words).unwrap()).unwrap())
    }

    #[test]
    fn a_key_is_a_flags_default_and_the_flag_wins() {
        let file = "json = true\nlimit-up = '50M'\n[client]\nport = 8000\ntracker = ['a:1', 'b:2']\n[tracker]\nport = 5001";
        let Chosen::Client(client) = parse(file, &["client"]).unwrap().command else { panic!() };
        assert_eq!((client.port, client.network.tracker.len()), (8000, 2));
        assert_eq!(client.network.limit_up.map(Rate::bytes_per_second), Some(50 << 20));
        let cli = parse(file, &["client", "--port", "0", "--tracker", "c:3", "--limit-up", "1M"]).unwrap();
        assert!(cli.global.json);
        let Chosen::Client(client) = cli.command else { panic!() };
        assert_eq!((client.port, client.network.tracker.len()), (0, 1));
        assert_eq!(client.network.limit_up.map(Rate::bytes_per_second), Some(1 << 20));
        let Chosen::Get(get) = parse(file, &["get", "x"]).unwrap().command else { panic!() };
        assert_eq!(get.port, 0);
        let Chosen::Tracker(tracker) = parse(file, &["tracker"]).unwrap().command else { panic!() };
        assert_eq!(tracker.port, 5001);
    }

    #[test]
    fn what_every_command_has_can_be_said_of_one_and_the_nearest_wins() {
        let file =
            "quiet = true\nbind = '127.0.0.1'\n[tracker]\nbind = '127.0.0.2'\njson = true\nquiet = false";
        let global = |line: &[&str]| parse(file, line).unwrap().global;
        let tracker = global(&["tracker"]);
        assert_eq!((tracker.bind, tracker.json, tracker.quiet), ("127.0.0.2".parse().ok(), true, false));
        let client = global(&["client"]);
        assert_eq!((client.bind, client.json, client.quiet), ("127.0.0.1".parse().ok(), false, true));
        for line in [["tracker", "--bind", "127.0.0.3"], ["--bind", "127.0.0.3", "tracker"]] {
            assert_eq!(global(&line).bind, "127.0.0.3".parse().ok(), "{line:?}");
        }
    }

    #[test]
    fn commands_of_commands_have_their_tables() {
        let asked = |file: &str| match parse(file, &["dht", "get", &"0".repeat(40)]).unwrap() {
            Cli { command: Chosen::Dht(dht), global } => (format!("{dht:?}"), global.json),
            other => panic!("{other:?}"),
        };
        for file in
            ["dht-bootstrap = 'a:1'", "[dht]\ndht-bootstrap = 'a:1'", "[dht.get]\ndht_bootstrap = ['a:1']"]
        {
            assert!(asked(file).0.contains("\"a\""), "{file}: {}", asked(file).0);
        }
        assert!(asked("dht-public = true\n[dht.get]\njson = true").1);
    }

    #[test]
    fn a_wrong_key_or_value_is_named() {
        let refused = |file: &str| parse(file, &["client"]).unwrap_err().to_string();
        assert_eq!(refused("limit-upp = '50M'"), "'limit-upp' is no flag and no command");
        assert_eq!(refused("[dht.put]\ndht-public = true"), "'dht.put' is no flag and no command");
        assert_eq!(refused("[clyent]\nport = 1"), "'clyent' is no flag and no command");
        assert_eq!(refused("[client]\nhash = 'sha1'"), "'client.hash' is no flag and no command");
        assert!(refused("limit-up = 'fast'").starts_with("'limit-up': invalid value 'fast'"));
        assert!(refused("[client]\nport = 65536").starts_with("'client.port': invalid value '65536'"));
        assert!(refused("json = 1").contains("expected true or false"));
        assert!(refused("port = [1, 2]").contains("expected one value"));
        assert!(refused("port = 1979-05-27").contains("expected a text"));
        assert!(refused("tracker = [['a:1']]").contains("expected a text"));
        assert!(refused("[get]\nconfig = 'other.toml'").starts_with("'get.config': a file names no other"));
    }

    #[test]
    fn the_file_is_found_before_the_line_is_parsed() {
        let named = |line: &[&str]| named_in(&line.iter().map(OsString::from).collect::<Vec<_>>());
        assert_eq!(named(&["x", "get", "--config", "a.toml"]), Some("a.toml".into()));
        assert_eq!(named(&["x", "--config=b.toml", "get"]), Some("b.toml".into()));
        assert_eq!(named(&["x", "get", "--", "--config", "a.toml"]), None);
    }
}
