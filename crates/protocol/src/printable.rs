//! Text from strangers, made harmless for a terminal, a log line or an error message (threat A2).

use std::fmt;

/// Displays a text with everything that could move a cursor, change direction or forge a line escaped.
///
/// Control characters (C0, DEL, C1), Unicode's bidirectional and invisible format characters and line
/// separators come out as `\u{…}`; all else stays as it is. GHSA-364c-vvqx-446c is what happens otherwise.
#[derive(Clone, Copy, Debug)]
pub struct Printable<'a>(pub &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        for c in self.0.chars() {
            if is_harmless(c) {
                f.write_char(c)?;
            } else {
                write!(f, "{}", c.escape_unicode())?;
            }
        }
        Ok(())
    }
}

/// Whether a character only draws itself.
pub const fn is_harmless(c: char) -> bool {
    !matches!(c,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}'                 // C0, DEL, C1
        | '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}'      // soft hyphen, ALM, MVS, BOM
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'   // zero widths, marks, separators, embeddings
        | '\u{2060}'..='\u{206f}' | '\u{fff9}'..='\u{fffb}'   // isolates, invisible operators, annotations
        | '\u{e0000}'..='\u{e007f}') // tags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a02_escapes_bidi_marks_and_newlines_are_shown_not_obeyed() {
        let shown = |text| Printable(text).to_string();
        assert_eq!(shown("\u{1b}[2Jgone"), "\\u{1b}[2Jgone");
        assert_eq!(shown("photo\u{202e}gpj.exe"), "photo\\u{202e}gpj.exe");
        assert_eq!(shown("a\r\nb\u{2028}c"), "a\\u{d}\\u{a}b\\u{2028}c");
        assert_eq!(shown("\u{9b}31m"), "\\u{9b}31m");
        assert_eq!(shown("Grüße 文件 🦀"), "Grüße 文件 🦀");
    }
}
