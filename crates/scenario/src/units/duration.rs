//! Durations as people type and read them: `500ms`, `30s`, `2h`, `1h30m`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Units and their microseconds.
const UNITS: [(&str, u64); 6] = [
    ("us", 1),
    ("ms", 1000),
    ("s", 1_000_000),
    ("m", 60_000_000),
    ("h", 3_600_000_000),
    ("d", 86_400_000_000),
];

/// A duration with a unit at every number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(
    /// The duration.
    pub Duration,
);

/// A text that is no duration.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a duration with its unit: 500ms, 30s, 10m, 2h, 7d or 1h30m")]
pub struct BadSpan;

impl FromStr for Span {
    type Err = BadSpan;

    fn from_str(text: &str) -> Result<Self, BadSpan> {
        if text.is_empty() {
            return Err(BadSpan);
        }
        let mut rest = text;
        let mut micros = 0u64;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or(BadSpan)?;
            let number: u64 = rest[..digits].parse().map_err(|_| BadSpan)?;
            rest = &rest[digits..];
            let unit = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
            let (_, factor) = *UNITS.iter().find(|(name, _)| *name == &rest[..unit]).ok_or(BadSpan)?;
            micros = number.checked_mul(factor).and_then(|more| micros.checked_add(more)).ok_or(BadSpan)?;
            rest = &rest[unit..];
        }
        Ok(Span(Duration::from_micros(micros)))
    }
}

impl fmt::Display for Span {
    /// As it would be typed, to the microsecond.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = u64::try_from(self.0.as_micros()).unwrap_or(u64::MAX);
        if micros == 0 {
            return f.write_str("0s");
        }
        let whole = UNITS.iter().rev().find(|(_, factor)| micros.is_multiple_of(*factor));
        let (unit, factor) = whole.copied().unwrap_or(("us", 1));
        write!(f, "{}{unit}", micros / factor)
    }
}

/// A duration for people: `8 s`, `4 min`, `2 h 5 min`, `3 d`.
pub fn human_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 86400, seconds / 3600, seconds / 60) {
        (0, 0, 0..=1) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {} min", minutes % 60),
        (days, _, _) => format!("{days} d"),
    }
}

/// A measured time for people, in three digits or two units: `2.41 s`, `12.3 s`, `12 min 5 s`, `3 h 20 min`.
pub fn human_seconds(seconds: f64) -> String {
    // What is rounded up to a larger unit is shown in that.
    if seconds < 0.099_95 {
        return format!("{:.1} ms", seconds * 1000.0);
    }
    if seconds < 9.995 {
        return format!("{seconds:.2} s");
    }
    if seconds < 599.95 {
        return format!("{seconds:.1} s");
    }
    let whole = Duration::try_from_secs_f64(seconds.round()).unwrap_or(Duration::MAX).as_secs();
    match (whole / 86400, whole / 3600, whole / 60) {
        (0, 0, minutes) => format!("{minutes} min {} s", whole % 60),
        (0, hours, minutes) => format!("{hours} h {} min", minutes % 60),
        (days, hours, _) => format!("{days} d {} h", hours % 24),
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
        for (text, micros) in [("500ms", 500_000), ("400us", 400), ("1m30s5ms", 90_005_000)] {
            assert_eq!(text.parse(), Ok(Span(Duration::from_micros(micros))), "{text}");
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
            "1 ms",
            "ms",
            "1é",
            "99999999999999999999s",
            "999999999999999999d",
        ] {
            assert_eq!(text.parse::<Span>(), Err(BadSpan), "{text}");
        }
    }

    #[test]
    fn what_is_shown_can_be_typed() {
        for text in ["0s", "400us", "500ms", "90s", "5m", "36h", "7d"] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), text);
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
    #[test]
    fn measured_times_for_people() {
        for (seconds, text) in [
            (0.0, "0.0 ms"),
            (0.0123, "12.3 ms"),
            (0.5, "0.50 s"),
            (9.99, "9.99 s"),
            (9.999, "10.0 s"),
            (72.04, "72.0 s"),
            (725.2, "12 min 5 s"),
            (12_000.0, "3 h 20 min"),
            (100_000.0, "1 d 3 h"),
        ] {
            assert_eq!(human_seconds(seconds), text);
        }
        assert!(!human_seconds(f64::INFINITY).is_empty() && !human_seconds(f64::NAN).is_empty());
    }
}
