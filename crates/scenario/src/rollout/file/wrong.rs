//! Why a scenario is refused, where, and what to do about it.

use std::ops::Range;

use crate::rollout::Role;

/// A scenario that cannot be simulated as it stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{wrong}", place(*.line, .field))]
pub struct BadScenario {
    /// Which line of the file, where one can be named.
    pub line: Option<usize>,
    /// Which value, as a person would say it: `up of group 'office'`; empty where the fault is no value's.
    pub field: String,
    /// What about it.
    pub wrong: Wrong,
    /// Where in the text, until it is known as a line.
    span: Option<Range<usize>>,
}

/// What stands before the complaint.
fn place(line: Option<usize>, field: &str) -> String {
    let line = line.map(|line| format!("line {line}: ")).unwrap_or_default();
    let field = if field.is_empty() { String::new() } else { format!("{field}: ") };
    line + &field
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// It is no TOML, or a name or a value that has no place there.
    #[error("{0}")]
    Form(String),
    /// A number out of its bounds.
    #[error("must be from {least} to {most}")]
    Bounds {
        /// The smallest.
        least: String,
        /// The largest.
        most: String,
    },
    /// Nobody of this role takes part.
    #[error("there is no group with role = \"{}\"", role_word(*.0))]
    Nobody(Role),
    /// No seed gives anything to anybody.
    #[error("no seed is honest and can be dialled, so nobody could get the file")]
    NoSource,
    /// Two of a kind have one name.
    #[error("'{0}' is the name of two of them")]
    TwoOfAName(String),
    /// A site that is not described.
    #[error("there is no [[site]] named '{0}'")]
    UnknownSite(String),
    /// There are sites, and a group is at none.
    #[error("there are sites, and this group is at none of them")]
    NoSite,
    /// What only leechers can have.
    #[error("seeds are there from the beginning and stay; this is for leechers")]
    OnlyForLeechers,
    /// Exactly one of two is needed.
    #[error("needs either {0} or {1}, and not both")]
    EitherOr(&'static str, &'static str),
    /// A time that ends before it begins.
    #[error("must end after it begins")]
    Backwards,
    /// More than can be simulated.
    #[error("{peers} peers times {chunks} chunks are more than {most}, the most that is simulated")]
    TooMuch {
        /// Of everybody.
        peers: u64,
        /// Of the file.
        chunks: u64,
        /// Chunks held, at most.
        most: u64,
    },
    /// A value of the command line that could mean several groups.
    #[error("does not apply to a scenario with {count} groups of {}s: it could mean any of them", role_word(*.role))]
    WhichGroup {
        /// Of these.
        role: Role,
        /// How many there are.
        count: usize,
    },
}

pub(super) const fn role_word(role: Role) -> &'static str {
    match role {
        Role::Seed => "seed",
        Role::Leecher => "leecher",
    }
}

impl BadScenario {
    pub(super) fn new(field: impl Into<String>, span: Option<Range<usize>>, wrong: Wrong) -> Self {
        BadScenario { line: None, field: field.into(), wrong, span }
    }

    /// What the parser of TOML said, without its drawing: names and values of the line stand in the field.
    pub(super) fn from_toml(text: &str, error: &toml::de::Error) -> Self {
        let start = error.span().map(|span| span.start);
        let shown = start.and_then(|start| text.get(start..)?.lines().next().map(|_| line_at(text, start)));
        let field = shown.filter(|line| line.len() <= MOST_SHOWN).map(|line| format!("'{line}'"));
        // Its own first line says it; what follows are positions.
        let why = error.message().lines().map(str::trim).collect::<Vec<_>>().join(", ");
        BadScenario::new(field.unwrap_or_default(), error.span(), Wrong::Form(why)).in_text(text)
    }

    /// The same, with its line.
    pub(super) fn in_text(mut self, text: &str) -> Self {
        let before = self.span.take().and_then(|span| text.get(..span.start));
        self.line = self.line.or(before.map(|before| before.matches('\n').count() + 1));
        self
    }

    /// What a person can do about it.
    pub fn next(&self) -> &'static str {
        match &self.wrong {
            Wrong::Form(_) => "correct that line; docs/simulate.md has every field",
            Wrong::Bounds { .. } | Wrong::Backwards => "correct the value",
            Wrong::Nobody(_) => "add a [[group]] of that role",
            Wrong::NoSource => "let one seed be dialable and honest",
            Wrong::TwoOfAName(_) => "give each a name of its own",
            Wrong::UnknownSite(_) => "add a [[site]] of that name, or correct the group's",
            Wrong::NoSite => "say site = \"…\" in the group",
            Wrong::OnlyForLeechers => "remove the line, or see [faults] seed-dies",
            Wrong::EitherOr(..) => "keep one of them",
            Wrong::TooMuch { .. } => "take larger chunks (chunk-size) or fewer peers",
            Wrong::WhichGroup { .. } => "leave it away and change the file",
        }
    }
}

/// Longer lines are not shown.
const MOST_SHOWN: usize = 120;

/// The line round a place, without its indentation.
fn line_at(text: &str, at: usize) -> &str {
    let start = text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1);
    text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default().trim()
}
