//! Sizes and rates as people type and read them: `64K`, `2G`, `50M` a second, `400mbit`.

use std::fmt;
use std::str::FromStr;

/// A number of bytes: `65536`, `64K`, `1M`, `2G`, `1T` (binary; `KiB` and so on are the same).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(
    /// The bytes.
    pub u64,
);

/// Bytes a second: `50M` is MiB/s, `400mbit` is 400,000,000 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate(u64);

/// A text that is no size.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a number with K, M, G or T behind it (binary): 64K, 1M, 2G")]
pub struct BadSize;

/// A text that is no rate.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected bytes a second as 50M (MiB/s), or bits as 400mbit; and not 0")]
pub struct BadRate;

impl Rate {
    /// Bytes a second, never 0.
    pub const fn bytes_per_second(self) -> u64 {
        self.0
    }

    /// So many bytes a second; none of 0.
    pub const fn new(bytes_per_second: u64) -> Option<Self> {
        if bytes_per_second == 0 { None } else { Some(Rate(bytes_per_second)) }
    }
}

impl FromStr for Size {
    type Err = BadSize;

    fn from_str(text: &str) -> Result<Self, BadSize> {
        let (number, unit) = split_number(text).ok_or(BadSize)?;
        let unit = unit.to_ascii_lowercase();
        let shift = match unit.strip_suffix("ib").unwrap_or(&unit) {
            "" if unit.is_empty() => 0,
            "k" => 10,
            "m" => 20,
            "g" => 30,
            "t" => 40,
            _ => return Err(BadSize),
        };
        number.checked_mul(1 << shift).map(Size).ok_or(BadSize)
    }
}

impl FromStr for Rate {
    type Err = BadRate;

    fn from_str(text: &str) -> Result<Self, BadRate> {
        let (number, unit) = split_number(text).ok_or(BadRate)?;
        let bytes = match unit.to_ascii_lowercase().as_str() {
            "bit" => Some(number / 8),
            "kbit" => number.checked_mul(1000 / 8),
            "mbit" => number.checked_mul(1_000_000 / 8),
            "gbit" => number.checked_mul(1_000_000_000 / 8),
            _ => text.strip_suffix("/s").unwrap_or(text).parse().ok().map(|Size(bytes)| bytes),
        };
        bytes.filter(|bytes| *bytes > 0).map(Rate).ok_or(BadRate)
    }
}

impl fmt::Display for Size {
    /// As it would be typed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(40, "T"), (30, "G"), (20, "M"), (10, "K")];
        match units.iter().find(|(shift, _)| self.0 > 0 && self.0.trailing_zeros() >= *shift) {
            Some((shift, unit)) => write!(f, "{}{unit}", self.0 >> shift),
            None => write!(f, "{}", self.0),
        }
    }
}

impl fmt::Display for Rate {
    /// As it would be typed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes % 125_000_000 == 0 => write!(f, "{}gbit", bytes / 125_000_000),
            bytes if bytes % 125_000 == 0 => write!(f, "{}mbit", bytes / 125_000),
            bytes if bytes % 125 == 0 => write!(f, "{}kbit", bytes / 125),
            bytes => Size(bytes).fmt(f),
        }
    }
}

/// Leading plain digits and what follows.
fn split_number(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

/// Bytes for people, in powers of a thousand: `1.2 GB`.
pub fn human_bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let mut value = bytes as f64;
    let mut unit = 0;
    // 999.5 would be shown as 1000.
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if value < 9.95 { format!("{value:.1} {}", UNITS[unit]) } else { format!("{value:.0} {}", UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_binary() {
        for (text, bytes) in
            [("0", 0), ("7", 7), ("64K", 65536), ("1m", 1 << 20), ("2GiB", 2 << 30), ("1T", 1 << 40)]
        {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
        for text in [
            "",
            "K",
            "1.5G",
            "-1",
            "+1",
            "1 K",
            "1X",
            "1B",
            "1KB",
            "ib",
            "1ib",
            "99999999999999999999",
            "16777216T",
        ] {
            assert_eq!(text.parse::<Size>(), Err(BadSize), "{text}");
        }
    }

    #[test]
    fn rates_are_bytes_or_bits() {
        for (text, bytes) in [
            ("50M", 50 << 20),
            ("50M/s", 50 << 20),
            ("400mbit", 50_000_000),
            ("1Gbit", 125_000_000),
            ("800", 800),
            ("80kbit", 10_000),
        ] {
            assert_eq!(text.parse(), Ok(Rate(bytes)), "{text}");
        }
        for text in ["", "0", "0mbit", "7bit", "mbit", "fast", "-1M", "1mb", "99999999999999999999gbit"] {
            assert_eq!(text.parse::<Rate>(), Err(BadRate), "{text}");
        }
    }

    #[test]
    fn what_is_shown_can_be_typed() {
        for text in ["0", "7", "64K", "3M", "2G", "1T", "1025"] {
            assert_eq!(text.parse::<Size>().unwrap().to_string(), text);
        }
        for text in ["1gbit", "2500mbit", "80kbit", "1M", "7"] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn bytes_for_people() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (9_949, "9.9 kB"),
            (9_950, "10 kB"),
            (999_499, "999 kB"),
            (999_500, "1.0 MB"),
            (1_234_567_890, "1.2 GB"),
            (u64::MAX, "18446744 TB"),
        ] {
            assert_eq!(human_bytes(bytes), text);
        }
    }
}
