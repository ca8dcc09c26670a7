//! What strangers try on a metrics server, by threat row.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use metrics::{Config, Limits};
use proptest::prelude::*;
use serde_json::{Value, json};
use support::*;

#[tokio::test]
async fn a24_pages_and_figures_are_shown_under_our_own_names_only() {
    let names = vec!["page.example".parse().unwrap()];
    let server = Server::start(Config { names, ..Config::default() }).await;
    for path in ["/", "/metrics", "/events?x", "/assets/dashboard.js", "/.well-known/http-torrent"] {
        for host in ["evil.example", "localhost.evil.example:8080", "2130706433", "a b"] {
            let answer = server.send("GET", path, &[&format!("Host: {host}")], "").await;
            assert_eq!(answer.status, 421, "{path} {host}");
            assert!(answer.body.contains("--advertise"), "{}", answer.body);
        }
    }
    for host in ["127.0.0.1:8080", "[::1]:8080", "localhost:8080", "page.example"] {
        assert_eq!(server.send("GET", "/", &[&format!("Host: {host}")], "").await.status, 200, "{host}");
    }
}

#[tokio::test]
async fn a24_a_page_whose_name_was_turned_to_us_cannot_report_either() {
    let server = Server::start(Config::default()).await;
    let rebound = ["Host: evil.example:8080", "Origin: http://evil.example:8080"];
    assert_eq!(server.send("POST", "/metrics", &rebound, &report(1).to_string()).await.status, 421);
    assert!(server.list().await.is_empty());
    // A client may know us by a name that nobody told us; it is no browser, for it has no Origin.
    let client = server.send("POST", "/metrics", &["Host: metrics.internal"], &report(1).to_string()).await;
    assert_eq!(client.status, 200);
}

#[tokio::test]
async fn a25_a_foreign_page_changes_nothing_and_frames_nothing() {
    let server = Server::start(Config::default()).await;
    for origin in ["http://evil.example", "null", "http://127.0.0.2:1"] {
        let form = [format!("Origin: {origin}"), "Content-Type: text/plain".to_owned()];
        let form: Vec<&str> = form.iter().map(String::as_str).collect();
        assert_eq!(
            server.send("POST", "/metrics", &form, &report(1).to_string()).await.status,
            403,
            "{origin}"
        );
    }
    assert!(server.list().await.is_empty());
    let page = server.get("/").await;
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("frame-ancestors 'none'") && policy.contains("form-action 'none'"), "{policy}");
    let answer = server.send("GET", "/metrics", &["Origin: http://evil.example"], "").await;
    assert_eq!(answer.header("access-control-allow-origin"), None, "another site's script cannot read it");
}

#[tokio::test]
async fn a26_the_page_allows_no_script_but_its_own_file() {
    let server = Server::start(Config::default()).await;
    let page = server.get("/").await;
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self';"), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains("data:") && !policy.contains('*'), "{policy}");
    assert_eq!(page.body.matches("<script").count(), 1);
    assert!(page.body.contains(r#"<script type="module" src="assets/dashboard.js"></script>"#));
    assert!(!page.body.contains("style=") && !page.body.contains(" on"), "{}", page.body);
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
}

#[tokio::test]
async fn a26_markup_is_no_host_and_stays_data_where_text_is_free() {
    let server = Server::start(Config::default()).await;
    let markup = "<img src=x onerror=alert(1)>\u{202e}";
    let refused = server.post(&report_with(1, json!({"client_host": markup})).to_string()).await;
    assert_eq!(refused.status, 422);
    assert!(!refused.body.contains('<') && refused.header("content-type").unwrap().starts_with("text/plain"));
    let torrents = json!([{"torrent_id": "ab".repeat(32), "name": markup, "bytes": 0, "total": 1}]);
    server.report(&report_with(1, json!({"waiting": markup, "torrents": torrents}))).await;
    let mut page = server.watch().await;
    assert!(page.head.contains("text/event-stream") && page.head.contains("nosniff"), "{}", page.head);
    let (_, snapshot) = page.event().await.unwrap();
    let shown = "<img src=x onerror=alert(1)>\\u{202e}";
    assert_eq!(snapshot["clients"][0]["waiting"], shown);
    assert_eq!(snapshot["clients"][0]["torrents"][0]["name"], shown);
}

#[tokio::test]
async fn a27_a_report_without_a_field_is_refused_with_its_name_and_spoils_nothing() {
    let server = Server::start(Config::default()).await;
    server.report(&report(1)).await;
    for field in report(2).as_object().unwrap().keys() {
        let mut partial = report(2);
        partial.as_object_mut().unwrap().remove(field);
        let refused = server.post(&partial.to_string()).await;
        assert_eq!((refused.status, refused.body), (422, format!("{field} is missing")));
    }
    for (value, named) in
        [("NaN", false), ("1e999", false), ("1e308", true), ("-1", true), ("18446744073709551615", true)]
    {
        let body = report(2).to_string().replace("65536", value);
        let refused = server.post(&body).await;
        assert_eq!(refused.status, if named { 422 } else { 400 }, "{value}");
        assert_eq!(refused.body.contains("chunk_size"), named, "{}", refused.body);
    }
    for body in ["", "[]", "null", "\u{0}", &"[".repeat(60_000)] {
        assert_eq!(server.post(body).await.status, 400);
    }
    let large = report_with(2, json!({"x": "y".repeat(70_000)})).to_string();
    assert_eq!(server.post(&large).await.status, 413);
    assert_eq!(server.list().await.len(), 1);
}

#[tokio::test]
async fn a27_a_million_clients_of_one_address_are_a_few_thousand() {
    let limits = Limits { clients: 40, clients_per_source: 20 };
    let server = Server::start(Config { limits, ..Config::default() }).await;
    let mut refused = 0;
    for port in 1..=60 {
        let answer = server.post(&report(port).to_string()).await;
        if answer.status != 200 {
            assert_eq!((answer.status, answer.header("retry-after")), (429, Some("3")), "{}", answer.body);
            refused += 1;
        }
    }
    assert_eq!((refused, server.list().await.len()), (40, 20));
    server.report(&report(1)).await;
    assert!(
        Limits::default().clients <= 10_000
            && Limits::default().clients_per_source < Limits::default().clients
    );
}

#[tokio::test]
async fn a13_a_body_in_chunks_is_refused() {
    let server = Server::start(Config::default()).await;
    let body = report(1).to_string();
    let request = format!(
        "POST /metrics HTTP/1.1\r\nHost: {}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        server.address,
        body.len()
    );
    assert_eq!(server.raw(request.as_bytes()).await.status, 400);
    assert!(server.list().await.is_empty());
}

/// Values as wrong as JSON can say, and some that are right.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        (0_u64..100).prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        Just(json!("<img src=x onerror=alert(1)>")),
        Just(json!(1e308)),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z_]{1,9}", inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever is reported, the list and the page's stream stay what they are.
    #[test]
    fn a27_after_any_reports_the_list_is_still_a_list(
        changes in prop::collection::vec((
            prop::sample::select(vec![
                "client_host", "client_port", "downloaded_chunks", "uploaded_chunks", "total_chunks", "chunk_size",
                "dht_peers", "dht_enabled", "tracker_status_up", "peer", "downloaded_bytes", "total_bytes", "peers",
                "version", "waiting", "torrents", "complete", "leaving", "up_bytes_per_s", "other",
            ]),
            value(),
        ), 1..6),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let server = Server::start(Config::default()).await;
            for (index, (field, value)) in changes.iter().enumerate() {
                let port = 1000 + u16::try_from(index).unwrap();
                let status = server.post(&report_with(port, json!({*field: value})).to_string()).await.status;
                assert!(matches!(status, 200 | 400 | 422), "{status} {field} {value}");
            }
            for entry in server.list().await {
                assert_eq!(entry.as_object().unwrap().len(), 8, "{entry}");
            }
            let accept = "Accept: application/openmetrics-text";
            assert_eq!(server.send("GET", "/metrics", &[accept], "").await.status, 200);
            let (name, snapshot) = server.watch().await.event().await.unwrap();
            assert_eq!(name, "snapshot");
            assert_eq!(snapshot["clients"].as_array().unwrap().len(), server.list().await.len());
        });
    }
}
