//! Durations as people type and read them: `30s`, `2h`, `1h30m`.

use std::str::FromStr;
use std::time::Duration;

/// A duration with a unit at every number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) Duration);

/// A text that is no duration.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a duration with its unit: 30s, 10m, 2h, 7d or 1h30m")]
pub(crate) struct BadSpan;

impl FromStr for Span {
    type Err = BadSpan;

    fn from_str(text: &str) -> Result<Self, BadSpan> {
        if text.is_empty() {
            return Err(BadSpan);
        }
        let mut rest = text;
        let mut seconds = 0u64;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or(BadSpan)?;
            let number: u64 = rest[..digits].parse().map_err(|_| BadSpan)?;
            let unit = match rest.as_bytes()[digits] {
                b's' => 1,
                b'm' => 60,
                b'h' => 3600,
                b'd' => 86400,
                _ => return Err(BadSpan),
            };
            seconds = number.checked_mul(unit).and_then(|more| seconds.checked_add(more)).ok_or(BadSpan)?;
            rest = &rest[digits + 1..];
        }
        Ok(Span(Duration::from_secs(seconds)))
    }
}

/// A duration for people: `8 s`, `4 min`, `2 h 5 min`, `3 d`.
pub(crate) fn human_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 86400, seconds / 3600, seconds / 60) {
        (0, 0, 0..=1) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {} min", minutes % 60),
        (days, _, _) => format!("{days} d"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        for (text, seconds) in
            [("30s", 30), ("0s", 0), ("10m", 600), ("2h", 7200), ("1h30m", 5400), ("7d", 604_800)]
        {
            assert_eq!(text.parse(), Ok(Span(Duration::from_secs(seconds))), "{text}");
        }
        for text in [
            "",
            "30",
            "s",
            "1.5h",
            "-1s",
            "1h30",
            "3 s",
            "1w",
            "1é",
            "99999999999999999999s",
            "999999999999999999d",
        ] {
            assert_eq!(text.parse::<Span>(), Err(BadSpan), "{text}");
        }
    }

    #[test]
    fn durations_for_people() {
        for (seconds, text) in
            [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7500, "2 h 5 min"), (3 * 86400, "3 d")]
        {
            assert_eq!(human_duration(Duration::from_secs(seconds)), text);
        }
    }
}
