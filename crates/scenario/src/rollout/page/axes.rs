//! How seconds and shares become places in a picture, and the lines that say so.

use std::fmt::{self, Write};

/// Left of it stand the values, right of it nothing.
const LEFT: f64 = 56.0;
const RIGHT_MARGIN: f64 = 16.0;
/// Below, for the seconds.
const BOTTOM: f64 = 24.0;

/// A picture's scales.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axes {
    pub(super) width: f64,
    pub(super) height: f64,
    /// Room above, for the names of marks.
    pub(super) top: f64,
    /// Where time ends.
    pub(super) seconds: f64,
    /// The largest value.
    pub(super) most: f64,
}

impl Axes {
    pub(super) fn x(&self, second: f64) -> f64 {
        LEFT + (second / self.seconds.max(1e-9)).clamp(0.0, 1.0) * (self.right() - LEFT)
    }

    pub(super) fn y(&self, value: f64) -> f64 {
        self.bottom() - (value / self.most.max(1e-9)).clamp(0.0, 1.0) * (self.bottom() - self.top)
    }

    pub(super) const fn left() -> f64 {
        LEFT
    }

    pub(super) fn right(&self) -> f64 {
        self.width - RIGHT_MARGIN
    }

    pub(super) fn bottom(&self) -> f64 {
        self.height - BOTTOM
    }

    /// Opens the picture and draws the lines of both scales; values are named by `name`.
    pub(super) fn open(&self, page: &mut String, label: &str, name: impl Fn(f64) -> String) -> fmt::Result {
        writeln!(
            page,
            "<svg viewBox=\"0 0 {:.0} {:.0}\" role=\"img\" aria-label=\"{label}\">",
            self.width, self.height
        )?;
        let step = round_step(self.most / 4.0);
        for line in 0..=5 {
            let value = f64::from(line) * step;
            if value > self.most * 1.001 {
                break;
            }
            let y = self.y(value);
            writeln!(
                page,
                "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{:.1}\"/><text class=\"value\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                self.right(),
                LEFT - 8.0,
                y + 4.0,
                name(value)
            )?;
        }
        let step = time_step(self.seconds / (self.width / 90.0));
        for line in 0..=40 {
            let second = f64::from(line) * step;
            if second > self.seconds {
                break;
            }
            let (x, bottom) = (self.x(second), self.bottom());
            writeln!(
                page,
                "<path class=\"grid\" d=\"M{x:.1} {bottom:.1}v5\"/><text class=\"second\" x=\"{x:.1}\" y=\"{:.1}\">{}</text>",
                bottom + 18.0,
                tick(second, step)
            )?;
        }
        Ok(())
    }
}

/// The smallest of 1, 2, 5, 10, … that is not below `least`.
fn round_step(least: f64) -> f64 {
    let power = 10f64.powf(least.max(1e-9).log10().floor());
    [1.0, 2.0, 2.5, 5.0, 10.0]
        .into_iter()
        .map(|digit| digit * power)
        .find(|step| *step >= least * 0.999)
        .unwrap_or(power)
}

/// The same for time: by sixties and twenty-fours above the minute.
fn time_step(least: f64) -> f64 {
    let round = [60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0, 14_400.0, 21_600.0, 43_200.0];
    match least {
        _ if least <= 30.0 => round_step(least).min(30.0).max(least),
        _ => round
            .into_iter()
            .find(|step| *step >= least)
            .unwrap_or_else(|| (least / 86400.0).ceil() * 86400.0),
    }
}

fn tick(second: f64, step: f64) -> String {
    if second == 0.0 {
        return "0".to_owned();
    }
    match step {
        _ if step < 0.1 => format!("{:.0} ms", second * 1000.0),
        _ if step < 1.0 => format!("{second:.1} s"),
        _ if step < 60.0 => format!("{second:.0} s"),
        _ if step < 3600.0 => format!("{:.0} min", second / 60.0),
        _ if step < 86400.0 => format!("{:.0} h", second / 3600.0),
        _ => format!("{:.0} d", second / 86400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_numbers() {
        for (least, step) in [(0.21, 0.25), (0.3, 0.5), (1.0, 1.0), (26.0, 50.0), (0.0, 1e-9)] {
            assert!((round_step(least) / step - 1.0).abs() < 1e-6, "{least}: {}", round_step(least));
        }
        for (least, step) in [(1.1, 2.0), (12.0, 20.0), (31.0, 60.0), (700.0, 1200.0), (50_000.0, 86_400.0)] {
            assert!((time_step(least) / step - 1.0).abs() < 1e-6, "{least}: {}", time_step(least));
        }
    }
}
