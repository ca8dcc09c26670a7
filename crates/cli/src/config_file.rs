//! `--config FILE` and the environment: every flag has a `HTTP_TORRENT_*` variable and a key in the file.
//!
//! A key is the flag's name (`limit-up = "50M"`). On top level it holds for every command that has the flag, in a
//! table named after a command (`[get]`) for that one. Flags win over variables, variables over the file. It works
//! by giving clap the file's values as defaults, so that each value has one parser wherever it comes from. (`tracker` is
//! a flag and a command: a file that has the table `[tracker]` names further trackers in `[get]` or `[client]`.)

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, Command};
use toml::{Table, Value};

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

/// Makes the file's values the flags' defaults.
pub(crate) fn with_defaults(mut command: Command, table: &Table) -> Result<Command, BadConfig> {
    let (tables, keys): (Vec<_>, Vec<_>) = table.iter().partition(|(_, value)| value.is_table());
    for (key, value) in keys {
        let flag = key.replace('_', "-");
        let mut known = has_flag(&command, &flag);
        if known {
            command = with_default(command, None, &flag, value)?;
        }
        let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
        for name in names {
            if command.find_subcommand(&name).is_some_and(|sub| has_flag(sub, &flag)) {
                known = true;
                command = with_default(command, Some(&name), &flag, value)?;
            }
        }
        if !known {
            return Err(BadConfig::Unknown(key.clone()));
        }
    }
    for (name, value) in tables {
        let Some(sub) = command.find_subcommand(name).cloned() else {
            return Err(BadConfig::Unknown(name.clone()));
        };
        for (key, value) in value.as_table().into_iter().flatten() {
            let flag = key.replace('_', "-");
            if !has_flag(&sub, &flag) {
                return Err(BadConfig::Unknown(format!("{name}.{key}")));
            }
            command = with_default(command, Some(name), &flag, value)?;
        }
    }
    Ok(command)
}

fn has_flag(command: &Command, flag: &str) -> bool {
    command.get_arguments().any(|arg| is_flag(arg, flag))
}

/// By its long name, or a positional one that has a variable (the tracker's port) by its own.
fn is_flag(arg: &Arg, flag: &str) -> bool {
    arg.get_long() == Some(flag)
        || (arg.is_positional() && arg.get_env().is_some() && arg.get_id().as_str() == flag)
}

fn with_default(
    command: Command,
    subcommand: Option<&str>,
    flag: &str,
    value: &Value,
) -> Result<Command, BadConfig> {
    let texts = texts_of(flag, value)?;
    check(&command, subcommand, flag, value, &texts)?;
    // As above: for as long as the process lives.
    let defaults: Vec<&'static str> = texts.into_iter().map(|text| &*text.leak()).collect();
    let set = |command: Command| {
        command.mut_args(|arg| if is_flag(&arg, flag) { arg.default_values(defaults.clone()) } else { arg })
    };
    Ok(match subcommand {
        None => set(command),
        Some(name) => command.mut_subcommand(name, set),
    })
}

fn texts_of(flag: &str, value: &Value) -> Result<Vec<String>, BadConfig> {
    match value {
        Value::String(text) => Ok(vec![text.clone()]),
        Value::Integer(number) => Ok(vec![number.to_string()]),
        Value::Float(number) => Ok(vec![number.to_string()]),
        Value::Boolean(on) => Ok(vec![on.to_string()]),
        Value::Array(list) => list
            .iter()
            .map(|item| texts_of(flag, item))
            .collect::<Result<Vec<_>, _>>()
            .map(|lists| lists.concat()),
        Value::Datetime(_) | Value::Table(_) => Err(BadConfig::Value {
            key: flag.to_owned(),
            why: "expected a text, a number, true or false, or a list".to_owned(),
        }),
    }
}

/// Lets the flag's own parser judge the value now, so that the complaint names the file's key and not the flag.
fn check(
    command: &Command,
    subcommand: Option<&str>,
    flag: &str,
    value: &Value,
    texts: &[String],
) -> Result<(), BadConfig> {
    let wrong = |why: &str| Err(BadConfig::Value { key: flag.to_owned(), why: why.to_owned() });
    let owner = subcommand.and_then(|name| command.find_subcommand(name)).unwrap_or(command);
    let Some(arg) = owner.get_arguments().find(|arg| is_flag(arg, flag)) else { return Ok(()) };
    match arg.get_action() {
        ArgAction::SetTrue if value.is_bool() => return Ok(()),
        ArgAction::SetTrue => return wrong("expected true or false"),
        ArgAction::Count if value.as_integer().is_some_and(|count| (0..=9).contains(&count)) => return Ok(()),
        ArgAction::Count => return wrong("expected a number from 0 to 9"),
        ArgAction::Append => {}
        _ if texts.len() == 1 => {}
        _ => return wrong("expected one value"),
    }
    for text in texts {
        let word = if arg.is_positional() { text.clone() } else { format!("--{flag}={text}") };
        let line = std::iter::once("http-torrent").chain(subcommand).chain([word.as_str()]);
        let tried = command.clone().try_get_matches_from(line.map(OsStr::new));
        if let Err(error) = tried
            && matches!(
                error.kind(),
                ErrorKind::InvalidValue | ErrorKind::ValueValidation | ErrorKind::UnknownArgument
            )
        {
            let text = error.to_string();
            return wrong(text.lines().next().unwrap_or("not a value for it").trim_start_matches("error: "));
        }
    }
    Ok(())
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
    fn a_wrong_key_or_value_is_named() {
        let refused = |file: &str| parse(file, &["client"]).unwrap_err().to_string();
        assert_eq!(refused("limit-upp = '50M'"), "'limit-upp' is no flag and no command");
        assert_eq!(refused("[clyent]\nport = 1"), "'clyent' is no flag and no command");
        assert_eq!(refused("[client]\nhash = 'sha1'"), "'client.hash' is no flag and no command");
        assert!(refused("limit-up = 'fast'").starts_with("'limit-up': invalid value 'fast'"));
        assert!(refused("[client]\nport = 65536").starts_with("'port': invalid value '65536'"));
        assert!(refused("json = 1").contains("expected true or false"));
        assert!(refused("port = [1, 2]").contains("expected one value"));
        assert!(refused("port = 1979-05-27").contains("expected a text"));
    }

    #[test]
    fn the_file_is_found_before_the_line_is_parsed() {
        let named = |line: &[&str]| named_in(&line.iter().map(OsString::from).collect::<Vec<_>>());
        assert_eq!(named(&["x", "get", "--config", "a.toml"]), Some("a.toml".into()));
        assert_eq!(named(&["x", "--config=b.toml", "get"]), Some("b.toml".into()));
        assert_eq!(named(&["x", "get", "--", "--config", "a.toml"]), None);
    }
}
