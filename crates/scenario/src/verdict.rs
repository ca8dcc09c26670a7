//! Whether a run was right: everybody who lives has every byte, ended in good order, and what was to go wrong did.
//!
//! An experiment whose fault never came, or came when there was nothing left to disturb, shows nothing; so that is a
//! failure, too, and not a success.

use serde::{Deserialize, Serialize};

use crate::Permille;
use crate::experiment::Conduct;
use crate::plan::{Action, MemberId, Plan};

/// What lies where a member's file should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutputFile {
    /// The source, byte for byte.
    Same,
    /// Nothing.
    Missing,
    /// Another number of bytes.
    Length {
        /// So many.
        bytes: u64,
    },
    /// Another byte here first.
    Differs {
        /// Its offset.
        at: u64,
    },
    /// The system did not let us look.
    Unreadable(String),
}

/// How a member's process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It was told to, and ended with 0.
    Orderly,
    /// The plan killed it.
    Killed,
    /// It was never started.
    NeverStarted,
    /// By itself, before it was told to.
    Early(String),
    /// It was told to, and ended like this.
    Disorderly(String),
    /// It was told to, and had to be killed.
    Hanging,
}

/// How it ended for one member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// What it held when last seen.
    pub held: Permille,
    /// It said that it is complete.
    pub finished: bool,
    /// What lies in its folder under the name.
    pub output: OutputFile,
    /// Files of an unfinished download that are still there.
    pub left_over: Vec<String>,
    /// How its process ended.
    pub exit: Exit,
    /// The tracker lists it in the end; `None` where nobody asked.
    pub listed: Option<bool>,
    /// Requests that its proxy passed on; `None` without a proxy.
    pub proxied: Option<u64>,
    /// Bodies that its proxy made wrong.
    pub falsified: u64,
}

/// When a step was performed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fired {
    /// What the clients held together.
    pub swarm: Permille,
}

/// Something that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Complaint {
    /// Whose fault: a member, or the run itself.
    pub who: String,
    /// What is wrong.
    pub what: String,
    /// How that is known.
    pub why: String,
    /// Nothing is wrong with the product as far as this goes: the experiment did not take place.
    #[serde(skip_serializing_if = "is_false", default)]
    pub shows_nothing: bool,
    /// Where its log is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub log: Option<String>,
}

/// For serde, which hands over a reference.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
const fn is_false(value: &bool) -> bool {
    !*value
}

impl Complaint {
    /// Of the run as a whole.
    pub fn of_run(what: impl Into<String>, why: impl Into<String>) -> Self {
        Complaint {
            who: "run".to_owned(),
            what: what.into(),
            why: why.into(),
            shows_nothing: false,
            log: None,
        }
    }
}

/// Everything that is wrong; nothing is what a good run gives. `endings` are in the order of [`Plan::members`], `fired`
/// of [`Plan::steps`].
pub fn judge(plan: &Plan, endings: &[Ending], fired: &[Option<Fired>]) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    if endings.len() != plan.members.len() || fired.len() != plan.steps.len() {
        complaints.push(Complaint::of_run("nobody looked", "endings are missing"));
    }
    for (id, ending) in plan.ids().zip(endings) {
        let found = of_member(plan, id, ending);
        let name = &plan.member(id).name;
        let complain = |(what, why): (&str, String)| Complaint {
            who: name.clone(),
            what: what.to_owned(),
            why,
            shows_nothing: false,
            log: None,
        };
        complaints.extend(found.into_iter().map(complain));
    }
    complaints.extend(of_steps(plan, fired));
    complaints.extend(of_liars(plan, endings));
    complaints
}

/// Whom the plan kills for good owes nothing.
fn is_doomed(plan: &Plan, id: MemberId) -> bool {
    plan.steps.iter().any(|step| step.what == Action::Kill(id))
}

fn of_member(plan: &Plan, id: MemberId, ending: &Ending) -> Vec<(&'static str, String)> {
    let mut wrong = Vec::new();
    if is_doomed(plan, id) {
        return wrong;
    }
    match &ending.exit {
        Exit::Orderly => {}
        Exit::Killed => wrong.push(("it is dead", "the run killed it, the plan did not".to_owned())),
        Exit::NeverStarted => wrong.push(("it never came", "its moment did not come".to_owned())),
        Exit::Early(how) => wrong.push(("it ended by itself", how.clone())),
        Exit::Disorderly(how) => wrong.push(("it did not end in good order", how.clone())),
        Exit::Hanging => wrong.push(("it does not end", "it was told to, and had to be killed".to_owned())),
    }
    if !ending.finished {
        wrong.push((
            "it did not finish",
            format!("it holds {} and did not say that it is complete", ending.held),
        ));
    }
    match &ending.output {
        OutputFile::Same => {}
        OutputFile::Missing => {
            wrong.push(("its file is missing", "nothing is there under the name".to_owned()));
        }
        OutputFile::Length { bytes } => wrong
            .push(("its file has another length", format!("{bytes} bytes instead of {}", plan.setting.size))),
        OutputFile::Differs { at } => wrong.push(("its file is wrong", format!("first at byte {at}"))),
        OutputFile::Unreadable(why) => wrong.push(("its file cannot be read", why.clone())),
    }
    if !ending.left_over.is_empty() {
        wrong.push(("it left something over", ending.left_over.join(", ")));
    }
    if plan.expectation.tracker_knows_everyone && ending.listed != Some(true) {
        wrong.push(("the tracker does not list it", "although it lives and the tracker answers".to_owned()));
    }
    if ending.proxied == Some(0) {
        wrong.push(("nobody came through its proxy", "no request was passed on".to_owned()));
    }
    wrong
}

fn of_steps(plan: &Plan, fired: &[Option<Fired>]) -> Vec<Complaint> {
    let steps = || plan.steps.iter().zip(fired);
    let never = steps().filter(|(_, fired)| fired.is_none()).map(|(step, _)| {
        nothing_shown(&plan.describe(step.what), &format!("this was to come {}, and never did", step.when))
    });
    let too_late = |fired: &Option<Fired>| fired.is_some_and(|fired| fired.swarm.is_all());
    // Of many deaths some may come when all is over; that most come in the middle is what churn means.
    let deaths = || steps().filter(|(step, _)| matches!(step.what, Action::Restart(_)));
    let late_deaths = deaths().filter(|(_, fired)| too_late(fired)).count();
    let churn_is_over = late_deaths * 2 > deaths().count();
    let late = steps().filter(|(step, fired)| {
        too_late(fired) && (churn_is_over || !matches!(step.what, Action::Restart(_)))
    });
    let late = late.map(|(step, _)| {
        nothing_shown(&plan.describe(step.what), "only when everybody had everything: try a larger --size")
    });
    never.chain(late).collect()
}

fn nothing_shown(what: &str, why: &str) -> Complaint {
    Complaint { shows_nothing: true, ..Complaint::of_run(format!("nothing shown: {what}"), why) }
}

/// At least one liar must have been believed for a moment; that each is asked is for the swarm to choose.
fn of_liars(plan: &Plan, endings: &[Ending]) -> Option<Complaint> {
    let lies = |member: &crate::Member| member.traits.conduct == Conduct::Liar;
    let told: u64 = endings.iter().map(|ending| ending.falsified).sum();
    (plan.members.iter().any(lies) && told == 0)
        .then(|| nothing_shown("nobody lied", "no liar was asked for a chunk"))
}
