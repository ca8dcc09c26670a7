//! The line at the bottom of a terminal: `[####--] 62 % 1.2 GB/s ETA 8 s · 7 peers`.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::output::Output;
use crate::totals::Totals;
use scenario::units::human_bytes;
use scenario::units::human_duration;

/// Characters between the brackets.
const WIDTH: u64 = 24;

/// One line, drawn on a terminal only and gone when dropped.
#[derive(Debug)]
pub(crate) struct ProgressLine(ProgressBar);

impl ProgressLine {
    /// An empty line at the bottom.
    pub(crate) fn new(output: &Output) -> Self {
        let style =
            ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
        ProgressLine(output.lines().add(ProgressBar::no_length().with_style(style)))
    }

    /// Shows `text`.
    pub(crate) fn show(&self, text: String) {
        self.0.set_message(text);
        self.0.tick();
    }

    /// Shows `text`, if any, for the last time; nothing is drawn from now on.
    pub(crate) fn end(&self, text: Option<String>) {
        if let Some(text) = text {
            self.show(text);
        }
        self.0.finish_and_clear();
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// A download.
pub(crate) fn downloading(totals: &Totals) -> String {
    let rate = totals.down_bytes_per_s;
    let eta = match totals.total.saturating_sub(totals.bytes).checked_div(rate) {
        Some(seconds) => format!(" ETA {}", human_duration(Duration::from_secs(seconds))),
        None => String::new(),
    };
    let share = bar(totals.bytes, totals.total);
    let up = if totals.up_bytes_per_s == 0 {
        String::new()
    } else {
        format!(" · up {}/s", human_bytes(totals.up_bytes_per_s))
    };
    format!("{share} {}/s{eta} · {}{up}", human_bytes(rate), peers(totals.peers))
}

/// A seed.
pub(crate) fn seeding(totals: &Totals) -> String {
    format!(
        "seeding · up {}/s, {} in all · {}",
        human_bytes(totals.up_bytes_per_s),
        human_bytes(totals.uploaded),
        peers(totals.peers)
    )
}

/// Something that reads the whole content: hashing, verifying.
pub(crate) fn reading(verb: &str, bytes: u64, total: Option<u64>, elapsed: Duration) -> String {
    let per_second = u128::from(bytes) * 1000 / elapsed.as_millis().max(1);
    let rate = human_bytes(u64::try_from(per_second).unwrap_or(u64::MAX));
    match total {
        Some(total) => format!("{verb} {} {rate}/s", bar(bytes, total)),
        None => format!("{verb} {} {rate}/s", human_bytes(bytes)),
    }
}

fn bar(bytes: u64, total: u64) -> String {
    // Nothing to do is done; and 100 % is not shown before the last byte.
    let share = |of: u64| match u128::from(bytes.min(total)) * u128::from(of) / u128::from(total.max(1)) {
        _ if total == 0 => of,
        parts => u64::try_from(parts).unwrap_or(of),
    };
    let filled = usize::try_from(share(WIDTH)).unwrap_or(0);
    let empty = usize::try_from(WIDTH).unwrap_or(0).saturating_sub(filled);
    format!("[{}{}] {} %", "#".repeat(filled), "-".repeat(empty), share(100))
}

fn peers(count: u32) -> String {
    format!("{count} {}", if count == 1 { "peer" } else { "peers" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_download_says_share_rate_time_left_and_peers() {
        let totals = Totals {
            bytes: 6_200_000_000,
            total: 10_000_000_000,
            peers: 7,
            down_bytes_per_s: 1_200_000_000,
            ..Totals::default()
        };
        assert_eq!(downloading(&totals), "[##############----------] 62 % 1.2 GB/s ETA 3 s · 7 peers");
        let still = Totals { total: 10, peers: 1, ..Totals::default() };
        assert_eq!(downloading(&still), "[------------------------] 0 % 0 B/s · 1 peer");
    }

    #[test]
    fn the_last_percent_waits_for_the_last_byte() {
        assert!(bar(u64::MAX - 1, u64::MAX).ends_with(" 99 %"));
        assert!(bar(0, 0).ends_with(" 100 %"));
        assert!(bar(3, 2).ends_with(" 100 %"));
    }

    #[test]
    fn a_reader_says_how_fast_it_reads() {
        assert_eq!(
            reading("hashing", 500, Some(1000), Duration::from_millis(500)),
            "hashing [############------------] 50 % 1.0 kB/s"
        );
        assert_eq!(reading("hashing", 500, None, Duration::ZERO), "hashing 500 B 500 kB/s");
    }
}
