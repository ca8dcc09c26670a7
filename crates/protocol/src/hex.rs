//! Canonical hexadecimal: lowercase only, so that one value has exactly one text (threat A4).

/// Writes `bytes` as lowercase hex.
pub(crate) fn write(f: &mut std::fmt::Formatter<'_>, bytes: &[u8]) -> std::fmt::Result {
    let mut text = [0u8; 64];
    for chunk in bytes.chunks(text.len() / 2) {
        for (pair, byte) in text.chunks_exact_mut(2).zip(chunk) {
            pair.copy_from_slice(&digits(*byte));
        }
        // The digits above are ASCII, so this cannot fail.
        f.write_str(std::str::from_utf8(&text[..chunk.len() * 2]).map_err(|_| std::fmt::Error)?)?;
    }
    Ok(())
}

/// The same at the end of a text that is not shown but sent.
pub(crate) fn append(bytes: &[u8], text: &mut Vec<u8>) {
    for byte in bytes {
        text.extend_from_slice(&digits(*byte));
    }
}

const fn digits(byte: u8) -> [u8; 2] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    [DIGITS[(byte >> 4) as usize], DIGITS[(byte & 15) as usize]]
}

/// Reads exactly `out.len()` bytes; `None` for another length, an upper-case digit or anything else.
pub(crate) fn read(text: &str, out: &mut [u8]) -> Option<()> {
    let text = text.as_bytes();
    if text.len() != out.len() * 2 {
        return None;
    }
    for (byte, pair) in out.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(())
}

fn digit(c: u8) -> Option<u8> {
    match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    }
}
