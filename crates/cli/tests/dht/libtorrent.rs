//! libtorrent as the judge: it finds what our nodes announced, and ours find what it announced.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use dht::{Action, Event, FindId, Key, Urgency};
use protocol::HashAlgorithm;

use crate::judge::Judge;
use crate::node::OnSocket;

/// Keys each way.
const KEYS: u16 = 300;
/// Our nodes: enough that not every record is everywhere.
const NODES: u8 = 12;
/// The longest any step may take: three hundred announcements at 40 packets a second a node take ten seconds.
const STEP: Duration = Duration::from_secs(120);

/// Key number `number` of ours (0) or of libtorrent's (1).
fn key(side: u16, number: u16) -> Key {
    let text = format!("{side} {number}");
    Key::of_hash(&HashAlgorithm::Sha1.digest(text.as_bytes()))
}

/// Where key number `number` is provided: a port for each, so that none is taken for another.
fn port(number: u16) -> u16 {
    10_000 + number
}

/// All keys of a side, as the judge reads them.
fn tasks(side: u16) -> String {
    let lines: Vec<String> =
        (0..KEYS).map(|number| format!("{} {}\n", hex(key(side, number)), port(number))).collect();
    lines.concat()
}

fn hex(key: Key) -> String {
    key.place().to_string()
}

/// Lets our nodes work until `done`; a thread for all, since each does little.
fn run_until(nodes: &mut [OnSocket], what: &str, mut done: impl FnMut(&mut [OnSocket]) -> bool) {
    let deadline = Instant::now() + STEP;
    while !done(nodes) {
        assert!(Instant::now() < deadline, "waited {STEP:?} in vain for {what}");
        let turns: Vec<bool> = nodes.iter_mut().map(OnSocket::turn).collect();
        if !turns.contains(&true) {
            std::thread::park_timeout(Duration::from_millis(1));
        }
    }
}

#[test]
fn libtorrent_finds_300_of_300_keys_of_ours_and_ours_find_300_of_300_of_its() {
    let mut nodes: Vec<OnSocket> = (1..=NODES).map(OnSocket::new).collect();
    let first = nodes[0].address;
    for node in &mut nodes[1..] {
        node.tell(Event::AddNode { address: first });
    }
    run_until(&mut nodes, "a network", |nodes| nodes.iter().all(|node| node.good() >= 8));
    let mut judge = Judge::start(first);
    let its_address: SocketAddr = {
        let line = wait_line(&mut judge, &mut nodes);
        format!("127.0.0.1:{}", line.strip_prefix("listening ").unwrap()).parse().unwrap()
    };
    nodes[0].tell(Event::AddNode { address: its_address });
    assert_eq!(wait_line(&mut judge, &mut nodes), "joined");

    // Ours announce, libtorrent looks.
    for number in 0..KEYS {
        let at = usize::from(number) % nodes.len();
        let port = NonZeroU16::new(port(number)).unwrap();
        nodes[at].tell(Event::Announce { key: key(0, number), port, urgency: Urgency::Chunk });
    }
    run_until(&mut nodes, "our announcements", |nodes| {
        let announced: BTreeSet<String> = nodes
            .iter()
            .flat_map(|node| &node.said)
            .filter_map(|said| match said {
                Action::Announced { key, nodes: 1.. } => Some(hex(*key)),
                _ => None,
            })
            .collect();
        announced.len() == usize::from(KEYS)
    });
    let lines = tasks(0);
    let found = command(&mut judge, &mut nodes, "find", &lines);
    assert_eq!(found, format!("found {KEYS} of {KEYS}"), "libtorrent finds ours");

    // libtorrent announces, ours look.
    let lines = tasks(1);
    let announced = command(&mut judge, &mut nodes, "announce", &lines);
    assert_eq!(announced, format!("announced {KEYS}"));
    assert_eq!(look_all_up(&mut nodes), usize::from(KEYS), "ours find libtorrent's");
}

/// Looks up what libtorrent announced, each key from some node; asks again for what is not there yet.
fn look_all_up(nodes: &mut [OnSocket]) -> usize {
    let mut found: BTreeSet<u16> = BTreeSet::new();
    let mut next = 0;
    let deadline = Instant::now() + STEP;
    while found.len() < usize::from(KEYS) && Instant::now() < deadline {
        let mut asked: BTreeMap<FindId, u16> = BTreeMap::new();
        for number in (0..KEYS).filter(|number| !found.contains(number)) {
            next += 1;
            asked.insert(FindId(next), number);
            let at = (usize::from(number) * 7) % nodes.len();
            nodes[at].tell(Event::Find { find: FindId(next), key: key(1, number) });
        }
        let mut left = asked.len();
        run_until(nodes, "our look-ups", |nodes| {
            for said in nodes.iter_mut().flat_map(|node| node.said.drain(..)) {
                match said {
                    Action::Found { find, providers } => {
                        let number = asked[&find];
                        let wanted = SocketAddr::from(([127, 0, 0, 1], port(number)));
                        if providers.contains(&wanted) {
                            found.insert(number);
                        }
                    }
                    Action::FindEnded { .. } => left -= 1,
                    _ => {}
                }
            }
            left == 0
        });
    }
    found.len()
}

/// Gives the judge a task, and its last line back.
fn command(judge: &mut Judge, nodes: &mut [OnSocket], verb: &str, lines: &str) -> String {
    judge.tell(&format!("{verb} {}\n{lines}", lines.lines().count()));
    wait_line(judge, nodes)
}

/// Waits for a line of the judge, while our nodes go on.
fn wait_line(judge: &mut Judge, nodes: &mut [OnSocket]) -> String {
    let mut line = None;
    run_until(nodes, "libtorrent", |_| {
        line = judge.line();
        line.is_some()
    });
    line.unwrap()
}
