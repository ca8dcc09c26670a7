//! The examples of BEP 5 byte for byte, and that reading and writing are each other's inverse.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const A: Id = Id::from_bytes(*b"abcdefghij0123456789");
const B: Id = Id::from_bytes(*b"mnopqrstuvwxyz123456");

fn query(query: Query) -> Message {
    Message { transaction: b"aa".to_vec(), body: Body::Query { sender: A, read_only: false, query } }
}

fn answer(answer: Answer) -> Message {
    Message { transaction: b"aa".to_vec(), body: Body::Answer(answer) }
}

fn is(message: &Message, datagram: &str) {
    assert_eq!(String::from_utf8_lossy(&message.encode()), datagram);
    assert_eq!(Message::decode(datagram.as_bytes()).as_ref(), Ok(message));
}

#[test]
fn the_examples_of_bep_5() {
    is(&query(Query::Ping), "d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe");
    is(&answer(Answer::from(B)), "d1:rd2:id20:mnopqrstuvwxyz123456e1:t2:aa1:y1:re");
    is(
        &query(Query::FindNode { target: B, want: Want::default() }),
        "d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e1:q9:find_node1:t2:aa1:y1:qe",
    );
    is(
        &query(Query::GetPeers { key: Key::at(B), want: Want::default() }),
        "d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz123456e1:q9:get_peers1:t2:aa1:y1:qe",
    );
    is(
        &answer(Answer {
            token: Some(b"aoeusnth".to_vec()),
            values: vec!["97.120.106.101:11893".parse().unwrap(), "105.100.104.116:28269".parse().unwrap()],
            ..Answer::from(A)
        }),
        "d1:rd2:id20:abcdefghij01234567895:token8:aoeusnth6:valuesl6:axje.u6:idhtnmee1:t2:aa1:y1:re",
    );
    is(
        &query(Query::AnnouncePeer {
            key: Key::at(B),
            port: 6881,
            implied_port: true,
            token: b"aoeusnth".to_vec(),
        }),
        "d1:ad2:id20:abcdefghij012345678912:implied_porti1e9:info_hash20:mnopqrstuvwxyz1234564:porti6881e\
         5:token8:aoeusnthe1:q13:announce_peer1:t2:aa1:y1:qe",
    );
    let error = Body::Error { code: 201, text: b"A Generic Error Ocurred".to_vec() };
    is(
        &Message { transaction: b"aa".to_vec(), body: error },
        "d1:eli201e23:A Generic Error Ocurrede1:t2:aa1:y1:ee",
    );
    // Its examples of nodes say `9:def456...`, which stands for nodes and is none.
    let placeholder = "d1:rd2:id20:0123456789abcdefghij5:nodes9:def456...e1:t2:aa1:y1:re";
    assert_eq!(Message::decode(placeholder.as_bytes()), Err(Unreadable::Garbage));
}

#[test]
fn ipv6_and_read_only_as_bep_32_and_43_have_it() {
    let both = Want { v4: true, v6: true };
    let mut read_only = query(Query::GetPeers { key: Key::at(B), want: both });
    if let Body::Query { read_only, .. } = &mut read_only.body {
        *read_only = true;
    }
    is(
        &read_only,
        "d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz1234564:wantl2:n42:n6ee\
         1:q9:get_peers2:roi1e1:t2:aa1:y1:qe",
    );
    let address = "[6162:6364:6566:6768:696a:6b6c:6d6e:6f70]:12337".parse().unwrap();
    is(
        &answer(Answer { nodes: vec![Contact { id: B, address }], values: vec![address], ..Answer::from(A) }),
        "d1:rd2:id20:abcdefghij01234567896:nodes638:mnopqrstuvwxyz123456abcdefghijklmnop01\
         6:valuesl18:abcdefghijklmnop01ee1:t2:aa1:y1:re",
    );
}

#[test]
fn what_other_programs_add_is_skipped() {
    let with_more = "d1:ad3:abci1e2:id20:abcdefghij0123456789e2:ip6:axje.u1:q4:ping1:t2:aa1:v4:LT201:y1:qe";
    assert_eq!(Message::decode(with_more.as_bytes()), Ok(query(Query::Ping)));
}

#[test]
fn what_bep_5_lets_others_do_is_understood() {
    let implied = |port: &str| {
        format!(
            "d1:ad2:id20:abcdefghij012345678912:implied_porti1e9:info_hash20:mnopqrstuvwxyz1234564:porti{port}e\
             5:token1:te1:q13:announce_peer1:t2:aa1:y1:qe"
        )
    };
    for port in ["-1", "65536", "80"] {
        let decoded = Message::decode(implied(port).as_bytes()).unwrap();
        let Body::Query { query: Query::AnnouncePeer { implied_port, .. }, .. } = decoded.body else {
            panic!()
        };
        assert!(implied_port, "{port} does not count");
    }
    let error = Message::decode(b"d1:eli203e3:Bad4:moree1:t2:aa1:y1:ee").unwrap().body;
    assert_eq!(error, Body::Error { code: 203, text: b"Bad".to_vec() });
    for place in ["6:target", "9:info_hash"] {
        let new = format!(
            "d1:ad2:id20:abcdefghij0123456789{place}20:mnopqrstuvwxyz123456e1:q6:invent1:t2:aa1:y1:qe"
        );
        let near = Query::FindNode { target: B, want: Want::default() };
        assert_eq!(Message::decode(new.as_bytes()), Ok(query(near)), "{place}");
    }
}

#[test]
fn a18_what_is_wrong_in_part_is_wrong() {
    let bad = Err(Unreadable::BadArguments { transaction: b"aa".to_vec() });
    let unknown = Err(Unreadable::UnknownMethod { transaction: b"aa".to_vec() });
    let id = "2:id20:abcdefghij0123456789";
    for (datagram, expected) in [
        ("d1:ade1:q4:ping1:t2:aa1:y1:qe".to_owned(), &bad),
        ("d1:q4:ping1:t2:aa1:y1:qe".to_owned(), &bad),
        (format!("d1:ad{id}e1:q9:find_node1:t2:aa1:y1:qe"), &bad),
        (format!("d1:ad{id}6:target2:aae1:q9:find_node1:t2:aa1:y1:qe"), &bad),
        (format!("d1:ad{id}e1:q9:get_peers1:t2:aa1:y1:qe"), &bad),
        (format!("d1:ad{id}9:info_hash20:mnopqrstuvwxyz1234564:wanti1ee1:q9:get_peers1:t2:aa1:y1:qe"), &bad),
        (format!("d1:ad{id}e1:q4:vote1:t2:aa1:y1:qe"), &unknown),
        (format!("d1:rd{id}5:nodes3:abce1:t2:aa1:y1:re"), &Err(Unreadable::Garbage)),
        (format!("d1:rd{id}6:valuesl3:abcee1:t2:aa1:y1:re"), &Err(Unreadable::Garbage)),
        (format!("d1:rd{id}6:valuesi1ee1:t2:aa1:y1:re"), &Err(Unreadable::Garbage)),
        ("d1:rd2:id2:abe1:t2:aa1:y1:re".to_owned(), &Err(Unreadable::Garbage)),
        (format!("d1:rd{id}e1:y1:re"), &Err(Unreadable::Garbage)),
        (format!("d1:rd{id}e1:t33:{}1:y1:re", "t".repeat(33)), &Err(Unreadable::Garbage)),
        ("d1:eli201ee1:t2:aa1:y1:ee".to_owned(), &Err(Unreadable::Garbage)),
        ("le".to_owned(), &Err(Unreadable::Garbage)),
        // What the described programs' library sends: no dictionary, no bencoding.
        ("\u{0}12345678901234567890\u{92}".to_owned(), &Err(Unreadable::Garbage)),
    ] {
        assert_eq!(&Message::decode(datagram.as_bytes()), expected, "{datagram}");
    }
    for port in ["-1", "65536", "99999999999"] {
        let datagram = format!(
            "d1:ad{id}9:info_hash20:mnopqrstuvwxyz1234564:porti{port}e5:token1:te1:q13:announce_peer1:t2:aa1:y1:qe"
        );
        assert_eq!(Message::decode(datagram.as_bytes()), bad, "{port}");
    }
    assert_eq!(Message::decode(&[b' '; MAX_DATAGRAM + 1]), Err(Unreadable::Garbage));
}

fn an_id() -> impl Strategy<Value = Id> {
    any::<[u8; 20]>().prop_map(Id::from_bytes)
}

fn a_want() -> impl Strategy<Value = Want> {
    any::<(bool, bool)>().prop_map(|(v4, v6)| Want { v4, v6 })
}

fn an_address() -> impl Strategy<Value = SocketAddr> {
    any::<(std::net::IpAddr, u16)>().prop_map(SocketAddr::from)
}

fn a_query() -> impl Strategy<Value = Query> {
    prop_oneof![
        Just(Query::Ping),
        (an_id(), a_want()).prop_map(|(target, want)| Query::FindNode { target, want }),
        (an_id(), a_want()).prop_map(|(id, want)| Query::GetPeers { key: Key::at(id), want }),
        (an_id(), any::<u16>(), any::<bool>(), vec(any::<u8>(), 0..=MAX_TOKEN)).prop_map(
            |(id, port, implied_port, token)| Query::AnnouncePeer {
                key: Key::at(id),
                port,
                implied_port,
                token
            }
        ),
    ]
}

fn an_answer() -> impl Strategy<Value = Answer> {
    let nodes = vec((an_id(), an_address()).prop_map(|(id, address)| Contact { id, address }), 0..12);
    let token = proptest::option::of(vec(any::<u8>(), 0..=MAX_TOKEN));
    (an_id(), nodes, vec(an_address(), 0..40), token).prop_map(|(sender, mut nodes, values, token)| {
        nodes.sort_by_key(|node| node.address.is_ipv6());
        Answer { sender, nodes, values, token }
    })
}

fn a_body() -> impl Strategy<Value = Body> {
    prop_oneof![
        (an_id(), any::<bool>(), a_query()).prop_map(|(sender, read_only, query)| Body::Query {
            sender,
            read_only,
            query
        }),
        an_answer().prop_map(Body::Answer),
        (any::<i64>(), vec(any::<u8>(), 0..60)).prop_map(|(code, text)| Body::Error { code, text }),
    ]
}

prop_compose! {
    fn a_message()(transaction in vec(any::<u8>(), 0..=MAX_TRANSACTION), body in a_body()) -> Message {
        Message { transaction, body }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(message in a_message()) {
        let datagram = message.encode();
        prop_assume!(datagram.len() <= MAX_DATAGRAM);
        prop_assert_eq!(Message::decode(&datagram), Ok(message));
    }

    #[test]
    fn a22_a_message_with_bytes_changed_is_read_or_refused(
        message in a_message(),
        changes in vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
        length in any::<proptest::sample::Index>(),
    ) {
        let mut datagram = message.encode();
        for (at, byte) in changes {
            let at = at.index(datagram.len());
            datagram[at] = byte;
        }
        if let Ok(message) = Message::decode(&datagram) {
            prop_assert_eq!(Message::decode(&message.encode()), Ok(message));
        }
        let _ = Message::decode(&datagram[..length.index(datagram.len())]);
    }
}
