//! From a [`Message`] to a datagram. Keys are written in the order that bencoding wants, which the reader checks.

use super::{Answer, Body, Message, Query, Want, compact};
use crate::bencode::Writer;

pub(super) fn message(message: &Message) -> Vec<u8> {
    let mut out = Writer::default();
    out.dict();
    let kind = match &message.body {
        Body::Query { sender, read_only, query } => {
            out.bytes("a").dict().bytes("id").bytes(sender.as_bytes());
            let method = arguments(query, &mut out);
            out.end().bytes("q").bytes(method);
            if *read_only {
                out.bytes("ro").int(1);
            }
            "q"
        }
        Body::Answer(content) => {
            out.bytes("r").dict();
            answer(content, &mut out);
            out.end();
            "r"
        }
        Body::Error { code, text } => {
            out.bytes("e").list().int(*code).bytes(text).end();
            "e"
        }
    };
    out.bytes("t").bytes(&message.transaction).bytes("y").bytes(kind).end();
    out.finish()
}

/// Writes the arguments that follow `id`, and returns the method.
fn arguments(query: &Query, out: &mut Writer) -> &'static str {
    match query {
        Query::Ping => "ping",
        Query::FindNode { target, want } => {
            out.bytes("target").bytes(target.as_bytes());
            write_want(*want, out);
            "find_node"
        }
        Query::GetPeers { key, want } => {
            out.bytes("info_hash").bytes(key.place().as_bytes());
            write_want(*want, out);
            "get_peers"
        }
        Query::AnnouncePeer { key, port, implied_port, token } => {
            if *implied_port {
                out.bytes("implied_port").int(1);
            }
            out.bytes("info_hash").bytes(key.place().as_bytes());
            out.bytes("port").int((*port).into()).bytes("token").bytes(token);
            "announce_peer"
        }
    }
}

fn write_want(want: Want, out: &mut Writer) {
    if want == Want::default() {
        return;
    }
    out.bytes("want").list();
    if want.v4 {
        out.bytes("n4");
    }
    if want.v6 {
        out.bytes("n6");
    }
    out.end();
}

fn answer(answer: &Answer, out: &mut Writer) {
    out.bytes("id").bytes(answer.sender.as_bytes());
    let v4 = compact::write_nodes(answer.nodes.iter().filter(|node| node.address.is_ipv4()));
    let v6 = compact::write_nodes(answer.nodes.iter().filter(|node| node.address.is_ipv6()));
    for (key, nodes) in [("nodes", v4), ("nodes6", v6)] {
        if !nodes.is_empty() {
            out.bytes(key).bytes(nodes);
        }
    }
    if let Some(token) = &answer.token {
        out.bytes("token").bytes(token);
    }
    if !answer.values.is_empty() {
        out.bytes("values").list();
        let mut bytes = Vec::new();
        for value in &answer.values {
            bytes.clear();
            compact::write_address(value, &mut bytes);
            out.bytes(&bytes);
        }
        out.end();
    }
}
