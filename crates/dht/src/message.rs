//! What nodes say to each other: KRPC (BEP 5) with IPv6 (BEP 32) and read-only nodes (BEP 43).

mod compact;
mod read;
#[cfg(test)]
mod tests;
mod write;

use std::net::SocketAddr;

use crate::id::{Id, Key};

/// Longest transaction id that is echoed. Everybody's are 1 to 8 bytes; a longer one is somebody filling a packet.
pub const MAX_TRANSACTION: usize = 32;
/// Longest token that is kept and sent back. Everybody's are 4 to 20 bytes.
pub const MAX_TOKEN: usize = 64;
/// Most nodes, and most values, that are read from one answer: a datagram that needs no fragments holds no more.
pub const MAX_LISTED: usize = 200;
/// Largest datagram that is read. Larger than any sensible one: eight nodes and fifty values are 900 bytes.
pub const MAX_DATAGRAM: usize = 2048;

/// A node: its id and where it is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Contact {
    /// Its name.
    pub id: Id,
    /// Its UDP address.
    pub address: SocketAddr,
}

/// One datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Chosen by who asks, echoed by who answers; [`MAX_TRANSACTION`] bytes at most.
    pub transaction: Vec<u8>,
    /// What is said.
    pub body: Body,
}

/// The three kinds of messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// A question.
    Query {
        /// Who asks.
        sender: Id,
        /// It does not answer queries itself, and belongs into no routing table (BEP 43).
        read_only: bool,
        /// What it asks.
        query: Query,
    },
    /// The answer to one.
    Answer(Answer),
    /// The refusal of one.
    Error {
        /// 201 generic, 202 server, 203 protocol (bad arguments, bad token), 204 unknown method.
        code: i64,
        /// For people.
        text: Vec<u8>,
    },
}

/// The four questions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// Are you there?
    Ping,
    /// Which nodes near `target` do you know?
    FindNode {
        /// A place.
        target: Id,
        /// Nodes of which family.
        want: Want,
    },
    /// Who provides `key`, or which nodes near it do you know?
    GetPeers {
        /// What is looked for.
        key: Key,
        /// Nodes of which family.
        want: Want,
    },
    /// I provide `key`.
    AnnouncePeer {
        /// What is provided.
        key: Key,
        /// At which port; 0 when it did not say.
        port: u16,
        /// At the port from which this is sent, instead.
        implied_port: bool,
        /// From the answer to an earlier [`Query::GetPeers`].
        token: Vec<u8>,
    },
}

/// Nodes of which address family are asked for (BEP 32). Neither: of the family that the packet travels by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Want {
    /// `n4`.
    pub v4: bool,
    /// `n6`.
    pub v6: bool,
}

/// What an answer holds; which of it depends on the question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Who answers.
    pub sender: Id,
    /// Nodes near the target, those with IPv4 addresses first.
    pub nodes: Vec<Contact>,
    /// Providers of the key.
    pub values: Vec<SocketAddr>,
    /// Needed to announce there; [`MAX_TOKEN`] bytes at most.
    pub token: Option<Vec<u8>>,
}

impl Answer {
    /// An answer with nothing but its sender.
    pub const fn from(sender: Id) -> Self {
        Answer { sender, nodes: Vec::new(), values: Vec::new(), token: None }
    }
}

/// Why a datagram is no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Not a message at all: not worth an answer.
    #[error("not a message of the DHT")]
    Garbage,
    /// A query of a method that we do not have.
    #[error("unknown method")]
    UnknownMethod {
        /// To be echoed.
        transaction: Vec<u8>,
    },
    /// A query whose arguments are missing or of the wrong shape.
    #[error("the query lacks an argument, or one has the wrong shape")]
    BadArguments {
        /// To be echoed.
        transaction: Vec<u8>,
    },
}

impl Message {
    /// Reads a datagram. Keys that we do not know are skipped, as BEP 5 has it; everything else must be right.
    pub fn decode(datagram: &[u8]) -> Result<Message, Unreadable> {
        read::message(datagram)
    }

    /// The datagram.
    pub fn encode(&self) -> Vec<u8> {
        write::message(self)
    }
}
