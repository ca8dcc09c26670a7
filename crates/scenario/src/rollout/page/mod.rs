//! A simulated rollout as a page: one file that needs no script, no network and no other file, light or dark as its reader
//! likes, and that says how to get the same again.

mod axes;
mod completion;
mod marks;
mod tables;
mod work;

use std::fmt::{self, Write};

use protocol::Escaped;

use super::{Figures, NamedRollout, Outcome};
use crate::units::{Size, human_seconds};

/// Shared with the stress test's page, and what is only here.
const STYLE: [&str; 2] = [include_str!("../../page/style.css"), include_str!("style.css")];

/// What a page is made of.
#[derive(Clone, Copy, Debug)]
pub struct RolloutPage<'a> {
    /// What was simulated.
    pub named: &'a NamedRollout,
    /// What came of it.
    pub outcome: &'a Outcome,
    /// The same in figures.
    pub figures: &'a Figures,
    /// Of the program.
    pub version: &'a str,
    /// What simulates the same again.
    pub command: &'a str,
}

impl RolloutPage<'_> {
    /// One self-contained HTML file.
    pub fn to_html(&self) -> String {
        let mut page = String::new();
        // Writing into a text cannot fail.
        let _ = self.write(&mut page);
        page
    }

    fn write(&self, page: &mut String) -> fmt::Result {
        let (mood, verdict) = self.verdict();
        let (size, peers) = (Size(self.figures.file_bytes), self.figures.leechers);
        write!(
            page,
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <title>HTTP-Torrent rollout: {verdict}</title>\n<style>\n{}{}</style>\n</head>\n<body>\n<main>\n\
             <header>\n<div>\n<h1>HTTP-Torrent <span>rollout, simulated</span></h1>\n\
             <p>{size} to {peers} {}, in {} chunks of {}: the real decisions of every peer, over simulated links.</p>\n</div>\n\
             <p class=\"verdict {mood}\">{verdict}</p>\n</header>\n",
            STYLE[0],
            STYLE[1],
            if peers == 1 { "peer" } else { "peers" },
            self.named.rollout.chunks(),
            Size(self.figures.chunk_bytes.into()),
        )?;
        tables::tiles(page, self.figures)?;
        completion::write(page, self)?;
        page.push_str("<div class=\"cards\">\n");
        work::seed(page, self)?;
        work::uplinks(page, self)?;
        page.push_str("</div>\n");
        tables::groups(page, self)?;
        self.again(page)?;
        write!(
            page,
            "<footer>http-torrent {} · seed {} · {} events, trace {} · the same scenario and seed give the same page</footer>\n\
             </main>\n</body>\n</html>\n",
            Escaped(self.version),
            self.figures.seed,
            self.figures.events,
            self.figures.trace,
        )
    }

    /// How to get the same again.
    fn again(&self, page: &mut String) -> fmt::Result {
        write!(
            page,
            "<section>\n<h2>The same again</h2>\n<p class=\"replay\"><code>{}</code></p>\n\
             <details>\n<summary>the scenario, with every default</summary>\n<pre>",
            Escaped(self.command)
        )?;
        // Line by line: within a text the end of a line is shown, so that none can be faked.
        for line in self.named.to_toml().lines() {
            writeln!(page, "{}", Escaped(line))?;
        }
        page.push_str("</pre>\n</details>\n</section>\n");
        Ok(())
    }

    fn verdict(&self) -> (&'static str, String) {
        match (self.figures.unfinished, self.figures.time_s) {
            (0, Some(time)) => ("good", format!("complete in {}", human_seconds(time))),
            (0, None) => ("bad", "nobody finished".to_owned()),
            (missing, _) => ("bad", format!("{missing} of {} did not finish", self.figures.leechers)),
        }
    }
}
