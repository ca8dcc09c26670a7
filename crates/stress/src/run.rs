//! The run: one scenario after the other, each a loop of looking, doing what is due, and judging in the end.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use protocol::{BaseUrl, Torrent};
use scenario::{Permille, Plan, PlanError, Report, Run, Scenario, Setting};
use tempfile::TempDir;

use crate::content;
use crate::failed::{Failed, cannot};
use crate::guard::{GUARD_COMMAND, Guard};
use crate::process::{self, Process, in_words};
use crate::scene::Scene;
use crate::service::{self, LOOK};
use crate::spawn::Program;
use crate::stage::Props;

/// Name of the file that is shared.
const FILE_NAME: &str = "shared.bin";

/// How many times slower the links are at the first try, and at those that follow while nothing could be shown.
const PACES: [u32; 3] = [1, 2, 4];

/// What is to be run.
#[derive(Clone, Debug)]
pub struct Options {
    /// One after the other.
    pub scenarios: Vec<Scenario>,
    /// Each with this.
    pub setting: Setting,
    /// The program that is started again and again: our own executable.
    pub program: PathBuf,
    /// Its version, for the report.
    pub version: String,
    /// Run a metrics server, at this port or, if it is taken, at any.
    pub metrics_port: Option<u16>,
}

/// Whoever shows what happens.
pub trait Observer {
    /// A page shows everybody's figures from now on.
    fn page(&mut self, url: &BaseUrl);
    /// A scenario begins; its processes are started from now on.
    fn begins(&mut self, plan: &Plan);
    /// What is seen now, several times a second.
    fn looks(&mut self, look: &Look<'_>);
    /// Something happened as planned.
    fn happens(&mut self, second: f64, swarm: Permille, what: &str);
    /// A scenario ended, and was judged.
    fn ends(&mut self, run: &Run);
}

/// A scenario at one instant.
#[derive(Debug)]
pub struct Look<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Seconds from the start.
    pub second: f64,
    /// What the clients hold together.
    pub swarm: Permille,
    /// Everybody, in the plan's order.
    pub members: &'a [MemberLook],
}

/// A member at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberLook {
    /// What it holds.
    pub held: Permille,
    /// What it does.
    pub standing: Standing,
    /// How often it was killed and started again.
    pub restarts: usize,
}

/// What a member does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its moment has not come.
    Awaited,
    /// It downloads, or serves what it has.
    Downloading,
    /// It is complete.
    Complete,
    /// It is dead, as planned or not.
    Dead,
}

/// Why a run did not take place.
#[derive(Debug, thiserror::Error)]
pub enum NotRun {
    /// A setting that is out of bounds.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The machine.
    #[error(transparent)]
    Failed(#[from] Failed),
}

/// What a run gave.
#[derive(Debug)]
pub struct Outcome {
    /// Every figure.
    pub report: Report,
    /// Where the logs of what failed are.
    pub logs: Option<PathBuf>,
}

/// Runs the scenarios. Dropped in the middle, it kills and reaps every process and removes its folder.
pub async fn run(options: Options, observer: &mut dyn Observer) -> Result<Outcome, NotRun> {
    let setting = options.setting.checked()?;
    let began = tokio::time::Instant::now();
    let home = TempDir::with_prefix("http-torrent-stress-").map_err(cannot("make a folder"))?;
    let mut props = props(&options, home.path()).await?;
    let page = metrics_server(&options, &props, home.path()).await?;
    if let Some((_, url)) = &page {
        observer.page(url);
        props.metrics = Some(url.clone());
    }
    let mut runs = Vec::with_capacity(options.scenarios.len());
    for scenario in &options.scenarios {
        let mut paces = PACES.into_iter();
        let run = loop {
            let times = paces.next().unwrap_or(1);
            let plan = Plan::new(&scenario.clone().slower(times), setting)?;
            let run = play(&plan, &props, home.path(), observer).await;
            // The machine was too busy to disturb anything in time.
            if !run.shows_nothing() || paces.len() == 0 {
                break run;
            }
        };
        runs.push(run);
    }
    let ok = runs.iter().all(|run| run.ok);
    let report = Report {
        version: options.version,
        seed: setting.seed,
        clients: setting.clients,
        size: setting.size,
        seconds: began.elapsed().as_secs_f64(),
        ok,
        runs,
    };
    let logs = (!ok).then(|| {
        let _ = fs::remove_file(&props.source);
        home.keep()
    });
    Ok(Outcome { report, logs })
}

async fn play(plan: &Plan, props: &Props, home: &Path, observer: &mut dyn Observer) -> Run {
    observer.begins(plan);
    let place = home.join(plan.name);
    // What an earlier try has left.
    let _ = fs::remove_dir_all(&place);
    let run = Scene::new(plan, props, &place).played(observer).await;
    // Copies of the file are large, and what was wrong with one is known.
    let _ = fs::remove_dir_all(place.join("data"));
    if run.ok {
        let _ = fs::remove_dir_all(&place);
    }
    observer.ends(&run);
    run
}

/// Makes the file and its torrent.json, which all scenarios share.
async fn props(options: &Options, home: &Path) -> Result<Props, Failed> {
    let program = Program(options.program.clone());
    let (source, description) = (home.join(FILE_NAME), home.join("torrent.json"));
    let (to, setting) = (source.clone(), options.setting);
    let written = tokio::task::spawn_blocking(move || content::write(&to, setting.seed, setting.size)).await;
    written.unwrap_or_else(|error| Err(error.into())).map_err(cannot("write the file to be shared"))?;
    let command = program.torrentify(&source, setting.size, &description);
    let guard = Guard::post(program.command([GUARD_COMMAND])).map_err(cannot("start the guard"))?;
    let started = Process::start(command, home, "torrentify", &guard.line());
    let mut process = started.map_err(cannot("start a process"))?;
    let status = loop {
        if let Some(status) = process.status() {
            break status;
        }
        tokio::time::sleep(LOOK).await;
    };
    if !status.success() {
        let log = process::log_of(home, "torrentify").display().to_string();
        return Err(Failed::NotUp { name: "torrentify".to_owned(), why: in_words(status), log });
    }
    let json = fs::read(&description).map_err(cannot("read the torrent.json"))?;
    let torrent = Torrent::from_json(&json)?.with_tracker(None);
    Ok(Props { program, torrent, source, metrics: None, guard })
}

async fn metrics_server(
    options: &Options,
    props: &Props,
    home: &Path,
) -> Result<Option<(Process, BaseUrl)>, Failed> {
    let Some(port) = options.metrics_port else { return Ok(None) };
    let command = |attempt| props.program.metric_server(if attempt == 1 { port } else { 0 });
    service::start(home, "metric-server", &props.guard.line(), command).await.map(Some)
}

/// Seconds, to the millisecond: more is noise in a report.
pub(crate) fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1000.0).round() / 1000.0
}
