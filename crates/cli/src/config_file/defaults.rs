//! A file's values become the flags' defaults: clap then parses each value with one parser, wherever it comes from.

use std::ffi::OsStr;

use clap::builder::Resettable;
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, Command};
use toml::{Table, Value};

use super::BadConfig;

/// Makes the file's values the flags' defaults.
pub(crate) fn with_defaults(command: Command, table: &Table) -> Result<Command, BadConfig> {
    let program = without_variables(command.clone());
    with_table(command, table, &Place { program: &program, path: Vec::new() })
}

/// Which command a table speaks of.
struct Place<'a> {
    /// The whole program, deaf to variables: a wrong variable is not the file's fault.
    program: &'a Command,
    /// Names of commands, from the program's own, which has none.
    path: Vec<&'a str>,
}

/// One key of the file with its value.
struct Entry<'a> {
    /// With its tables, as complaints name it.
    key: String,
    /// The flag that it means.
    flag: String,
    value: &'a Value,
}

impl<'a> Place<'a> {
    fn below(&self, name: &'a str) -> Self {
        let path = self.path.iter().copied().chain([name]).collect();
        Place { program: self.program, path }
    }

    fn name(&self, key: &str) -> String {
        self.path.iter().copied().chain([key]).collect::<Vec<_>>().join(".")
    }

    fn entry<'v>(&self, key: &str, value: &'v Value) -> Entry<'v> {
        Entry { key: self.name(key), flag: key.replace('_', "-"), value }
    }
}

fn without_variables(command: Command) -> Command {
    command.mut_args(|arg| arg.env(Resettable::Reset)).mut_subcommands(without_variables)
}

fn with_table<'a>(mut command: Command, table: &'a Table, place: &Place<'a>) -> Result<Command, BadConfig> {
    // Tables last: what is said of one command wins over what is said of all.
    let (tables, keys): (Vec<_>, Vec<_>) = table.iter().partition(|(_, value)| value.is_table());
    for (key, value) in keys {
        let entry = place.entry(key, value);
        if entry.flag == "config" {
            return Err(entry.wrong("a file names no other file"));
        }
        let known;
        (command, known) = with_entry(with_own_copy(command, &entry.flag, place), &entry, place)?;
        if !known {
            return Err(BadConfig::Unknown(entry.key));
        }
    }
    for (name, table) in tables {
        let below = command.find_subcommand(name).filter(|below| below.get_name() == name);
        let (Some(below), Some(table)) = (below.cloned(), table.as_table()) else {
            return Err(BadConfig::Unknown(place.name(name)));
        };
        let below = with_table(below, table, &place.below(name))?;
        command = command.mut_subcommand(name, |_| below);
    }
    Ok(command)
}

/// Flags of every command belong to the program. To one that is given a value of its own clap leaves its own copy, and of
/// two defaults takes that of the command.
fn with_own_copy(command: Command, flag: &str, place: &Place<'_>) -> Command {
    let everywhere = place.program.get_arguments().find(|arg| arg.is_global_set() && is_flag(arg, flag));
    match everywhere {
        Some(arg) if !has_flag(&command, flag) => command.arg(super::with_variable(arg.clone())),
        _ => command,
    }
}

/// The entry holds for the command and for all below it; returns whether any of them has the flag.
fn with_entry(
    mut command: Command,
    entry: &Entry<'_>,
    place: &Place<'_>,
) -> Result<(Command, bool), BadConfig> {
    let mut known = has_flag(&command, &entry.flag);
    if known {
        command = with_default(command, entry, place)?;
    }
    let all_below: Vec<Command> = command.get_subcommands().cloned().collect();
    for below in all_below {
        let name = below.get_name().to_owned();
        let (below, has_it) = with_entry(below, entry, &place.below(&name))?;
        command = command.mut_subcommand(name, |_| below);
        known |= has_it;
    }
    Ok((command, known))
}

fn has_flag(command: &Command, flag: &str) -> bool {
    command.get_arguments().any(|arg| is_flag(arg, flag))
}

/// By its long name, or a positional one that has a variable (the tracker's port) by its own.
fn is_flag(arg: &Arg, flag: &str) -> bool {
    arg.get_long() == Some(flag)
        || (arg.is_positional() && arg.get_env().is_some() && arg.get_id().as_str() == flag)
}

fn with_default(command: Command, entry: &Entry<'_>, place: &Place<'_>) -> Result<Command, BadConfig> {
    let texts = entry.texts()?;
    if let Some(arg) = command.get_arguments().find(|arg| is_flag(arg, &entry.flag)) {
        entry.check_kind(arg, texts.len())?;
        if !matches!(arg.get_action(), ArgAction::SetTrue | ArgAction::Count) {
            entry.check_values(arg, &texts, place)?;
        }
    }
    // Clap borrows them for as long as the process lives, and a file is read once.
    let defaults: Vec<&'static str> = texts.into_iter().map(|text| &*text.leak()).collect();
    let is_meant = |arg: &Arg| is_flag(arg, &entry.flag);
    Ok(command.mut_args(|arg| if is_meant(&arg) { arg.default_values(defaults.clone()) } else { arg }))
}

impl Entry<'_> {
    fn wrong(&self, why: &str) -> BadConfig {
        BadConfig::Value { key: self.key.clone(), why: why.to_owned() }
    }

    /// The value as it would stand on the line.
    fn texts(&self) -> Result<Vec<String>, BadConfig> {
        let items = match self.value {
            Value::Array(list) => list.as_slice(),
            one => std::slice::from_ref(one),
        };
        let text = |item: &Value| match item {
            Value::String(text) => Ok(text.clone()),
            Value::Integer(number) => Ok(number.to_string()),
            Value::Float(number) => Ok(number.to_string()),
            Value::Boolean(on) => Ok(on.to_string()),
            Value::Array(_) | Value::Datetime(_) | Value::Table(_) => {
                Err(self.wrong("expected a text, a number, true or false, or a list of these"))
            }
        };
        items.iter().map(text).collect()
    }

    fn check_kind(&self, arg: &Arg, values: usize) -> Result<(), BadConfig> {
        match arg.get_action() {
            ArgAction::SetTrue if !self.value.is_bool() => Err(self.wrong("expected true or false")),
            ArgAction::Count if !self.value.as_integer().is_some_and(|count| (0..=9).contains(&count)) => {
                Err(self.wrong("expected a number from 0 to 9"))
            }
            ArgAction::SetTrue | ArgAction::Count | ArgAction::Append => Ok(()),
            _ if values == 1 => Ok(()),
            _ => Err(self.wrong("expected one value")),
        }
    }

    /// Lets the flag's own parser judge the value now, so that the complaint names the file's key and not the flag.
    fn check_values(&self, arg: &Arg, texts: &[String], place: &Place<'_>) -> Result<(), BadConfig> {
        for text in texts {
            let word = if arg.is_positional() { text.clone() } else { format!("--{}={text}", self.flag) };
            let line = ["http-torrent"].into_iter().chain(place.path.iter().copied()).chain([word.as_str()]);
            let tried = place.program.clone().try_get_matches_from(line.map(OsStr::new));
            // Whatever else such a line lacks is not the value's fault.
            if let Err(error) = tried
                && matches!(
                    error.kind(),
                    ErrorKind::InvalidValue | ErrorKind::ValueValidation | ErrorKind::UnknownArgument
                )
            {
                let text = error.to_string();
                let first = text.lines().next().unwrap_or("not a value for it");
                return Err(self.wrong(first.trim_start_matches("error: ")));
            }
        }
        Ok(())
    }
}
