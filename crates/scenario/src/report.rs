//! What a run of scenarios gave: every figure, as JSON. The page is made from the same data.

use serde::{Deserialize, Serialize};

use crate::Permille;
use crate::verdict::Complaint;

/// All scenarios of one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Version of the program.
    pub version: String,
    /// Of every random choice.
    pub seed: u64,
    /// Clients that wanted the file.
    pub clients: usize,
    /// Bytes of the file.
    pub size: u64,
    /// Seconds for all of it.
    pub seconds: f64,
    /// Every scenario was right.
    pub ok: bool,
    /// In the order in which they ran.
    pub runs: Vec<Run>,
}

/// One scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its name.
    pub scenario: String,
    /// What it shows.
    pub about: String,
    /// What replays it.
    pub command: String,
    /// It was right.
    pub ok: bool,
    /// There was a tracker at the start.
    pub tracker: bool,
    /// From the first start to the last client's finish.
    pub seconds: f64,
    /// The seed's place in time is here, too: it is the first.
    pub clients: Vec<ClientReport>,
    /// In the order in which they came.
    pub faults: Vec<FaultReport>,
    /// What was wrong.
    pub failures: Vec<Complaint>,
}

/// One member.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClientReport {
    /// Its name in the plan.
    pub name: String,
    /// What is special about it, in words: `dht`, `liar`, `slow`, `proxy`, `late`.
    pub traits: Vec<String>,
    /// Second of the run in which it was started first; absent when it never was.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub start: Option<f64>,
    /// Second in which it was complete.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub finish: Option<f64>,
    /// Second in which it was killed for good.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub died: Option<f64>,
    /// Where its bytes came from, as its last process said.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sources: Option<SourceBytes>,
    /// Seconds in which it was killed and started again.
    pub restarts: Vec<f64>,
    /// Bodies that it sent wrong.
    pub falsified: u64,
    /// What it held, in time.
    pub samples: Vec<Sample>,
}

/// Bytes of a download by where they came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceBytes {
    /// From peers that were complete.
    pub seed: u64,
    /// From others.
    pub peer: u64,
    /// From caches between.
    #[serde(default)]
    pub cache: u64,
    /// Already there: an earlier process's, or equal chunks.
    #[serde(default)]
    pub local: u64,
}

/// What a client held at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Second of the run.
    pub at: f64,
    /// So much of it.
    pub held: Permille,
}

/// Something that went wrong as planned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaultReport {
    /// Second of the run.
    pub at: f64,
    /// What the clients held together.
    pub swarm: Permille,
    /// In words.
    pub what: String,
    /// What kind of mark it gets.
    pub kind: FaultKind,
}

/// Kinds of faults that are told apart in the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// The tracker is dead from now on.
    TrackerDies,
    /// The tracker is there again.
    TrackerReturns,
    /// A member is dead for good.
    Death,
    /// A member was killed and started again.
    Restart,
    /// A member came.
    Arrival,
}

impl Run {
    /// All that is wrong is that nothing was tried: the machine was too busy, and it may be tried again.
    pub fn shows_nothing(&self) -> bool {
        !self.ok && self.failures.iter().all(|failure| failure.shows_nothing)
    }
}

impl Report {
    /// As JSON, indented.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }
}
