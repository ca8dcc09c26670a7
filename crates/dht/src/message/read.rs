//! From a datagram to a [`Message`], strictly: a message that is wrong in part is wrong.

use super::compact::{self, Family};
use super::{
    Answer, Body, Contact, MAX_DATAGRAM, MAX_LISTED, MAX_TOKEN, MAX_TRANSACTION, Message, Query, Unreadable,
    Want,
};
use crate::bencode::{self, Dict, Value};
use crate::id::{Id, Key};

pub(super) fn message(datagram: &[u8]) -> Result<Message, Unreadable> {
    if datagram.len() > MAX_DATAGRAM {
        return Err(Unreadable::Garbage);
    }
    let Some(Value::Dict(dict)) = bencode::decode(datagram) else { return Err(Unreadable::Garbage) };
    let transaction =
        dict.bytes("t").filter(|t| t.len() <= MAX_TRANSACTION).ok_or(Unreadable::Garbage)?.to_vec();
    let body = match dict.bytes("y") {
        Some(b"q") => query(&dict, &transaction)?,
        Some(b"r") => dict.dict("r").and_then(answer).map(Body::Answer).ok_or(Unreadable::Garbage)?,
        Some(b"e") => error(&dict).ok_or(Unreadable::Garbage)?,
        _ => return Err(Unreadable::Garbage),
    };
    Ok(Message { transaction, body })
}

fn query(dict: &Dict<'_>, transaction: &[u8]) -> Result<Body, Unreadable> {
    let method = dict.bytes("q").ok_or(Unreadable::Garbage)?;
    let bad = || Unreadable::BadArguments { transaction: transaction.to_vec() };
    let arguments = dict.dict("a").ok_or_else(bad)?;
    let query = match method {
        b"ping" => Some(Query::Ping),
        b"find_node" => find_node(arguments),
        b"get_peers" => get_peers(arguments),
        b"announce_peer" => announce_peer(arguments),
        // A method that is invented later: who names a place is told the nodes near it, as libtorrent does.
        _ => match ["target", "info_hash"].into_iter().find_map(|key| id(arguments, key)) {
            Some(target) => want(arguments).map(|want| Query::FindNode { target, want }),
            None => return Err(Unreadable::UnknownMethod { transaction: transaction.to_vec() }),
        },
    };
    let sender = id(arguments, "id").ok_or_else(bad)?;
    Ok(Body::Query { sender, read_only: dict.int("ro") == Some(1), query: query.ok_or_else(bad)? })
}

fn find_node(arguments: &Dict<'_>) -> Option<Query> {
    Some(Query::FindNode { target: id(arguments, "target")?, want: want(arguments)? })
}

fn get_peers(arguments: &Dict<'_>) -> Option<Query> {
    Some(Query::GetPeers { key: Key::at(id(arguments, "info_hash")?), want: want(arguments)? })
}

fn announce_peer(arguments: &Dict<'_>) -> Option<Query> {
    let implied_port = arguments.int("implied_port").is_some_and(|implied| implied != 0);
    let port = match arguments.int("port") {
        // What it says then does not count (BEP 5).
        Some(port) if implied_port => u16::try_from(port).unwrap_or(0),
        Some(port) => u16::try_from(port).ok()?,
        None if implied_port => 0,
        None => return None,
    };
    let token = arguments.bytes("token").filter(|token| token.len() <= MAX_TOKEN)?.to_vec();
    Some(Query::AnnouncePeer { key: Key::at(id(arguments, "info_hash")?), port, implied_port, token })
}

fn want(arguments: &Dict<'_>) -> Option<Want> {
    let mut want = Want::default();
    if arguments.get("want").is_some() {
        for family in arguments.list("want")? {
            match family {
                Value::Bytes(b"n4") => want.v4 = true,
                Value::Bytes(b"n6") => want.v6 = true,
                // A family that is invented later.
                Value::Bytes(_) => {}
                _ => return None,
            }
        }
    }
    Some(want)
}

fn answer(dict: &Dict<'_>) -> Option<Answer> {
    let mut nodes: Vec<Contact> = Vec::new();
    for (key, family) in [("nodes", Family::V4), ("nodes6", Family::V6)] {
        if dict.get(key).is_some() {
            nodes.extend(compact::read_nodes(dict.bytes(key)?, family)?);
        }
    }
    let mut values = Vec::new();
    if dict.get("values").is_some() {
        for value in dict.list("values")? {
            let Value::Bytes(bytes) = value else { return None };
            values.push(compact::read_address(bytes)?);
        }
    }
    let token = match dict.get("token") {
        None => None,
        Some(Value::Bytes(token)) if token.len() <= MAX_TOKEN => Some(token.to_vec()),
        Some(_) => return None,
    };
    let listed = nodes.len() <= MAX_LISTED && values.len() <= MAX_LISTED;
    Some(Answer { sender: id(dict, "id")?, nodes, values, token }).filter(|_| listed)
}

fn error(dict: &Dict<'_>) -> Option<Body> {
    match dict.list("e")? {
        // Whatever some add to it: a refusal that is not understood would pass for a lost packet.
        [Value::Int(code), Value::Bytes(text), ..] => Some(Body::Error { code: *code, text: text.to_vec() }),
        _ => None,
    }
}

fn id(dict: &Dict<'_>, key: &str) -> Option<Id> {
    dict.bytes(key)?.try_into().ok().map(Id::from_bytes)
}
