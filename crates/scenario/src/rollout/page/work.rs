//! Two smaller pictures: how often the seed sends the file, and how many uplinks work meanwhile.

use std::fmt::{self, Write};

use super::RolloutPage;
use super::axes::Axes;
use super::completion::{end, second, some};

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 210.0;
const TOP: f64 = 14.0;

/// What the seeds sent, in copies of the file.
#[expect(clippy::cast_precision_loss, reason = "a place in a picture")]
pub(super) fn seed(text: &mut String, page: &RolloutPage<'_>) -> fmt::Result {
    let copies = page.figures.seed_copies;
    write!(
        text,
        "<section>\n<h2>What the seeds sent <small>{copies:.2} copies of the file</small></h2>\n\
         <p>One copy must leave them; what is more, another peer could have sent.</p>\n"
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

/// How many leechers send something.
pub(super) fn uplinks(text: &mut String, page: &RolloutPage<'_>) -> fmt::Result {
    let samples = some(page, end(page));
    let most = samples.iter().map(|sample| sample.sending).max().unwrap_or(0);
    write!(
        text,
        "<section>\n<h2>Uplinks at work <small>{most} of {} at most</small></h2>\n\
         <p>Leechers that send something. Near the bound nearly all do nearly all the time.</p>\n",
        page.figures.leechers
    )?;
    let axes = Axes {
        width: WIDTH,
        height: HEIGHT,
        top: TOP,
        seconds: end(page),
        most: f64::from(most.max(1)) * 1.1,
    };
    axes.open(text, "leechers that send something, in time", digits)?;
    line(
        text,
        &axes,
        "sending",
        samples.iter().map(|sample| (second(sample.at), f64::from(sample.sending))),
    )?;
    text.push_str("</svg>\n</section>\n");
    Ok(())
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
