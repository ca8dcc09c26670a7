//! Patterns of `--files`: which files of a folder are wanted.

/// A pattern over paths inside the folder: `*` and `?` within one name, `**` for any number of folders.
///
/// A pattern without a slash is compared with the last name of a path, as `.gitignore` does: `*.pdf` takes every
/// PDF however deep; a pattern with a slash is compared with the whole path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Glob(String);

impl From<&str> for Glob {
    fn from(pattern: &str) -> Self {
        Glob(pattern.to_owned())
    }
}

impl Glob {
    /// Whether it names this file.
    pub(crate) fn matches(&self, path: &str) -> bool {
        let pattern: Vec<&str> = self.0.split('/').collect();
        let path: Vec<&str> = path.split('/').collect();
        match (pattern.as_slice(), path.last()) {
            ([of_name], Some(name)) => name_matches(of_name, name),
            _ => matches(&pattern, &path, |part| *part == "**", |part, name| name_matches(part, name)),
        }
    }
}

fn name_matches(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    matches(&pattern, &name, |c| *c == '*', |p, c| *p == '?' || p == c)
}

/// Whether `text` fits `pattern`, where a star stands for any number of items. Going back to the last star alone is
/// enough, so the time is at most pattern × text, whatever the pattern.
fn matches<P, T>(
    pattern: &[P],
    text: &[T],
    is_star: impl Fn(&P) -> bool,
    fits: impl Fn(&P, &T) -> bool,
) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut last_star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(part) if is_star(part) => {
                p += 1;
                last_star = Some((p, t));
            }
            Some(part) if fits(part, &text[t]) => (p, t) = (p + 1, t + 1),
            _ => {
                let Some((after, from)) = last_star else { return false };
                last_star = Some((after, from + 1));
                (p, t) = (after, from + 1);
            }
        }
    }
    pattern[p..].iter().all(is_star)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_name_files_as_people_expect() {
        for (pattern, path, expected) in [
            ("*.pdf", "a.pdf", true),
            ("*.pdf", "deep/er/a.pdf", true),
            ("*.pdf", "a.pdf.txt", false),
            ("docs/*", "docs/a", true),
            ("docs/*", "docs/a/b", false),
            ("docs/**", "docs/a/b", true),
            ("**/b", "a/x/b", true),
            ("**/b", "b", true),
            ("a/**/b", "a/b", true),
            ("a/**/b", "a/x/y/b", true),
            ("a/**/b", "a/xb", false),
            ("a?c", "abc", true),
            ("a?c", "aéc", true),
            ("a?c", "ac", false),
            ("*", "any/thing", true),
            ("**", "any/thing", true),
            ("*a*b*", "xaybz", true),
            ("*a*b*", "xbya", false),
            ("", "a", false),
            ("[x]", "[x]", true),
        ] {
            assert_eq!(Glob::from(pattern).matches(path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn a_hard_pattern_takes_no_exponential_time() {
        let pattern = "*a".repeat(500);
        assert!(!Glob::from(pattern.as_str()).matches(&"a".repeat(400)));
        assert!(!Glob::from("**/a/**/a/**/a/**/a/**/b").matches(&"a/".repeat(3000)));
    }
}
