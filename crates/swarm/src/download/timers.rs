//! What happens because time passes: pauses end, fetches are found stuck. One timer is armed, for the first of it.

use std::time::Duration;

use protocol::Time;

use super::Download;
use crate::inflight::Progress;
use crate::{Action, FetchId};

/// The timer is never armed closer than this: a wake that comes late is harmless, a shell that spins is not.
const NAP_LEAST: Duration = Duration::from_millis(1);

impl Download {
    /// Does what is due, whatever event brought the time.
    pub(super) fn fire_timers(&mut self, now: Time, actions: &mut Vec<Action>) {
        while let Some(peer) = self.blocked.pop_ended(now) {
            self.eager.push(peer);
        }
        while let Some(peer) = self.avoided.pop_ended(now) {
            if let Some(neighbour) = self.neighbours.get_mut(peer) {
                neighbour.avoided.retain(|&(_, until)| until > now);
                neighbour.dry = false;
                self.eager.push(peer);
            }
        }
        if self.look_at.is_some_and(|at| at <= now) {
            self.look(now, actions);
        }
    }

    /// Makes sure that the fetches are looked at by `time`.
    pub(super) fn look_by(&mut self, time: Time) {
        self.look_at = Some(self.look_at.map_or(time, |at| at.min(time)));
    }

    pub(super) fn arm_timer(&mut self, now: Time) {
        if self.fetches.flying() == 0 {
            self.look_at = None;
        } else if self.table.missing().is_empty() {
            self.look_by(now + self.config.endgame_every);
        }
        let due = [self.look_at, self.blocked.next(), self.avoided.next(), self.finder.wake_at()];
        self.wake = due.into_iter().flatten().min().map(|at| at.max(now + NAP_LEAST));
    }

    /// Looks at every fetch in flight: the stuck are marked, so that others may be asked for their chunks, and the
    /// silent are given up. The next look is at the first time at which one of them can have become stuck, so that
    /// fetches that move cost a look every few seconds, and nothing a byte.
    fn look(&mut self, now: Time, actions: &mut Vec<Action>) {
        self.look_at = None;
        let mut stalled = Vec::new();
        for id in self.fetches.iter_flying().map(|(id, _)| id).collect::<Vec<_>>() {
            match self.look_at_one(now, id) {
                Some((Progress::Stalled, _)) => stalled.push(id),
                Some((_, again)) => self.look_by(again),
                None => {}
            }
        }
        self.fastest = 0;
        for (_, neighbour) in self.neighbours.iter_mut() {
            neighbour.score.look(now);
            self.fastest = self.fastest.max(neighbour.score.rate().unwrap_or(0));
        }
        // In the end, idle neighbours may have become worth a second copy just by waiting.
        self.all_eager |= self.table.missing().is_empty();
        for id in stalled {
            // The failure of one may have dropped its neighbour, and the others with it.
            let Some(fetch) = self.forget(now, id) else { continue };
            actions.push(Action::Cancel { fetch: id });
            self.settle(fetch.chunk);
            self.blame(now, fetch.peer, fetch.started, actions);
        }
    }

    fn look_at_one(&mut self, now: Time, id: FetchId) -> Option<(Progress, Time)> {
        let fetch = self.fetches.get_mut(id)?;
        let peer = fetch.peer;
        let neighbour = self.neighbours.get_mut(peer)?;
        let found = fetch.look(now, neighbour.score.heard, &self.config);
        let slow = found.0 != Progress::Moving;
        if self.fetches.set_slow(id, slow) {
            if slow {
                neighbour.slow += 1;
                self.all_eager = true;
            } else {
                neighbour.slow -= 1;
                self.eager.push(peer);
            }
        }
        Some(found)
    }
}
