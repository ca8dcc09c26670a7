//! Stories of a collector: who is shown, who makes room, what is told.

use protocol::api::metrics::Report;
use serde_json::json;

use super::*;

fn at(seconds: u64) -> Time {
    Time::from(Duration::from_secs(1_700_000_000 + seconds))
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn report(host: &str, port: u16, more: &serde_json::Value) -> Report {
    let mut fields = json!({
        "client_host": host, "client_port": port, "downloaded_chunks": 0, "uploaded_chunks": 0,
        "total_chunks": 10, "chunk_size": 1000, "dht_peers": 0, "dht_enabled": false, "tracker_status_up": true,
    });
    for (key, value) in more.as_object().unwrap() {
        fields[key] = value.clone();
    }
    Report::from_json(fields.to_string().as_bytes()).unwrap()
}

fn small() -> Collector {
    Collector::new(Limits { clients: 4, clients_per_source: 2 })
}

fn names(changed: &BTreeSet<HostPort>) -> Vec<String> {
    changed.iter().map(ToString::to_string).collect()
}

#[test]
fn a_client_is_listed_for_15_seconds_and_remembered_for_an_hour() {
    let mut collector = Collector::new(Limits::default());
    collector.report(at(0), ip("10.0.0.1"), report("10.0.0.1", 8000, &json!({}))).unwrap();
    assert_eq!(collector.reporting(at(14)).len(), 1);
    assert_eq!(collector.reporting(at(15)).len(), 0);
    assert_eq!((collector.totals(at(14)).clients, collector.totals(at(15)).clients), (1, 0));
    assert_eq!(collector.clients().next().unwrap().status(at(15)), Status::Silent);
    assert!(collector.tick(at(3599)).gone.is_empty());
    assert_eq!(names(&collector.tick(at(3600)).gone), ["10.0.0.1:8000"]);
    assert_eq!(collector.clients().len(), 0);
}

#[test]
fn a27_nobody_takes_the_place_of_a_live_client() {
    let mut collector = small();
    let mut come = |seconds, source: &str, port| {
        collector.report(at(seconds), ip(source), report(source, port, &json!({})))
    };
    come(0, "10.0.0.1", 1).unwrap();
    come(0, "10.0.0.9", 1).unwrap();
    come(1, "10.0.0.9", 2).unwrap();
    for port in 3..1000 {
        assert_eq!(come(2, "10.0.0.9", port), Err(Refused::SourceFull(2)));
    }
    come(2, "10.0.0.8", 1).unwrap();
    assert_eq!(come(2, "10.0.0.7", 1), Err(Refused::Full(4)));
    come(14, "10.0.0.1", 1).unwrap();
    come(15, "10.0.0.7", 1).expect("who fell silent makes room");
    let shown: Vec<String> = collector.clients().map(|client| client.name().to_string()).collect();
    assert_eq!(shown, ["10.0.0.1:1", "10.0.0.7:1", "10.0.0.8:1", "10.0.0.9:2"]);
}

#[test]
fn a27_a_client_is_believed_about_itself_before_others() {
    let mut collector = small();
    let told = |seconds, source: &str, collector: &mut Collector| {
        collector.report(at(seconds), ip(source), report("10.0.0.1", 1, &json!({})))
    };
    told(0, "10.0.0.9", &mut collector).unwrap();
    assert_eq!(told(1, "10.0.0.8", &mut collector), Err(Refused::Taken));
    told(1, "::ffff:10.0.0.1", &mut collector).expect("it speaks for itself");
    assert_eq!(told(2, "10.0.0.9", &mut collector), Err(Refused::Taken));
    told(16, "10.0.0.9", &mut collector).expect("it is silent");
}

#[test]
fn rates_are_as_reported_or_computed_from_what_was_reported() {
    let mut collector = small();
    let mut told = |seconds, chunks: u64| {
        let more = json!({"downloaded_chunks": chunks, "uploaded_chunks": 2 * chunks});
        collector.report(at(seconds), ip("10.0.0.1"), report("10.0.0.1", 1, &more)).unwrap();
        let client = collector.clients().next().unwrap();
        (client.rates(at(seconds)).down, client.rates(at(seconds)).up)
    };
    assert_eq!(told(0, 0), (0, 0));
    assert_eq!(told(4, 8), (2000, 4000));
    assert_eq!(told(4, 9), (2000, 4000), "too soon to say");
    assert_eq!(told(8, 1), (0, 0), "it was started again");
    let native = json!({"down_bytes_per_s": 7, "up_bytes_per_s": 9});
    collector.report(at(9), ip("10.0.0.1"), report("10.0.0.1", 1, &native)).unwrap();
    let totals = collector.totals(at(9));
    assert_eq!((totals.down, totals.up), (7, 9));
    let client = collector.clients().next().unwrap();
    assert_eq!(client.rates(at(24)).down, 0, "a silent client sends nothing");
}

#[test]
fn a_client_that_says_it_leaves_has_left_at_once_and_may_come_back_as_another_process() {
    let mut collector = small();
    let mut told = |seconds, more: serde_json::Value| {
        collector.report(at(seconds), ip("10.0.0.1"), report("10.0.0.1", 1, &more)).unwrap();
        let client = collector.clients().next().unwrap();
        (client.status(at(seconds)), client.first())
    };
    let (first, second) = ("1".repeat(32), "2".repeat(32));
    assert_eq!(told(0, json!({"peer": first})), (Status::Live, at(0)));
    assert_eq!(told(5, json!({"peer": first, "leaving": true})), (Status::Left, at(0)));
    assert_eq!(told(7, json!({"peer": second})), (Status::Live, at(7)));
}

#[test]
fn a_tick_tells_who_reported_fell_silent_or_is_gone_and_nobody_else() {
    let mut collector = small();
    collector.report(at(0), ip("10.0.0.1"), report("10.0.0.1", 1, &json!({}))).unwrap();
    collector.report(at(0), ip("10.0.0.1"), report("10.0.0.1", 2, &json!({}))).unwrap();
    assert_eq!(names(&collector.tick(at(0)).changed), ["10.0.0.1:1", "10.0.0.1:2"]);
    assert!(collector.tick(at(1)).changed.is_empty());
    collector.report(at(3), ip("10.0.0.1"), report("10.0.0.1", 2, &json!({}))).unwrap();
    assert_eq!(names(&collector.tick(at(4)).changed), ["10.0.0.1:2"]);
    assert_eq!(names(&collector.tick(at(15)).changed), ["10.0.0.1:1"], "it fell silent");
    assert!(collector.tick(at(16)).changed.is_empty());
}

#[test]
fn the_history_has_a_sample_every_three_seconds_of_the_last_hour() {
    let mut collector = small();
    assert!(collector.tick(at(0)).sample.is_none(), "nothing to tell yet");
    for seconds in 0..4000 {
        let more = json!({"downloaded_chunks": u64::from(seconds > 0) * 10, "down_bytes_per_s": 5});
        collector.report(at(seconds), ip("10.0.0.1"), report("10.0.0.1", 1, &more)).unwrap();
        assert_eq!(collector.tick(at(seconds)).sample.is_some(), seconds % 3 == 0, "{seconds}");
    }
    let samples: Vec<Sample> = collector.history().samples().copied().collect();
    assert_eq!(samples.len(), 1200);
    let last = samples[1199];
    assert_eq!((last.clients, last.complete, last.down, last.held, last.wanted), (1, 1, 5, 10_000, 10_000));
}

#[test]
fn what_was_downloaded_counts_also_when_its_client_has_left_and_who_brought_it_does_not() {
    let mut collector = small();
    let mut told = |seconds, port, chunks: u64, leaving: bool| {
        let more = json!({"downloaded_chunks": chunks, "leaving": leaving});
        collector.report(at(seconds), ip("10.0.0.1"), report("10.0.0.1", port, &more)).unwrap();
        let sample = collector.tick(at(seconds)).sample.unwrap();
        (sample.clients, sample.complete, sample.held, sample.wanted)
    };
    assert_eq!(told(0, 1, 10, false), (1, 0, 0, 0), "a seed from the start");
    assert_eq!(told(3, 2, 4, false), (2, 0, 4_000, 10_000));
    assert_eq!(told(6, 2, 10, false), (2, 1, 10_000, 10_000));
    assert_eq!(told(9, 2, 10, true), (1, 1, 10_000, 10_000), "it left when it was done");
}
