//! The verdict, tested: every way of being wrong must be called wrong, or a green run means nothing.

#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

use scenario::{Complaint, Ending, Exit, Fired, OutputFile, Permille, Plan, Setting, by_name, judge};

fn plan(name: &str) -> Plan {
    Plan::new(&by_name(name).unwrap(), Setting { clients: 3, size: 1 << 20, seed: 1 }).unwrap()
}

fn good() -> Ending {
    Ending {
        held: Permille::ALL,
        finished: true,
        output: OutputFile::Same,
        left_over: Vec::new(),
        exit: Exit::Orderly,
        listed: Some(true),
        proxied: None,
        falsified: 0,
    }
}

/// What is said when everybody ends well but client-2.
fn when(name: &str, ending: Ending) -> Vec<String> {
    let plan = plan(name);
    let mut endings = vec![good(); plan.members.len()];
    endings[2] = ending;
    let fired = vec![Some(Fired { swarm: Permille::new(500) }); plan.steps.len()];
    judge(&plan, &endings, &fired)
        .into_iter()
        .map(|Complaint { who, what, .. }| format!("{who}: {what}"))
        .collect()
}

#[test]
fn a_good_run_is_good() {
    assert_eq!(when("calm", good()), Vec::<String>::new());
}

#[test]
fn a_broken_client_is_never_overlooked() {
    for (ending, complaint) in [
        (Ending { output: OutputFile::Missing, ..good() }, "client-2: its file is missing"),
        (Ending { output: OutputFile::Differs { at: 7 }, ..good() }, "client-2: its file is wrong"),
        (
            Ending { output: OutputFile::Length { bytes: 7 }, ..good() },
            "client-2: its file has another length",
        ),
        (
            Ending { output: OutputFile::Unreadable("no".into()), ..good() },
            "client-2: its file cannot be read",
        ),
        (Ending { left_over: vec!["f.part".into()], ..good() }, "client-2: it left something over"),
        (Ending { finished: false, held: Permille::new(430), ..good() }, "client-2: it did not finish"),
        (Ending { exit: Exit::Hanging, ..good() }, "client-2: it does not end"),
        (Ending { exit: Exit::Early("exit code 6".into()), ..good() }, "client-2: it ended by itself"),
        (
            Ending { exit: Exit::Disorderly("signal 6".into()), ..good() },
            "client-2: it did not end in good order",
        ),
        (Ending { exit: Exit::NeverStarted, ..good() }, "client-2: it never came"),
        (Ending { exit: Exit::Killed, ..good() }, "client-2: it is dead"),
        (Ending { listed: Some(false), ..good() }, "client-2: the tracker does not list it"),
        (Ending { listed: None, ..good() }, "client-2: the tracker does not list it"),
        (Ending { proxied: Some(0), ..good() }, "client-2: nobody came through its proxy"),
    ] {
        assert_eq!(when("calm", ending.clone()), [complaint], "{ending:?}");
    }
}

#[test]
fn who_is_killed_for_good_owes_nothing_and_everybody_else_does() {
    let plan = plan("only-seed-dies");
    let dead = Ending { finished: false, listed: None, exit: Exit::Killed, ..good() };
    let fired = [Some(Fired { swarm: Permille::new(300) })];
    let endings = |seed: &Ending, client: &Ending| vec![seed.clone(), good(), client.clone(), good()];
    assert_eq!(judge(&plan, &endings(&dead, &good()), &fired), []);
    assert_eq!(judge(&plan, &endings(&dead, &dead), &fired).len(), 2);
}

#[test]
fn a_fault_that_never_came_or_came_too_late_shows_nothing() {
    let plan = plan("tracker-dies-half-on-dht");
    let endings = vec![good(); plan.members.len()];
    let said = |fired: Option<Fired>| judge(&plan, &endings, &[fired]);
    assert_eq!(said(Some(Fired { swarm: Permille::new(999) })), []);
    for nothing in [None, Some(Fired { swarm: Permille::ALL })] {
        let complaints = said(nothing);
        assert_eq!(complaints.len(), 1);
        assert!(complaints[0].shows_nothing);
        assert_eq!(
            (complaints[0].who.as_str(), complaints[0].what.as_str()),
            ("run", "nothing shown: the tracker is killed")
        );
    }
}

#[test]
fn some_deaths_of_a_churn_may_come_late_and_most_may_not() {
    let plan = plan("churn");
    let endings = vec![good(); plan.members.len()];
    let late = |count: usize| {
        let share = |place| if place < count { Permille::ALL } else { Permille::new(500) };
        let fired: Vec<_> = (0..plan.steps.len()).map(|place| Some(Fired { swarm: share(place) })).collect();
        judge(&plan, &endings, &fired).len()
    };
    assert_eq!((late(0), late(4), late(5)), (0, 0, 5), "of nine");
}

#[test]
fn liars_who_were_never_believed_show_nothing() {
    assert_eq!(when("liars", good()), ["run: nothing shown: nobody lied"]);
    let liar = Ending { proxied: Some(9), falsified: 1, ..good() };
    assert_eq!(when("liars", liar), Vec::<String>::new());
}

#[test]
fn a_run_that_nobody_looked_at_is_not_good() {
    assert_eq!(judge(&plan("calm"), &[], &[]).len(), 1);
}
