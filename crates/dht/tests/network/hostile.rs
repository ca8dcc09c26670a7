//! Threats A18 to A23: amplification, poisoned values, sybils, garbage, floods.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use dht::message::{Answer, Body, Contact, Message, Query, Want};
use dht::{Config, Event, Id, Urgency};
use proptest::prelude::*;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::world::{Host, World, address, key, key_at, minutes, provider, seconds};

fn ask(query: Query) -> Vec<u8> {
    let sender = Id::from_bytes(*b"a stranger, unproven");
    Message { transaction: b"aa".to_vec(), body: Body::Query { sender, read_only: false, query } }.encode()
}

/// What a node sends to `to` when it hears `bytes` from there.
fn answers(world: &mut World, node: SocketAddr, from: SocketAddr, bytes: Vec<u8>) -> Vec<Vec<u8>> {
    world.forget_packets();
    world.send(from, node, bytes);
    world.run_for(seconds(3));
    let sent = world.packets.iter().filter(|packet| packet.from == node && packet.to == from);
    sent.map(|packet| packet.bytes.clone()).collect()
}

#[test]
fn a19_who_has_not_proved_its_address_gets_three_bytes_for_one() {
    let mut world = World::of_nodes(1, 40);
    // Many providers of one key, so that there is much to tell.
    for number in 0..40 {
        world.announce(number, key(1), Urgency::Torrent);
    }
    world.run_for(seconds(30));
    let mut largest = 0;
    for (at, query) in [
        Query::Ping,
        Query::FindNode { target: key(1).place(), want: Want::default() },
        Query::GetPeers { key: key(1), want: Want::default() },
        Query::GetPeers { key: key(2), want: Want::default() },
        Query::GetPeers { key: key(1), want: Want { v4: true, v6: true } },
        Query::AnnouncePeer { key: key(1), port: 1, implied_port: false, token: vec![0; 8] },
        Query::AnnouncePeer { key: key(1), port: 0, implied_port: false, token: vec![] },
    ]
    .into_iter()
    .enumerate()
    {
        for node in 0..40 {
            let victim = address(1_000 + u16::try_from(at).unwrap() * 64 + node);
            let bytes = ask(query.clone());
            let asked = bytes.len();
            // All of it, also the ping that finds out whether the stranger is there.
            let got: usize = answers(&mut world, address(node), victim, bytes).iter().map(Vec::len).sum();
            assert!(got <= 3 * asked, "{query:?}: {got} for {asked}");
            largest = largest.max(got * 100 / asked);
        }
    }
    println!("at most {largest} bytes for a hundred");
    // Whoever proved it is told everything, as a node that answers is.
    let full = (1..40).flat_map(|node| {
        let query = ask(Query::GetPeers { key: key(1), want: Want::default() });
        answers(&mut world, address(node), address(0), query)
    });
    let longest = full.map(|bytes| bytes.len()).max().unwrap();
    assert!(longest > 500, "{longest}");
}

#[test]
fn a19_a_victim_in_whose_name_others_ask_is_pinged_once_a_minute() {
    let mut world = World::of_nodes(8, 5);
    let victim = address(999);
    for _ in 0..100 {
        world.send(victim, address(0), ask(Query::Ping));
        world.run_for(seconds(1));
    }
    let pings = world.packets.iter().filter(|packet| packet.to == victim && packet.is_query()).count();
    assert_eq!(pings, 2);
}

#[test]
fn a19_strangers_who_ask_much_do_not_keep_a_node_from_its_own_upkeep() {
    let mut world = World::of_nodes(9, 30);
    world.run_for(minutes(11));
    // Everybody else falls silent without leaving; address 0 only finds out by asking.
    for number in 1..30 {
        world.kill(address(number));
    }
    for second in 0..240u16 {
        for number in 0..40 {
            world.send(address(2_000 + second * 40 + number), address(0), ask(Query::Ping));
        }
        world.run_for(seconds(1));
    }
    assert_eq!(world.node(address(0)).good_count(world.now), 0);
}

#[test]
fn who_has_not_proved_its_address_is_told_other_providers_each_time() {
    let mut world = World::of_nodes(10, 12);
    for number in 0..12 {
        world.announce(number, key(1), Urgency::Torrent);
    }
    world.run_for(seconds(30));
    let query = ask(Query::GetPeers { key: key(1), want: Want::default() });
    let mut told = BTreeSet::new();
    for stranger in 0..100 {
        for bytes in answers(&mut world, address(0), address(700 + stranger), query.clone()) {
            if let Body::Answer(answer) = Message::decode(&bytes).unwrap().body {
                assert!(answer.values.len() < 11, "there is no room for all");
                told.extend(answer.values);
            }
        }
    }
    assert!(told.len() >= 11, "{told:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a19_no_datagram_at_all_is_answered_with_more_than_three_times_its_bytes(
        transaction in proptest::collection::vec(any::<u8>(), 0..40),
        method in prop_oneof![Just("ping"), Just("find_node"), Just("get_peers"), Just("announce_peer"), Just("x")],
        argument in prop_oneof![Just("target"), Just("info_hash"), Just("y")],
        empty: bool,
    ) {
        let mut world = World::of_nodes(7, 12);
        world.announce(3, key_at(*b"mnopqrstuvwxyz123456"), Urgency::Torrent);
        world.run_for(seconds(5));
        let mut bytes = if empty { b"d1:ad".to_vec() } else {
            let mut bytes = b"d1:ad2:id20:abcdefghij0123456789".to_vec();
            bytes.extend_from_slice(format!("{}:{argument}20:mnopqrstuvwxyz123456", argument.len()).as_bytes());
            bytes
        };
        bytes.extend_from_slice(format!("e1:q{}:{method}1:t{}:", method.len(), transaction.len()).as_bytes());
        bytes.extend_from_slice(&transaction);
        bytes.extend_from_slice(b"1:y1:qe");
        let asked = bytes.len();
        let got: usize = answers(&mut world, address(0), address(999), bytes).iter().map(Vec::len).sum();
        prop_assert!(got <= 3 * asked, "{got} for {asked}");
    }
}

#[test]
fn a19_a_flood_of_queries_in_one_name_is_answered_64_times_a_second() {
    let mut world = World::of_nodes(2, 5);
    let victim = address(999);
    for _ in 0..2_000 {
        world.send(victim, address(0), ask(Query::Ping));
    }
    world.forget_packets();
    world.run_for(seconds(1));
    let got = world.packets.iter().filter(|packet| packet.to == victim).count();
    assert!((32..=66).contains(&got), "{got}");
}

/// Answers every query as a node named `id` would that knows only `nodes`, and provides everything at `values`.
fn liar(id: Id, nodes: Vec<Contact>, values: Vec<SocketAddr>) -> Host {
    Host::Hostile(Box::new(move |_, from, bytes| {
        let Ok(Message { transaction, body: Body::Query { query, .. } }) = Message::decode(bytes) else {
            return Vec::new();
        };
        let mut answer = Answer::from(id);
        answer.nodes.clone_from(&nodes);
        if matches!(query, Query::GetPeers { .. }) {
            answer.values.clone_from(&values);
            answer.token = Some(b"any".to_vec());
        }
        vec![(from, Message { transaction, body: Body::Answer(answer) }.encode())]
    }))
}

/// Lets a hostile node make itself known to everybody, as often as they listen.
fn advertise(world: &mut World, id: Id, at: SocketAddr, to: u16) {
    for number in 0..to {
        let query = Query::FindNode { target: id, want: Want::default() };
        let message = Message {
            transaction: b"zz".to_vec(),
            body: Body::Query { sender: id, read_only: false, query },
        };
        world.send(at, address(number), message.encode());
    }
    world.run_for(seconds(20));
}

#[test]
fn a20_poisoned_values_do_not_crowd_out_the_true_ones() {
    let mut world = World::of_nodes(3, 30);
    let mut random = SmallRng::seed_from_u64(3);
    for number in 0..10u16 {
        let at = address(500 + number);
        let lies = (0..100).map(|_| SocketAddr::from((random.random::<[u8; 4]>(), 80))).collect();
        let id = Id::from_bytes(random.random());
        world.hosts.insert(at, liar(id, Vec::new(), lies));
        advertise(&mut world, id, at, 30);
    }
    for number in 0..50 {
        world.announce(5, key(number), Urgency::Chunk);
    }
    world.run_for(minutes(2));
    let found: Vec<_> = (0..50).map(|number| world.look_up(address(17), key(number))).collect();
    assert!(found.iter().all(|found| found.contains(&provider(5))));
    let lied: usize = found.iter().map(BTreeSet::len).sum();
    assert!(lied > 1_000, "the liars were asked: {lied}");
    assert!(found.iter().all(|found| found.len() <= 512));
    // Values that could only hurt us are not even told.
    assert!(found.iter().flatten().all(|value| dht::is_dialable(value) && !value.ip().is_loopback()));
}

/// From how many of 40 nodes a provider is found when so many hosts have ids nearer to its key than all others.
fn found_despite_sybils(hosts: u16) -> usize {
    let mut world = World::of_nodes(4, 40);
    let victim = [0x55; 20];
    let key = key_at(victim);
    // 16 ids on each host, nearer to the key than any honest node can be, knowing only each other.
    let near = |number: u16| {
        let mut id = victim;
        id[18..].copy_from_slice(&(number + 1).to_be_bytes());
        Id::from_bytes(id)
    };
    let at =
        |number: u16| SocketAddr::from(([45, 0, 0, u8::try_from(number % hosts).unwrap()], 2_000 + number));
    let all: Vec<Contact> = (0..48).map(|number| Contact { id: near(number), address: at(number) }).collect();
    for number in 0..48 {
        world.hosts.insert(at(number), liar(near(number), all.clone(), Vec::new()));
        advertise(&mut world, near(number), at(number), 40);
    }
    world.announce(5, key, Urgency::Torrent);
    world.run_for(seconds(30));
    let taken = world.announced.iter().filter(|(_, announced, _)| *announced == key).count();
    assert!(taken > 0);
    let from: Vec<u16> =
        (0..40).filter(|number| world.look_up(address(*number), key).contains(&provider(5))).collect();
    let met = world.packets.iter().filter(|packet| packet.from.ip() == at(0).ip()).count();
    assert!(met > 0, "the sybils were met");
    from.len()
}

#[test]
fn a21_sybils_round_a_key_hide_nothing_as_long_as_they_are_three_hosts() {
    assert_eq!(found_despite_sybils(3), 40);
    // Of each host two ids count among the eight nearest: that is the bound, and what we say of it.
    assert!(found_despite_sybils(4) < 20);
}

#[test]
fn a21_a_liar_asked_early_does_not_hide_the_true_nodes() {
    // It names the eight nodes nearest to the key truly, and says that they are elsewhere; or names others there.
    for false_names in [false, true] {
        let mut world = World::of_nodes(11, 30);
        let key = key(1);
        world.announce(5, key, Urgency::Torrent);
        world.run_for(seconds(10));
        let mut all: Vec<SocketAddr> = (0..30).map(address).collect();
        all.sort_by_key(|at| world.node(*at).id().distance(key.place()));
        let lies = all.iter().take(8).zip(0u8..).map(|(at, number)| {
            let id = world.node(*at).id();
            if false_names {
                let mut bytes = *key.place().as_bytes();
                bytes[19] ^= number + 1;
                return Contact { id: Id::from_bytes(bytes), address: *at };
            }
            Contact { id, address: ([45, 0, 0, number], 6_881).into() }
        });
        let at = address(999);
        let lies = lies.collect();
        world.hosts.insert(at, liar(Id::from_bytes([7; 20]), lies, Vec::new()));
        for guest in 50..80 {
            // Which of the two ways in answers first is chance.
            world.add_with(address(guest), Config { read_only: true, ..Config::default() });
            world.introduce(address(guest), at);
            world.introduce(address(guest), all[29]);
            let found = world.look_up(address(guest), key);
            assert_eq!(found, BTreeSet::from([provider(5)]), "{guest}, false names: {false_names}");
        }
    }
}

#[test]
fn a21_newcomers_do_not_push_old_nodes_out_of_the_tables() {
    let mut world = World::of_nodes(5, 20);
    let known: BTreeSet<_> = world.node(address(0)).good_nodes(world.now).into_iter().collect();
    let mut random = SmallRng::seed_from_u64(5);
    for number in 0..600u16 {
        let at = address(2_000 + number);
        let id = Id::from_bytes(random.random());
        world.hosts.insert(at, liar(id, Vec::new(), Vec::new()));
        let query = Message {
            transaction: b"zz".to_vec(),
            body: Body::Query { sender: id, read_only: false, query: Query::Ping },
        };
        world.send(at, address(0), query.encode());
        world.run_for(seconds(1));
    }
    let now: BTreeSet<_> = world.node(address(0)).good_nodes(world.now).into_iter().collect();
    assert!(now.is_superset(&known));
    assert!(now.len() < 250, "and the table is bounded: {}", now.len());
}

#[test]
fn a22_garbage_is_dropped_and_the_node_lives_on() {
    let mut world = World::of_nodes(6, 6);
    let mut random = SmallRng::seed_from_u64(6);
    let honest = ask(Query::GetPeers { key: key(1), want: Want::default() });
    for round in 0..5_000 {
        let mut bytes: Vec<u8> =
            if round % 2 == 0 { honest.clone() } else { vec![0; random.random_range(0..300)] };
        for _ in 0..random.random_range(1..20) {
            if let length @ 1.. = bytes.len() {
                bytes[random.random_range(0..length)] = random.random();
            }
        }
        world.tell(address(0), Event::Datagram { from: address(random.random_range(50..60)), bytes: &bytes });
    }
    world.forget_packets();
    for garbage in [&b""[..], b"x", b"d1:y1:qe", b"d1:rde1:t2:aa1:y1:re", &[b'l'; 2_000], &vec![0xff; 65_000]]
    {
        world.tell(address(0), Event::Datagram { from: address(70), bytes: garbage });
    }
    assert!(world.packets.iter().all(|packet| packet.to != address(70)), "garbage is not answered");
    for from in ["0.0.0.0:1", "255.255.255.255:1", "224.0.0.1:1", "93.184.9.9:0", "[::1]:1"] {
        world.tell(address(0), Event::Datagram { from: from.parse().unwrap(), bytes: &honest });
        assert!(world.packets.iter().all(|packet| packet.to != from.parse().unwrap()), "{from}");
    }
    world.run_for(seconds(10));
    world.announce(3, key(9), Urgency::Torrent);
    world.run_for(seconds(5));
    assert_eq!(world.look_up(address(0), key(9)), BTreeSet::from([provider(3)]));
}

#[test]
fn a23_announcing_needs_a_token_and_storage_is_bounded() {
    let mut world = World::new(7);
    let config = Config { records_most: 500, records_most_of_source: 100, ..Config::default() };
    world.add_with(address(0), config);
    let node = address(0);
    let token_of = |world: &mut World, from: SocketAddr| {
        let got = answers(world, node, from, ask(Query::GetPeers { key: key(0), want: Want::default() }));
        got.iter()
            .find_map(|bytes| match Message::decode(bytes).unwrap().body {
                Body::Answer(Answer { token, .. }) => token,
                _ => None,
            })
            .unwrap()
    };
    let store = |world: &mut World, from: SocketAddr, number: u64, token: &[u8]| {
        let query =
            Query::AnnouncePeer { key: key(number), port: 80, implied_port: false, token: token.to_vec() };
        world.send(from, node, ask(query));
        world.run_for(std::time::Duration::from_millis(100));
    };
    // An honest record first.
    let token = token_of(&mut world, address(1));
    store(&mut world, address(1), 1, &token);
    assert_eq!(world.node(node).records(), 1);
    // Nobody announces with somebody else's token, or with none.
    store(&mut world, address(2), 1, &token);
    store(&mut world, address(2), 1, b"");
    assert_eq!(world.node(node).records(), 1);
    // A flood from twenty hosts, of different keys.
    for host in 10..30 {
        let token = token_of(&mut world, address(host));
        for number in 0..150 {
            store(&mut world, address(host), u64::from(host) * 1_000 + number, &token);
        }
    }
    assert_eq!(world.node(node).records(), 500);
    assert_eq!(
        world.look_up(node, key(1)),
        BTreeSet::from([(address(1).ip(), 80).into()]),
        "the honest one stayed"
    );
    world.run_for(minutes(46));
    assert_eq!(world.look_up(node, key(1)), BTreeSet::new());
    assert_eq!(world.node(node).records(), 0);
}
