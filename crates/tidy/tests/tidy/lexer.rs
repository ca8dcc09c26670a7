//! Just enough of Rust's lexical grammar to know code from comments and literals.

use std::iter::Peekable;
use std::str::CharIndices;

type Chars<'a> = Peekable<CharIndices<'a>>;

/// `text` with comments and the insides of string and character literals replaced by spaces, byte by byte: lines and
/// columns stay.
pub(crate) fn code_only(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let rest = &text[at..];
        if rest.starts_with("//") {
            blank_until(&mut chars, &mut out, c, |rest| rest.starts_with('\n'), text);
        } else if rest.starts_with("/*") {
            block_comment(&mut chars, &mut out, text);
        } else if let Some(hashes) = raw_string(text, at) {
            raw_literal(&mut chars, &mut out, hashes, text);
        } else if c == '"' {
            string_literal(&mut chars, &mut out);
        } else if c == '\'' && is_character(rest) {
            character_literal(&mut chars, &mut out);
        } else {
            out.push(c);
        }
    }
    out
}

/// The identifiers of blanked code, each with its line from 1.
pub(crate) fn identifiers(code: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(code.lines()).flat_map(|(number, line)| {
        let words = line.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        words.filter(|word| !word.is_empty()).map(move |word| (number, word))
    })
}

/// The words of an identifier: `ChunkSize`, `chunk_size` and `CHUNK_SIZE` are all chunk and size.
pub(crate) fn parts(identifier: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut last_was_lower = false;
    for c in identifier.chars() {
        if c == '_' || (c.is_uppercase() && last_was_lower) {
            parts.push(String::new());
        }
        if let (Some(part), true) = (parts.last_mut(), c != '_') {
            part.extend(c.to_lowercase());
        }
        last_was_lower = c.is_lowercase() || c.is_ascii_digit();
    }
    parts.retain(|part| !part.is_empty());
    parts
}

fn blank(out: &mut String, c: char) {
    if c == '\n' {
        out.push('\n');
    } else {
        out.extend(std::iter::repeat_n(' ', c.len_utf8()));
    }
}

fn blank_until(
    chars: &mut Chars<'_>,
    out: &mut String,
    first: char,
    ends: impl Fn(&str) -> bool,
    text: &str,
) {
    blank(out, first);
    while let Some(&(at, c)) = chars.peek() {
        if ends(&text[at..]) {
            return;
        }
        blank(out, c);
        chars.next();
    }
}

/// Behind the first character of `/*`; comments nest.
fn block_comment(chars: &mut Chars<'_>, out: &mut String, text: &str) {
    let mut depth = 1;
    out.push(' ');
    let mut skip = |chars: &mut Chars<'_>| chars.next().map_or((), |(_, c)| blank(out, c));
    skip(chars);
    while depth > 0 {
        let Some(&(at, _)) = chars.peek() else { return };
        let rest = &text[at..];
        if rest.starts_with("/*") || rest.starts_with("*/") {
            depth = if rest.starts_with("/*") { depth + 1 } else { depth - 1 };
            skip(chars);
        }
        skip(chars);
    }
}

/// How many `#` open a raw string at `at`, if one starts there (`r"`, `br#"`); not the tail of an identifier.
fn raw_string(text: &str, at: usize) -> Option<usize> {
    let before = text[..at].chars().next_back();
    if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
        return None;
    }
    let rest = text[at..].strip_prefix("br").or_else(|| text[at..].strip_prefix('r'))?;
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    rest[hashes..].starts_with('"').then_some(hashes)
}

fn raw_literal(chars: &mut Chars<'_>, out: &mut String, hashes: usize, text: &str) {
    out.push('r');
    for (_, c) in chars.by_ref() {
        if c == '"' {
            break;
        }
        out.push(' ');
    }
    out.push('"');
    let end = format!("\"{}", "#".repeat(hashes));
    while let Some((at, c)) = chars.next() {
        if text[at..].starts_with(&end) {
            out.push('"');
            for _ in 0..hashes {
                out.push(' ');
                chars.next();
            }
            return;
        }
        blank(out, c);
    }
}

fn string_literal(chars: &mut Chars<'_>, out: &mut String) {
    out.push('"');
    while let Some((_, c)) = chars.next() {
        match c {
            '"' => {
                out.push('"');
                return;
            }
            '\\' => {
                out.push(' ');
                if let Some((_, escaped)) = chars.next() {
                    blank(out, escaped);
                }
            }
            c => blank(out, c),
        }
    }
}

/// A `'` opens a character when it is escaped or closes two characters on; otherwise it is a lifetime.
fn is_character(rest: &str) -> bool {
    let mut chars = rest.chars().skip(1);
    chars.next() == Some('\\') || chars.next() == Some('\'')
}

fn character_literal(chars: &mut Chars<'_>, out: &mut String) {
    out.push('\'');
    while let Some((_, c)) = chars.next() {
        if c == '\'' {
            out.push('\'');
            return;
        }
        blank(out, c);
        if let ('\\', Some((_, escaped))) = (c, chars.peek().copied()) {
            blank(out, escaped);
            chars.next();
        }
    }
}

#[test]
fn comments_and_literals_are_blanked_and_code_is_not() {
    for (text, code) in [
        ("a // b\nc", "a     \nc"),
        ("a /* b /* c */ d */ e", "a                   e"),
        (r#"f("x\"y") + 1"#, r#"f("    ") + 1"#),
        ("r#\"a\"b\"# + c", "r \"   \"  + c"),
        ("b\"a\" 'x' '\\'' '\\n' &'a str", "b\" \" ' ' '  ' '  ' &'a str"),
        ("bar\"x\"", "bar\" \""),
        ("\"ß\" + 'ß'", "\"  \" + '  '"),
        ("\"two\nlines\"", "\"   \n     \""),
    ] {
        assert_eq!(code_only(text), code, "{text}");
    }
}

#[test]
fn identifiers_fall_into_words() {
    assert_eq!(parts("chunk_size"), ["chunk", "size"]);
    assert_eq!(parts("ChunkSize"), ["chunk", "size"]);
    assert_eq!(parts("MAX_CHUNKS"), ["max", "chunks"]);
    assert_eq!(parts("spawn_blocking"), ["spawn", "blocking"]);
    assert_eq!(
        identifiers("let a_b = C;\nd").collect::<Vec<_>>(),
        [(1, "let"), (1, "a_b"), (1, "C"), (2, "d")]
    );
}
