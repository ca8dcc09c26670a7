//! An experiment on a swarm as data: who takes part, what goes wrong and when, and what must come out of it.
//!
//! A [`Scenario`] says it in general ("a quarter of the clients is slow"), a [`Plan`] for so many clients and one seed
//! ("client-3 and client-7"). A [`Director`] says from what is seen what is due now, [`judge`] says from how everybody
//! ended whether that is right, and a [`Report`] keeps it all as JSON and as a page. Nothing here runs anything: who
//! does (`stress`, with real processes) brings facts and performs actions, so that the same experiment can be run in
//! more than one world and replayed from its seed.
//!
//! [`rollout`] is the other kind of experiment, the one that is simulated: real links, thousands of peers, and a time.

mod catalogue;
mod director;
mod experiment;
mod page;
mod permille;
mod plan;
mod report;
pub mod rollout;
pub mod units;
mod verdict;

pub use catalogue::{by_name, catalogue};
pub use director::{Director, Due, Facts};
pub use experiment::{
    Conduct, Expectation, Fault, Group, Happening, Pace, Portion, Scenario, Traits, Trigger, WayIn,
};
pub use page::to_html;
pub use permille::Permille;
pub use plan::{Action, Member, MemberId, Moment, Plan, PlanError, Setting, Step};
pub use report::{ClientReport, FaultKind, FaultReport, Report, Run, Sample, SourceBytes};
pub use verdict::{Complaint, Ending, Exit, Fired, OutputFile, judge};
