//! Shares as people write them: `2%`, `0.05%`.

use std::fmt;
use std::str::FromStr;

/// A share of all, in millionths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(u32);

/// A text that is no share.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a share from 0% to 100%, with four decimals at most: 2%, 0.05%")]
pub struct BadShare;

/// Millionths of a hundredth.
const PERCENT: u32 = 10_000;
/// All.
const ALL: u32 = 100 * PERCENT;

impl Share {
    /// So many millionths; `None` for more than all.
    pub const fn from_millionths(millionths: u32) -> Option<Self> {
        if millionths > ALL { None } else { Some(Share(millionths)) }
    }

    /// The millionths.
    pub const fn millionths(self) -> u32 {
        self.0
    }
}

impl FromStr for Share {
    type Err = BadShare;

    fn from_str(text: &str) -> Result<Self, BadShare> {
        let number = text.strip_suffix('%').ok_or(BadShare)?;
        let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
        let is_plain = |part: &str| (1..=4).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        if !is_plain(whole) || !is_plain(decimals) {
            return Err(BadShare);
        }
        let whole: u32 = whole.parse().map_err(|_| BadShare)?;
        let decimals: u32 = format!("{decimals:0<4}").parse().map_err(|_| BadShare)?;
        Share::from_millionths(whole * PERCENT + decimals).ok_or(BadShare)
    }
}

impl fmt::Display for Share {
    /// As it would be typed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / PERCENT, self.0 % PERCENT) {
            (whole, 0) => write!(f, "{whole}%"),
            (whole, rest) => {
                let decimals = format!("{rest:04}");
                write!(f, "{whole}.{}%", decimals.trim_end_matches('0'))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_hundredths_and_their_parts() {
        for (text, millionths) in [
            ("0%", 0),
            ("2%", 20_000),
            ("0.05%", 500),
            ("0.0001%", 1),
            ("33.3%", 333_000),
            ("100%", 1_000_000),
        ] {
            assert_eq!(text.parse(), Ok(Share(millionths)), "{text}");
            assert_eq!(Share(millionths).to_string(), text);
        }
        for text in
            ["", "%", "2", "-1%", "101%", "100.0001%", "0.00001%", "1.%", ".5%", "1e2%", "2 %", "99999%"]
        {
            assert_eq!(text.parse::<Share>(), Err(BadShare), "{text}");
        }
    }
}
