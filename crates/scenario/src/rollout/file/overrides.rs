//! What a command line may change about a scenario.

use std::time::Duration;

use super::wrong::{BadScenario, Wrong};
use crate::rollout::{Group, Role, Rollout};

/// What is to be other than the file says; `None` leaves it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Number of leechers.
    pub peers: Option<u32>,
    /// Bytes of the file.
    pub size: Option<u64>,
    /// Bytes of a chunk.
    pub chunk_size: Option<u64>,
    /// What each seed can send, in bytes per second.
    pub seed_up: Option<u64>,
    /// What each leecher can send, in bytes per second.
    pub up: Option<u64>,
    /// What each leecher can receive, in bytes per second.
    pub down: Option<u64>,
    /// The round trip between any two.
    pub rtt: Option<Duration>,
    /// Of every random choice.
    pub seed: Option<u64>,
}

impl Overrides {
    /// Changes the groups.
    pub(super) fn change(&self, rollout: &mut Rollout) -> Result<(), BadScenario> {
        let groups = &mut rollout.groups;
        if let Some(up) = self.seed_up {
            only("seed-up", groups, Role::Seed)?.link.up = up;
        }
        if let Some(count) = self.peers {
            only("peers", groups, Role::Leecher)?.count = count;
        }
        if let Some(up) = self.up {
            only("up", groups, Role::Leecher)?.link.up = up;
        }
        if let Some(down) = self.down {
            only("down", groups, Role::Leecher)?.link.down = down;
        }
        if let Some(rtt) = self.rtt {
            for role in [Role::Seed, Role::Leecher] {
                only("rtt", groups, role)?.link.delay = rtt / 4;
            }
        }
        Ok(())
    }
}

/// The only group of a role: with several it is not said which is meant.
fn only<'a>(what: &str, groups: &'a mut [Group], role: Role) -> Result<&'a mut Group, BadScenario> {
    let mut found: Vec<&mut Group> = groups.iter_mut().filter(|group| group.role == role).collect();
    let count = found.len();
    match (count, found.pop()) {
        (1, Some(group)) => Ok(group),
        _ => Err(BadScenario::new(what, None, Wrong::WhichGroup { role, count })),
    }
}
