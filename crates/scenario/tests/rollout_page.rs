//! The page of a simulated rollout: it shows the figures, stands alone, and survives whatever a scenario is called.

#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

use std::time::Duration;

use protocol::Time;
use scenario::rollout::{
    Control, Figures, NamedRollout, Outcome, Overrides, PeerOutcome, Role, RolloutPage, Sample,
};

const EVIL: &str = "<script>alert(1)</script>&'\\\"";

fn at(millis: u64) -> Time {
    Time::from(Duration::from_millis(millis))
}

/// `leechers` peers of whom each is complete a second after the one before; `None` for those after `finished`.
fn outcome(leechers: u32, finished: u32) -> Outcome {
    let peer = |group, role, finished, sent, received| PeerOutcome {
        group,
        role,
        arrived: Time::ZERO,
        finished,
        gone: false,
        sent,
        received,
    };
    let mut peers = vec![peer(0, Role::Seed, None, 3 << 19, 0)];
    for number in 0..leechers {
        let when = (number < finished).then(|| at(10_000 + u64::from(number) * 1000));
        peers.push(peer(1, Role::Leecher, when, 1 << 19, 1 << 20));
    }
    let sample = |second: u64| Sample {
        at: at(second * 1000),
        sent: second << 16,
        seeds_sent: second << 15,
        ..Sample::default()
    };
    Outcome {
        peers,
        file_bytes: 1 << 20,
        samples: (0..40).map(sample).collect(),
        wasted: 100,
        between_sites: 5_000_000,
        refused: 12,
        control: Control { requests: 1000, ..Control::default() },
        events: 99,
        trace: 0xabc,
    }
}

fn page(named: &NamedRollout, outcome: &Outcome) -> (Figures, String) {
    let figures = Figures::of(named, outcome);
    let page = RolloutPage {
        named,
        outcome,
        figures: &figures,
        version: "1.2.3",
        command: "http-torrent simulate '<x>'",
    };
    let html = page.to_html();
    (figures, html)
}

fn named(leechers: u32) -> NamedRollout {
    let text = format!(
        "size = '1M'\n[[site]]\nname = \"s{EVIL}\"\nup = '8mbit'\n\
         [[group]]\nname = 'src'\nrole = 'seed'\nup = '8mbit'\nsite = \"s{EVIL}\"\n\
         [[group]]\nname = \"dst{EVIL}\"\nrole = 'leecher'\ncount = {leechers}\nup = '8mbit'\nsite = \"s{EVIL}\"\n\
         [faults]\ntracker-away = [['1s', '5s']]\nseed-dies = {{ at = '7s' }}\n"
    );
    NamedRollout::parse(&text, &Overrides::default()).unwrap()
}

#[test]
fn the_figures_are_those_of_the_run() {
    let (figures, html) = page(&named(4), &outcome(4, 4));
    assert_eq!((figures.time_s, figures.p50_s, figures.p99_s), (Some(13.0), Some(11.0), Some(13.0)));
    assert_eq!((figures.seed_copies, figures.refused, figures.trace.as_str()), (1.5, 12, "0000000000000abc"));
    assert_eq!((figures.finished, figures.unfinished, figures.killed), (4, 0, 0));
    let ratio = figures.ratio.unwrap();
    assert!((ratio - 13.0 / figures.bound_s).abs() < 1e-3, "{figures:?}");
    for text in [
        "complete in 13.0 s",
        "1.50",
        "fluid bound",
        "chunk bound",
        "the last 13.0 s",
        "half 11.0 s",
        "seeds die 7.00 s",
        "the tracker is away",
        "5.0 MB",
        "4 of 4",
        "0000000000000abc",
    ] {
        assert!(html.contains(text), "{text}:\n{html}");
    }
    assert_eq!((html.matches("<svg ").count(), html.matches("</svg>").count()), (3, 3));
}

#[test]
fn who_is_missing_is_counted_as_killed_or_as_unfinished() {
    let mut outcome = outcome(5, 2);
    outcome.peers[3].gone = true;
    let (figures, html) = page(&named(5), &outcome);
    assert_eq!((figures.finished, figures.unfinished, figures.killed), (2, 2, 1));
    assert!(html.contains("2 of 5 did not finish"));
}

#[test]
fn a_name_stays_a_text_and_nothing_is_loaded() {
    let (_, html) = page(&named(2), &outcome(2, 2));
    assert!(html.contains("dst&lt;script&gt;alert(1)") && html.contains("&#39;&lt;x&gt;&#39;"));
    for loaded in ["<script", "src=", "url(", "@import", "http://", "https://", "<link"] {
        assert!(!html.contains(loaded), "{loaded}");
    }
}

#[test]
fn nothing_at_all_and_very_many_are_drawn_too() {
    for (leechers, finished) in [(1, 0), (1, 1), (3, 0), (30_000, 30_000)] {
        let mut outcome = outcome(leechers, finished);
        if leechers == 3 {
            outcome.samples.clear();
        }
        let (_, html) = page(&named(leechers), &outcome);
        assert!(!html.contains("NaN") && !html.contains(">inf") && html.ends_with("</html>\n"));
        assert!(html.len() < 200_000, "{} bytes for {leechers}", html.len());
    }
}
