//! The report: JSON that can be read again, and a page that stands alone and shows what is in it.

#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

use scenario::{
    ClientReport, Complaint, FaultKind, FaultReport, Permille, Report, Run, Sample, SourceBytes, to_html,
};

fn client(name: &str) -> ClientReport {
    ClientReport {
        name: name.to_owned(),
        traits: vec!["dht".to_owned()],
        start: Some(0.0),
        finish: Some(2.0),
        sources: Some(SourceBytes { seed: 25, peer: 75, cache: 0, local: 0 }),
        samples: vec![
            Sample { at: 0.5, held: Permille::new(500) },
            Sample { at: 1.0, held: Permille::new(300) },
            Sample { at: 2.0, held: Permille::ALL },
        ],
        ..ClientReport::default()
    }
}

fn report() -> Report {
    let fault = |kind, at| FaultReport { at, swarm: Permille::new(400), what: "as planned".to_owned(), kind };
    let killed = ClientReport { restarts: vec![0.7], ..client("client-2") };
    let liar = ClientReport { traits: vec!["liar".to_owned()], falsified: 3, ..client("client-3") };
    let run = Run {
        scenario: "calm".to_owned(),
        about: "nothing <goes> wrong".to_owned(),
        command: "http-torrent stress-test --scenario calm".to_owned(),
        ok: false,
        tracker: true,
        seconds: 2.0,
        clients: vec![ClientReport { died: Some(1.5), ..client("seed") }, client("client-1"), killed, liar],
        faults: vec![fault(FaultKind::TrackerDies, 1.0), fault(FaultKind::TrackerReturns, 1.2)],
        failures: vec![Complaint {
            who: "client-1".to_owned(),
            what: "it ended by itself".to_owned(),
            why: "exit code 6: '<script>alert(1)</script>' & more".to_owned(),
            shows_nothing: false,
            log: Some("logs/client-1.log".to_owned()),
        }],
    };
    let version = "1.2.3".to_owned();
    Report { version, seed: 7, clients: 3, size: 16 << 20, seconds: 2.5, ok: false, runs: vec![run] }
}

#[test]
fn the_json_is_all_of_it() {
    let report = report();
    let json = report.to_json().unwrap();
    assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    let client = &value["runs"][0]["clients"][2];
    assert_eq!((&client["restarts"][0], &client["finish"]), (&0.7.into(), &2.0.into()));
    assert_eq!(client["sources"]["peer"], 75);
}

#[test]
fn the_page_shows_who_what_and_why() {
    let page = to_html(&report());
    for text in [
        "1 of 1 failed",
        "16 MiB",
        "3 of 3",
        "75 % from each other",
        ">seed<",
        ">client 1<",
        ">client 3 · liar<",
        "tracker killed",
        "tracker is back",
        "it ended by itself",
        "logs/client-1.log",
        "--scenario calm",
    ] {
        assert!(page.contains(text), "{text}:\n{page}");
    }
    let count = |text: &str| page.matches(text).count();
    assert_eq!(
        (count("<circle class=\"killed\""), count("<path class=\"dead\""), count("class=\"row liar\"")),
        (1, 1, 1)
    );
    assert_eq!((count("<svg "), count("</svg>")), (1, 1));
}

#[test]
fn a_text_from_outside_stays_a_text_and_nothing_is_loaded() {
    let page = to_html(&report());
    assert!(page.contains("nothing &lt;goes&gt; wrong") && page.contains("&#39;&lt;script&gt;alert(1)"));
    for loaded in ["<script", "src=", "url(", "@import", "http://", "https://", "<link"] {
        assert!(!page.contains(loaded), "{loaded}");
    }
}

#[test]
fn nothing_at_all_and_very_many_are_drawn_too() {
    let empty = Report { runs: Vec::new(), ..report() };
    assert!(to_html(&empty).contains("</html>"));
    let mut crowd = report();
    crowd.runs[0].clients = (0..200).map(|number| client(&format!("client-{number}"))).collect();
    crowd.runs[0].seconds = 0.0;
    let page = to_html(&crowd);
    assert_eq!(page.matches("<g class=\"row").count(), 200);
    assert!(!page.contains("NaN") && !page.contains("inf"), "every figure is a number");
    let unborn = ClientReport { name: "client-1".to_owned(), ..ClientReport::default() };
    crowd.runs[0].clients = vec![client("seed"), unborn];
    assert!(!to_html(&crowd).contains("NaN"));
}
