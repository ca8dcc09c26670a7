//! Moments in time: upright lines whose names never lie on each other.

use std::fmt::{self, Write};

use super::axes::Axes;

/// Width of a letter at most, height of a row of names.
const LETTER: f64 = 6.6;
const ROW: f64 = 16.0;

/// A moment.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    pub(super) second: f64,
    pub(super) class: &'static str,
    pub(super) name: String,
    /// What a pointer over it shows.
    pub(super) about: &'static str,
}

/// Where its name stands.
struct Placed<'a> {
    mark: &'a Mark,
    row: usize,
    x: f64,
    anchor: &'static str,
}

/// Gives each name a row above the picture in which it has room, left of its line if another would cross it at the right.
fn place<'a>(marks: &'a [Mark], axes: &Axes) -> Vec<Placed<'a>> {
    let mut order: Vec<&Mark> = marks.iter().collect();
    order.sort_by(|one, other| one.second.total_cmp(&other.second));
    let lines: Vec<f64> = order.iter().map(|mark| axes.x(mark.second)).collect();
    let mut ends: Vec<f64> = Vec::new();
    let placed = order.into_iter().map(|mark| {
        #[expect(clippy::cast_precision_loss, reason = "a short name")]
        let width = mark.name.chars().count() as f64 * LETTER + 10.0;
        let line = axes.x(mark.second);
        let crossed = |from: f64, to: f64| lines.iter().any(|other| *other > from + 0.5 && *other < to - 0.5);
        let is_left =
            line + width > axes.right() || (crossed(line, line + width) && !crossed(line - width, line));
        let (from, anchor) = if is_left { (line - width, "end") } else { (line, "start") };
        let row = ends.iter().position(|end| *end <= from).unwrap_or(ends.len());
        if row == ends.len() {
            ends.push(0.0);
        }
        ends[row] = from + width;
        Placed { mark, row, x: line + if anchor == "end" { -5.0 } else { 5.0 }, anchor }
    });
    placed.collect()
}

/// The room that the names need above the picture.
#[expect(clippy::cast_precision_loss, reason = "a few rows")]
pub(super) fn room(marks: &[Mark], axes: &Axes) -> f64 {
    let rows = place(marks, axes).iter().map(|placed| placed.row + 1).max().unwrap_or(0);
    rows as f64 * ROW + 10.0
}

/// Draws them.
#[expect(clippy::cast_precision_loss, reason = "a few rows")]
pub(super) fn write(page: &mut String, marks: &[Mark], axes: &Axes) -> fmt::Result {
    for Placed { mark, row, x, anchor } in place(marks, axes) {
        let (line, bottom) = (axes.x(mark.second), axes.bottom());
        let base = axes.top - 6.0 - row as f64 * ROW;
        writeln!(
            page,
            "<g class=\"mark {}\"><title>{}</title><path d=\"M{line:.1} {:.1}V{bottom:.1}\"/>\
             <text x=\"{x:.1}\" y=\"{base:.1}\" text-anchor=\"{anchor}\">{}</text></g>",
            mark.class,
            mark.about,
            base - 9.0,
            mark.name
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_near_stand_in_rows_of_their_own() {
        let mark = |second| Mark { second, class: "x", name: "fluid bound 1 s".to_owned(), about: "" };
        let axes = Axes { width: 600.0, height: 200.0, top: 20.0, seconds: 10.0, most: 1.0 };
        let rows = |seconds: &[f64]| {
            let marks: Vec<Mark> = seconds.iter().map(|second| mark(*second)).collect();
            place(&marks, &axes).iter().map(|placed| placed.row).collect::<Vec<_>>()
        };
        assert_eq!(rows(&[5.0, 5.1, 5.2]), [0, 0, 1], "one at the left, one at the right");
        assert_eq!(rows(&[5.0, 1.0]), [0, 0]);
        assert_eq!(rows(&[9.9, 10.0]), [0, 1], "left of the edge");
    }
}
