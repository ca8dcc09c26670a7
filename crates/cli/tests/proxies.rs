//! Plain HTTP, proven: real nginx before a peer, and between peers.

#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod support;

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};

use support::{LOCAL, Running, content, folder, http, run_well, wait_for};

const LENGTH: usize = 5 << 20;
/// Chunks of that file: it is small enough for the smallest default size.
const CHUNKS: usize = LENGTH / (64 << 10);

/// A port that was free a moment ago: nginx cannot be asked to choose one. From below those that systems give away themselves (32768 up
/// on Linux), or some other test's connection would have it by then; each test process begins elsewhere.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 1000).unwrap() * 10;
    loop {
        let port = 20_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Runs nginx on `port` with these lines inside `server { … }`; its access log is `dir`/nginx/access.
fn nginx(dir: &Path, port: u16, before_server: &str, server: &str) -> Running {
    let home = dir.join("nginx");
    fs::create_dir_all(&home).unwrap();
    let at = home.display();
    let configuration = format!(
        "daemon off; master_process off; worker_processes 1; pid {at}/pid; error_log {at}/error;
         events {{ worker_connections 256; }}
         http {{
             access_log {at}/access; client_body_temp_path {at}/body; proxy_temp_path {at}/proxy;
             fastcgi_temp_path {at}/fastcgi; uwsgi_temp_path {at}/uwsgi; scgi_temp_path {at}/scgi;
             proxy_http_version 1.1; proxy_set_header Connection \"\";
             {before_server}
             server {{ listen 127.0.0.1:{port}; {server} }}
         }}"
    );
    fs::write(home.join("nginx.conf"), configuration).unwrap();
    let mut command = Command::new("nginx");
    command.arg("-p").arg(&home).arg("-c").arg(home.join("nginx.conf")).arg("-e").arg(home.join("error"));
    let mut running = Running::spawn(command);
    wait_for("nginx to answer", || {
        assert!(
            running.runs(),
            "{}\n{}",
            running.said(),
            fs::read_to_string(home.join("error")).unwrap_or_default()
        );
        http::request("GET", &format!("http://127.0.0.1:{port}/"), &[], b"").ok()
    });
    running
}

fn requests_for_chunks(dir: &Path) -> usize {
    let log = fs::read_to_string(dir.join("nginx/access")).unwrap();
    log.lines().filter(|line| line.contains("/chunk/")).count()
}

fn source(dir: &Path, tracker: &str) {
    content::write(&dir.join("data.bin"), &content::bytes(LENGTH, 2));
    run_well(dir, ["torrentify", "data.bin", tracker, "-o", "torrent.json"]);
}

fn same(path: &Path) {
    assert!(fs::read(path).unwrap() == content::bytes(LENGTH, 2), "{}", path.display());
}

#[test]
fn a_peer_behind_nginx_under_a_path_serves_the_swarm() {
    let dir = folder();
    let mut tracker = Running::start(dir.path(), ["tracker", "0", "--bind", "127.0.0.1"]);
    let tracker_url = tracker.url("tracker");
    source(dir.path(), tracker_url.strip_prefix("http://").unwrap());
    let (outside, inside) = (free_port(), free_port());
    let advertise = format!("http://127.0.0.1:{outside}/p2p");
    let port = inside.to_string();
    let words = ["client", "has_file", "--port", &port, "--advertise", &advertise];
    let mut seed = Running::start(dir.path(), words.iter().chain(&LOCAL));
    seed.event("complete");
    let _nginx = nginx(
        dir.path(),
        outside,
        "",
        &format!("location /p2p/ {{ proxy_pass http://127.0.0.1:{inside}/; }}"),
    );
    let got = run_well(dir.path(), ["get", "torrent.json", "-o", "out", "--json"].iter().chain(&LOCAL));
    same(&dir.path().join("out/data.bin"));
    assert_eq!(got.event("complete")["sources"]["seed"], LENGTH);
    assert_eq!(requests_for_chunks(dir.path()), CHUNKS, "every chunk came through nginx");
    // The page and curl work there, too.
    let id: serde_json::Value = http::get(&format!("{advertise}/.well-known/http-torrent")).json();
    assert_eq!(id["roles"][0], "peer");
}

#[test]
fn a_caching_nginx_between_peers_answers_the_second_request_itself() {
    let dir = folder();
    // Nobody listens at this tracker: only the cache leads to the seed, which names no other way to itself.
    source(dir.path(), &format!("127.0.0.1:{}", free_port()));
    let (outside, inside) = (free_port(), free_port());
    let through = format!("http://127.0.0.1:{outside}");
    let origin = format!("http://127.0.0.1:{inside}");
    let port = inside.to_string();
    let words = ["client", "has_file", "--port", &port, "--advertise", &through];
    let mut seed = Running::start(dir.path(), words.iter().chain(&LOCAL));
    seed.event("complete");
    let cache = format!("proxy_cache_path {}/cache keys_zone=chunks:1m;", dir.path().display());
    let server = format!(
        "location / {{ proxy_pass {origin}; proxy_cache chunks; add_header X-Cache-Status $upstream_cache_status; }}"
    );
    let _nginx = nginx(dir.path(), outside, &cache, &server);
    let get = |into: &str| {
        let words = ["get", "torrent.json", "-o", into, "--json", "--peer", &through];
        let got = run_well(dir.path(), words.iter().chain(&LOCAL));
        same(&dir.path().join(into).join("data.bin"));
        got.event("complete")["sources"].clone()
    };
    let first = get("one");
    assert_eq!((&first["seed"], &first["cache"]), (&LENGTH.into(), &0.into()), "nothing was cached yet");
    let second = get("two");
    assert_eq!((&second["seed"], &second["cache"]), (&0.into(), &LENGTH.into()), "all of it was");
    let metrics = http::get(&format!("{origin}/metrics")).text();
    assert!(
        metrics.contains(&format!("http_torrent_uploaded_bytes_total {LENGTH}\n")),
        "sent once:\n{metrics}"
    );
}
