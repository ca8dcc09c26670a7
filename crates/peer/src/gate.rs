//! The gate before every upload: obeys `swarm::Upload`, and wakes whoever it lets in.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use swarm::{Answer, Demand, Requester, Ticket, Upload, UploadConfig};
use tokio::sync::oneshot;

use crate::clock::Clock;

/// Upload slots and the queue before them.
pub(crate) struct Gate {
    clock: Clock,
    state: Mutex<State>,
}

struct State {
    upload: Upload,
    /// Who waits, to be woken when granted. Bounded by the queue's own limits.
    waiting: HashMap<Ticket, oneshot::Sender<Result<(), Refused>>>,
}

/// No slot, and no place in the part of the queue that is for such requests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refused {
    pub(crate) retry_after: Duration,
    /// Not this requester is refused but this content: others will have it soon.
    pub(crate) elsewhere: bool,
}

impl Gate {
    pub(crate) fn new(clock: Clock, config: UploadConfig) -> Arc<Self> {
        let state = State { upload: Upload::new(config), waiting: HashMap::new() };
        Arc::new(Gate { clock, state: Mutex::new(state) })
    }

    /// Waits for a slot to send `bytes` bytes. Dropping the future leaves the queue.
    pub(crate) async fn enter(
        self: &Arc<Self>,
        requester: Requester,
        demand: Demand,
        bytes: u32,
    ) -> Result<Slot, Refused> {
        let (slot, turn) = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            match state.upload.ask(self.clock.now(), requester, demand, bytes) {
                Answer::Grant(ticket) => return Ok(Slot { gate: self.clone(), ticket }),
                Answer::Refuse { retry_after } => return Err(Refused { retry_after, elsewhere: false }),
                Answer::Elsewhere { retry_after } => return Err(Refused { retry_after, elsewhere: true }),
                Answer::Wait(ticket) => {
                    let (wake, turn) = oneshot::channel();
                    state.waiting.insert(ticket, wake);
                    (Slot { gate: self.clone(), ticket }, turn)
                }
            }
        };
        // The sender lives in `waiting` until it is used, so this ends with a grant or a refusal.
        turn.await.unwrap_or(Ok(())).map(|()| slot)
    }

    /// How many bodies are being sent.
    pub(crate) fn sending(&self) -> usize {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).upload.active()
    }

    /// The uplink's best rate of late, in bytes per second; 0 before it was measured.
    pub(crate) fn rate(&self) -> u64 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).upload.rate()
    }

    /// How many requests wait.
    pub(crate) fn queue_len(&self) -> usize {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).upload.queue_len()
    }
}

/// A slot, or a place in the queue; given back when dropped.
pub(crate) struct Slot {
    gate: Arc<Gate>,
    ticket: Ticket,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.gate.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.waiting.remove(&self.ticket);
        let now = self.gate.clock.now();
        for granted in state.upload.done(now, self.ticket) {
            if let Some(wake) = state.waiting.remove(&granted) {
                // A receiver that is gone gives the slot back through its own `Slot`.
                let _ = wake.send(Ok(()));
            }
        }
        let refused = Refused { retry_after: state.upload.elsewhere(), elsewhere: true };
        for ticket in state.upload.turned_away() {
            if let Some(wake) = state.waiting.remove(&ticket) {
                let _ = wake.send(Err(refused));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(slots: usize) -> Arc<Gate> {
        let config =
            UploadConfig { slots, slots_first: slots, slots_per_requester: slots, ..UploadConfig::default() };
        Gate::new(Clock::start(), config)
    }

    #[tokio::test]
    async fn a_slot_given_back_lets_the_next_one_in() {
        let gate = gate(1);
        assert_eq!(gate.sending(), 0);
        let first = gate.enter(Requester::new(1), Demand::Here, 1).await.unwrap();
        assert_eq!(gate.sending(), 1);
        let waiting = tokio::spawn({
            let gate = gate.clone();
            async move { gate.enter(Requester::new(2), Demand::Here, 1).await.map(drop) }
        });
        while gate.queue_len() == 0 {
            tokio::task::yield_now().await;
        }
        drop(first);
        waiting.await.unwrap().unwrap();
        assert_eq!((gate.sending(), gate.queue_len()), (0, 0));
    }

    #[tokio::test]
    async fn whoever_stops_waiting_leaves_no_trace() {
        let gate = gate(1);
        let first = gate.enter(Requester::new(1), Demand::Here, 1).await.unwrap();
        let patience = tokio::time::timeout(Duration::ZERO, gate.enter(Requester::new(2), Demand::Here, 1));
        assert!(patience.await.is_err());
        assert_eq!(gate.queue_len(), 0);
        drop(first);
        assert!(gate.enter(Requester::new(3), Demand::Here, 1).await.is_ok());
    }
}
