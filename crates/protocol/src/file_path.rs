//! Names of files inside a torrent: relative, harmless on every system, checked once (threat A1).
//!
//! CVE-2023-43619 and the original program show what an unchecked name does. A [`FilePath`] in hand can be joined
//! to the output folder; the store still opens it without following links, because a name says nothing about
//! what stands on the disk.

use std::fmt;

use percent_encoding::percent_decode_str;

/// Longest component in bytes: what ext4, XFS, NTFS and APFS take.
pub const MAX_COMPONENT: usize = 255;
/// Longest path in bytes, with slashes.
pub const MAX_PATH: usize = 3072;
/// Deepest path in components.
pub const MAX_DEPTH: usize = 64;

/// Names that Windows gives to devices; a download must not open one.
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];

/// Why a name is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing between two slashes, or nothing at all.
    #[error("an empty name, or a slash at the start or the end")]
    Empty,
    /// `.` or `..`, also percent-encoded.
    #[error("'.' and '..' lead out of the folder")]
    Dots,
    /// A separator or NUL inside a component, also percent-encoded.
    #[error("a slash, backslash or NUL inside a name")]
    Separator,
    /// `C:` at the start.
    #[error("a drive letter")]
    Drive,
    /// `CON` and its kin.
    #[error("a device name on Windows")]
    Device,
    /// A dot or space at the end, which Windows drops, so that two names become one.
    #[error("a dot or space at the end")]
    TrailingDot,
    /// Over a limit.
    #[error("too long (over {MAX_COMPONENT} bytes a name, {MAX_PATH} a path or {MAX_DEPTH} levels)")]
    TooLong,
}

/// A relative path of one or more harmless components, UTF-8 as found, joined by `/`.
///
/// Ordered by its bytes, as torrent.json lists files.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilePath(Box<str>);

impl FilePath {
    /// Checks `text`, components separated by `/`.
    pub fn new(text: &str) -> Result<Self, NameError> {
        if text.len() > MAX_PATH || text.split('/').count() > MAX_DEPTH {
            return Err(NameError::TooLong);
        }
        text.split('/').try_for_each(check_component)?;
        Ok(FilePath(text.into()))
    }

    /// Checks `text` as a path of one component: a file's or folder's own name.
    pub fn name(text: &str) -> Result<Self, NameError> {
        if text.contains('/') {
            return Err(NameError::Separator);
        }
        FilePath::new(text)
    }

    /// The path with `/` between components.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its components, first to last.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }

    /// Whether `self` would have to be a folder for `other` to exist.
    pub fn is_folder_of(&self, other: &FilePath) -> bool {
        other.0.strip_prefix(&*self.0).is_some_and(|rest| rest.starts_with('/'))
    }
}

impl fmt::Display for FilePath {
    /// Safe for a terminal: see [`crate::Printable`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::Printable(&self.0).fmt(f)
    }
}

fn check_component(name: &str) -> Result<(), NameError> {
    check_plain(name)?;
    // A proxy or a careless program may decode once more: what it would then see must be harmless, too.
    if name.contains('%') {
        let decoded = percent_decode_str(name).collect::<Vec<u8>>();
        if matches!(decoded.as_slice(), b"." | b"..") {
            return Err(NameError::Dots);
        }
        if decoded.iter().any(|byte| matches!(byte, b'/' | b'\\' | 0)) {
            return Err(NameError::Separator);
        }
    }
    Ok(())
}

fn check_plain(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > MAX_COMPONENT {
        return Err(NameError::TooLong);
    }
    if name == "." || name == ".." {
        return Err(NameError::Dots);
    }
    if name.contains(['\\', '\0']) {
        return Err(NameError::Separator);
    }
    if matches!(name.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic()) {
        return Err(NameError::Drive);
    }
    if name.ends_with(['.', ' ']) {
        return Err(NameError::TrailingDot);
    }
    if is_device(name) {
        return Err(NameError::Device);
    }
    Ok(())
}

/// Only the bare name: `aux.c` is a file of the Linux kernel, and Windows takes it since 11.
fn is_device(name: &str) -> bool {
    let is_numbered = |(prefix, digit): (&str, &str)| {
        let numbered = ["com", "lpt"].iter().any(|device| prefix.eq_ignore_ascii_case(device));
        numbered && matches!(digit, "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³")
    };
    DEVICES.iter().any(|device| name.eq_ignore_ascii_case(device))
        || name.split_at_checked(3).is_some_and(is_numbered)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names of each kind that leads somewhere else, on some system or after one more decoding.
    #[rustfmt::skip]
    const REFUSED: [&str; 68] = [
        "", ".", "..", "../x", "x/..", "a/../../b", "a/./b", "/abs", "//x", "x/", "a//b", "/", "./x",
        "...", "x.", "x ", "a./b", "a /b", "C:\\x", "c:x", "C:", "z:/x", "a/b:..\\c", "a\\b", "\\x",
        "\\\\server\\share", "\\\\?\\C:\\x", "..\\x", "a\\..\\b", "a\0b", "\0", "x/\0", "CON", "con",
        "Prn", "AUX", "nul", "COM1", "com9", "LPT1", "lpt9", "COM¹", "CONIN$", "conout$", "a/CON",
        "a/nul/b", "%2e", "%2e%2e", "%2E%2e", ".%2e", "%2e.", "a/%2e%2e/b", "%2f", "..%2f..%2fetc",
        "a%2Fb", "a%5cb", "a%5Cb", "a%00b", "%00", "~/../x", "a/.. ", "a/...", "a/..", "etc/../../passwd",
        "x/../", "./..", ". ", ".. ",
    ];

    #[test]
    fn a01_names_that_lead_elsewhere_are_refused() {
        let long = "x".repeat(MAX_COMPONENT + 1);
        let deep = ["d"; MAX_DEPTH + 1].join("/");
        let long_path = [&"y".repeat(250); 13].map(String::as_str).join("/");
        for name in REFUSED.into_iter().chain([long.as_str(), &deep, &long_path]) {
            assert!(FilePath::new(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn names_that_people_use_are_taken() {
        for name in [
            "x",
            ".hidden",
            "a/b/c",
            "aux.c",
            "con.txt",
            "COM10",
            "100%",
            "50%25",
            "2026-11-22T10:00:00.log",
            "..x",
            "a..b",
            " x",
            "~",
            "-rf",
            "Grüße 文件 🦀",
            "a\u{1b}[2Jb",
            "new\nline",
            "com",
            "lpt0",
            "%zz",
            "a%20b",
            "\u{202e}",
        ] {
            assert_eq!(FilePath::new(name).map(|path| path.as_str().to_owned()), Ok(name.to_owned()));
        }
        assert_eq!(FilePath::name("a/b"), Err(NameError::Separator));
    }

    #[test]
    fn a02_a_path_is_displayed_harmlessly() {
        assert_eq!(FilePath::new("a\u{1b}[2Jb").unwrap().to_string(), "a\\u{1b}[2Jb");
    }
}
