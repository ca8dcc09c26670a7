//! One scenario played: look, do what is due, until everybody is done or nothing moves any more; then judge.

use std::path::Path;
use std::time::Duration;

use scenario::{
    Action, ClientReport, Complaint, Director, Ending, Facts, FaultKind, FaultReport, Fired, Plan, Run,
    Sample, judge,
};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::failed::Failed;
use crate::http::Asker;
use crate::inspect;
use crate::process;
use crate::run::{Look, MemberLook, Observer, Standing, seconds};
use crate::stage::{Props, Stage};
use crate::watch::Watch;

/// Between two looks at a small swarm …
const SHORTEST_LOOK: Duration = Duration::from_millis(100);
/// … and for each member of a large one, so that looking is not what keeps the machine busy.
const LOOK_EACH: Duration = Duration::from_millis(8);
/// When nobody gained a chunk, finished, came or died for so long, it hangs. A busy machine is slower than an idle one by
/// a factor, not by this.
const STALLED: Duration = Duration::from_secs(60);
/// A tracker that came back with an empty memory knows everybody again within this time; it has had the rest of the
/// download besides.
const KNOWN_AGAIN: Duration = Duration::from_secs(15);
/// No scenario takes longer than this …
const LONGEST: Duration = Duration::from_secs(600);
/// … and this for each MiB of all copies.
const LONGEST_PER_MIB: Duration = Duration::from_millis(500);

/// A scenario while it is played.
pub(crate) struct Scene<'a> {
    plan: &'a Plan,
    props: &'a Props,
    home: &'a Path,
    began: Instant,
    director: Director,
    watch: Watch,
    fired: Vec<Option<Fired>>,
    reports: Vec<ClientReport>,
    faults: Vec<FaultReport>,
    last_finish: f64,
    /// When something moved last.
    moved: Instant,
}

impl<'a> Scene<'a> {
    pub(crate) fn new(plan: &'a Plan, props: &'a Props, home: &'a Path) -> Self {
        Scene {
            plan,
            props,
            home,
            began: Instant::now(),
            director: Director::new(plan),
            watch: Watch::new(plan.members.len()),
            fired: vec![None; plan.steps.len()],
            reports: plan.members.iter().map(report_of).collect(),
            faults: Vec::new(),
            last_finish: 0.0,
            moved: Instant::now(),
        }
    }

    /// Plays it to its end. Nothing of it runs when this returns.
    pub(crate) async fn played(mut self, observer: &mut dyn Observer) -> Run {
        let played = self.play(observer).await;
        let failures = played
            .unwrap_or_else(|failed| vec![Complaint::of_run("it could not be played", failed.to_string())]);
        Run {
            scenario: self.plan.name.to_owned(),
            about: self.plan.about.to_owned(),
            command: self.plan.command(),
            ok: failures.is_empty(),
            tracker: self.plan.tracker,
            seconds: self.last_finish,
            clients: self.reports,
            faults: self.faults,
            failures,
        }
    }

    async fn play(&mut self, observer: &mut dyn Observer) -> Result<Vec<Complaint>, Failed> {
        let mut stage = Stage::raise(self.plan, self.props, self.home).await?;
        for id in self.plan.ids().filter(|id| self.plan.is_early(*id)) {
            self.reports[id.place()].start = Some(0.0);
        }
        (self.began, self.moved) = (Instant::now(), Instant::now());
        let given_up = self.until_done(&mut stage, observer).await?;
        let listed = if self.plan.expectation.tracker_knows_everyone && given_up.is_none() {
            self.until_listed(&stage).await
        } else {
            None
        };
        let finished: Vec<bool> = stage.players.iter().map(|player| player.sources.is_some()).collect();
        for (report, player) in self.reports.iter_mut().zip(&stage.players) {
            report.sources = player.sources;
        }
        stage.stop().await;
        let endings = inspect::endings(&stage, &self.watch, &finished, listed.as_deref()).await?;
        let mut complaints = judge(self.plan, &endings, &self.fired);
        complaints.extend(given_up);
        self.conclude(&stage, &endings, &mut complaints);
        Ok(complaints)
    }

    /// Looks and does what is due until there is nothing left to wait for; or says why it waits no longer.
    async fn until_done(
        &mut self,
        stage: &mut Stage<'_>,
        observer: &mut dyn Observer,
    ) -> Result<Option<Complaint>, Failed> {
        let members = u32::try_from(self.plan.members.len()).unwrap_or(u32::MAX);
        let mut looks = interval(SHORTEST_LOOK.max(LOOK_EACH * members));
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            stage.look().await?;
            self.watch.look(stage).await;
            let facts = self.watch.facts(stage);
            self.note(stage, &facts);
            for due in self.director.due(&facts) {
                self.perform(stage, due.step, due.action, &facts, observer).await?;
            }
            self.show(stage, &facts, observer);
            if self.director.is_done() && everybody_is_done(stage) {
                return Ok(None);
            }
            if let Some(complaint) = self.patience_is_over() {
                return Ok(Some(complaint));
            }
        }
    }

    fn now(&self) -> f64 {
        seconds(self.began.elapsed())
    }

    /// Takes down what is seen.
    fn note(&mut self, stage: &Stage<'_>, facts: &Facts) {
        let at = self.now();
        for (place, (report, player)) in self.reports.iter_mut().zip(&stage.players).enumerate() {
            let Some(held) = self.watch.held(place, &self.props.torrent) else { continue };
            let last = report.samples.last().map(|sample| sample.held);
            if player.lives() && last != Some(held) {
                report.samples.push(Sample { at, held });
                self.moved = Instant::now();
            }
            if player.sources.is_some() && report.finish.is_none() {
                report.finish = Some(at);
                self.moved = Instant::now();
                if place > 0 {
                    self.last_finish = at;
                }
            }
        }
        debug_assert_eq!(facts.shares.len(), self.reports.len());
    }

    async fn perform(
        &mut self,
        stage: &mut Stage<'_>,
        step: usize,
        action: Action,
        facts: &Facts,
        observer: &mut dyn Observer,
    ) -> Result<(), Failed> {
        stage.perform(action).await?;
        let (at, swarm) = (self.now(), facts.swarm());
        let kind = match action {
            Action::Arrive(id) => {
                self.reports[id.place()].start = Some(at);
                FaultKind::Arrival
            }
            Action::Kill(id) => {
                self.reports[id.place()].died = Some(at);
                FaultKind::Death
            }
            Action::Restart(id) => {
                self.watch.forget(id.place());
                let report = &mut self.reports[id.place()];
                report.restarts.push(at);
                report.finish = None;
                FaultKind::Restart
            }
            Action::KillTracker => FaultKind::TrackerDies,
            Action::StartTracker => FaultKind::TrackerReturns,
        };
        let what = self.plan.describe(action);
        observer.happens(at, swarm, &what);
        self.faults.push(FaultReport { at, swarm, what, kind });
        self.fired[step] = Some(Fired { swarm });
        self.moved = Instant::now();
        Ok(())
    }

    fn show(&self, stage: &Stage<'_>, facts: &Facts, observer: &mut dyn Observer) {
        let members: Vec<MemberLook> = stage
            .players
            .iter()
            .zip(facts.shares.iter().zip(&self.reports))
            .map(|(player, (held, report))| MemberLook {
                held: *held,
                standing: match player {
                    _ if player.sources.is_some() => Standing::Complete,
                    _ if player.lives() => Standing::Downloading,
                    _ if player.starts == 0 => Standing::Awaited,
                    _ => Standing::Dead,
                },
                restarts: report.restarts.len(),
            })
            .collect();
        let look = Look { plan: self.plan, second: self.now(), swarm: facts.swarm(), members: &members };
        observer.looks(&look);
    }

    fn patience_is_over(&self) -> Option<Complaint> {
        let copies = u32::try_from(self.plan.members.len()).unwrap_or(u32::MAX);
        let mib = u32::try_from(self.plan.setting.size >> 20).unwrap_or(u32::MAX);
        let longest = LONGEST + LONGEST_PER_MIB * mib.saturating_mul(copies);
        if self.moved.elapsed() > STALLED {
            return Some(Complaint::of_run("it hangs", format!("nothing moved for {} s", STALLED.as_secs())));
        }
        let took = self.began.elapsed();
        (took > longest)
            .then(|| Complaint::of_run("it takes too long", format!("not done after {} s", took.as_secs())))
    }

    /// Waits until the tracker lists everybody who lives, or nobody believes it any more.
    async fn until_listed(&self, stage: &Stage<'_>) -> Option<Vec<bool>> {
        let (asker, deadline) = (Asker::new(), Instant::now() + KNOWN_AGAIN);
        loop {
            let listed = inspect::listed(&asker, stage).await;
            let all = listed.as_ref().is_some_and(|listed| {
                listed.iter().zip(&stage.players).all(|(listed, player)| *listed || !player.lives())
            });
            if all || Instant::now() > deadline {
                return listed;
            }
            tokio::time::sleep(SHORTEST_LOOK).await;
        }
    }

    /// What is known only in the end: how many lies were told, and where the logs of the failed are.
    fn conclude(&mut self, stage: &Stage<'_>, endings: &[Ending], complaints: &mut [Complaint]) {
        for (report, ending) in self.reports.iter_mut().zip(endings) {
            report.falsified = ending.falsified;
        }
        for complaint in complaints {
            let is_member = self.plan.members.iter().any(|member| member.name == complaint.who);
            let log =
                if is_member { process::log_of(&stage.logs, &complaint.who) } else { stage.logs.clone() };
            complaint.log = Some(log.display().to_string());
        }
    }
}

/// Everybody who lives is complete. The dead are judged later: nobody waits for them.
fn everybody_is_done(stage: &Stage<'_>) -> bool {
    stage.players.iter().all(|player| !player.lives() || player.sources.is_some())
}

/// An empty report of a member.
fn report_of(member: &scenario::Member) -> ClientReport {
    let traits = member.traits.in_words().into_iter().map(str::to_owned).collect();
    ClientReport { name: member.name.clone(), traits, ..ClientReport::default() }
}
