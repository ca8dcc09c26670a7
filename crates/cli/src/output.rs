//! Everything the process says: results on stdout, remarks on stderr, events with `--json`.
//!
//! The only place that writes to the terminal. What strangers named is escaped here, once, for every line (threat
//! A2), and a reader who went away (`| head`) neither panics nor stops a transfer.

use std::io::{self, Write};
use std::sync::Arc;

use indicatif::{MultiProgress, ProgressDrawTarget};
use protocol::Printable;
use protocol::printable::is_harmless;

use crate::event::Event;
use crate::failure::Failure;

/// How much is said.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Voice {
    /// Events on stdout, people's text on stderr.
    pub(crate) json: bool,
    /// No remarks.
    pub(crate) quiet: bool,
}

/// A handle to the process's voice; clones speak through the same terminal.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    voice: Voice,
    lines: Arc<MultiProgress>,
}

impl Output {
    /// A voice on this process's stdout and stderr.
    pub(crate) fn new(voice: Voice) -> Self {
        // Draws on a terminal only.
        let target = if voice.quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        Output { voice, lines: Arc::new(MultiProgress::with_draw_target(target)) }
    }

    /// The lines that are redrawn at the bottom of a terminal.
    pub(crate) fn lines(&self) -> &MultiProgress {
        &self.lines
    }

    /// What was asked for: on stdout, or with `--json` (whose events say it) among the remarks.
    pub(crate) fn result(&self, line: &str) {
        if self.voice.json {
            self.remark(line);
        } else {
            self.write(&mut io::stdout(), &format!("{}\n", Printable(line)));
        }
    }

    /// A remark on stderr; none with `-q`.
    pub(crate) fn remark(&self, line: &str) {
        if !self.voice.quiet {
            self.write(&mut io::stderr(), &format!("{}\n", Printable(line)));
        }
    }

    /// An event, with `--json`.
    pub(crate) fn event(&self, event: &Event<'_>) {
        if self.voice.json
            && let Ok(line) = serde_json::to_string(event)
        {
            self.write(&mut io::stdout(), &(escaped_json(&line) + "\n"));
        }
    }

    /// Why it does not go on: the cause and the next step on stderr, and an event with `--json`.
    pub(crate) fn failure(&self, failure: &Failure) {
        // Indented, so that no detail can pass for the next step.
        let details: Vec<String> =
            failure.details.iter().map(|line| format!("  {}\n", Printable(line))).collect();
        let details = details.concat();
        let (cause, next) = (Printable(&failure.cause), Printable(&failure.next));
        let text = format!("error: {cause}\n{details}next: {next}\n");
        self.write(&mut io::stderr(), &text);
        self.event(&Event::Error {
            code: failure.exit.number(),
            kind: failure.kind,
            cause: &failure.whole_cause(),
            next: &failure.next,
        });
    }

    /// A document of our own making (completions, a manual page) on stdout, as it is.
    pub(crate) fn document(&self, text: &str) {
        self.write(&mut io::stdout(), text);
    }

    /// Lines of the log, whose texts may hold anything.
    pub(crate) fn log(&self, text: &str) {
        for line in text.lines() {
            self.write(&mut io::stderr(), &format!("{}\n", Printable(line)));
        }
    }

    /// Nothing can be said about a stream that cannot be written to, so a failure ends here.
    fn write(&self, stream: &mut dyn Write, text: &str) {
        self.lines.suspend(|| {
            let _ = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
        });
    }
}

/// JSON that means the same and moves no cursor: serde leaves DEL, C1 controls and bidirectional marks as they are. Outside
/// its strings JSON is plain ASCII, so a character that is escaped stands in one.
fn escaped_json(line: &str) -> String {
    let mut units = [0; 2];
    line.chars().fold(String::with_capacity(line.len()), |mut escaped, c| {
        if is_harmless(c) {
            escaped.push(c);
        } else {
            escaped.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a02_events_move_no_cursor_and_mean_the_same() {
        let name = "a\u{7f}\u{9b}2J\u{202e}b\u{e000}é\u{1f600}\u{e0041}";
        let line = escaped_json(&serde_json::to_string(name).unwrap());
        assert!(!line.contains(['\u{7f}', '\u{9b}', '\u{202e}']), "{line:?}");
        assert!(line.contains('é'));
        assert_eq!(serde_json::from_str::<String>(&line).unwrap(), name);
    }
}
