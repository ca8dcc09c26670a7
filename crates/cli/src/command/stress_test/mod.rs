//! `stress-test`: the scenarios over real processes of this program, on this machine.

mod live;

use std::path::PathBuf;

use ::scenario::{Run, Scenario, Setting, by_name, catalogue, to_html};
use clap::Args;
use protocol::api::metrics::DEFAULT_PORT;
use scenario::units::{Size, human_bytes};
use stress::{NotRun, Options, Outcome};

use self::live::Live;
use crate::args::Global;
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::Output;
use crate::report_file::{Kind, ReportFile};
use crate::signals::{or_interrupted, stop_on_any_signal};

/// Let many clients share a file on this machine while things go wrong, and compare every byte
#[derive(Debug, Args)]
pub(crate) struct StressTest {
    /// One scenario; 'all'; or 'list' to say what there is
    #[arg(long, value_name = "NAME", default_value = "all")]
    scenario: String,
    /// Clients that want the file
    #[arg(long, value_name = "N", default_value_t = 8)]
    clients: usize,
    /// Of the file: 512K to 16G
    #[arg(long, value_name = "SIZE", default_value = "16M")]
    size: Size,
    /// Of the plan of faults: the same number gives the same plan [default: random]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Write every figure as FILE.json, or a page with pictures as FILE.html
    #[arg(long, value_name = "FILE")]
    report: Option<ReportFile>,
}

impl StressTest {
    pub(super) async fn run(self, _global: &Global, output: &Output) -> Result<ExitCode, Failure> {
        if self.scenario == "list" {
            for scenario in catalogue() {
                output.result(&format!("{:<26} {}", scenario.name, scenario.about));
            }
            return Ok(ExitCode::Ok);
        }
        let options = self.options()?;
        if let Some(report) = &self.report {
            report.check()?;
        }
        let stop = stop_on_any_signal(output)?;
        let Setting { clients, seed, .. } = options.setting;
        output.remark(&format!(
            "{clients} clients and a seed on 127.0.0.1, {}, plan of faults {seed}",
            human_bytes(options.setting.size)
        ));
        let mut live = Live::new(output);
        let ran = or_interrupted(&stop, stress::run(options, &mut live)).await;
        drop(live);
        let Outcome { report, logs } = ran.map_err(|_| interrupted())?.map_err(failure_of)?;
        if let Some(file) = &self.report {
            file.write(&match file.kind() {
                Kind::Json => report.to_json().map_err(Failure::failed)?,
                Kind::Html => to_html(&report),
            })?;
            output.remark(&format!("report: {}", file.path().display()));
        }
        match report.runs.iter().filter(|run| !run.ok).collect::<Vec<_>>()[..] {
            [] => {
                output.result(&format!("ok: {} in {:.0} s", scenarios(report.runs.len()), report.seconds));
                Ok(ExitCode::Ok)
            }
            [first, ..] => Err(failed(first, &report.runs, logs.as_ref())),
        }
    }

    fn options(&self) -> Result<Options, Failure> {
        let scenarios: Vec<Scenario> = match self.scenario.as_str() {
            "all" => catalogue(),
            name => vec![by_name(name).ok_or_else(|| {
                Failure::usage(
                    format!("there is no scenario '{name}'"),
                    "http-torrent stress-test --scenario list names them",
                )
            })?],
        };
        // Short enough to be typed again.
        let seed = self.seed.unwrap_or_else(|| u64::from(rand::random::<u16>()));
        let setting = Setting { clients: self.clients, size: self.size.0, seed };
        let setting =
            setting.checked().map_err(|error| Failure::usage(error, "choose another --clients or --size"))?;
        let program = std::env::current_exe()
            .map_err(|error| Failure::failed(format!("cannot find this program's own file: {error}")))?;
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Ok(Options { scenarios, setting, program, version, metrics_port: Some(DEFAULT_PORT) })
    }
}

fn scenarios(count: usize) -> String {
    format!("{count} {}", if count == 1 { "scenario" } else { "scenarios" })
}

fn interrupted() -> Failure {
    Failure::new(
        ExitCode::Failed,
        "interrupted",
        "interrupted; every process that it started is gone",
        "run it again",
    )
}

fn failure_of(error: NotRun) -> Failure {
    match error {
        NotRun::Plan(error) => Failure::usage(error, "choose another --clients or --size"),
        NotRun::Failed(error) => Failure::failed(error),
    }
}

fn failed(first: &Run, runs: &[Run], logs: Option<&PathBuf>) -> Failure {
    let wrong: Vec<&str> = runs.iter().filter(|run| !run.ok).map(|run| run.scenario.as_str()).collect();
    let cause = format!("{} of {} failed: {}", wrong.len(), scenarios(runs.len()), wrong.join(", "));
    let logs = logs.map(|logs| format!("; the logs are in {}", logs.display())).unwrap_or_default();
    Failure::new(ExitCode::Failed, "stress", cause, &format!("replay it with {}{logs}", first.command))
}
