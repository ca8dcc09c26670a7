//! Two smaller pictures: how often the seed sends the file, and how much of all uplinks is used meanwhile.

use std::fmt::{self, Write};

use super::RolloutPage;
use super::axes::Axes;
use super::completion::{end, second, some};
use crate::rollout::{Conduct, Sample};

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 210.0;
const TOP: f64 = 14.0;
/// Points of a curve of speeds: fewer than there are samples, as slices come in lumps.
const STEPS: usize = 120;

/// What the seeds sent, in copies of the file.
#[expect(clippy::cast_precision_loss, reason = "a place in a picture")]
pub(super) fn seed(text: &mut String, page: &RolloutPage<'_>) -> fmt::Result {
    let copies = page.figures.seed_copies;
    write!(
        text,
        "<section>\n<h2>What the seeds sent <small>{copies:.2} copies of the file</small></h2>\n\
         <p>One copy at least. More helps where their uplink is wider than the others', and costs where it is not.</p>\n"
    )?;
    let axes =
        Axes { width: WIDTH, height: HEIGHT, top: TOP, seconds: end(page), most: copies.max(1.0) * 1.1 };
    axes.open(text, "copies of the file that the seeds sent, in time", digits)?;
    let file = page.figures.file_bytes.max(1) as f64;
    let points = some(page, axes.seconds).into_iter();
    line(text, &axes, "sent", points.map(|sample| (second(sample.at), sample.seeds_sent as f64 / file)))?;
    let y = axes.y(1.0);
    writeln!(
        text,
        "<path class=\"one\" d=\"M{} {y:.1}H{:.1}\"><title>one copy</title></path>\n</svg>\n</section>",
        Axes::left(),
        axes.right()
    )
}

/// What all peers send at a time, of what they could.
#[expect(clippy::cast_precision_loss, reason = "a place in a picture")]
pub(super) fn uplinks(text: &mut String, page: &RolloutPage<'_>) -> fmt::Result {
    let groups = page.named.rollout.groups.iter();
    let useful = groups.filter(|group| group.dialable && group.conduct == Conduct::Honest);
    let could = useful.map(|group| group.link.up as f64 * f64::from(group.count)).sum::<f64>().max(1.0);
    let axes = Axes { width: WIDTH, height: HEIGHT, top: TOP, seconds: end(page), most: 100.0 };
    let within: Vec<&Sample> = some(page, axes.seconds);
    let step = within.len().div_ceil(STEPS).max(1);
    let at: Vec<&Sample> = within.into_iter().step_by(step).collect();
    let mean = match at[..] {
        [first, .., last] => speed(first, last) * 100.0 / could,
        _ => 0.0,
    };
    write!(
        text,
        "<section>\n<h2>Uplinks at work <small>{mean:.0} % on average</small></h2>\n\
         <p>What all peers send, of what all who can be dialled could send together.</p>\n"
    )?;
    axes.open(text, "what all peers send of what they could, in time", |value| format!("{value:.0} %"))?;
    let points = at.windows(2).map(|two| (second(two[1].at), speed(two[0], two[1]) * 100.0 / could));
    line(text, &axes, "sending", points)?;
    text.push_str("</svg>\n</section>\n");
    Ok(())
}

/// Payload bytes a second between two samples.
#[expect(clippy::cast_precision_loss, reason = "a place in a picture")]
fn speed(one: &Sample, other: &Sample) -> f64 {
    other.sent.saturating_sub(one.sent) as f64 / (second(other.at) - second(one.at)).max(1e-9)
}

fn digits(value: f64) -> String {
    if value.fract() == 0.0 || value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

fn line(
    text: &mut String,
    axes: &Axes,
    class: &str,
    points: impl Iterator<Item = (f64, f64)>,
) -> fmt::Result {
    let (left, bottom) = (Axes::left(), axes.bottom());
    let (mut path, mut last) = (String::new(), left);
    for (at, value) in points {
        last = axes.x(at);
        write!(path, "L{last:.1} {:.1}", axes.y(value))?;
    }
    writeln!(text, "<path class=\"area {class}\" d=\"M{left} {bottom:.1}{path}L{last:.1} {bottom:.1}Z\"/>")?;
    writeln!(text, "<path class=\"line {class}\" d=\"M{left} {bottom:.1}{path}\"/>")
}
