//! Words in a command line that a reader will paste into a shell.

/// The word in single quotes (POSIX shell), safe whatever it is; as it stands when it needs none.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._/:@%+=".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pasted_name_runs_nothing() {
        assert_eq!(quoted("data.bin"), "data.bin");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("$(reboot)"), "'$(reboot)'");
        assert_eq!(quoted("it's; rm -rf ~"), "'it'\\''s; rm -rf ~'");
        assert_eq!((quoted("~root").as_str(), quoted("").as_str()), ("'~root'", "''"));
    }
}
