//! Text from strangers inside HTML.

use std::fmt;

use crate::Printable;

/// Displays a text so that it is only ever text, in an element or a quoted attribute (threat A26); what could turn
/// the direction of reading or hide is made visible (threat A2).
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        for c in Printable(self.0).to_string().chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a26_markup_is_shown_and_never_obeyed() {
        let shown = |text| Escaped(text).to_string();
        assert_eq!(
            shown("<script>alert('1&2')</script>"),
            "&lt;script&gt;alert(&#39;1&amp;2&#39;)&lt;/script&gt;"
        );
        assert_eq!(shown("\" onload=\"x"), "&quot; onload=&quot;x");
        assert_eq!(shown("photo\u{202e}gpj.exe\u{1b}[2J"), "photo\\u{202e}gpj.exe\\u{1b}[2J");
        assert_eq!(shown("Grüße 文件 🦀"), "Grüße 文件 🦀");
    }
}
