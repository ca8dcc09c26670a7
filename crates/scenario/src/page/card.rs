//! One scenario: its picture, what replays it, and what was wrong.

use std::fmt::{self, Write};

use super::timeline;
use crate::report::Run;
use protocol::Escaped;

pub(super) fn write(page: &mut String, run: &Run) -> fmt::Result {
    let (mood, verdict) = if run.ok { ("good", "right") } else { ("bad", "failed") };
    write!(
        page,
        "<section id=\"{name}\">\n<h2>{name} <span class=\"pill {mood}\">{verdict}</span> <small>{:.1} s</small></h2>\n\
         <p>{}</p>\n",
        run.seconds,
        Escaped(&run.about),
        name = Escaped(&run.scenario),
    )?;
    timeline::write(page, run)?;
    if !run.failures.is_empty() {
        page.push_str("<ul class=\"failures\">\n");
        for failure in &run.failures {
            write!(
                page,
                "<li><b>{}</b>: {}: {}",
                Escaped(&failure.who),
                Escaped(&failure.what),
                Escaped(&failure.why)
            )?;
            if let Some(log) = &failure.log {
                write!(page, " <code>{}</code>", Escaped(log))?;
            }
            page.push_str("</li>\n");
        }
        page.push_str("</ul>\n");
    }
    writeln!(page, "<p class=\"replay\"><code>{}</code></p>\n</section>", Escaped(&run.command))
}
