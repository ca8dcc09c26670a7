//! The table at the top: one row a scenario.

use std::fmt::{self, Write};

use super::sources;
use crate::Permille;
use crate::report::{FaultKind, Report, Run};
use protocol::Escaped;

pub(super) fn write(page: &mut String, report: &Report) -> fmt::Result {
    page.push_str(
        "<div class=\"wide\">\n<table>\n<thead><tr><th>scenario</th><th>what happens</th><th class=\"number\">finished</th>\
         <th class=\"number\">time</th><th class=\"number\">kills</th><th>where the bytes came from</th></tr></thead>\n<tbody>\n",
    );
    for run in &report.runs {
        row(page, run)?;
    }
    page.push_str("</tbody>\n</table>\n</div>\n");
    Ok(())
}

fn row(page: &mut String, run: &Run) -> fmt::Result {
    let clients = run.clients.len().saturating_sub(1);
    let finished = run.clients.iter().skip(1).filter(|client| client.finish.is_some()).count();
    let is_kill = |kind: FaultKind| !matches!(kind, FaultKind::Arrival | FaultKind::TrackerReturns);
    let kills = run.faults.iter().filter(|fault| is_kill(fault.kind)).count();
    let mood = if run.ok { "good" } else { "bad" };
    write!(
        page,
        "<tr><th scope=\"row\"><i class=\"dot {mood}\"></i><a href=\"#{name}\">{name}</a></th><td>{about}</td>\
         <td class=\"number\">{finished} of {clients}</td><td class=\"number\">{:.1} s</td><td class=\"number\">{kills}</td><td>",
        run.seconds,
        name = Escaped(&run.scenario),
        about = Escaped(&run.about),
    )?;
    origin(page, run)?;
    page.push_str("</td></tr>\n");
    Ok(())
}

/// A bar: from the seed (and others that were complete), from clients that were not, and what a killed client still had.
fn origin(page: &mut String, run: &Run) -> fmt::Result {
    let parts = sources(run);
    let whole: u64 = parts.iter().sum();
    if whole == 0 {
        page.push('–');
        return Ok(());
    }
    let names = ["from complete peers", "from other clients", "kept over a restart"];
    page.push_str("<span class=\"origin\">");
    for ((part, name), class) in parts.iter().zip(names).zip(["seed", "peer", "local"]) {
        let share = Permille::of(*part, whole).get();
        if share > 0 {
            let percent = f64::from(share) / 10.0;
            write!(
                page,
                "<b class=\"{class}\" style=\"width:{percent}%\" title=\"{name}: {percent:.0} %\"></b>"
            )?;
        }
    }
    let from_peers = Permille::of(parts[1], whole);
    write!(page, "</span> <small>{from_peers} from each other</small>")
}
