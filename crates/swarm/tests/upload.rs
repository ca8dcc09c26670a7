//! Who is served, told as stories, and what must hold whatever is asked.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use proptest::prelude::*;
use protocol::Time;
use swarm::{Answer, Content, Demand, Requester, Ticket, Upload, UploadConfig};

const BODY: u32 = 256 << 10;

const fn who(number: u64) -> Requester {
    Requester::new(number)
}

fn millis(millis: u64) -> Time {
    Time::from(Duration::from_millis(millis))
}

/// An upload whose slots each send a body in a fixed time, and the bytes that each requester got.
struct Server {
    upload: Upload,
    now: u64,
    asked: BTreeMap<Ticket, Requester>,
    sending: VecDeque<(u64, Ticket)>,
    served: BTreeMap<Requester, u64>,
}

/// One body at a time: whoever comes second waits.
fn one_slot() -> UploadConfig {
    UploadConfig { slots: 1, slots_first: 1, slots_per_requester: 1, ..UploadConfig::default() }
}

impl Server {
    const BODY_MILLIS: u64 = 40;

    fn new(config: UploadConfig) -> Self {
        Server {
            upload: Upload::new(config),
            now: 0,
            asked: BTreeMap::new(),
            sending: VecDeque::new(),
            served: BTreeMap::new(),
        }
    }

    /// Whether the request was taken in.
    fn ask(&mut self, requester: Requester) -> bool {
        let answer = self.upload.ask(millis(self.now), requester, Demand::Here, BODY);
        self.upload.check_invariants();
        match answer {
            Answer::Grant(ticket) => {
                self.asked.insert(ticket, requester);
                self.sending.push_back((self.now + Self::BODY_MILLIS, ticket));
                true
            }
            Answer::Wait(ticket) => {
                self.asked.insert(ticket, requester);
                true
            }
            Answer::Refuse { .. } | Answer::Elsewhere { .. } => false,
        }
    }

    /// Finishes the next body; who got it.
    fn step(&mut self) -> Option<Requester> {
        let (at, ticket) = self.sending.pop_front()?;
        self.now = at;
        let requester = self.asked.remove(&ticket)?;
        *self.served.entry(requester).or_default() += 1;
        for granted in self.upload.done(millis(self.now), ticket) {
            self.sending.push_back((self.now + Self::BODY_MILLIS, granted));
        }
        self.upload.check_invariants();
        Some(requester)
    }
}

/// Twenty that ask for `depth` chunks at a time, and again `pause` milliseconds after each, against one that always
/// asks for as many as it may; in percent, the smallest part of its fair share that one of the twenty got.
fn smallest_share_beside_a_greedy_one(depth: usize, pause: u64) -> u64 {
    let (honest, greedy) = (20, who(999));
    let mut server = Server::new(UploadConfig::default());
    let mut pausing: VecDeque<(u64, Requester)> = VecDeque::new();
    while server.ask(greedy) {}
    for number in 0..honest {
        (0..depth).for_each(|_| assert!(server.ask(who(number)), "everyone finds a place in the queue"));
    }
    let bodies = 8000;
    for _ in 0..bodies {
        while let Some(&(at, requester)) = pausing.front()
            && at <= server.now
        {
            pausing.pop_front();
            server.ask(requester);
        }
        let Some(requester) = server.step() else { break };
        if requester != greedy {
            pausing.push_back((server.now + pause, requester));
        }
        while server.ask(greedy) {}
    }
    let share = bodies / (honest + 1);
    let bodies_each = (0..honest).map(|number| server.served.get(&who(number)).copied().unwrap_or(0));
    bodies_each.min().unwrap_or(0) * 100 / share
}

#[test]
fn a32_one_greedy_requester_does_not_take_the_share_of_twenty_others() {
    for (depth, pause) in [(1, 0), (2, 0), (2, 50)] {
        let share = smallest_share_beside_a_greedy_one(depth, pause);
        assert!(share >= 70, "with {depth} requests and a pause of {pause} ms: {share} % of its share");
    }
}

#[test]
fn a32_a_greedy_requester_cannot_fill_the_queue_alone() {
    let mut server = Server::new(UploadConfig {
        slots_first: 8,
        queue: 20,
        queue_per_requester: 64,
        ..UploadConfig::default()
    });
    let taken = (0..1000).filter(|_| server.ask(who(1))).count();
    assert_eq!(taken, 6 + 10, "its slots, and half of the queue");
    assert!(
        server.ask(who(2)) && server.ask(who(3)) && server.ask(who(4)),
        "two slots and the queue are left"
    );
}

#[test]
fn a_newcomer_finds_a_free_slot_and_a_lone_requester_gets_nearly_all() {
    let mut upload = Upload::new(UploadConfig::default());
    for _ in 0..6 {
        assert!(matches!(upload.ask(Time::ZERO, who(1), Demand::Here, BODY), Answer::Grant(_)));
    }
    assert!(matches!(upload.ask(Time::ZERO, who(1), Demand::Here, BODY), Answer::Wait(_)));
    assert!(matches!(upload.ask(Time::ZERO, who(2), Demand::Here, BODY), Answer::Grant(_)));
    assert_eq!((upload.active(), upload.queue_len()), (7, 1));
}

#[test]
fn who_was_served_least_lately_goes_first_and_old_service_is_forgotten() {
    let config = one_slot();
    let mut upload = Upload::new(config);
    let grant = |upload: &mut Upload, at: u64, number| match upload.ask(
        millis(at),
        who(number),
        Demand::Here,
        1 << 20,
    ) {
        Answer::Grant(ticket) | Answer::Wait(ticket) => ticket,
        Answer::Refuse { .. } | Answer::Elsewhere { .. } => panic!("refused"),
    };
    let first = grant(&mut upload, 0, 1);
    let (again, other) = (grant(&mut upload, 1, 1), grant(&mut upload, 2, 2));
    assert_eq!(upload.done(millis(10), first), [other], "it asked later, and had nothing yet");
    assert_eq!(upload.done(millis(20), other), [again]);
    assert_eq!(upload.done(millis(30), again), []);
    // Requester 1 had twice as much as 2. An hour later nobody remembers: the older request goes first.
    let hour = 3_600_000;
    let blocker = grant(&mut upload, hour, 3);
    let (older, newer) = (grant(&mut upload, hour + 1, 1), grant(&mut upload, hour + 2, 2));
    assert_eq!(upload.done(millis(hour + 3), blocker), [older]);
    assert_eq!(upload.done(millis(hour + 4), older), [newer]);
}

#[test]
fn who_goes_away_while_waiting_or_being_served_leaves_no_trace() {
    let config = one_slot();
    let mut upload = Upload::new(config);
    let Answer::Grant(served) = upload.ask(Time::ZERO, who(1), Demand::Here, BODY) else {
        panic!("not granted")
    };
    let Answer::Wait(leaves) = upload.ask(Time::ZERO, who(2), Demand::Here, BODY) else {
        panic!("not waiting")
    };
    let Answer::Wait(stays) = upload.ask(Time::ZERO, who(3), Demand::Here, BODY) else {
        panic!("not waiting")
    };
    assert_eq!(upload.done(Time::ZERO, leaves), []);
    assert_eq!(upload.done(Time::ZERO, leaves), [], "a ticket that is not known changes nothing");
    assert_eq!(upload.done(Time::ZERO, served), [stays]);
    assert_eq!(upload.done(Time::ZERO, stays), []);
    assert_eq!((upload.active(), upload.queue_len()), (0, 0));
    upload.check_invariants();
}

#[test]
fn a_refusal_asks_for_a_longer_wait_where_bodies_take_longer() {
    let wait = |body_millis: u64| {
        let config = UploadConfig { queue: 4, ..one_slot() };
        let mut upload = Upload::new(config.clone());
        let Answer::Grant(mut served) = upload.ask(Time::ZERO, who(0), Demand::Here, BODY) else {
            panic!("not granted")
        };
        for round in 1..50 {
            upload.ask(millis(round * body_millis), who(round), Demand::Here, BODY);
            served = upload.done(millis(round * body_millis), served)[0];
        }
        let answers =
            (100..110).map(|number| upload.ask(millis(50 * body_millis), who(number), Demand::Here, BODY));
        let Some(Answer::Refuse { retry_after }) = answers.last() else { panic!("not refused") };
        assert!(retry_after >= config.retry_least && retry_after <= config.retry_most);
        retry_after
    };
    assert_eq!(wait(1), Duration::from_millis(50));
    assert!(wait(400) > Duration::from_millis(1500), "four wait before, 400 ms each: {:?}", wait(400));
    assert_eq!(wait(60_000), Duration::from_secs(10));
}

#[test]
fn many_tiny_ranges_are_charged_for_the_slots_they_take() {
    let config = one_slot();
    let mut upload = Upload::new(config);
    for _ in 0..10 {
        let Answer::Grant(ticket) = upload.ask(Time::ZERO, who(1), Demand::Here, 100) else {
            panic!("not granted")
        };
        upload.done(Time::ZERO, ticket);
    }
    let Answer::Grant(blocker) = upload.ask(Time::ZERO, who(2), Demand::Here, 32 << 10) else {
        panic!("not granted")
    };
    let Answer::Wait(tiny) = upload.ask(Time::ZERO, who(1), Demand::Here, 100) else { panic!("not waiting") };
    let Answer::Wait(other) = upload.ask(Time::ZERO, who(2), Demand::Here, 32 << 10) else {
        panic!("not waiting")
    };
    assert_eq!(upload.done(Time::ZERO, blocker), [other], "ten slots were more than 32 KiB");
    assert_eq!(upload.done(Time::ZERO, other), [tiny]);
}

#[test]
fn of_more_requesters_than_are_remembered_the_least_served_is_forgotten() {
    let config = UploadConfig { requesters: 3, ..one_slot() };
    let mut upload = Upload::new(config);
    for (number, bytes) in [(1, 900_000), (2, 100_000), (3, 500_000), (4, 600_000)] {
        let Answer::Grant(ticket) = upload.ask(Time::ZERO, who(number), Demand::Here, bytes) else {
            panic!("not granted")
        };
        upload.done(Time::ZERO, ticket);
    }
    // Requester 2 made room for 4; what 1 had is remembered, so that 4 goes before it.
    let Answer::Grant(blocker) = upload.ask(Time::ZERO, who(3), Demand::Here, BODY) else {
        panic!("not granted")
    };
    let Answer::Wait(most) = upload.ask(Time::ZERO, who(1), Demand::Here, BODY) else {
        panic!("not waiting")
    };
    let Answer::Wait(less) = upload.ask(Time::ZERO, who(4), Demand::Here, BODY) else {
        panic!("not waiting")
    };
    assert_eq!(upload.done(Time::ZERO, blocker), [less]);
    assert_eq!(upload.done(Time::ZERO, less), [most]);
}

#[test]
fn large_bodies_wait_by_bytes_but_everyone_may_have_one() {
    let config = UploadConfig { queue_bytes: 1 << 20, ..one_slot() };
    let mut upload = Upload::new(config);
    let mut ask = |number| upload.ask(Time::ZERO, who(number), Demand::Here, 1 << 20);
    assert!(matches!(ask(1), Answer::Grant(_)));
    assert!(matches!(ask(1), Answer::Wait(_)));
    assert!(matches!(ask(1), Answer::Refuse { .. }));
    assert!(matches!(ask(2), Answer::Wait(_)), "although the bytes are used up");
}

proptest! {
    #[test]
    fn whatever_is_asked_the_bounds_hold_and_every_waiting_ticket_is_granted_or_turned_away_once(
        steps in proptest::collection::vec((0u64..50, 0u32..2_000_000, any::<bool>(), 0u64..3000), 0..300),
    ) {
        let config = UploadConfig {
            slots: 3,
            slots_first: 3,
            slots_bytes: 3_000_000,
            slots_per_requester: 2,
            queue: 10,
            queue_per_requester: 4,
            requesters: 5,
            ..UploadConfig::default()
        };
        let mut upload = Upload::new(config);
        let (mut granted, mut waiting) = (Vec::new(), Vec::new());
        let mut now = 0;
        for (number, bytes, ask, pause) in steps {
            now += pause;
            if ask {
                match upload.ask(millis(now), who(number), any_demand(bytes), bytes) {
                    Answer::Grant(ticket) => granted.push(ticket),
                    Answer::Wait(ticket) => waiting.push(ticket),
                    Answer::Refuse { .. } | Answer::Elsewhere { .. } => {}
                }
            } else {
                // Some leave while waiting, some when they are served.
                let leaves = if bytes % 3 == 0 { &mut waiting } else { &mut granted };
                if !leaves.is_empty() {
                    let ticket = leaves.remove(bytes as usize % leaves.len());
                    for next in upload.done(millis(now), ticket) {
                        let at = waiting.iter().position(|&ticket| ticket == next);
                        prop_assert!(at.is_some(), "granted without waiting");
                        granted.push(waiting.remove(at.unwrap()));
                    }
                    for ticket in upload.turned_away() {
                        let at = waiting.iter().position(|&other| other == ticket);
                        prop_assert!(at.is_some(), "turned away without waiting");
                        waiting.remove(at.unwrap());
                    }
                }
            }
            upload.check_invariants();
            prop_assert_eq!((upload.active(), upload.queue_len()), (granted.len(), waiting.len()));
        }
        while let Some(ticket) = granted.pop() {
            for next in upload.done(millis(now), ticket) {
                waiting.retain(|&ticket| ticket != next);
                granted.push(next);
            }
            let turned_away = upload.turned_away();
            waiting.retain(|ticket| !turned_away.contains(ticket));
        }
        prop_assert!(waiting.is_empty(), "{} wait for ever", waiting.len());
    }
}

/// Of each kind, for one of ten contents.
fn any_demand(random: u32) -> Demand {
    let content = Content::new(u64::from(random / 6 % 10));
    let once = |only_here| Demand::Once { content, only_here };
    let others = [Demand::Here, Demand::Anywhere(content), Demand::OnlyHere(content), Demand::Spare(content)];
    let all = [others.as_slice(), &[once(true), once(false)]].concat();
    all[random as usize % all.len()]
}

fn ask_for(upload: &mut Upload, at: Time, number: u64, content: u64) -> Answer {
    upload.ask(at, who(number), Demand::Anywhere(Content::new(content)), BODY)
}

/// One slot that is taken, by somebody for something else.
fn busy_upload() -> (Upload, Ticket) {
    let config = UploadConfig { fresh_enough: 2, queue_anywhere: 6, ..one_slot() };
    let mut upload = Upload::new(config);
    let Answer::Grant(blocker) = ask_for(&mut upload, Time::ZERO, 0, 0) else { panic!("not granted") };
    (upload, blocker)
}

fn wait_for(upload: &mut Upload, number: u64, content: u64) -> Ticket {
    match ask_for(upload, Time::ZERO, number, content) {
        Answer::Wait(ticket) => ticket,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_not_sent_yet_goes_first() {
    let (mut upload, blocker) = busy_upload();
    let again = wait_for(&mut upload, 1, 0);
    let new = wait_for(&mut upload, 2, 7);
    assert_eq!(upload.done(millis(1), blocker), [new], "although it was asked for later");
    assert_eq!(upload.turned_away(), [], "nothing else is new: it may wait");
    assert_eq!(upload.done(millis(2), new), [again], "an uplink is not idle because there is nothing new");
}

#[test]
fn while_enough_that_is_new_is_asked_for_what_was_just_sent_is_turned_away() {
    let (mut upload, blocker) = busy_upload();
    let again = wait_for(&mut upload, 1, 0);
    let [first, _, _] = [7, 8, 9].map(|content| wait_for(&mut upload, content, content));
    let twin = wait_for(&mut upload, 4, 7);
    let answer = ask_for(&mut upload, Time::ZERO, 5, 0);
    assert_eq!(answer, Answer::Elsewhere { retry_after: UploadConfig::default().elsewhere });
    assert_eq!(upload.done(millis(1), blocker), [first]);
    assert_eq!(upload.turned_away(), [again, twin], "chunk 7 is on its way to somebody else now");
    assert_eq!((upload.turned_away(), upload.queue_len()), (Vec::new(), 2));
    assert_eq!(upload.done(millis(1), twin), [], "it is forgotten");
    upload.check_invariants();
}

#[test]
fn what_nobody_passed_on_in_time_is_as_good_as_new() {
    let (mut upload, blocker) = busy_upload();
    let later = Time::from(UploadConfig::default().sent_memory);
    let [_, _] = [8, 9].map(|content| wait_for(&mut upload, content, content));
    assert!(matches!(ask_for(&mut upload, millis(1), 1, 0), Answer::Elsewhere { .. }));
    let Answer::Wait(again) = ask_for(&mut upload, later, 1, 0) else { panic!("not waiting") };
    let mut order = upload.done(later, blocker);
    while let Some(&last) = order.last()
        && last != again
    {
        order.extend(upload.done(later, last));
    }
    assert_eq!(order.len(), 3, "its turn comes as that of the others");
}

#[test]
fn while_all_slots_are_taken_few_wait_for_what_others_have_and_anybody_for_what_is_only_here() {
    let config = UploadConfig { queue_anywhere: 2, ..one_slot() };
    let mut upload = Upload::new(config);
    let mut ask = |number, demand| upload.ask(Time::ZERO, who(number), demand, BODY);
    let (anywhere, only_here) =
        (|number| Demand::Anywhere(Content::new(number)), |number| Demand::OnlyHere(Content::new(number)));
    assert!(matches!(ask(0, anywhere(0)), Answer::Grant(_)));
    for number in 1..=2 {
        assert!(matches!(ask(number, anywhere(number)), Answer::Wait(_)));
    }
    assert!(matches!(ask(3, anywhere(3)), Answer::Refuse { .. }), "elsewhere an uplink may be idle");
    assert!(matches!(ask(4, only_here(4)), Answer::Wait(_)));
    assert!(matches!(ask(5, Demand::Here), Answer::Wait(_)));
}

#[test]
fn of_a_swarm_that_carries_itself_only_what_is_nowhere_else_is_sent_again_and_not_at_once() {
    let mut upload = Upload::new(UploadConfig::default());
    let elsewhere = Answer::Elsewhere { retry_after: UploadConfig::default().elsewhere };
    let content = Content::new(1);
    let mut ask = |at, only_here| upload.ask(at, who(1), Demand::Once { content, only_here }, BODY);
    assert_eq!(ask(Time::ZERO, false), elsewhere, "others have it, although all slots are free");
    assert!(matches!(ask(Time::ZERO, true), Answer::Grant(_)), "it was lost");
    assert_eq!(ask(millis(9999), true), elsewhere, "it is on its way from who got it");
    assert!(matches!(ask(millis(10_000), true), Answer::Grant(_)), "it was lost again");
    upload.check_invariants();
}

#[test]
fn who_waits_for_a_first_copy_and_can_do_without_it_is_turned_away_when_another_gets_it() {
    let (mut upload, blocker) = busy_upload();
    let once = Demand::Once { content: Content::new(7), only_here: true };
    let mut wait = |number, demand| match upload.ask(Time::ZERO, who(number), demand, BODY) {
        Answer::Wait(ticket) => ticket,
        other => panic!("{other:?}"),
    };
    let [first, second] = [1, 2].map(|number| wait(number, once));
    let needs_it = wait(3, Demand::OnlyHere(Content::new(7)));
    assert_eq!(upload.done(millis(1), blocker), [first]);
    assert_eq!(upload.turned_away(), [second], "the uplink may be idle");
    assert_eq!(upload.done(millis(2), first), [needs_it]);
    upload.check_invariants();
}

#[test]
fn where_two_slots_become_free_at_once_the_same_is_sent_once() {
    let (bytes, slots) = (u64::from(BODY), 2);
    let config = UploadConfig {
        slots,
        slots_first: slots,
        slots_bytes: bytes,
        slots_large: 1,
        ..UploadConfig::default()
    };
    let mut upload = Upload::new(config);
    let Answer::Grant(large) = upload.ask(Time::ZERO, who(0), Demand::Here, BODY) else {
        panic!("a slot is free")
    };
    let once = Demand::Once { content: Content::new(7), only_here: true };
    let [first, second] = [1, 2].map(|number| match upload.ask(Time::ZERO, who(number), once, BODY / 2) {
        Answer::Wait(ticket) => ticket,
        other => panic!("there is no memory for it: {other:?}"),
    });
    assert_eq!((upload.done(millis(1), large), upload.turned_away()), (vec![first], vec![second]));
    upload.check_invariants();
}

#[test]
fn who_keeps_to_itself_what_it_gets_has_one_slot_with_all_of_its_kind_and_after_everybody() {
    let config = UploadConfig { slots: 3, slots_first: 3, slots_per_requester: 3, ..UploadConfig::default() };
    let mut upload = Upload::new(config);
    let (spare, only_here) = (|n| Demand::Spare(Content::new(n)), |n| Demand::OnlyHere(Content::new(n)));
    let mut ask = |number, demand| upload.ask(Time::ZERO, who(number), demand, BODY);
    let Answer::Grant(honest) = ask(3, only_here(4)) else { panic!("a slot is free") };
    let Answer::Grant(served) = ask(1, spare(1)) else { panic!("one is for them") };
    let Answer::Wait(same) = ask(1, spare(2)) else { panic!("a slot is free, but not for these two") };
    let Answer::Wait(other) = ask(2, spare(3)) else { panic!("nor for another of its kind") };
    assert!(matches!(ask(3, only_here(5)), Answer::Grant(_)));
    let Answer::Wait(later) = ask(3, only_here(6)) else { panic!("all three are taken") };
    assert_eq!(upload.done(millis(1), served), [later], "it came last and goes first");
    upload.check_invariants();
    assert_eq!(upload.done(millis(2), honest), [other], "who was served less of the two");
    assert_eq!(upload.done(millis(3), later), [], "one at a time");
    assert_eq!(upload.done(millis(4), other), [same], "and nobody is shut out");
    upload.check_invariants();
}

#[test]
fn while_nobody_else_is_there_they_have_all_slots() {
    let config = UploadConfig { slots: 3, slots_first: 3, slots_per_requester: 3, ..UploadConfig::default() };
    let mut upload = Upload::new(config);
    let mut ask = |number, demand| upload.ask(Time::ZERO, who(number), demand, BODY);
    let [first, second, _] = [1, 2, 3].map(|content| match ask(1, Demand::Spare(Content::new(content))) {
        Answer::Grant(ticket) => ticket,
        other => panic!("{other:?}"),
    });
    let Answer::Wait(honest) = ask(2, Demand::OnlyHere(Content::new(4))) else { panic!("not waiting") };
    let Answer::Wait(spare) = ask(1, Demand::Spare(Content::new(5))) else { panic!("not waiting") };
    assert_eq!(upload.done(millis(1), first), [honest]);
    assert_eq!(upload.done(millis(2), second), [], "somebody is: of the others there is one already");
    upload.check_invariants();
    assert_eq!(upload.done(millis(3), honest), [spare]);
    upload.check_invariants();
}

#[test]
fn a32_of_the_places_for_what_others_have_too_nobody_takes_more_than_are_left() {
    let mut upload = Upload::new(one_slot());
    let mut chunks = 0..;
    let mut waits = |number| {
        let content = Content::new(chunks.next().unwrap_or_default());
        matches!(upload.ask(Time::ZERO, who(number), Demand::Anywhere(content), BODY), Answer::Wait(_))
    };
    assert!(!waits(0), "the only slot");
    assert_eq!((0..100).filter(|_| waits(1)).count(), 2, "half of the four places, however often it asks");
    assert!(waits(2) && waits(3), "others find one");
}

#[test]
fn bodies_in_memory_are_bounded_by_bytes_whatever_was_small_before() {
    let config = UploadConfig::default();
    let mut upload = Upload::new(config.clone());
    let granted = (0..100).filter(|&number| {
        matches!(upload.ask(Time::ZERO, who(number), Demand::Here, 16 << 20), Answer::Grant(_))
    });
    assert_eq!(granted.count() as u64, config.slots_bytes >> 24);
    upload.check_invariants();
}

#[test]
fn a_large_body_that_waits_for_memory_is_not_overtaken_by_small_ones() {
    let mut upload = Upload::new(UploadConfig { slots_bytes: 1 << 20, ..UploadConfig::default() });
    let mut ask = |number, bytes| upload.ask(Time::ZERO, who(number), Demand::Here, bytes);
    let (Answer::Grant(first), Answer::Grant(_)) = (ask(1, 512 << 10), ask(2, 512 << 10)) else {
        panic!("not granted")
    };
    let (Answer::Wait(large), Answer::Wait(small)) = (ask(3, 1 << 20), ask(4, 1)) else {
        panic!("not waiting")
    };
    // Two bodies may be in memory, however large.
    assert_eq!(upload.done(Time::ZERO, first), [large]);
    assert_eq!(upload.done(Time::ZERO, large), [small]);
}

#[test]
fn whoever_is_alone_waits_for_its_own_slots_however_much_it_asks_for() {
    let mut upload = Upload::new(UploadConfig::default());
    let depth = UploadConfig::default().queue_per_requester as u64;
    for number in 0..depth {
        let answer = upload.ask(Time::ZERO, who(1), Demand::Anywhere(Content::new(number)), BODY);
        assert!(
            !matches!(answer, Answer::Refuse { .. } | Answer::Elsewhere { .. }),
            "request {number}: {answer:?}"
        );
    }
}

#[test]
fn whoever_asks_for_bytes_of_no_known_content_is_never_turned_away() {
    let (mut upload, _) = busy_upload();
    let [_, _, _] = [7, 8, 9].map(|content| wait_for(&mut upload, content, content));
    assert!(matches!(upload.ask(Time::ZERO, who(1), Demand::Here, BODY), Answer::Wait(_)));
}
