//! The log: warnings on stderr, more with `-v`, exactly chosen with `HTTP_TORRENT_LOG` (tracing's filter syntax).

use std::io;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::output::Output;

/// The variable that overrides `-v` and `-q`.
pub(crate) const LOG_VARIABLE: &str = "HTTP_TORRENT_LOG";

/// Starts the log of this process.
pub(crate) fn start(output: &Output, verbose: u8, quiet: bool) {
    let level = match (quiet, verbose) {
        (true, _) => "error",
        (false, 0) => "warn",
        (false, 1) => "info",
        (false, 2) => "debug",
        (false, _) => "trace",
    };
    let filter = std::env::var(LOG_VARIABLE)
        .ok()
        .and_then(|text| EnvFilter::try_new(text).ok())
        .unwrap_or_else(|| {
            // At -vv our own crates explain themselves; the libraries' chatter stays out until -vvv.
            if level == "debug" {
                EnvFilter::new("debug,hyper=info,hyper_util=info,rustls=info")
            } else {
                EnvFilter::new(level)
            }
        });
    let started = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_target(verbose > 0)
        .with_writer(LogWriter(output.clone()))
        .try_init();
    debug_assert!(started.is_ok(), "the log is started once");
}

/// Hands whole records to [`Output`], which escapes what strangers wrote and keeps the progress line intact.
struct LogWriter(Output);

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = Record<'a>;

    fn make_writer(&'a self) -> Record<'a> {
        Record { output: &self.0, text: Vec::new() }
    }
}

/// One record while it is being written.
struct Record<'a> {
    output: &'a Output,
    text: Vec<u8>,
}

impl io::Write for Record<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        self.output.log(&String::from_utf8_lossy(&self.text));
    }
}
