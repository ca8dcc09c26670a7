//! Names inside a command line that a person will paste into a shell.

/// `text` as one word of a POSIX shell.
pub(crate) fn shell_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a02_a_pasted_name_stays_one_word() {
        assert_eq!(shell_quoted("a b"), "'a b'");
        assert_eq!(shell_quoted("$(rm -rf ~)`x`"), "'$(rm -rf ~)`x`'");
        assert_eq!(shell_quoted("it's"), r"'it'\''s'");
    }
}
