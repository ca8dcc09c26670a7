//! Exit codes: documented numbers that scripts rely on.

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum ExitCode {
    /// What was asked for was done.
    Ok = 0,
    /// A run that failed, or was interrupted before it was done.
    Failed = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// Nobody who has the content, or its description, can be reached.
    NoSource = 3,
    /// Content or a description is not what its hash says.
    Integrity = 4,
    /// Somebody who could have helped said no.
    Refused = 5,
    /// The disk, or a file that stands in the way.
    Disk = 6,
}

impl ExitCode {
    /// The number.
    pub(crate) const fn number(self) -> u8 {
        self as u8
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.number())
    }
}
