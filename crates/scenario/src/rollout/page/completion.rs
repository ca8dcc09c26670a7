//! The picture that answers the question: who is complete when, against what arithmetic allows.

use std::fmt::{self, Write};

use protocol::Time;

use super::RolloutPage;
use super::axes::Axes;
use super::marks::{self, Mark};
use crate::rollout::{Sample, SeedDeath};
use crate::units::human_seconds;

/// Of the picture; a browser scales it.
const WIDTH: f64 = 1360.0;
const PLOT: f64 = 320.0;
/// Most points of a curve: about one a pixel.
const POINTS: usize = 700;

/// Seconds since the first leecher came.
#[expect(clippy::cast_precision_loss, reason = "a place in a picture")]
pub(super) fn second(at: Time) -> f64 {
    at.nanos() as f64 / 1e9
}

/// Where the time of the pictures ends: with the last that moved, or the bound if that is later.
pub(super) fn end(page: &RolloutPage<'_>) -> f64 {
    let samples = &page.outcome.samples;
    let moved =
        samples.windows(2).filter(|two| two[0].sent < two[1].sent || two[0].complete < two[1].complete);
    let moved = moved.map(|two| second(two[1].at)).fold(0.0, f64::max);
    let last = page.outcome.last().map_or(moved, second);
    [last, moved.min(last * 1.5 + 1.0), page.figures.chunk_bound_s].into_iter().fold(1e-6, f64::max) * 1.04
}

/// At most [`POINTS`] of the samples, the last among them.
pub(super) fn some<'a>(page: &RolloutPage<'a>, end: f64) -> Vec<&'a Sample> {
    let within = page.outcome.samples.iter().filter(|sample| second(sample.at) <= end).count();
    let step = within.div_ceil(POINTS).max(1);
    let samples = &page.outcome.samples[..within];
    let mut some: Vec<&Sample> = samples.iter().step_by(step).collect();
    some.extend(samples.last().filter(|last| some.last().is_none_or(|one| one.at < last.at)));
    some
}

pub(super) fn write(text: &mut String, page: &RolloutPage<'_>) -> fmt::Result {
    let (seconds, marks) = (end(page), moments(page));
    let mut axes = Axes { width: WIDTH, height: PLOT, top: 0.0, seconds, most: 100.0 };
    axes.top = marks::room(&marks, &axes);
    axes.height = axes.top + PLOT;
    text.push_str(
        "<section class=\"main\">\n<h2>Who is complete when</h2>\n<ul class=\"legend\">\
         <li><i class=\"whole\"></i>peers that are complete</li><li><i class=\"bytes\"></i>bytes that arrived, of all that are wanted</li>\
         <li><i class=\"fluid\"></i>what arithmetic allows at best</li></ul>\n",
    );
    axes.open(text, "peers that are complete, in time", |value| format!("{value:.0} %"))?;
    tracker_away(text, page, &axes)?;
    complete(text, page, &axes)?;
    bytes(text, page, &axes)?;
    marks::write(text, &marks, &axes)?;
    shares(text, page, &axes)?;
    text.push_str("</svg>\n</section>\n");
    Ok(())
}

/// The upright lines: bounds, the last, and what goes wrong.
fn moments(page: &RolloutPage<'_>) -> Vec<Mark> {
    let figures = page.figures;
    let mark = |second, class, what: &str, about| Mark {
        second,
        class,
        name: format!("{what} {}", human_seconds(second)),
        about,
    };
    let mut marks = vec![
        mark(figures.bound_s, "fluid", "fluid bound", "no way of sharing is quicker than this"),
        mark(figures.chunk_bound_s, "chunked", "chunk bound", "nor, in chunks of this size, than this"),
    ];
    marks.extend(figures.time_s.map(|time| mark(time, "last", "the last", "the last peer is complete")));
    if let Some(SeedDeath::At(at)) = page.named.rollout.faults.seed_dies {
        marks.push(mark(at.as_secs_f64(), "dies", "seeds die", "all seeds are killed"));
    }
    marks
}

fn tracker_away(text: &mut String, page: &RolloutPage<'_>, axes: &Axes) -> fmt::Result {
    for (from, until) in &page.named.rollout.faults.tracker_away {
        let (from, until) = (axes.x(from.as_secs_f64()), axes.x(until.as_secs_f64()));
        writeln!(
            text,
            "<rect class=\"gone\" x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\"><title>the tracker is away</title></rect>",
            axes.top,
            (until - from).max(0.0),
            axes.bottom() - axes.top
        )?;
    }
    Ok(())
}

/// When each leecher was complete, in order.
fn finishes(page: &RolloutPage<'_>) -> Vec<f64> {
    let mut times: Vec<f64> = page.outcome.leechers().filter_map(|peer| peer.finished).map(second).collect();
    times.sort_by(f64::total_cmp);
    times
}

#[expect(clippy::cast_precision_loss, reason = "a place in a picture")]
fn complete(text: &mut String, page: &RolloutPage<'_>, axes: &Axes) -> fmt::Result {
    let (times, all) = (finishes(page), page.figures.leechers.max(1) as f64);
    let (mut x, mut line) = (f64::NEG_INFINITY, String::new());
    for (before, time) in times.iter().enumerate() {
        // A point a pixel: what comes within it is in the next step.
        if axes.x(*time) - x >= 1.0 {
            x = axes.x(*time);
            write!(line, "H{x:.1}V{:.1}", axes.y((before + 1) as f64 * 100.0 / all))?;
        }
    }
    let Some(last) = times.last() else { return Ok(()) };
    write!(line, "H{:.1}V{:.1}", axes.x(*last), axes.y(times.len() as f64 * 100.0 / all))?;
    let (left, bottom, right) = (Axes::left(), axes.bottom(), axes.right());
    writeln!(text, "<path class=\"complete\" d=\"M{left} {bottom:.1}{line}H{right:.1}V{bottom:.1}Z\"/>")?;
    writeln!(text, "<path class=\"edge\" d=\"M{left} {bottom:.1}{line}H{right:.1}\"/>")
}

#[expect(clippy::cast_precision_loss, reason = "a place in a picture")]
fn bytes(text: &mut String, page: &RolloutPage<'_>, axes: &Axes) -> fmt::Result {
    let wanted = page.figures.file_bytes as f64 * page.figures.leechers.max(1) as f64;
    let mut line = format!("M{} {:.1}", Axes::left(), axes.bottom());
    for sample in some(page, axes.seconds) {
        let share = (sample.sent as f64 * 100.0 / wanted).min(100.0);
        write!(line, "L{:.1} {:.1}", axes.x(second(sample.at)), axes.y(share))?;
    }
    writeln!(text, "<path class=\"bytes\" d=\"{line}\"/>")
}

/// Points on the curve: half of all, and 99 in a hundred.
#[expect(clippy::cast_precision_loss, reason = "a place in a picture")]
fn shares(text: &mut String, page: &RolloutPage<'_>, axes: &Axes) -> fmt::Result {
    let (times, all) = (finishes(page), page.figures.leechers);
    for (hundredths, name) in [(50, "half"), (99, "99 %")] {
        let at = (all * hundredths).div_ceil(100).max(1) - 1;
        let Some(time) = times.get(at).copied().filter(|_| all > 1) else { continue };
        let (x, y) = (axes.x(time), axes.y((at + 1) as f64 * 100.0 / all as f64));
        writeln!(
            text,
            "<g class=\"share\"><circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{name} {}</text></g>",
            x - 10.0,
            // Beside the point, or below the names of the upright lines.
            y + if hundredths > 90 { 18.0 } else { 4.0 },
            human_seconds(time)
        )?;
    }
    Ok(())
}
