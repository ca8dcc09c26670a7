//! Requests from the side of who is asked: slots, and the uplink that they share. As `peer/src/gate.rs`.

use std::time::Duration;

use protocol::Time;
use rand::RngExt;
use scenario::rollout::{Conduct, Role, time_for};
use swarm::{Answer, Asker, Content, Failure, Ticket};

use super::World;
use crate::agenda::Happening;
use crate::network::{ACKNOWLEDGED_PPM, Body, Flow, Loss, Next, slice_of};
use crate::node::NodeId;
use crate::requests::{Request, RequestId, Stage};

/// Head of an answer that brings a chunk, in bytes.
pub(super) const ANSWER: u64 = 290;
/// A refusal, head and body.
const REFUSAL: u64 = 350;
/// How long a connection to somebody that nobody can dial is waited for.
pub(super) const CONNECT: Duration = Duration::from_secs(3);
/// The brain is told of a body that is on its way this often: enough to measure by.
const REPORT: Duration = Duration::from_millis(250);
/// A free rider is always busy.
const NEVER: Duration = Duration::from_secs(1);

impl World<'_> {
    /// A request reaches its uploader.
    pub(super) fn asked(&mut self, id: RequestId) {
        let Some(request) = self.requests.get(id) else { return };
        let &Request { from, to, chunk, asked_at, need, .. } = request;
        if request.withdrawn {
            return;
        }
        let (now, bytes) = (self.now, self.length(chunk));
        let content = Content::new(chunk.get().into());
        let node = self.node(to);
        if !node.is_here() {
            return self.fail(id, self.delay(from, to), Failure::Transport);
        }
        if !node.dialable {
            let left = CONNECT.saturating_sub(now.since(asked_at));
            return self.fail(id, left, Failure::Transport);
        }
        if node.conduct == Conduct::FreeRider {
            return self.fail(id, self.delay(from, to), Failure::Busy { retry_after: NEVER });
        }
        if !node.held.contains(chunk) {
            return self.fail(id, self.delay(from, to), Failure::Missing);
        }
        let asker = Asker { who: from.into(), need };
        let demand = node.firsts.demand(now, asker, chunk, content, node.upload.rate());
        match node.upload.ask(now, from.into(), demand, bytes) {
            Answer::Grant(ticket) => self.send(to, id, ticket),
            Answer::Wait(ticket) => {
                node.queued.insert(ticket, id);
                if let Some(request) = self.requests.get_mut(id) {
                    request.stage = Stage::Queued(ticket);
                }
            }
            Answer::Refuse { retry_after } => {
                self.refuse(id, Failure::Busy { retry_after });
            }
            Answer::Elsewhere { retry_after } => {
                self.refuse(id, Failure::Elsewhere { retry_after });
            }
        }
        self.check_uploads(to);
    }

    /// Answers that a request is refused.
    fn refuse(&mut self, id: RequestId, failure: Failure) {
        let Some((from, to)) = self.requests.get(id).map(|request| (request.from, request.to)) else {
            return;
        };
        self.refused += 1;
        self.suggest(id);
        self.control.requests += REFUSAL;
        self.charge(Some(to), Some(from), REFUSAL);
        self.fail(id, self.message_delay(to, from), failure);
    }

    /// An answer says what its receiver might ask for next.
    fn suggest(&mut self, id: RequestId) {
        let Some((from, to, key)) = self.requests.get(id).map(|one| (one.from, one.to, one.key)) else {
            return;
        };
        let now = self.now;
        if let Some(chunk) = self.node(to).firsts.suggest(now, from.into()) {
            self.plan(self.delay(from, to), Happening::Suggested(from, key, chunk));
        }
    }

    /// Nobody waits for a request any more.
    pub(super) fn withdrawn(&mut self, id: RequestId) {
        let Some(request) = self.requests.remove(id) else { return };
        let node = self.node(request.to);
        match request.stage {
            Stage::Travelling | Stage::Sent | Stage::Whole => {}
            Stage::Queued(ticket) => {
                node.queued.remove(&ticket);
                self.slot_is_free(request.to, ticket);
            }
            Stage::Sending => {
                if let Some(ticket) = node.uplink.drop_flow(id) {
                    self.slot_is_free(request.to, ticket);
                }
            }
        }
    }

    /// A ticket is given back; whoever is granted now is served.
    fn slot_is_free(&mut self, id: NodeId, ticket: Ticket) {
        let now = self.now;
        let node = self.node(id);
        for granted in node.upload.done(now, ticket) {
            if let Some(request) = self.node(id).queued.remove(&granted) {
                self.send(id, request, granted);
            }
        }
        let upload = &mut self.node(id).upload;
        let (turned_away, retry_after) = (upload.turned_away(), upload.elsewhere());
        for ticket in turned_away {
            if let Some(request) = self.node(id).queued.remove(&ticket) {
                self.refuse(request, Failure::Elsewhere { retry_after });
            }
        }
        self.check_uploads(id);
    }

    /// Begins to send a body.
    fn send(&mut self, id: NodeId, request: RequestId, ticket: Ticket) {
        let now = self.now;
        let Some(one) = self.requests.get_mut(request) else { return };
        one.stage = Stage::Sending;
        let Request { from, key, mut place, chunk, asked_at: told_at, .. } = *one;
        if self.node(id).firsts.sent(now, Some(from.into()), chunk) {
            self.arm_asking_back(id);
        }
        self.suggest(request);
        let left = self.length(chunk);
        let first = self.rollout.network.first_window;
        let member = self.node(from).roster.get_near(key, &mut place);
        let (window, of_new) =
            member.map_or((first, false), |member| (member.window_at(now, first), member.is_new()));
        self.control.requests += ANSWER;
        self.charge(None, Some(from), ANSWER);
        let head = if self.rollout.network.control_costs { self.on_wire(ANSWER) } else { 0 };
        let uplink = &mut self.node(id).uplink;
        if uplink.armed.is_none() {
            // An idle uplink has sent its small things already.
            uplink.debt = 0;
        }
        uplink.debt += head;
        let flow = Flow { request, slot: Some(ticket), next_at: now };
        uplink.push(flow, Body { to: from, left, window, untold: 0, told_at, of_new });
        let at = uplink.busy_until.max(now);
        self.arm_uplink(id, at);
        if left <= self.rollout.network.buffer {
            self.agenda.plan(now, Happening::Buffered(id, request));
        }
    }

    /// The rest of a body is with the kernel: its slot is free.
    pub(super) fn is_buffered(&mut self, id: NodeId, request: RequestId) {
        if let Some(ticket) = self.node(id).uplink.take_slot(request) {
            self.slot_is_free(id, ticket);
        }
    }

    fn arm_uplink(&mut self, id: NodeId, at: Time) {
        let uplink = &mut self.node(id).uplink;
        if uplink.armed.is_none_or(|armed| at < armed) {
            uplink.armed = Some(at);
            self.agenda.plan(at, Happening::Uplink(id));
        }
    }

    /// The slice before is out: the next one is sent.
    pub(super) fn uplink_is_due(&mut self, id: NodeId) {
        let now = self.now;
        let uplink = &mut self.node(id).uplink;
        if uplink.armed != Some(now) {
            return;
        }
        if let Some(ticket) = uplink.finishing.take() {
            self.slot_is_free(id, ticket);
        }
        let uplink = &mut self.node(id).uplink;
        uplink.armed = None;
        debug_assert!(uplink.busy_until <= now, "one slice at a time");
        let draw = self.rng.random_range(0..usize::MAX);
        match self.node(id).uplink.next(now, draw) {
            Next::Idle => {}
            Next::Wait(until) => self.arm_uplink(id, until),
            Next::Send(flow, body) => self.send_slice(id, flow, body),
        }
    }

    fn send_slice(&mut self, id: NodeId, mut flow: Flow, mut body: Body) {
        let now = self.now;
        let slice = slice_of(self.rollout.chunk_bytes).min(body.left);
        let network = self.rollout.network;
        let from = body.to;
        let one_way = self.delay(id, from);
        let wire = self.on_wire(slice.into());
        let node = self.node(id);
        let sending = time_for(wire + std::mem::take(&mut node.uplink.debt), node.link.up);
        node.sent += u64::from(slice);
        let (is_seed, out) = (node.role == Role::Seed, now + sending);
        node.uplink.busy_until = out;
        let (through, at) = self.pass(now, (id, from), (slice, wire), sending);
        body.left -= slice;
        if body.left == 0 {
            self.node(id).uplink.finishing = flow.slot;
            self.body_is_out(from, flow.request, body.window);
            self.agenda.plan(at, Happening::Whole(flow.request));
        } else {
            let loss = self.loss(id, from);
            let pace = body.pace(slice, one_way * 2, loss.window(network.window));
            let queue_ends = Time::from(through.since(Time::ZERO).saturating_sub(network.queue));
            flow.next_at = out.max(queue_ends).max(now + pace);
            if flow.slot.is_some() && body.left <= network.buffer {
                self.agenda.plan(now, Happening::Buffered(id, flow.request));
            }
            self.report(flow.request, &mut body, at, slice);
            self.node(id).uplink.push(flow, body);
        }
        self.arm_uplink(id, out);
        if is_seed {
            self.seed_sent(slice.into());
        }
    }

    /// A slice passes all queues on its way: when it is through them, and when it is there.
    fn pass(
        &mut self,
        now: Time,
        (from, to): (NodeId, NodeId),
        (slice, wire): (u32, u64),
        leaving: Duration,
    ) -> (Time, Time) {
        let (one_way, loss) = (self.delay(from, to), self.loss(from, to).of_slice(wire));
        let acks = wire * ACKNOWLEDGED_PPM / 1_000_000;
        let has_headers = self.rollout.network.headers_ppm > 0;
        let other = self.node(to);
        other.received += u64::from(slice);
        let arriving = time_for(wire, other.link.down);
        let mut through = other.downlink.receive(now, arriving, leaving);
        if has_headers && other.uplink.armed.is_some() {
            other.uplink.debt += acks;
        }
        if !self.sites.is_one() {
            let sites = (self.site(from), self.site(to));
            let crossed = self.sites.pass(now, sites, (slice, wire), leaving);
            through = crossed.map_or(through, |crossed| through.max(crossed));
        }
        let is_late = loss > 0 && self.rng.random_range(0..1_000_000) < loss;
        (through, through + one_way + if is_late { one_way * 2 } else { Duration::ZERO })
    }

    fn loss(&self, one: NodeId, other: NodeId) -> Loss {
        let of = |node: NodeId| u64::from(self.nodes[node.slot()].link.loss_ppm);
        Loss(of(one) + of(other))
    }

    /// All of a body is sent: the connection keeps the window it has grown to.
    fn body_is_out(&mut self, from: NodeId, request: RequestId, window: u64) {
        let now = self.now;
        let Some(request) = self.requests.get_mut(request) else { return };
        request.stage = Stage::Sent;
        let (key, mut place) = (request.key, request.place);
        if let Some(member) = self.node(from).roster.get_near(key, &mut place) {
            member.keep_window(now, window);
        }
    }

    /// Plans a report to the brain of what came of a body, if the last one is long enough ago, or this is half of the first
    /// body of a neighbour.
    fn report(&mut self, id: RequestId, body: &mut Body, at: Time, slice: u32) {
        body.untold += slice;
        let half_is_news = body.of_new && body.untold >= self.rollout.chunk_bytes / 2;
        if (half_is_news || at.since(body.told_at) >= REPORT)
            && let Some(request) = self.requests.get_mut(id)
        {
            body.of_new = false;
            let bytes = std::mem::take(&mut body.untold);
            request.told += bytes;
            body.told_at = at;
            self.agenda.plan(at, Happening::Came(id, bytes));
        }
    }

    fn seed_sent(&mut self, bytes: u64) {
        self.seeds_sent += bytes;
        if self.seeds_die_at.is_some_and(|limit| self.seeds_sent >= limit) {
            self.seeds_die_at = None;
            for (number, node) in (0..).zip(&self.nodes) {
                if node.role == Role::Seed {
                    self.agenda.plan(self.now, Happening::Dies(NodeId::new(number)));
                }
            }
        }
    }
}
