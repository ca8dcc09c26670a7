//! Watching torrents until they are whole, and while they are seeded: events, the progress line, remarks.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use peer::{Completed, DownloadError, Sharing};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::event::Event;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::Output;
use crate::progress_line::{self, ProgressLine};
use crate::totals::Totals;
use scenario::units::human_bytes;
use scenario::units::human_duration;

/// At most two progress events a second are promised.
const TICK: Duration = Duration::from_millis(500);
/// A reason for waiting is worth a remark when it has lasted this many ticks.
const TICKS_BEFORE_REMARK: u32 = 3;

/// How a process's downloads ended. What failed was reported when it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Torrents that are complete.
    pub(crate) complete: usize,
    /// The first failure's, if any.
    pub(crate) exit: ExitCode,
}

/// Reports until every torrent is complete or has failed; `remark` is what people are told of a complete one.
pub(crate) async fn until_complete(
    output: &Output,
    sharings: &[Sharing],
    remark: impl Fn(&Completed) -> String,
) -> Outcome {
    let mut downloads = JoinSet::new();
    for sharing in sharings {
        let sharing = sharing.clone();
        downloads.spawn(async move { sharing.completed().await });
    }
    let line = ProgressLine::new(output);
    let mut ticks = ticks();
    let mut waits: Vec<Wait> = sharings.iter().map(|_| Wait::default()).collect();
    let mut outcome = Outcome { complete: 0, exit: ExitCode::Ok };
    loop {
        tokio::select! {
            ended = downloads.join_next() => match ended {
                None => return outcome,
                Some(ended) => {
                    if downloads.is_empty() {
                        // A remark repaints the line below itself: the last one finds none.
                        line.end(matches!(ended, Ok(Ok(_))).then(|| finished_line(sharings)));
                    }
                    match report(output, ended, &remark) {
                        ExitCode::Ok => outcome.complete += 1,
                        exit if outcome.exit == ExitCode::Ok => outcome.exit = exit,
                        _ => {}
                    }
                }
            },
            _ = ticks.tick() => {
                let totals = totals(sharings);
                output.event(&totals.event());
                line.show(progress_line::downloading(&totals));
                for (sharing, wait) in sharings.iter().zip(&mut waits) {
                    if let Some(reason) = wait.look(sharing.progress().borrow().waiting.as_deref()) {
                        let name = sharing.torrent().name().as_str();
                        output.event(&Event::Waiting { name, reason });
                        output.remark(&format!("{name}: {reason}"));
                    }
                }
            }
        }
    }
}

/// Shows the uploads until `done` says so or the time has come; twice a second while something moves, and an event only then.
pub(crate) async fn while_seeding(
    output: &Output,
    sharings: &[Sharing],
    until: Option<Instant>,
    mut done: impl FnMut(&Totals) -> bool,
) {
    let line = ProgressLine::new(output);
    let mut ticks = ticks();
    let mut told = None;
    let mut news: Vec<_> = sharings.iter().map(Sharing::progress).collect();
    loop {
        let totals = totals(sharings);
        if done(&totals) {
            return;
        }
        line.show(progress_line::seeding(&totals));
        if told.as_ref().is_some_and(|told| *told != totals) {
            output.event(&totals.event());
        }
        told = Some(totals);
        let moved = async {
            ticks.tick().await;
            let mut any: FuturesUnordered<_> = news.iter_mut().map(watch::Receiver::changed).collect();
            // Of one whose torrent has ended there are no more.
            while let Some(Err(_)) = any.next().await {}
        };
        let ended = async {
            match until {
                Some(until) => tokio::time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = ended => return,
            () = moved => {}
        }
    }
}

fn ticks() -> tokio::time::Interval {
    let mut ticks = interval_at(Instant::now() + TICK, TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

fn totals(sharings: &[Sharing]) -> Totals {
    let mut totals = Totals::default();
    for sharing in sharings {
        totals.add(&sharing.progress().borrow());
    }
    totals
}

type Ended = Result<Result<Completed, DownloadError>, tokio::task::JoinError>;

/// The line at 100 %, if that is where it ended; the last tick may lie half a second back.
fn finished_line(sharings: &[Sharing]) -> String {
    progress_line::downloading(&totals(sharings))
}

/// What people are told of a download.
pub(crate) fn downloaded(done: &Completed) -> String {
    let size = human_bytes(done.bytes);
    let took = match done.elapsed.as_secs() {
        0..10 => format!("{:.1} s", done.elapsed.as_secs_f64()),
        _ => human_duration(done.elapsed),
    };
    format!("complete: {} ({size} in {took})", done.path.display())
}

fn report(output: &Output, ended: Ended, remark: impl Fn(&Completed) -> String) -> ExitCode {
    let failure = match ended {
        Ok(Ok(done)) => {
            output.event(&Event::complete(&done));
            output.remark(&remark(&done));
            return ExitCode::Ok;
        }
        Ok(Err(error)) => Failure::from(error),
        Err(error) => Failure::failed(format!("the download ended unexpectedly: {error}")),
    };
    output.failure(&failure);
    failure.exit
}

/// Says each reason for waiting once, when it has lasted.
#[derive(Debug, Default)]
struct Wait {
    reason: Option<String>,
    ticks: u32,
    said: Option<String>,
}

impl Wait {
    /// Takes note of the reason at this tick; returns it when it is to be said.
    fn look(&mut self, reason: Option<&str>) -> Option<&str> {
        if reason != self.reason.as_deref() {
            (self.reason, self.ticks) = (reason.map(str::to_owned), 0);
        }
        self.ticks += 1;
        if self.ticks != TICKS_BEFORE_REMARK || self.reason.is_none() || self.reason == self.said {
            return None;
        }
        self.said.clone_from(&self.reason);
        self.said.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_that_lasts_is_said_once() {
        let mut wait = Wait::default();
        let mut said = |reason: Option<&str>| wait.look(reason).map(str::to_owned);
        for reason in [None, Some("a"), Some("a"), None, Some("a"), Some("b"), Some("a"), Some("a")] {
            assert_eq!(said(reason), None);
        }
        assert_eq!(said(Some("a")).as_deref(), Some("a"));
        for reason in [Some("a"), None, Some("a"), Some("a"), Some("a"), Some("a")] {
            assert_eq!(said(reason), None);
        }
        assert_eq!((said(Some("b")), said(Some("b")), said(Some("b")).as_deref()), (None, None, Some("b")));
    }
}
