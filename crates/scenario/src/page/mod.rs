//! The report as a page: one file that needs no script, no network and no other file, light or dark as its reader likes.

mod card;
mod overview;
mod timeline;

use std::fmt::{self, Write};

use crate::report::{Report, Run};
use protocol::Escaped;

const STYLE: &str = include_str!("style.css");

/// One self-contained HTML file.
pub fn to_html(report: &Report) -> String {
    let mut page = String::new();
    // Writing into a text cannot fail.
    let _ = write_page(&mut page, report);
    page
}

fn write_page(page: &mut String, report: &Report) -> fmt::Result {
    let right = report.runs.iter().filter(|run| run.ok).count();
    let (mood, verdict) = if report.ok {
        ("good", format!("{} of {} right", right, report.runs.len()))
    } else {
        ("bad", format!("{} of {} failed", report.runs.len() - right, report.runs.len()))
    };
    write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>HTTP-Torrent stress test: {verdict}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <header>\n<div>\n<h1>HTTP-Torrent <span>stress test</span></h1>\n\
         <p>{} real clients and a seed on one machine share a file of {} while things go wrong. \
         In the end every file is compared byte for byte.</p>\n</div>\n\
         <p class=\"verdict {mood}\">{verdict}</p>\n</header>\n",
        report.clients,
        Bytes(report.size),
    )?;
    overview::write(page, report)?;
    legend(page)?;
    page.push_str("<div class=\"cards\">\n");
    for run in &report.runs {
        card::write(page, run)?;
    }
    write!(
        page,
        "</div>\n<footer>http-torrent {} · plan of faults {} · {:.0} s in all · the same seed gives the same plan</footer>\n\
         </main>\n</body>\n</html>\n",
        Escaped(&report.version),
        report.seed,
        report.seconds,
    )
}

/// Says once what the pictures have in common.
fn legend(page: &mut String) -> fmt::Result {
    let entries = [
        ("held", "what a client holds, from nothing to all"),
        ("whole", "complete, serving on"),
        ("lying", "sends wrong bytes to others"),
        ("gone", "no tracker"),
        ("killed", "killed and started again"),
        ("dead", "killed for good"),
    ];
    page.push_str("<ul class=\"legend\">\n");
    for (class, text) in entries {
        writeln!(page, "<li><i class=\"{class}\"></i>{text}</li>")?;
    }
    page.push_str("</ul>\n");
    Ok(())
}

/// Bytes by where they came from, of all clients of a run: from complete peers, from others, and what was there.
fn sources(run: &Run) -> [u64; 3] {
    let mut sum = [0; 3];
    for sources in run.clients.iter().skip(1).filter_map(|client| client.sources) {
        sum[0] += sources.seed;
        sum[1] += sources.peer + sources.cache;
        sum[2] += sources.local;
    }
    sum
}

/// `16 MiB`: what was asked for is said as it was asked for, in powers of two.
struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (shift, unit) = match self.0 {
            0x4000_0000.. => (30, "GiB"),
            0x10_0000.. => (20, "MiB"),
            _ => (10, "KiB"),
        };
        let tenths = (u128::from(self.0) * 10) >> shift;
        match tenths % 10 {
            0 => write!(f, "{} {unit}", tenths / 10),
            tenth => write!(f, "{}.{tenth} {unit}", tenths / 10),
        }
    }
}
