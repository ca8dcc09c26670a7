//! `--report FILE.json` or `FILE.html`: the ending says which. `stress-test` writes both kinds, `simulate` pages.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::failure::Failure;

/// Where the report goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReportFile {
    path: PathBuf,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// For programs.
    Json,
    /// For people.
    Html,
}

/// The name of a page.
pub(crate) fn page(text: &str) -> Result<ReportFile, &'static str> {
    text.parse()
        .ok()
        .filter(|file: &ReportFile| file.kind == Kind::Html)
        .ok_or("expected a name that ends in .html")
}

/// A name that does not say what is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a name that ends in .json or .html")]
pub(crate) struct BadReportFile;

impl FromStr for ReportFile {
    type Err = BadReportFile;

    fn from_str(text: &str) -> Result<Self, BadReportFile> {
        let path = PathBuf::from(text);
        let kind = match path.extension().and_then(|end| end.to_str()) {
            Some("json") => Kind::Json,
            Some("html") => Kind::Html,
            _ => return Err(BadReportFile),
        };
        Ok(ReportFile { path, kind })
    }
}

impl ReportFile {
    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it will be possible to write it: not found out after minutes.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let was_there = self.path.exists();
        let opened = fs::File::options().create(true).append(true).open(&self.path);
        opened.map_err(|error| self.cannot_write(&error))?;
        if !was_there {
            // A run that is interrupted leaves no empty report; that this fails matters to nobody.
            let _ = fs::remove_file(&self.path);
        }
        Ok(())
    }

    /// What is to be written.
    pub(crate) const fn kind(&self) -> Kind {
        self.kind
    }

    /// Writes it; an older one is replaced.
    pub(crate) fn write(&self, text: &str) -> Result<(), Failure> {
        fs::write(&self.path, text).map_err(|error| self.cannot_write(&error))
    }

    fn cannot_write(&self, error: &std::io::Error) -> Failure {
        Failure::disk(
            format!("cannot write '{}': {error}", self.path.display()),
            "name a writable place with --report",
        )
    }
}
