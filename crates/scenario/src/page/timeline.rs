//! The picture of a scenario: a row for everybody, time to the right, faults where they came.

use std::fmt::{self, Write};

use crate::report::{ClientReport, FaultKind, Run, Sample};
use protocol::Escaped;

/// Width of the whole picture; a browser scales it.
const WIDTH: f64 = 640.0;
/// Where time begins: names stand left of it …
const LEFT: f64 = 96.0;
/// … and where it ends: times of finishing stand right of it.
const RIGHT: f64 = 588.0;
/// Above the rows, for what happens to all.
const TOP: f64 = 24.0;
/// Below them, for the seconds.
const BOTTOM: f64 = 22.0;
/// Rows are this high, less when there are many.
const ROW: f64 = 22.0;
/// Rows together are seldom higher than this.
const ROWS: f64 = 720.0;
/// Rows below this height have no room for a name.
const READABLE: f64 = 11.0;

/// What the name of a mark needs beside it.
const NAME_OF_MARK: f64 = 96.0;

/// How seconds and rows become places.
struct Scale {
    seconds: f64,
    row: f64,
    rows: usize,
}

impl Scale {
    fn of(run: &Run) -> Self {
        let faults = run.faults.iter().map(|fault| fault.at);
        let samples = run.clients.iter().filter_map(|client| client.samples.last().map(|sample| sample.at));
        let last = faults.chain(samples).fold(run.seconds, f64::max);
        let rows = run.clients.len();
        #[expect(clippy::cast_precision_loss, reason = "a few hundred rows")]
        let row = (ROWS / rows.max(1) as f64).clamp(3.0, ROW);
        Scale { seconds: (last * 1.02).max(0.1), row, rows }
    }

    fn x(&self, second: f64) -> f64 {
        LEFT + (second / self.seconds).clamp(0.0, 1.0) * (RIGHT - LEFT)
    }

    #[expect(clippy::cast_precision_loss, reason = "a few hundred rows")]
    fn y(&self, row: usize) -> f64 {
        TOP + self.row * row as f64
    }

    fn bottom(&self) -> f64 {
        self.y(self.rows)
    }
}

pub(super) fn write(page: &mut String, run: &Run) -> fmt::Result {
    let scale = Scale::of(run);
    let height = scale.bottom() + BOTTOM;
    writeln!(
        page,
        "<svg viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" aria-label=\"{}: what every client held, in time\">",
        Escaped(&run.scenario)
    )?;
    seconds(page, &scale)?;
    without_tracker(page, run, &scale)?;
    for (row, client) in run.clients.iter().enumerate() {
        member(page, client, row, &scale)?;
    }
    marks(page, run, &scale)?;
    page.push_str("</svg>\n");
    Ok(())
}

/// The scale of time: at most eight lines at round seconds.
fn seconds(page: &mut String, scale: &Scale) -> fmt::Result {
    let steps = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0];
    let step = steps.into_iter().find(|step| scale.seconds / step <= 8.0).unwrap_or(600.0);
    let bottom = scale.bottom();
    for line in 0..=8 {
        let second = f64::from(line) * step;
        if second > scale.seconds {
            break;
        }
        let x = scale.x(second);
        writeln!(
            page,
            "<path class=\"grid\" d=\"M{x:.1} {TOP}V{bottom:.1}\"/>\
             <text class=\"second\" x=\"{x:.1}\" y=\"{:.1}\">{}</text>",
            bottom + 15.0,
            Second(second)
        )?;
    }
    Ok(())
}

struct Second(f64);

impl fmt::Display for Second {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.fract() == 0.0 { write!(f, "{:.0} s", self.0) } else { write!(f, "{:.1} s", self.0) }
    }
}

/// The time in which there is no tracker.
fn without_tracker(page: &mut String, run: &Run, scale: &Scale) -> fmt::Result {
    let when = |kind| run.faults.iter().find(|fault| fault.kind == kind).map(|fault| fault.at);
    let never = (!run.tracker).then_some(0.0);
    let Some(dies) = never.or_else(|| when(FaultKind::TrackerDies)) else { return Ok(()) };
    let (from, to) = (scale.x(dies), when(FaultKind::TrackerReturns).map_or(RIGHT, |back| scale.x(back)));
    writeln!(
        page,
        "<rect class=\"gone\" x=\"{from:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{:.1}\"/>",
        to - from,
        scale.bottom() - TOP
    )
}

fn member(page: &mut String, client: &ClientReport, row: usize, scale: &Scale) -> fmt::Result {
    let (top, base) = (scale.y(row) + scale.row * 0.14, scale.y(row) + scale.row * 0.92);
    let middle = scale.y(row) + scale.row * 0.53;
    let has = |word: &str| client.traits.iter().any(|name| name == word);
    let kind = if row == 0 {
        " source"
    } else if has("liar") {
        " liar"
    } else {
        ""
    };
    let said = client.traits.join(", ");
    write!(page, "<g class=\"row{kind}\"><title>{}", Escaped(&client.name))?;
    if !said.is_empty() {
        write!(page, " ({})", Escaped(&said))?;
    }
    page.push_str("</title>");
    if scale.row >= READABLE {
        write!(
            page,
            "<text class=\"name\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            LEFT - 8.0,
            middle + 3.5,
            Escaped(&label(client))
        )?;
    }
    if let Some(start) = client.start {
        let end = client.died.unwrap_or(scale.seconds);
        write!(page, "<path class=\"base\" d=\"M{:.1} {base:.1}H{:.1}\"/>", scale.x(start), scale.x(end))?;
        area(page, client, end, (top, base), scale)?;
    }
    if let Some(finish) = client.finish.filter(|_| row > 0 && scale.row >= READABLE) {
        let (x, y) = (RIGHT + 6.0, middle + 3.5);
        write!(page, "<text class=\"time\" x=\"{x:.1}\" y=\"{y:.1}\">{finish:.1} s</text>")?;
    }
    for restart in &client.restarts {
        let x = scale.x(*restart);
        write!(
            page,
            "<path class=\"killed\" d=\"M{x:.1} {top:.1}V{base:.1}\"/><circle class=\"killed\" cx=\"{x:.1}\" cy=\"{top:.1}\" r=\"2.2\"/>"
        )?;
    }
    if let Some(died) = client.died {
        let (x, r) = (scale.x(died), (scale.row * 0.22).min(4.5));
        write!(
            page,
            "<path class=\"dead\" d=\"M{:.1} {:.1}l{d:.1} {d:.1}m0 -{d:.1}l-{d:.1} {d:.1}\"/>",
            x - r,
            middle - r,
            d = 2.0 * r
        )?;
    }
    page.push_str("</g>\n");
    Ok(())
}

/// The name, shortened where a mark says the rest: `client-3 · slow`.
fn label(client: &ClientReport) -> String {
    let mark = client.traits.iter().find(|word| ["liar", "slow", "late"].contains(&word.as_str()));
    let name = client.name.replace("client-", "");
    let who = if name == client.name { name } else { format!("client {name}") };
    mark.map_or(who.clone(), |mark| format!("{who} · {mark}"))
}

/// What it held, as an area; from its finish on as a full bar.
fn area(
    page: &mut String,
    client: &ClientReport,
    end: f64,
    (top, base): (f64, f64),
    scale: &Scale,
) -> fmt::Result {
    let y = |sample: &Sample| base - (base - top) * f64::from(sample.held.get()) / 1000.0;
    let whole = client.finish.unwrap_or(end).min(end);
    let mut samples = client.samples.iter().filter(|sample| sample.at <= whole).peekable();
    if let Some(first) = samples.peek() {
        let from = scale.x(client.start.unwrap_or(first.at).min(first.at));
        write!(page, "<path class=\"held\" d=\"M{from:.1} {base:.1}")?;
        let mut last = y(first);
        if first.held.is_all() {
            write!(page, "V{last:.1}")?;
        }
        for sample in samples {
            // A restart begins with what survived, which may be less: straight down, not slanted.
            if y(sample) > last {
                write!(page, "H{:.1}", scale.x(sample.at))?;
            }
            last = y(sample);
            write!(page, "L{:.1} {last:.1}", scale.x(sample.at))?;
        }
        let x = scale.x(whole);
        if client.finish.is_some() {
            write!(page, "L{x:.1} {top:.1}")?;
        } else {
            write!(page, "H{x:.1}")?;
        }
        write!(page, "V{base:.1}Z\"/>")?;
    }
    if client.finish.is_some() && end > whole {
        let (from, to) = (scale.x(whole), scale.x(end));
        write!(
            page,
            "<rect class=\"whole\" x=\"{from:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>",
            to - from,
            base - top
        )?;
    }
    Ok(())
}

/// What happens to all: lines from top to bottom with their names.
fn marks(page: &mut String, run: &Run, scale: &Scale) -> fmt::Result {
    for fault in &run.faults {
        let (class, text) = match fault.kind {
            FaultKind::TrackerDies => ("dies", "tracker killed"),
            FaultKind::TrackerReturns => ("returns", "tracker is back"),
            FaultKind::Death => ("dies", "seed killed"),
            FaultKind::Restart | FaultKind::Arrival => continue,
        };
        let x = scale.x(fault.at);
        // Not over the edge, and not over the name of what comes next.
        let next =
            run.faults.iter().filter(|next| next.kind == FaultKind::TrackerReturns && next.at > fault.at);
        let room = next.map(|next| scale.x(next.at)).fold(RIGHT, f64::min) - x;
        let (anchor, at) =
            if room < NAME_OF_MARK && x > NAME_OF_MARK { ("end", x - 5.0) } else { ("start", x + 5.0) };
        writeln!(
            page,
            "<g class=\"{class}\"><title>{}: {:.1} s, {} of all</title><path d=\"M{x:.1} {:.1}V{:.1}\"/>\
             <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{text}</text></g>",
            Escaped(&fault.what),
            fault.at,
            fault.swarm,
            TOP - 16.0,
            scale.bottom(),
            TOP - 8.0
        )?;
    }
    Ok(())
}
