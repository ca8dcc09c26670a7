//! What is due now: the plan's steps, each performed once, as soon as its moment has come.

use crate::Permille;
use crate::plan::{Action, Moment, Plan, Step};

/// What is seen of a swarm at one instant.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// What each member holds, in the plan's order; the seed holds all.
    pub shares: Vec<Permille>,
    /// Every chunk is held by a living member other than the seed.
    pub every_chunk_elsewhere: bool,
}

impl Facts {
    /// What the clients hold together of what they want.
    pub fn swarm(&self) -> Permille {
        Permille::mean(self.shares.iter().skip(1).copied())
    }

    fn has_come(&self, moment: Moment) -> bool {
        match moment {
            Moment::Start => true,
            Moment::Swarm(share) => self.swarm() >= share,
            Moment::Of(id, share) => self.shares.get(id.place()).is_some_and(|held| *held >= share),
            Moment::EveryChunkElsewhere => self.every_chunk_elsewhere,
        }
    }
}

/// A step whose moment has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// Its place in [`Plan::steps`].
    pub step: usize,
    /// What is to be done.
    pub action: Action,
}

/// Remembers which steps are still to come.
#[derive(Clone, Debug)]
pub struct Director {
    steps: Vec<(Step, bool)>,
}

impl Director {
    /// At the start of a plan.
    pub fn new(plan: &Plan) -> Self {
        Director { steps: plan.steps.iter().map(|step| (*step, false)).collect() }
    }

    /// What is due now, in the plan's order. A member that was just killed makes no further progress, so at most one
    /// step of a member's own progress is due at a time.
    pub fn due(&mut self, facts: &Facts) -> Vec<Due> {
        let mut due: Vec<Due> = Vec::new();
        for (place, (step, done)) in self.steps.iter_mut().enumerate() {
            let again = due.iter().any(|other| other.action == step.what);
            if !*done && !again && facts.has_come(step.when) {
                *done = true;
                due.push(Due { step: place, action: step.what });
            }
        }
        due
    }

    /// Nothing is still to come.
    pub fn is_done(&self) -> bool {
        self.steps.iter().all(|(_, done)| *done)
    }
}
